package provision_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/provision"
)

// network fails, or counts.
type network struct {
	err      error
	up, down int
	hangs    time.Duration // Down listens to no context
}

func (n *network) Up(context.Context) error { n.up++; return n.err }

func (n *network) Down(context.Context) error { n.down++; time.Sleep(n.hangs); return nil }

func TestNetworkIsBroughtUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network = n
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || n.up != 1 || n.down != 1 || !slices.Contains(steps(result), "network") {
			t.Errorf("%v, up %d, down %d, %q", err, n.up, n.down, steps(result))
		}
	})
}

func TestNetworkThatWillNotGoDownIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Network = &network{hangs: time.Hour}
		start := time.Now()
		if _, err := provision.Run(t.Context(), r.options); err != nil || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(time.Hour) // what was left behind ends
	})
}

func TestNetworkIsNotTouchedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network, r.options.Sysfs = n, fstest.MapFS{}
		if _, err := provision.Run(t.Context(), r.options); !errors.Is(err, azprov.ErrNotAzure) || n.up+n.down != 0 {
			t.Errorf("%v, up %d, down %d", err, n.up, n.down)
		}
	})
}

func (*stuckNetwork) Down(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestNetworkThatDoesNotComeDownIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Network = &stuckNetwork{}
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if took := time.Since(start); err != nil || result.Report.State != provision.ReportReady || took != 30*time.Second {
			t.Errorf("%v after %v, %+v", err, took, result.Report)
		}
	})
}

// events lists what happened, whoever tells it.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

func (e *events) are(want ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Equal(e.list, want)
}

// slowNetwork takes its time to come up, and tells when it did.
type slowNetwork struct {
	events *events
	err    error
	up     time.Duration
}

func (n slowNetwork) Up(ctx context.Context) error {
	select {
	case <-time.After(n.up):
	case <-ctx.Done():
		n.events.add("given up")
		return ctx.Err()
	}
	n.events.add("up")
	return n.err
}

func (n slowNetwork) Down(context.Context) error { n.events.add("down"); return nil }

// A medium that cannot be read is reported over the network, which must be up by then.
func TestNetworkIsUpForTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "bad-ovf"))
		var happened events
		r.options.Network = slowNetwork{&happened, nil, 10 * time.Second}
		r.options.OnStep = func(e provision.StepEvent) {
			if e.Step.Name == provision.StepReport && !e.Done {
				happened.add("report")
			}
		}
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if took := time.Since(start); err == nil || result.Report.State != provision.ReportFailed || took != 10*time.Second || !happened.are("up", "report", "down") {
			t.Errorf("%v after %v, %+v, %q", err, took, result.Report, happened.list)
		}
	})
}

func TestNetworkThatFails(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			if late {
				medium, _ := r.fabric.Medium()
				r.options.Medium = lateMedium{fsys: medium, after: time.Hour}
			}
			var happened events
			failure := &azprov.Error{Op: "test", Kind: azprov.KindNetwork, Message: "no lease"}
			r.options.Network = slowNetwork{&happened, failure, 10 * time.Second}
			start := time.Now()
			_, err := provision.Run(t.Context(), r.options)
			if took := time.Since(start); !errors.Is(err, azprov.ErrNetwork) || took > time.Minute || instanceReads(r.fabric) != 0 || !happened.are("up", "down") {
				t.Errorf("late %t: %v after %v, %d reads, %q", late, err, took, instanceReads(r.fabric), happened.list)
			}
			time.Sleep(time.Hour) // what was left behind ends
		})
	}
}

func TestNetworkIsNotWaitedForBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		var happened events
		r.options.Network = slowNetwork{&happened, nil, time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := provision.Run(ctx, r.options)
		if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > 21*time.Second || !happened.are("given up", "down") {
			t.Errorf("%v after %v, %q", err, took, happened.list)
		}
	})
}

// What the caller did not wait for is in the timeline all the same, and has ended before
// the network is taken down.
func TestNetworkThatIsGivenUpIsInTheTimeline(t *testing.T) {
	for range 20 { // it used to be a matter of luck
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			var happened events
			r.options.Network = slowNetwork{&happened, nil, time.Hour}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			result, err := provision.Run(ctx, r.options)
			if !errors.Is(err, azprov.ErrCanceled) || !slices.Contains(steps(result), "network!") || !happened.are("given up", "down") {
				t.Errorf("%v, steps %q, %q", err, steps(result), happened.list)
			}
		})
	}
}

