package main

import (
	"context"
	"strings"

	"github.com/azprov/azprov/goalstate"
)

// writeAttributes writes what other units may want to know, as lines KEY=value.
func (a *app) writeAttributes(ctx context.Context, p *platform) error {
	lines, err := p.attributes(ctx)
	if err != nil {
		return err
	}
	return a.write(a.flags.attributes, []byte(strings.Join(lines, "")), 0o644)
}

// attributes are those of Azure; an Azure Stack has none. What the platform does not say
// is left out.
func (p *platform) attributes(ctx context.Context) ([]string, error) {
	if p.stack {
		return nil, nil
	}
	client, err := p.wireServer(ctx)
	if err != nil {
		return nil, err
	}
	config, err := client.GetSharedConfig(ctx, nil)
	if err != nil {
		return nil, err
	}
	compute, err := p.compute(ctx)
	if err != nil {
		return nil, err
	}
	dynamic, virtual := addresses(config.SharedConfig)
	var lines []string
	for _, attribute := range []struct{ key, value string }{
		{"IPV4_DYNAMIC", dynamic}, {"IPV4_VIRTUAL", virtual}, {"VMSIZE", compute.VMSize},
	} {
		if attribute.value != "" {
			lines = append(lines, "AFTERBURN_AZURE_"+attribute.key+"="+quoted(attribute.value)+"\n")
		}
	}
	return lines, nil
}

// addresses are the machine's own and that of the load balancer before it; empty where
// there is none.
func addresses(config goalstate.SharedConfig) (dynamic, virtual string) {
	own, _ := config.Own()
	if addr, ok := own.Addr(); ok {
		dynamic = addr.String()
	}
	for _, endpoint := range own.InputEndpoints {
		if balancer, ok := endpoint.LoadBalancedAddrPort(); ok {
			return dynamic, balancer.Addr().String()
		}
	}
	return dynamic, ""
}

// quoted makes sure that a value is one for EnvironmentFile=, and stays one line.
func quoted(value string) string {
	plain := func(r rune) bool {
		return r < 0x7f && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-:", r))
	}
	var kept strings.Builder
	for _, r := range value {
		if plain(r) {
			kept.WriteRune(r)
		}
	}
	return kept.String()
}
