package ephemeral

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

// Steps of the journal for a lease of the primary NIC.
var (
	upSteps = []string{
		"ask eth0", "add 10.0.0.4/24 0s", "add 0.0.0.0/0 via 10.0.0.1 src 10.0.0.4",
		"add 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4", "add 169.254.169.254/32 via 10.0.0.1 src 10.0.0.4",
	}
	downSteps = []string{
		"del 169.254.169.254/32 via 10.0.0.1 src 10.0.0.4", "del 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4",
		"del 0.0.0.0/0 via 10.0.0.1 src 10.0.0.4", "del 10.0.0.4/24",
	}
)

func wantSteps(t *testing.T, f *fake, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, f.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"), nic(3, "eth1"))
		f.offers[2] = []reply{{lease: azureLease(t, "10.0.0.4/24"), after: 20 * time.Millisecond}}
		var attempts []Attempt
		n := f.network(Options{OnAttempt: func(a Attempt) { attempts = append(attempts, a) }})
		if _, ok := n.Lease(); ok || n.Index() != 0 {
			t.Error("there is a lease before Up")
		}
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, f, upSteps...)
		lease, ok := n.Lease()
		if n.Index() != 2 || !ok || !lease.Primary() {
			t.Errorf("%d, %+v", n.Index(), lease)
		}
		lease.Routes[0] = Route{} // the caller's copy
		if again, _ := n.Lease(); again.Routes[0] == lease.Routes[0] {
			t.Error("the caller can change the lease")
		}
		if len(attempts) != 1 || attempts[0].Err != nil || attempts[0].Elapsed != 20*time.Millisecond || attempts[0].Number != 1 ||
			attempts[0].Link.Name != "eth0" || attempts[0].Op != "ephemeral.Network.Up" || !attempts[0].Lease.Primary() {
			t.Errorf("%+v", attempts)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.Down(over); err != nil {
			t.Error(err)
		}
		wantSteps(t, f, downSteps...)
		if err := n.Down(t.Context()); err != nil || n.Index() != 0 {
			t.Error(err)
		}
		wantSteps(t, f)
		f.wantClosed(t)
	})
}

// TestUpChooses has a row for every way to the link that is used.
func TestUpChooses(t *testing.T) {
	plain := leaseFor(t, "10.1.0.4/24")
	routed := leaseFor(t, "10.1.0.4/24", via("0.0.0.0/0", "10.1.0.1"))
	good := azureLease(t, "10.0.0.4/24")
	now := func(leases ...Lease) []reply {
		var replies []reply
		for _, l := range leases {
			replies = append(replies, reply{lease: l})
		}
		return replies
	}
	for _, row := range []struct {
		name   string
		nics   []Link
		offers map[int][]reply
		index  int
		after  time.Duration
		// reasons of the attempts, "" for success
		reasons string
	}{
		{"the first", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(good), 3: now(good)}, 2, 0, "ok"},
		{"the second, at once", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(plain), 3: now(good)}, 3, 0, "primary ok"},
		{"the second, although the first has a default route", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(routed), 3: now(good)}, 3, 0, "ok"},
		{"the second, if the first is silent", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{3: now(good)}, 3, tryTimeout + tryPause, "lease ok"},
		{"a default route, if all have answered", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(plain), 3: now(routed)}, 3, 0, "primary ok"},
		{"the first default route", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(routed), 3: now(routed)}, 2, 0, "primary ok"},
		{"a default route, after three rounds with one that is silent", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(routed)}, 2, 3*tryTimeout + 3*tryPause, "lease primary lease primary lease ok"},
		{"the primary in the second round", []Link{nic(2, "eth0"), nic(3, "eth1")}, map[int][]reply{2: now(routed), 3: {{err: errNAK}, {lease: good}}}, 3, tryPause, "lease primary ok"},
		{"no route at all, until there is one", []Link{nic(2, "eth0")}, map[int][]reply{2: now(plain, plain, good)}, 2, 2 * tryPause, "primary primary ok"},
		{"after a refusal", []Link{nic(2, "eth0")}, map[int][]reply{2: {{err: errNAK}, {lease: good}}}, 2, tryPause, "lease ok"},
		{"a late server", []Link{nic(2, "eth0")}, map[int][]reply{2: {{err: errors.New("none"), after: tryTimeout}, {lease: good, after: time.Second}}}, 2, tryTimeout + tryPause + time.Second, "lease ok"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(row.nics...)
				f.offers = row.offers
				var reasons []string
				n := f.network(Options{OnAttempt: func(a Attempt) {
					reason, _ := azprov.ReasonOf(a.Err)
					reasons = append(reasons, map[string]string{"": "ok", reasonLease: "lease", reasonNotPrimary: "primary", reasonNoInterface: "none"}[reason])
				}})
				started := time.Now()
				if err := n.Up(t.Context()); err != nil || n.Index() != row.index {
					t.Fatalf("%v on %d, want %d", err, n.Index(), row.index)
				}
				if took := time.Since(started); took != row.after {
					t.Errorf("took %v, want %v", took, row.after)
				}
				if got := strings.Join(reasons, " "); got != row.reasons {
					t.Errorf("attempts %q, want %q", got, row.reasons)
				}
			})
		})
	}
}