// Collect leaves the network to its caller, who must not be overtaken by it.
func TestCollectLeavesNothingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		var happened events
		r.options.Network = slowNetwork{&happened, nil, time.Hour}
		p, err := provision.New(r.options)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := p.Collect(ctx); !errors.Is(err, azprov.ErrTimeout) || !happened.are("given up") {
			t.Errorf("%v, %q", err, happened.list)
		}
	})
}

// deafNetwork listens to no context on its way up.
type deafNetwork struct {
	events *events
	up     time.Duration
}

func (n deafNetwork) Up(context.Context) error {
	time.Sleep(n.up)
	n.events.add("up")
	return nil
}
func (n deafNetwork) Down(context.Context) error { n.events.add("down"); return nil }

func TestNetworkThatDoesNotListenIsTakenDown(t *testing.T) {
	for _, row := range []struct {
		up   time.Duration
		want []string
	}{
		{20 * time.Second, []string{"up", "down"}}, // it is waited for
		{time.Hour, []string{"down"}},              // but not for ever
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			var happened events
			r.options.Network, r.options.FailureTimeout = deafNetwork{&happened, row.up}, time.Second
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			_, err := provision.Run(ctx, r.options)
			if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > 30*time.Second || !happened.are(row.want...) {
				t.Errorf("%v after %v, %q", err, took, happened.list)
			}
			time.Sleep(2 * time.Hour) // what was left behind ends
		})
	}
}

// A network that fails is no silence of IMDS's and no refusal of its either, however its
// error looks.
func TestNetworkFailureIsNotTakenForIMDS(t *testing.T) {
	silent := fmt.Errorf("probing: %w", azprov.ErrNoAnswer)
	denied := &azprov.Error{Op: "test", Kind: azprov.KindDenied, Message: "the switch says no"}
	for _, row := range []struct {
		name   string
		err    error
		medium func(fs.FS) provision.Medium
	}{
		{"silence, and a late medium", silent, func(f fs.FS) provision.Medium { return lateMedium{fsys: f, after: 20 * time.Second} }},
		{"silence, and a medium that is sooner", silent, func(f fs.FS) provision.Medium { return lateMedium{fsys: f, after: 5 * time.Second} }},
		{"silence, and a medium that is there", silent, provision.MediumFS},
		{"a refusal, and a late medium", denied, func(f fs.FS) provision.Medium { return lateMedium{fsys: f, after: time.Hour} }},
		{"a refusal, and a medium that says nothing", denied, func(f fs.FS) provision.Medium {
			return deafMedium{provision.MediumFS(f), time.Hour, 0}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "no-imds")) // its medium is complete
				medium, _ := r.fabric.Medium()
				var happened events
				r.options.Medium, r.options.Network = row.medium(medium), slowNetwork{&happened, row.err, 10 * time.Second}
				r.options.ProxyAgent = func(context.Context) error { return nil }
				start := time.Now()
				_, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); !errors.Is(err, row.err) || took > 25*time.Second {
					t.Errorf("%v after %v", err, took)
				}
				time.Sleep(2 * time.Hour) // what was left behind ends
			})
		})
	}
}

// The guest proxy agent is reached over the network, too.
func TestNetworkIsUpBeforeTheProxyAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.onMedium(t, func(e *ovf.Environment) { e.Platform.ProvisionGuestProxyAgent = azprov.SwitchOn })
		var happened events
		r.options.Network = slowNetwork{&happened, nil, 10 * time.Second}
		r.options.ProxyAgent = func(context.Context) error { happened.add("agent"); return nil }
		if _, err := provision.Run(t.Context(), r.options); err != nil || !happened.are("up", "agent", "down") {
			t.Errorf("%v, %q", err, happened.list)
		}
	})
}

func TestNetworkThatCannotBeTakenDownIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		core, logs := observer.New(zap.WarnLevel)
		r.options.Network, r.options.Logger = &stuckNetwork{}, zap.New(core)
		if _, err := provision.Run(t.Context(), r.options); err != nil || logs.FilterMessage("network").Len() != 1 {
			t.Errorf("%v, %v", err, logs.All())
		}
	})
}
