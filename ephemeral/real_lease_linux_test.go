package ephemeral_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ephemeral"
)

func TestRealRenewal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	requests := make(chan *dhcpv4.DHCPv4, 100)
	server := scripted(l, "fab0", 3, requests)
	defer func() { _ = server.Close() }()
	renewed := make(chan ephemeral.Attempt, 10)
	n := l.network(ephemeral.Options{OnAttempt: func(a ephemeral.Attempt) {
		if a.Renewal {
			renewed <- a
		}
	}}, nil)
	if err := n.Up(within(t)); err != nil {
		t.Fatal(err)
	}
	first, _ := n.Lease()
	for range 2 { // the second is refused, and answered by a new lease
		if a := <-renewed; a.Err != nil || a.Lease.Address != first.Address {
			t.Fatalf("%+v", a)
		}
	}
	var types []dhcpv4.MessageType
	for range 6 {
		m := <-requests
		types = append(types, m.MessageType())
		if renews := len(types) == 3 || len(types) == 4; renews != m.ClientIPAddr.Equal(net.IPv4(10, 0, 0, 7)) {
			t.Errorf("message %d is from %v", len(types), m.ClientIPAddr)
		}
	}
	discover, request := dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest
	if !slices.Equal(types, []dhcpv4.MessageType{discover, request, request, request, discover, request}) {
		t.Errorf("%v", types)
	}
	if lease, _ := n.Lease(); !lease.Obtained.After(first.Obtained) {
		t.Errorf("%v, first %v", lease.Obtained, first.Obtained)
	}
	l.reaches("168.63.129.16")
	if err := n.Down(within(t)); err != nil {
		t.Fatal(err)
	}
	if routes := l.ip("-4", "route"); routes != "" {
		t.Errorf("Down left\n%s", routes)
	}
}

func TestRealManaged(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	index := l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	m, err := ephemeral.NewManaged(nil)
	if err != nil {
		t.Fatal(err)
	}
	configure := func() {
		time.Sleep(500 * time.Millisecond)
		l.ip("link", "set", "eth0", "up")
		l.ip("addr", "add", "10.0.0.50/24", "dev", "eth0")
		l.ip("route", "add", "168.63.129.16/32", "via", "10.0.0.1")
	}
	go configure()
	if err := m.Up(within(t)); err != nil || m.Index() != index {
		t.Fatalf("%v, %d", err, m.Index())
	}
	lease, ok := m.Lease()
	if !ok || lease.Address != netip.MustParsePrefix("10.0.0.50/24") || !lease.Primary() || lease.MTU != 1500 ||
		!slices.ContainsFunc(lease.Routes, func(r ephemeral.Route) bool { return r.String() == "168.63.129.16/32 via 10.0.0.1" }) {
		t.Errorf("%+v", lease)
	}
	l.reaches("168.63.129.16")
	go func() {
		time.Sleep(500 * time.Millisecond)
		l.ip("addr", "replace", "10.0.0.50/24", "dev", "eth0") // the same lease, anew
	}()
	started := time.Now()
	if primary, err := m.UpOn(within(t), index); !primary || err != nil || time.Since(started) < 400*time.Millisecond {
		t.Errorf("%v, %v after %v", primary, err, time.Since(started))
	}
	before := l.snapshot()
	if err := m.Down(t.Context()); err != nil || l.snapshot() != before {
		t.Errorf("%v\n%s", err, l.snapshot())
	}
	if _, err := m.UpOn(within(t), 4711); !errors.Is(err, azprov.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestRealNoPrivileges(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if l == nil {
		return
	}
	l.nic("eth0", macA, "fab0", "10.0.0.1/24")
	started := time.Now()
	unprivileged(t, func() {
		err := l.network(ephemeral.Options{}, nil).Up(within(t))
		if !errors.Is(err, azprov.ErrDenied) || !strings.Contains(err.Error(), "root") || time.Since(started) > 5*time.Second {
			t.Errorf("%v", err)
		}
	})
}
