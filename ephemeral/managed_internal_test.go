package ephemeral

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
)

// scene is a machine whose network changes with time.
type scene struct {
	started time.Time
	// changes in order: from that time on the view is that one.
	changes []change
	err     error
	opened  int // and not closed
}

type change struct {
	at time.Duration
	view
}

func (s *scene) look() (view, error) {
	v := view{}
	for _, c := range s.changes {
		if time.Since(s.started) >= c.at {
			v = c.view
		}
	}
	return v, s.err
}

func (s *scene) close() { s.opened-- }

func (s *scene) managed() *Managed {
	s.started = time.Now()
	return &Managed{logger: zap.NewNop(), open: func() (machine, error) {
		s.opened++
		return s, nil
	}}
}

func addressed(index int, address string, stamp uint32) stampedAddress {
	return stampedAddress{index: index, address: netip.MustParsePrefix(address), stamp: stamp}
}

func routed(index, metric int, network, gateway string) mainRoute {
	return mainRoute{Route: via(network, gateway), index: index, metric: metric}
}

func TestManagedUp(t *testing.T) {
	two := []Link{nic(2, "eth0"), nic(3, "eth1")}
	both := []stampedAddress{addressed(2, "10.1.0.4/24", 1), addressed(3, "10.0.0.4/24", 1)}
	for _, row := range []struct {
		name    string
		changes []change
		index   int
		after   time.Duration
	}{
		{"it is there", []change{{0, view{two, both, []mainRoute{routed(3, 100, "168.63.129.16/32", "10.0.0.1")}}}}, 3, 0},
		{"it comes", []change{{1900 * time.Millisecond, view{two, both, []mainRoute{routed(3, 0, "169.254.169.254/32", "10.0.0.1")}}}}, 3, 2 * time.Second},
		{"a default route, when it has settled", []change{{time.Second, view{two, both, []mainRoute{routed(2, 0, "0.0.0.0/0", "10.1.0.1")}}}}, 2, 6 * time.Second},
		{"the default route of the lowest metric", []change{{0, view{two, both, []mainRoute{routed(2, 200, "0.0.0.0/0", "10.1.0.1"), routed(3, 100, "0.0.0.0/0", "10.0.0.1")}}}}, 3, 5 * time.Second},
		{"a default route settles anew on another link", []change{
			{0, view{two, both, []mainRoute{routed(2, 200, "0.0.0.0/0", "10.1.0.1")}}},
			{3 * time.Second, view{two, both, []mainRoute{routed(3, 100, "0.0.0.0/0", "10.0.0.1")}}},
		}, 3, 8 * time.Second},
		{"something better follows", []change{
			{0, view{two, both, []mainRoute{routed(2, 0, "0.0.0.0/0", "10.1.0.1")}}},
			{3 * time.Second, view{two, both, []mainRoute{routed(2, 0, "0.0.0.0/0", "10.1.0.1"), routed(3, 0, "168.63.129.16/32", "10.0.0.1")}}},
		}, 3, 3 * time.Second},
		{"a link without address", []change{
			{0, view{two, both[:1], []mainRoute{routed(3, 0, "168.63.129.16/32", "10.0.0.1")}}},
			{time.Second, view{two, both, []mainRoute{routed(3, 0, "168.63.129.16/32", "10.0.0.1")}}},
		}, 3, time.Second},
		{"an address of its own making", []change{
			{0, view{two, []stampedAddress{addressed(3, "169.254.7.7/16", 1)}, []mainRoute{routed(3, 0, "169.254.169.254/32", "")}}},
			{time.Second, view{two, both, []mainRoute{routed(3, 0, "169.254.169.254/32", "")}}},
		}, 3, time.Second},
		{"an address of no host", []change{
			{0, view{two, []stampedAddress{addressed(3, "127.0.0.2/8", 1)}, []mainRoute{routed(3, 0, "168.63.129.16/32", "")}}},
			{time.Second, view{two, both, []mainRoute{routed(3, 0, "168.63.129.16/32", "")}}},
		}, 3, time.Second},
		{"a link without carrier", []change{
			{0, view{[]Link{downed(nic(3, "eth1"))}, both, []mainRoute{routed(3, 0, "168.63.129.16/32", "10.0.0.1")}}},
			{time.Second, view{two, both, []mainRoute{routed(3, 0, "168.63.129.16/32", "10.0.0.1")}}},
		}, 3, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scene{changes: row.changes}
				m := s.managed()
				if err := m.Up(t.Context()); err != nil || m.Index() != row.index || time.Since(s.started) != row.after {
					t.Errorf("%v on %d after %v", err, m.Index(), time.Since(s.started))
				}
				if s.opened != 0 {
					t.Errorf("%d are still open", s.opened)
				}
			})
		})
	}
}

func TestManagedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{changes: []change{{0, view{
			[]Link{nic(2, "eth0"), nic(3, "eth1")},
			[]stampedAddress{addressed(3, "10.0.0.4/24", 1)},
			[]mainRoute{routed(3, 200, "168.63.129.16/32", "10.0.0.1"), routed(3, 100, "0.0.0.0/0", "10.0.0.1"), routed(2, 0, "10.9.0.0/16", "")},
		}}}}
		m := s.managed()
		if _, ok := m.Lease(); ok || m.Index() != 0 {
			t.Error("there is a lease before Up")
		}
		if err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		lease, ok := m.Lease()
		if !ok || !lease.Primary() || len(lease.Routes) != 2 || lease.Gateway.String() != "10.0.0.1" || lease.MTU != 1500 || lease.Address.String() != "10.0.0.4/24" {
			t.Errorf("%+v", lease)
		}
		if lease.Routes[0] != via("168.63.129.16/32", "10.0.0.1") {
			t.Errorf("not in the kernel's order: %v", lease.Routes)
		}
		lease.Routes[0] = Route{} // the caller's copy
		if again, _ := m.Lease(); again.Routes[0] == lease.Routes[0] {
			t.Error("the caller can change the lease")
		}
	})
}

func TestManagedUpOn(t *testing.T) {
	link := []Link{nic(2, "eth0"), nic(3, "eth1")}
	primary := []mainRoute{routed(2, 0, "168.63.129.16/32", "10.0.0.1")}
	old := change{0, view{link, []stampedAddress{addressed(2, "10.0.0.4/24", 1)}, primary}}
	for _, row := range []struct {
		name    string
		changes []change
		index   int
		primary bool
		after   time.Duration
	}{
		{"the same address, set anew", []change{old, {10 * time.Second, view{link, []stampedAddress{addressed(2, "10.0.0.4/24", 2)}, primary}}}, 2, true, 10 * time.Second},
		{"another address", []change{old, {10 * time.Second, view{link, []stampedAddress{addressed(2, "10.0.0.5/24", 1)}, primary}}}, 2, true, 10 * time.Second},
		{"another link", []change{old, {10 * time.Second, view{link, []stampedAddress{addressed(3, "10.0.0.4/24", 1)}, []mainRoute{routed(3, 0, "168.63.129.16/32", "")}}}}, 3, true, 10 * time.Second},
		{"its routes are late", []change{
			old,
			{10 * time.Second, view{link, []stampedAddress{addressed(3, "10.0.0.5/24", 1)}, nil}},
			{14 * time.Second, view{link, []stampedAddress{addressed(3, "10.0.0.5/24", 1)}, []mainRoute{routed(3, 0, "168.63.129.16/32", "")}}},
		}, 3, true, 14 * time.Second},
		{"its address goes and comes again", []change{
			old,
			{10 * time.Second, view{link, []stampedAddress{addressed(3, "10.0.0.5/24", 1)}, nil}},
			{12 * time.Second, view{link, nil, nil}},
			{13 * time.Second, view{link, []stampedAddress{addressed(3, "10.0.0.5/24", 2)}, nil}},
		}, 3, false, 18 * time.Second},
		{"a secondary one", []change{old, {10 * time.Second, view{link, []stampedAddress{addressed(2, "10.0.0.4/24", 1), addressed(3, "10.0.0.5/24", 1)}, append(primary, routed(3, 0, "0.0.0.0/0", ""))}}}, 3, false, 15 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scene{changes: row.changes}
				m := s.managed()
				if err := m.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, err := m.UpOn(t.Context(), row.index)
				if err != nil || got != row.primary || m.Index() != row.index || time.Since(s.started) != row.after {
					t.Errorf("%v, %v on %d after %v", got, err, m.Index(), time.Since(s.started))
				}
			})
		})
	}
}

func TestManagedGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := change{0, view{[]Link{nic(2, "eth0")}, []stampedAddress{addressed(2, "10.0.0.4/24", 1)}, []mainRoute{routed(2, 0, "168.63.129.16/32", "")}}}
		nothing := &scene{}
		m := nothing.managed()
		for _, want := range []time.Duration{FirstTimeout, NextTimeout} {
			started := time.Now()
			err := m.Up(t.Context())
			if reason, _ := azprov.ReasonOf(err); !errors.Is(err, azprov.ErrTimeout) || reason != reasonLease || time.Since(started) != want ||
				!strings.Contains(err.Error(), "own programs") {
				t.Errorf("%v after %v, want %v", err, time.Since(started), want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Up(ctx); !errors.Is(err, azprov.ErrCanceled) {
			t.Errorf("%v", err)
		}
		if _, err := m.UpOn(t.Context(), 2); azprov.KindOf(err) != azprov.KindNotFound {
			t.Errorf("%v", err)
		}
		nothing.err = errors.New("no netlink")
		if err := m.Up(t.Context()); azprov.KindOf(err) != azprov.KindInternal {
			t.Errorf("%v", err)
		}
		stale := &scene{changes: []change{old}}
		m = stale.managed()
		if err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if _, err := m.UpOn(t.Context(), 2); !errors.Is(err, azprov.ErrTimeout) || time.Since(started) != FirstTimeout {
			t.Errorf("the old address counted: %v after %v", err, time.Since(started))
		}
		if err := m.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
