package main

import (
	"context"
	"strings"

	"github.com/azprov/azprov/ovf/media"
)

// The values of --hostname-from.
const (
	fromVMName       = "vm-name"
	fromComputerName = "computer-name"
)

func (a *app) writeHostName(ctx context.Context, p *platform) error {
	name, err := p.hostName(ctx)
	if err != nil {
		return err
	}
	if name == "" {
		a.note("the platform names no host; %s is left as it is", a.flags.hostname)
		return nil
	}
	return a.write(a.flags.hostname, []byte(name+"\n"), 0o644)
}

// hostName is empty if the platform says none.
func (p *platform) hostName(ctx context.Context) (string, error) {
	compute, err := p.compute(ctx)
	if err != nil {
		return "", err
	}
	name := compute.Name
	if p.app.flags.hostnameFrom == fromComputerName {
		name = compute.HostName()
	}
	if name == "" && p.stack {
		env, err := p.medium(ctx, media.DefaultWait)
		if err != nil {
			return "", err
		}
		if env != nil {
			name = env.HostName
		}
	}
	return p.shortened(name), nil
}

// maxHostName is Linux's HOST_NAME_MAX.
const maxHostName = 64

// shortened is Afterburn's rule: a name that is too long is cut, then at its first dot.
// One that is a file's second line, or none that the kernel prints, is nobody's name.
func (p *platform) shortened(name string) string {
	name = strings.TrimSpace(name)
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		p.app.note("warning: the platform's host name %q is none", name)
		return ""
	}
	if len(name) <= maxHostName {
		return name
	}
	name, _, _ = strings.Cut(name[:maxHostName], ".")
	return name
}
