package ephemeral

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/azprov/azprov"
)

// TestLinkStaysUp: what cannot be configured is taken away for the next attempt, but the
// link stays up, whose carrier would be lost.
func TestLinkStaysUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth0")))
		f.comeUp = 0
		f.fail[upSteps[3]] = []error{syscall.EINVAL}
		f.offers[2] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, f, slices.Concat([]string{"up 2 true"}, upSteps[:4], downSteps[2:], upSteps)...)
		if err := n.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, f, append(slices.Clone(downSteps), "up 2 false")...)
	})
}

// TestUpAfterAFailedDown: what an earlier Up has left must be gone first.
func TestUpAfterAFailedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.steps()
		f.fail[downSteps[1]] = []error{syscall.EBUSY}
		if err := n.Up(t.Context()); azprov.KindOf(err) != azprov.KindInternal || n.Index() != 2 {
			t.Errorf("%v on %d", err, n.Index())
		}
		wantSteps(t, f, downSteps[:2]...)
		f.wantClosed(t)
	})
}

func TestDownFails(t *testing.T) {
	for _, row := range []struct {
		name string
		fail map[string][]error
		down bool // the link was, before Up
		gone bool
		want azprov.Kind
		// steps of a second Down
		again []string
	}{
		{name: "the NIC has gone", gone: true},
		{name: "no rights any more", fail: map[string][]error{downSteps[1]: {syscall.EPERM}}, want: azprov.KindDenied, again: downSteps[1:]},
		{name: "an address that stays", fail: map[string][]error{downSteps[3]: {syscall.EBUSY}}, want: azprov.KindInternal, again: downSteps[3:]},
		{name: "a link that stays up", down: true, fail: map[string][]error{"up 2 false": {syscall.EBUSY}}, want: azprov.KindInternal, again: []string{"up 2 false"}},
		{name: "a NIC that was down has gone", down: true, gone: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := nic(2, "eth0")
				if row.down {
					link = downed(link)
				}
				f := newFake(link)
				f.offers[2] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
				n := f.network(Options{})
				if err := n.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
				if row.gone {
					f.unplug(2)
				}
				if row.fail != nil {
					f.fail = row.fail
				}
				if err := n.Down(t.Context()); azprov.KindOf(err) != row.want {
					t.Errorf("%v", err)
				}
				f.steps()
				if err := n.Down(t.Context()); err != nil || n.Index() != 0 {
					t.Errorf("again: %v", err)
				}
				wantSteps(t, f, row.again...)
			})
		})
	}
}

// TestConfigure has a row for each way in which a lease becomes addresses and routes.
func TestConfigure(t *testing.T) {
	mtu := azureLease(t, "10.0.0.4/24")
	mtu.Routes, mtu.MTU = mtu.Routes[1:2], 1400
	large, same := mtu, mtu
	large.MTU, same.MTU = 9000, 1500
	for _, row := range []struct {
		name     string
		lease    Lease
		there    []string
		fail     map[string][]error
		up, down []string
		warnings []string
	}{
		{
			name: "the routes' MTU", lease: mtu,
			up:   []string{"ask eth0", "add 10.0.0.4/24 0s", "add 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4 mtu 1400"},
			down: []string{"del 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4 mtu 1400", "del 10.0.0.4/24"},
		},
		{
			name: "the link's own MTU", lease: same,
			up:   []string{"ask eth0", "add 10.0.0.4/24 0s", "add 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4"},
			down: []string{"del 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4", "del 10.0.0.4/24"},
		},
		{
			name: "an MTU beyond the link's", lease: large,
			up:   []string{"ask eth0", "add 10.0.0.4/24 0s", "add 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4"},
			down: []string{"del 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4", "del 10.0.0.4/24"},
		},
		{
			name: "a gateway outside of the subnet, and one behind a route", lease: leaseFor(t, "10.0.0.4/32", via("168.63.129.16/32", "10.9.0.1"), via("10.9.0.1/32", "")),
			up:   []string{"ask eth0", "add 10.0.0.4/32 0s", "add 10.9.0.1/32 src 10.0.0.4", "add 168.63.129.16/32 via 10.9.0.1 src 10.0.0.4 onlink"},
			down: []string{"del 168.63.129.16/32 via 10.9.0.1 src 10.0.0.4 onlink", "del 10.9.0.1/32 src 10.0.0.4", "del 10.0.0.4/32"},
		},
		{
			name: "what was there is left there", lease: azureLease(t, "10.0.0.4/24"), there: []string{"10.0.0.4/24", "168.63.129.16/32 via 10.0.0.1"},
			up: upSteps, down: []string{downSteps[0], downSteps[2]},
		},
		{
			name: "a route that does not matter", lease: azureLease(t, "10.0.0.4/24"), fail: map[string][]error{upSteps[2]: {syscall.EINVAL}},
			up: upSteps, down: []string{downSteps[0], downSteps[1], downSteps[3]},
			warnings: []string{"route 0.0.0.0/0 via 10.0.0.1: " + syscall.EINVAL.Error()},
		},
		{
			name: "the NIC has gone for a moment", lease: azureLease(t, "10.0.0.4/24"), fail: map[string][]error{upSteps[2]: {errGone}},
			up: slices.Concat(upSteps[:3], downSteps[3:], upSteps), down: downSteps,
		},
		{
			name: "a route to the platform is tried again", lease: azureLease(t, "10.0.0.4/24"), fail: map[string][]error{upSteps[3]: {syscall.EINVAL}},
			up: slices.Concat(upSteps[:4], downSteps[2:], upSteps), down: downSteps,
		},
		{
			name: "an address is tried again", lease: azureLease(t, "10.0.0.4/24"), fail: map[string][]error{upSteps[1]: {syscall.ENOBUFS}},
			up: slices.Concat(upSteps[:2], upSteps), down: downSteps,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(nic(2, "eth0"))
				f.offers[2] = []reply{{lease: row.lease}}
				for _, thing := range row.there {
					f.there[thing] = true
				}
				if row.fail != nil {
					f.fail = row.fail
				}
				var told Attempt // the last
				n := f.network(Options{OnAttempt: func(a Attempt) { told = a }})
				if err := n.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantSteps(t, f, row.up...)
				if lease, _ := n.Lease(); !slices.Equal(lease.Warnings, row.warnings) || !slices.Equal(told.Lease.Warnings, row.warnings) {
					t.Errorf("%q, told %q", lease.Warnings, told.Lease.Warnings)
				}
				if err := n.Down(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantSteps(t, f, row.down...)
				for _, thing := range row.there {
					if !f.there[thing] {
						t.Errorf("%s was removed", thing)
					}
				}
				if len(f.there) != len(row.there) {
					t.Errorf("left: %v", f.there)
				}
			})
		})
	}
}
