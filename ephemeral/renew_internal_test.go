package ephemeral

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
)

// hourLease is to be renewed after half an hour.
func hourLease(t *testing.T, address string) Lease {
	t.Helper()
	l := azureLease(t, address)
	l.Duration, l.RenewAfter = time.Hour, 30*time.Minute
	return l
}

// TestRenewal has a row for each course of a lease after Up. The journal is that of the
// DHCP messages and addresses, each with its minute.
func TestRenewal(t *testing.T) {
	same, other := reply{lease: hourLease(t, "10.0.0.4/24")}, reply{lease: hourLease(t, "10.7.0.4/24")}
	silent, refused := reply{err: errors.New("silence")}, reply{err: errNAK}
	for _, row := range []struct {
		name    string
		replies []reply
		forTime time.Duration
		want    string
		address string
		// failures that were told, as such.
		failures int
	}{
		{"in time", []reply{same}, 61 * time.Minute, "30 renew eth0, 30 keep 10.0.0.4/24 1h0m0s, 60 renew eth0, 60 keep 10.0.0.4/24 1h0m0s", "10.0.0.4/24", 0},
		{"half of what is left after a failure", []reply{silent, silent, same}, 53 * time.Minute, "30 renew eth0, 45 renew eth0, 52 renew eth0, 52 keep 10.0.0.4/24 1h0m0s", "10.0.0.4/24", 2},
		{
			"a minute at least, and a new lease at the end",
			[]reply{silent, silent, silent, silent, silent, silent, same},
			time.Hour + 2*time.Second, // at the end, and not a minute after the attempt before
			"30 renew eth0, 45 renew eth0, 52 renew eth0, 56 renew eth0, 58 renew eth0, 59 renew eth0, 60 ask eth0, 60 keep 10.0.0.4/24 1h0m0s", "10.0.0.4/24", 6,
		},
		{
			"every minute after the end",
			[]reply{silent},
			63 * time.Minute,
			"30 renew eth0, 45 renew eth0, 52 renew eth0, 56 renew eth0, 58 renew eth0, 59 renew eth0, 60 ask eth0, 61 ask eth0, 62 ask eth0", "10.0.0.4/24", 9,
		},
		{"refused: a new lease at once", []reply{refused, other}, 31 * time.Minute, "30 renew eth0, 30 ask eth0, 30 del 10.0.0.4/24, 30 add 10.7.0.4/24 1h0m0s", "10.7.0.4/24", 0},
		{"another address", []reply{other}, 31 * time.Minute, "30 renew eth0, 30 del 10.0.0.4/24, 30 add 10.7.0.4/24 1h0m0s", "10.7.0.4/24", 0},
		{"ten seconds of silence are a failure", []reply{{after: time.Hour}, same}, 46 * time.Minute, "30 renew eth0, 45 renew eth0, 45 keep 10.0.0.4/24 1h0m0s", "10.0.0.4/24", 1},
		{"without an end from now on", []reply{{lease: azureLease(t, "10.0.0.4/24")}}, 120 * time.Minute, "30 renew eth0, 30 keep 10.0.0.4/24 0s", "10.0.0.4/24", 0},
		{"no rights any more", []reply{{err: syscall.EPERM}}, 120 * time.Minute, "30 renew eth0", "10.0.0.4/24", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(nic(2, "eth0"))
				f.offers[2] = append([]reply{same}, row.replies...)
				var renewals, failures int
				n := f.network(Options{OnAttempt: func(a Attempt) {
					if !a.Renewal {
						return
					}
					renewals++
					if a.Number != renewals || a.Link.Name != "eth0" || a.Op != opRenew {
						t.Errorf("%+v", a)
					}
					if reason, _ := azprov.ReasonOf(a.Err); a.Err != nil && reason == reasonLease {
						failures++
					}
				}})
				if err := n.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.steps()
				f.mu.Lock()
				f.since = time.Now()
				f.mu.Unlock()
				time.Sleep(row.forTime - time.Second)
				synctest.Wait()
				journal := slices.DeleteFunc(f.steps(), func(s string) bool { return strings.Contains(s, "src") })
				if got := strings.Join(journal, ", "); got != row.want {
					t.Errorf("%s\nwant %s", got, row.want)
				}
				if lease, _ := n.Lease(); lease.Address.String() != row.address || n.Index() != 2 {
					t.Errorf("%v", lease.Address)
				}
				if failures != row.failures {
					t.Errorf("%d failures, want %d", failures, row.failures)
				}
				if err := n.Down(t.Context()); err != nil || len(f.there) != 0 {
					t.Errorf("%v, %v", err, f.there)
				}
				f.steps()
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if steps := f.steps(); len(steps) != 0 {
					t.Errorf("after Down: %q", steps)
				}
				f.wantClosed(t)
			})
		})
	}
}

