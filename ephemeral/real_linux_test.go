package ephemeral_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ephemeral"
	"github.com/azprov/azprov/provision"
)

var (
	_ provision.Network = (*ephemeral.Network)(nil)
	_ provision.Network = (*ephemeral.Managed)(nil)
)

const (
	macA   = "00:0d:3a:00:00:01"
	macB   = "00:0d:3a:00:00:02"
	range0 = "10.0.0.50,10.0.0.60,255.255.255.0,1h"
	range1 = "10.1.0.50,10.1.0.60,255.255.255.0,1h"
)

// within is the time of one test's operation; the machine may be busy.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestRealUpAndDown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	index := l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.serve("fab0", range0, azureRoutes, azureServer, "--dhcp-option=3,10.0.0.9", "--dhcp-option=6,168.63.129.16",
		"--dhcp-option=15,harbour.example", "--dhcp-option-force=26,1400")
	before := l.snapshot()
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	lease, ok := n.Lease()
	gateway := netip.MustParseAddr("10.0.0.1")
	if !ok || n.Index() != index || !lease.Primary() || lease.Gateway != gateway || lease.Server != gateway ||
		lease.WireServer != netip.MustParseAddr("168.63.129.16") || lease.Duration != time.Hour || lease.MTU != 1400 ||
		lease.RenewAfter != 30*time.Minute || !slices.Equal(lease.DNS, []netip.Addr{lease.WireServer}) ||
		lease.Domain != "harbour.example" || len(lease.Routes) != 3 || len(lease.Warnings) > 0 {
		t.Errorf("%+v", lease)
	}
	if !netip.MustParsePrefix("10.0.0.0/24").Contains(lease.Address.Addr()) || lease.Address.Bits() != 24 {
		t.Errorf("address %v", lease.Address)
	}
	l.reaches("168.63.129.16")
	l.reaches("169.254.169.254")
	routes := l.ip("-4", "route")
	for _, want := range []string{"default via 10.0.0.1", "168.63.129.16 via 10.0.0.1", "169.254.169.254 via 10.0.0.1"} {
		i := strings.Index(routes, want)
		if i < 0 || !strings.Contains(strings.Split(routes[i:], "\n")[0], "mtu 1400") {
			t.Errorf("no %q with its MTU in\n%s", want, routes)
		}
	}
	if addresses := l.ip("-4", "addr", "show", "eth0"); !strings.Contains(addresses, "valid_lft 3") || !strings.Contains(addresses, "mtu 1500") {
		t.Errorf("the address outlives the lease, or the link was changed:\n%s", addresses)
	}
	for range 2 {
		if err := n.Down(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if after := l.snapshot(); after != before || n.Index() != 0 {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}

// TestRealFlushed: somebody else has removed what Up added. Nothing stays open either.
func TestRealFlushed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.serve("fab0", range0, azureRoutes, azureServer)
	before := l.snapshot()
	n := l.network(ephemeral.Options{}, nil)
	var open []int
	for range 2 {
		if err := n.Up(within(t)); err != nil {
			t.Fatal(err)
		}
		l.ip("addr", "flush", "dev", "eth0")
		if err := n.Down(within(t)); err != nil {
			t.Error(err)
		}
		open = append(open, descriptors(t))
	}
	if after := l.snapshot(); after != before || n.Index() != 0 {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
	if open[1] > open[0] {
		t.Errorf("the second time left %d open files, the first %d", open[1], open[0])
	}
}

// TestRealWhatWasThere: addresses and routes that Up finds stay.
func TestRealWhatWasThere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.serve("fab0", "10.0.0.50,10.0.0.50,255.255.255.0,infinite", azureRoutes, azureServer)
	l.ip("link", "set", "eth0", "up")
	l.ip("addr", "add", "10.0.0.50/24", "broadcast", "+", "dev", "eth0")
	l.ip("route", "add", "169.254.169.254/32", "via", "10.0.0.1")
	before := l.snapshot()
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	l.reaches("168.63.129.16")
	if lease, _ := n.Lease(); lease.Duration != 0 || lease.RenewAfter != 0 {
		t.Errorf("%+v", lease)
	}
	if err := n.Down(within(t)); err != nil {
		t.Fatal(err)
	}
	if after := l.snapshot(); after != before {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}

// TestRealLeftovers: what a process has left that was killed does not lead a later one
// astray, and goes with its Down.
func TestRealLeftovers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.ip("link", "set", "eth0", "up")
	l.ip("addr", "add", "10.9.9.9/32", "dev", "eth0")
	before := l.snapshot()
	stop := l.serve("fab0", "10.0.0.50,10.0.0.50,255.255.255.0,infinite",
		"--dhcp-option=121,0.0.0.0/0,10.0.0.2,168.63.129.16/32,10.0.0.2,169.254.169.254/32,10.0.0.2", azureServer)
	killed := l.network(ephemeral.Options{}, nil)
	if err := killed.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	stop()
	l.serve("fab0", "10.0.0.60,10.0.0.60,255.255.255.0,infinite", azureRoutes, azureServer)
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	if now := l.ip("-4", "addr", "show", "eth0") + l.ip("-4", "route"); strings.Contains(now, "10.0.0.50") || strings.Contains(now, "10.0.0.2 ") {
		t.Errorf("the other network is still there:\n%s", now)
	}
	l.reaches("168.63.129.16")
	if err := n.Down(within(t)); err != nil {
		t.Fatal(err)
	}
	if after := l.snapshot(); after != before {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}

func TestRealPrimarySecond(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.1.0.1/24")
	index := l.nic("eth1", macB, "fab1", "10.0.0.1/24")
	l.serve("fab0", range1)
	l.serve("fab1", range0, azureRoutes, azureServer)
	before := l.snapshot()
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	if n.Index() != index {
		t.Errorf("index %d, want %d", n.Index(), index)
	}
	l.reaches("168.63.129.16")
	if links := l.ip("-4", "addr", "show", "eth0"); strings.Contains(links, "inet") || strings.Contains(links, "UP") {
		t.Errorf("the other NIC was left as\n%s", links)
	}
	if err := n.Down(within(t)); err != nil {
		t.Fatal(err)
	}
	if after := l.snapshot(); after != before {
		t.Errorf("Down left\n%s\nwant\n%s", after, before)
	}
}

// TestRealVirtualFunction: the twin, which is first by name and even has the server's ear,
// is not used.
func TestRealVirtualFunction(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.1.0.1/24")
	index := l.nic("eth1", macA, "fab1", "10.0.0.1/24")
	l.serve("fab0", range1, azureRoutes)
	l.serve("fab1", range0, azureRoutes, azureServer)
	n := l.network(ephemeral.Options{}, map[string]string{"eth0": "mlx5_core", "eth1": "hv_netvsc"})
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	if n.Index() != index {
		t.Errorf("index %d, want %d", n.Index(), index)
	}
}

func TestRealServerIsLate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	failed := 0
	n := l.network(ephemeral.Options{OnAttempt: func(a ephemeral.Attempt) {
		if a.Err == nil {
			return
		}
		if failed++; failed == 1 {
			if reason, _ := azprov.ReasonOf(a.Err); reason != "failure to obtain DHCP lease" || azprov.KindOf(a.Err) != azprov.KindNetwork {
				t.Errorf("%v", a.Err)
			}
			l.serve("fab0", range0, azureRoutes, azureServer)
		}
	}}, nil)
	if err := n.Up(within(t)); err != nil || failed == 0 {
		t.Fatalf("%v after %d failures", err, failed)
	}
}

// TestRealVanish: the NIC is unplugged during DHCP; another one comes.
func TestRealVanish(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	index := l.nic("eth0", macA, "fab0", "10.1.0.1/24")
	n := l.network(ephemeral.Options{}, nil)
	unplugged := make(chan struct{})
	go func() {
		defer close(unplugged)
		time.Sleep(3300 * time.Millisecond) // nothing more is sent until the 7th second
		l.ip("link", "del", "eth0")
	}()
	started := time.Now()
	_, err := n.UpOn(within(t), index)
	<-unplugged
	if took := time.Since(started); !errors.Is(err, azprov.ErrNotFound) || took > 6*time.Second {
		t.Errorf("%v after %v: the end of the NIC was not noticed", err, took)
	}

	l.nic("eth0", macA, "fab1", "10.1.0.1/24")
	var second int
	go func() {
		time.Sleep(500 * time.Millisecond)
		l.ip("link", "del", "eth0")
		second = l.nic("eth1", macB, "fab2", "10.0.0.1/24")
		l.serve("fab2", range0, azureRoutes, azureServer)
	}()
	if err := n.Up(within(t)); err != nil || n.Index() != second {
		t.Fatalf("%v on %d, want %d", err, n.Index(), second)
	}
	l.ip("link", "del", "eth1")
	if err := n.Down(within(t)); err != nil {
		t.Errorf("Down without the NIC: %v", err)
	}
}

func TestRealRename(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	index := l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	go func() {
		time.Sleep(500 * time.Millisecond)
		l.ip("link", "set", "eth0", "down") // older kernels rename no link that is up
		l.ip("link", "set", "eth0", "name", "ens5")
		l.ip("link", "set", "ens5", "up")
		l.serve("fab0", range0, azureRoutes, azureServer)
	}()
	n := l.network(ephemeral.Options{}, nil)
	if err := n.Up(within(t)); err != nil || n.Index() != index {
		t.Fatalf("%v on %d", err, n.Index())
	}
	l.reaches("168.63.129.16")
	l.ip("link", "set", "ens5", "down")
	l.ip("link", "set", "ens5", "name", "enP1")
	if err := n.Down(within(t)); err != nil {
		t.Error(err)
	}
	if addresses := l.ip("-4", "addr"); strings.Contains(addresses, "10.0.0.") {
		t.Errorf("Down left\n%s", addresses)
	}
}

// TestRealLiveRename: the link keeps running while udev renames it.
func TestRealLiveRename(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	index := l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	l.ip("link", "set", "eth0", "up")
	attempts := 0
	n := l.network(ephemeral.Options{OnAttempt: func(ephemeral.Attempt) { attempts++ }}, nil)
	renamed := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		link, err := net.InterfaceByIndex(index)
		if err == nil && link.Name != "eth0" {
			err = fmt.Errorf("the link is called %s", link.Name)
		}
		l.ip("link", "set", "eth0", "name", "ens5")
		l.serve("fab0", range0, azureRoutes, azureServer)
		renamed <- err
	}()
	if err := n.Up(within(t)); err != nil || n.Index() != index || attempts != 1 {
		t.Errorf("%v on %d after %d attempts: a rename needs no second one", err, n.Index(), attempts)
	}
	if err := <-renamed; err != nil {
		t.Error(err)
	}
}