// TestUpLooksAgain: candidates are those of the moment.
func TestUpLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail["links"] = []error{syscall.EINTR}
		f.offers[2] = []reply{{err: errGone, do: func() {
			f.unplug(2)
			f.plug(nic(3, "ens5"))
		}}}
		f.offers[3] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		var failures []string
		n := f.network(Options{OnAttempt: func(a Attempt) {
			if a.Err != nil {
				failures = append(failures, string(azprov.KindOf(a.Err)))
			}
			if len(failures) == 2 && a.Link.Index == 0 {
				f.plug(nic(2, "eth0"))
			}
		}})
		if err := n.Up(t.Context()); err != nil || n.Index() != 3 {
			t.Fatalf("%v on %d", err, n.Index())
		}
		if !slices.Equal(failures, []string{"Internal", "NotFound", "NotFound"}) {
			t.Errorf("%q", failures)
		}
	})
}

func TestUpRaisesLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth0")), downed(nic(3, "eth1")))
		f.comeUp = 250 * time.Millisecond
		f.offers[2] = []reply{{err: errNAK}}
		f.offers[3] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		started := time.Now()
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 300*time.Millisecond+tryPause+300*time.Millisecond {
			t.Errorf("took %v", took)
		}
		eth1 := slices.Clone(upSteps)
		eth1[0] = "ask eth1"
		wantSteps(t, f, slices.Concat([]string{"up 2 true", "ask eth0", "up 3 true"}, eth1, []string{"up 2 false"})...)
		if err := n.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, f, append(slices.Clone(downSteps), "up 3 false")...)
	})
}

// TestNoCarrier: DHCP is tried regardless after ten seconds, and the link is set up once.
func TestNoCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth0")))
		f.comeUp = -1
		f.offers[2] = []reply{{err: errNAK}, {lease: azureLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		started := time.Now()
		if err := n.Up(t.Context()); err != nil || time.Since(started) != 21*time.Second {
			t.Fatalf("%v after %v", err, time.Since(started))
		}
		wantSteps(t, f, slices.Concat([]string{"up 2 true", "ask eth0"}, upSteps)...)
	})
}

// TestLinkSetDownMeanwhile: the link is set up again, and in the end down, once.
func TestLinkSetDownMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth0")))
		f.comeUp = 0
		f.offers[2] = []reply{
			{err: errNAK, do: func() { _ = f.setUp(2, false) }},
			{lease: leaseFor(t, "10.1.0.4/24")},
		}
		n := f.network(Options{})
		if primary, err := n.UpOn(t.Context(), 2); primary || err != nil {
			t.Errorf("%v, %v", primary, err)
		}
		wantSteps(t, f, "up 2 true", "ask eth0", "up 2 false", "up 2 true", "ask eth0", "up 2 false")
		f.wantClosed(t)
	})
}

func TestUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(downed(nic(2, "eth1")), nic(3, "eth2"))
		f.comeUp = 9 * time.Second
		f.offers[2] = []reply{{err: errNAK}, {lease: leaseFor(t, "10.1.0.4/24", via("0.0.0.0/0", "10.1.0.1"))}}
		f.offers[3] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		var told []Attempt
		n := f.network(Options{OnAttempt: func(a Attempt) { told = append(told, a) }})
		started := time.Now()
		if primary, err := n.UpOn(t.Context(), 2); primary || err != nil || time.Since(started) != 10*time.Second {
			t.Errorf("%v, %v after %v", primary, err, time.Since(started))
		}
		if len(told) != 2 || told[0].Err == nil || told[1].Err != nil || told[1].Lease.Address.String() != "10.1.0.4/24" {
			t.Errorf("told: %+v", told)
		}
		wantSteps(t, f, "up 2 true", "ask eth1", "ask eth1", "up 2 false")
		if primary, err := n.UpOn(t.Context(), 3); !primary || err != nil || n.Index() != 3 {
			t.Errorf("%v, %v on %d", primary, err, n.Index())
		}
		f.steps()
		// What is up is taken down first, even for a link that is not there.
		if primary, err := n.UpOn(t.Context(), 9); primary || azprov.KindOf(err) != azprov.KindNotFound || n.Index() != 0 {
			t.Errorf("%v, %v", primary, err)
		}
		wantSteps(t, f, downSteps...)
		f.offers[3] = []reply{{err: errors.New("the socket is dead"), do: func() { f.unplug(3) }}}
		if _, err := n.UpOn(t.Context(), 3); azprov.KindOf(err) != azprov.KindNotFound {
			t.Errorf("%v", err)
		}
	})
}

func TestUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: azureLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		for range 2 {
			if err := n.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantSteps(t, f, slices.Concat(upSteps, downSteps, upSteps)...)
	})
}