// TestRenewalOfRoutes: what the new lease says is added, and what it does not is removed.
func TestRenewalOfRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		first := hourLease(t, "10.0.0.4/24")
		second := first.clone()
		second.Routes = append(second.Routes[1:3:3], via("10.8.0.0/16", "10.0.0.1"))
		f.offers[2] = []reply{{lease: first}, {lease: second}}
		n := f.network(Options{})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.steps()
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		wantSteps(t, f, "renew eth0", "del 0.0.0.0/0 via 10.0.0.1 src 10.0.0.4", "keep 10.0.0.4/24 1h0m0s",
			"add 168.63.129.16/32 via 10.0.0.1 src 10.0.0.4", "add 169.254.169.254/32 via 10.0.0.1 src 10.0.0.4",
			"add 10.8.0.0/16 via 10.0.0.1 src 10.0.0.4")
		// The kernel has removed all with the address, when the lease was over: it is back.
		f.mu.Lock()
		clear(f.there)
		f.mu.Unlock()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		f.steps()
		if len(f.there) != 4 {
			t.Errorf("%v", f.there)
		}
		if err := n.Down(t.Context()); err != nil || len(f.there) != 0 {
			t.Errorf("%v, %v", err, f.there)
		}
		wantSteps(t, f, "del 10.8.0.0/16 via 10.0.0.1 src 10.0.0.4", downSteps[0], downSteps[1], downSteps[3])
	})
}

// TestRenewalTells of the link as it is called now, and of what the kernel refused.
func TestRenewalTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		first := hourLease(t, "10.0.0.4/24")
		second := first.clone()
		second.Routes = append(second.Routes, via("10.8.0.0/16", "10.0.0.1"))
		f.offers[2] = []reply{{lease: first}, {lease: second}}
		f.fail["add 10.8.0.0/16 via 10.0.0.1 src 10.0.0.4"] = []error{syscall.EINVAL}
		var told Attempt
		n := f.network(Options{OnAttempt: func(a Attempt) { told = a }})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.rename(2, "ens5")
		f.steps()
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		want := []string{"route 10.8.0.0/16 via 10.0.0.1: " + syscall.EINVAL.Error()}
		if told.Link.Name != "ens5" || !slices.Equal(told.Lease.Warnings, want) || f.steps()[0] != "renew ens5" {
			t.Errorf("%+v", told)
		}
		if err := n.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestLeaseDuringRenewal is for the race detector.
func TestLeaseDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: hourLease(t, "10.0.0.4/24")}}
		n := f.network(Options{})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked := make(chan bool)
		go func() {
			time.Sleep(30 * time.Minute)
			_, ok := n.Lease()
			asked <- ok
		}()
		if !<-asked {
			t.Error("no lease during its renewal")
		}
		if err := n.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRenewalEndsWithTheNIC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: hourLease(t, "10.0.0.4/24")}}
		var told []Attempt
		n := f.network(Options{OnAttempt: func(a Attempt) { told = append(told, a) }})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.unplug(2)
		f.steps()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if steps := f.steps(); len(steps) != 0 || len(told) != 2 || !told[1].Renewal || azprov.KindOf(told[1].Err) != azprov.KindNotFound {
			t.Errorf("%q, %+v", steps, told)
		}
		if err := n.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestDownDuringRenewal: the exchange ends, and is no failure to tell of.
func TestDownDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: hourLease(t, "10.0.0.4/24")}, {after: time.Hour}}
		told := 0
		n := f.network(Options{OnAttempt: func(Attempt) { told++ }})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute + time.Second)
		synctest.Wait()
		started := time.Now()
		if err := n.Down(t.Context()); err != nil || time.Since(started) != 0 || told != 1 {
			t.Errorf("%v after %v, told %d times", err, time.Since(started), told)
		}
		if !slices.Contains(f.steps(), "renew eth0") {
			t.Error("it was not being renewed")
		}
	})
}

// TestDownWaitsForTheRenewal: nothing is done to the machine after Down.
func TestDownWaitsForTheRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nic(2, "eth0"))
		f.offers[2] = []reply{{lease: hourLease(t, "10.0.0.4/24")}, {after: time.Hour, do: func() { time.Sleep(3 * time.Second) }}}
		n := f.network(Options{})
		if err := n.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute + time.Second)
		started := time.Now()
		if err := n.Down(t.Context()); err != nil || time.Since(started) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		f.wantClosed(t)
	})
}
