package e2e

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
	"github.com/azprov/azprov/internal/programtest"
)

// TestPoolWithDnsmasq has a DHCP server that is not ours: what the lab's own sends could
// be what our client expects, and nobody else.
func TestPoolWithDnsmasq(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "dnsmasq", "ip")
	for scenario, row := range map[string]struct{ host, pool, owner string }{
		"pps-running": {"jetty-21", "10.90.0", "10.20.0"}, "pps-savable": {"jetty-22", "10.90.0", "10.20.0"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			name := "azp-" + scenario + "-" + strconv.Itoa(os.Getpid())
			g := newGuest(t, &lab.Options{Scenario: quick(t, scenario), NoDHCP: true, Name: name})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			last := g.lab.Fabric().VM().Interfaces[0].Addresses[0].Addr().As4()[3]
			stop := dnsmasq(ctx, t, name+"-fabric", row.pool, last)
			exchanged := make(chan struct{})
			go func() {
				defer close(exchanged)
				for milestone := range g.lab.Fabric().Follow(ctx) {
					switch milestone.Phase {
					case emulator.PhaseDisconnected:
						stop()
					case emulator.PhaseConnected: // the cable's end is there again
						stop = dnsmasq(ctx, t, name+"-fabric", row.owner, last)
						return
					default:
					}
				}
			}()
			lines, _ := g.run(ctx, "")
			<-exchanged
			stop()
			if pool, owner := g.readies(); pool != 1 || owner != 1 || g.applied() != row.host {
				t.Errorf("Ready %d times in the pool, %d times for the owner; applied %q\n%s", pool, owner, g.applied(), strings.Join(lines, "\n"))
			}
			// All routes came by option 121, and the lease from the owner's network.
			if text := strings.Join(lines, "\n"); !strings.Contains(text, "dhcp eth0 "+row.owner+"."+strconv.Itoa(int(last))+"/24 <nil>") {
				t.Errorf("no lease of the owner's network:\n%s", text)
			}
		})
	}
}

// cable is the end of the guest's interface in the fabric.
const cable = "vm0"

// dnsmasq serves one address of a subnet on the cables of a lab, until stop.
func dnsmasq(ctx context.Context, t *testing.T, namespace, subnet string, last byte) (stop func()) {
	t.Helper()
	gateway, address := subnet+".1", subnet+"."+strconv.Itoa(int(last))
	args := []string{
		"netns", "exec", namespace, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--bind-dynamic",
		"--leasefile-ro", "--dhcp-authoritative", "--no-ping", "--log-facility=-", "--pid-file=",
		"--dhcp-range=" + address + "," + address + ",255.255.255.0,infinite",
		"--dhcp-option=3," + gateway,
		"--dhcp-option=121,0.0.0.0/0," + gateway + ",168.63.129.16/32," + gateway + ",169.254.169.254/32," + gateway,
		"--dhcp-option-force=245,a8:3f:81:10",
	}
	// It answers only where it has an address itself.
	for _, do := range [][]string{{"flush", "dev", cable}, {"add", gateway + "/24", "dev", cable}} {
		if _, out, err := programtest.Try(t, "", "ip", append([]string{"-n", namespace, "address"}, do...)...); err != nil {
			t.Errorf("%v: %v, %s", do, err, out)
		}
	}
	command := exec.CommandContext(ctx, "ip", args...)
	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Error(err)
		return func() {}
	}
	return func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	}
}