// TestRealRefusal: the server takes back what it has offered.
func TestRealRefusal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	requests := make(chan *dhcpv4.DHCPv4, 10)
	server := scripted(l, "fab0", 1, requests)
	defer func() { _ = server.Close() }()
	refused := 0
	n := l.network(ephemeral.Options{OnAttempt: func(a ephemeral.Attempt) {
		if errors.Is(a.Err, azprov.ErrNotReady) {
			refused++
		}
	}}, nil)
	if err := n.Up(within(t)); err != nil || refused != 1 {
		t.Fatalf("%v after %d refusals", err, refused)
	}
	asked := <-requests
	for _, code := range []uint8{1, 3, 6, 12, 15, 26, 51, 54, 58, 121, 245, 249} {
		if !asked.IsOptionRequested(dhcpv4.GenericOptionCode(code)) {
			t.Errorf("option %d is not asked for", code)
		}
	}
	list := asked.Options.Get(dhcpv4.OptionParameterRequestList)
	if slices.Index(list, 121) > slices.Index(list, 3) || !asked.IsBroadcast() ||
		asked.HostName() != "" || asked.Options.Has(dhcpv4.OptionClientIdentifier) {
		t.Errorf("%s", asked.Summary())
	}
}

// scripted serves DHCP; refuse says which requests, counted from 1, are refused. Leases are to
// be renewed after a second.
func scripted(l *lab, peer string, refuse int, requests chan<- *dhcpv4.DHCPv4) *server4.Server {
	l.t.Helper()
	self, count := net.IPv4(10, 0, 0, 1), 0
	answerTo := func(m *dhcpv4.DHCPv4) dhcpv4.MessageType {
		if m.MessageType() == dhcpv4.MessageTypeDiscover {
			return dhcpv4.MessageTypeOffer
		}
		if count++; count == refuse {
			return dhcpv4.MessageTypeNak
		}
		return dhcpv4.MessageTypeAck
	}
	var server *server4.Server
	var err error
	done := make(chan struct{})
	l.do <- func() {
		defer close(done)
		server, err = server4.NewServer(peer, nil, func(conn net.PacketConn, _ net.Addr, m *dhcpv4.DHCPv4) {
			requests <- m
			answer, err := dhcpv4.NewReplyFromRequest(m,
				dhcpv4.WithMessageType(answerTo(m)), dhcpv4.WithServerIP(self),
				dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)), dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 7)),
				dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithLeaseTime(3600),
				dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, []byte{0, 0, 0, 1}),
				dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(249), []byte{32, 168, 63, 129, 16, 10, 0, 0, 1}))
			if err != nil {
				l.t.Error(err)
				return
			}
			_, _ = conn.WriteTo(answer.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68})
		})
	}
	<-done
	if err != nil {
		l.t.Fatal(err)
	}
	go func() { _ = server.Serve() }()
	return server
}

func TestRealHotAttached(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	secondary := l.nic("eth1", macA, "fab0", "10.1.0.1/24")
	l.serve("fab0", range1)
	before := l.snapshot()
	n := l.network(ephemeral.Options{}, nil)
	if primary, err := n.UpOn(within(t), secondary); primary || err != nil || n.Index() != 0 {
		t.Errorf("%v, %v, %d", primary, err, n.Index())
	}
	if after := l.snapshot(); after != before {
		t.Errorf("the secondary NIC was left as\n%s\nwant\n%s", after, before)
	}
	index := l.nic("eth2", macB, "fab1", "10.0.0.1/24")
	l.serve("fab1", range0, azureRoutes, azureServer)
	if primary, err := n.UpOn(within(t), index); !primary || err != nil || n.Index() != index {
		t.Errorf("%v, %v, %d", primary, err, n.Index())
	}
	l.reaches("169.254.169.254")
}
