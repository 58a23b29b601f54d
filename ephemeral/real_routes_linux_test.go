package ephemeral_test

import (
	"strings"
	"testing"

	"github.com/azprov/azprov/ephemeral"
)

// TestRealOnLink: a gateway outside of the subnet, a network on the link, and an address to
// send from that is not the link's first.
func TestRealOnLink(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.ip("link", "set", "eth0", "up")
	l.ip("addr", "add", "10.5.0.9/32", "dev", "eth0")
	before := l.snapshot()
	l.serve("fab0", range0, "--dhcp-option=1,255.255.255.255", "--dhcp-option=121,10.5.0.0/16,0.0.0.0,168.63.129.16/32,10.0.0.1")
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	lease, _ := n.Lease()
	l.reaches("168.63.129.16")
	routes := l.ip("-4", "route")
	source := "src " + lease.Address.Addr().String()
	for _, want := range [][]string{
		{"168.63.129.16 via 10.0.0.1 dev eth0 ", source, "onlink"},
		{"10.5.0.0/16 dev eth0 ", source, "scope link"},
	} {
		_, line, found := strings.Cut(routes, want[0])
		line, _, _ = strings.Cut(line, "\n")
		if !found || !strings.Contains(line, want[1]) || !strings.Contains(line, want[2]) {
			t.Errorf("no %q in\n%s", want, routes)
		}
	}
	if err := n.Down(within(t)); err != nil {
		t.Fatal(err)
	}
	if after := l.snapshot(); after != before {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}

// TestRealSwept: somebody else has removed what Up has added.
func TestRealSwept(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	before := l.snapshot()
	l.serve("fab0", range0, azureRoutes, azureServer)
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	l.ip("addr", "flush", "dev", "eth0")
	if err := n.Down(within(t)); err != nil {
		t.Error(err)
	}
	if after := l.snapshot(); after != before {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}
