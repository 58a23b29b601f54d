package pps_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

// course is a row: a world, what happens in it, and what must come of it.
type course struct {
	name   string
	kind   pps.Type
	set    func(*world, *pps.Options)
	script []play
	// path is the states after Start; empty is not compared.
	path string
	// by is the latest end; kind of the error, "" for none.
	by   time.Duration
	fail azprov.Kind
	// check looks at what is left.
	check func(*testing.T, *world, *pps.Result)
}

func (c *course) run(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(c.kind)
		if c.set != nil {
			c.set(w, o)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		result, err := w.run(ctx, o, c.script)
		took := time.Since(w.start)
		if azprov.KindOf(err) != c.fail {
			t.Errorf("error %v, want kind %q", err, c.fail)
		}
		if took > c.by {
			t.Errorf("ended after %v, want %v at most", took, c.by)
		}
		if got := path(result); c.path != "" && got != c.path {
			t.Errorf("went\n%s, want\n%s", got, c.path)
		}
		if c.fail == "" && (result.Environment == nil || result.Environment.HostName != "jetty-07" ||
			result.Document.RevealString() != ownersDoc || result.Environment.UserPassword.RevealString() != secret) {
			t.Errorf("the owner's data is not there: %+v", result)
		}
		if c.check != nil {
			c.check(t, w, result)
		}
	})
}

const (
	sec          = time.Second
	runningPath  = "Report WaitSwitch Connect Poll Done"
	savablePath  = "Report WaitDetach WaitAttach Probe Poll Done"
	earlyPath    = "Report WaitSwitch Handover Done"
	recoverPath  = "Poll Done"
	reconnecting = "Report WaitSwitch Connect Poll Done"
)

func marked(phase pps.Phase) func(*world, *pps.Options) {
	return func(w *world, _ *pps.Options) {
		w.store.marker, w.store.there = pps.Marker{VMID: vmID.Swapped(), Phase: phase}, true
	}
}

func plays(parts ...[]play) []play { return slices.Concat(parts...) }

func warned(text string) func(*testing.T, *world, *pps.Result) {
	return func(t *testing.T, _ *world, r *pps.Result) {
		t.Helper()
		if !strings.Contains(strings.Join(r.Warnings, "\n"), text) {
			t.Errorf("warnings %q, want one with %q", r.Warnings, text)
		}
	}
}

// connectedTimes checks how often an address was asked for.
func connectedTimes(n int) func(*testing.T, *world, *pps.Result) {
	return func(t *testing.T, w *world, _ *pps.Result) {
		t.Helper()
		if w.ups != n {
			t.Errorf("%d addresses asked for, want %d", w.ups, n)
		}
	}
}

// exchange is the host's part for a Savable VM.
func exchange(at time.Duration) []play {
	return []play{detach(at, eth0), attach(at+sec, nic(3, ownersMAC)), then(at+2*sec, data)}
}

func TestRunning(t *testing.T) {
	late := []play{then(4*sec, data)}
	for _, row := range []course{
		{
			name: "switched, then data", script: plays(flip(1100*time.Millisecond, eth0), late), path: runningPath, by: 4*sec + 250*time.Millisecond,
			check: func(t *testing.T, w *world, r *pps.Result) {
				t.Helper()
				if !w.openAtFirst || len(w.reports) != 1 || w.ejects != 1 || w.ups != 1 || w.store.saves != 2 || !w.store.there || w.store.marker.Phase != pps.PhaseReused {
					t.Errorf("%+v", w)
				}
				if len(r.Warnings) != 0 || r.Type != pps.TypeRunning || r.Requests != len(w.requests) {
					t.Errorf("%+v", r)
				}
			},
		},
		{name: "an empty answer is not yet", set: func(w *world, _ *pps.Options) { w.steady = empty }, script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec},
		{
			name: "data before the switch, which is never seen", script: []play{then(4*sec, data)}, path: earlyPath, by: 6 * sec,
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if w.ups != 1 {
					t.Errorf("an address was asked for %d times, want once", w.ups)
				}
			},
		},
		{
			name: "data while the link is down", script: []play{change(sec, in(eth0, pps.OperDown)), then(2*sec, data), change(10*sec, eth0)}, path: earlyPath, by: 20 * sec,
			set: func(w *world, _ *pps.Options) { w.anyNetwork = true; w.upTakes = 9 * sec },
		},
		{
			name: "a link that is down when the address is there", path: "Report WaitSwitch Connect Poll Connect Poll Done", by: 30 * sec,
			script: []play{
				switched(1100 * time.Millisecond), change(1100*time.Millisecond, in(eth0, pps.OperDown)), change(1600*time.Millisecond, eth0),
				change(1700*time.Millisecond, in(eth0, pps.OperDown)), change(5500*time.Millisecond, eth0), then(8*sec, data),
			},
			set: func(w *world, _ *pps.Options) {
				w.upBlind = true
			},
		},
		{name: "the event is lost, the network dead", script: []play{switched(sec), then(4*sec, data)}, path: reconnecting, by: 6 * sec},
		{name: "the event is lost in an overrun", script: []play{switched(sec), resync(sec), then(4*sec, data)}, path: reconnecting, by: 6 * sec},
		{
			name: "the switch comes before the answer to the report", script: plays(flip(0, eth0), late), path: runningPath, by: 6 * sec,
			set: func(w *world, _ *pps.Options) {
				w.report = func(ctx context.Context) error { return w.pause(ctx, 3*sec) }
			},
		},
		{
			name: "an overrun before the answer to the report", script: []play{resync(sec), then(5*sec, data)}, path: reconnecting, by: 6 * sec,
			set: func(w *world, _ *pps.Options) {
				w.report = func(ctx context.Context) error { return w.pause(ctx, 3*sec) }
			},
		},
		{
			name: "the report fails", fail: azprov.KindNetwork, path: "Report Failed", by: 0,
			set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindNetwork) },
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if w.store.saves != 0 || len(w.requests) != 0 {
					t.Errorf("%+v", w)
				}
			},
		},
		{name: "the report is refused", fail: azprov.KindDenied, path: "Report Failed", by: 0, set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindDenied) }},
		{
			name: "the medium stays in", script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec,
			set: func(w *world, _ *pps.Options) { w.ejectFails = errors.New("stuck") }, check: warned("not ejected: stuck"),
		},
		{
			name: "nothing but IMDS", script: []play{then(4*sec, data)}, path: "Report WaitSwitch Done", by: 5 * sec,
			set: func(_ *world, o *pps.Options) { o.Links, o.Network, o.Store, o.Ejector = nil, nil, nil, nil },
		},
		{
			name: "an operating system's network, switched", script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec,
			set: func(w *world, o *pps.Options) { o.Network = nil; w.anyNetwork = true },
		},
		{
			name: "an operating system's network that is dead for a while", script: []play{then(sec, noRoute), then(9*sec, data)}, path: "Report WaitSwitch Done", by: 10 * sec,
			set: func(_ *world, o *pps.Options) { o.Network = nil },
		},
		{
			name: "links that cannot be watched", script: []play{switched(sec), then(4*sec, data)}, path: reconnecting, by: 6 * sec,
			set: func(w *world, _ *pps.Options) { w.noWatch = errors.New("no netlink") }, check: warned("no netlink"),
		},
		{
			name: "a watcher that breaks", path: reconnecting, by: 8 * sec, check: warned("broken"),
			script: []play{{sec, func(w *world) { w.broken <- errors.New("broken") }}, switched(sec), then(5*sec, data)},
		},
		{
			name: "a watcher that breaks and is slow to come back", path: reconnecting, by: 20 * sec,
			script: []play{
				{sec, func(w *world) { w.locked(func() { w.noWatch = errors.New("no") }); w.broken <- errors.New("broken") }},
				{9500 * time.Millisecond, func(w *world) { w.locked(func() { w.noWatch = nil }) }},
				then(12*sec, data),
			},
		},
		{
			name: "no address for a while", script: plays(flip(sec, eth0), []play{{20100 * time.Millisecond, func(w *world) { w.locked(func() { w.upFails = nil }) }}, then(4*sec, data)}), path: runningPath, by: 23 * sec,
			set: func(w *world, _ *pps.Options) { w.upFails = errors.New("no lease") },
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if w.ups < 10 || w.ups > 20 {
					t.Errorf("%d tries to get an address in 19 s", w.ups)
				}
			},
		},
		{
			name: "an address that never comes while data does", script: plays(flip(sec, eth0), late), path: "Report WaitSwitch Connect Handover Done", by: 12 * time.Minute,
			set: func(w *world, _ *pps.Options) { w.anyNetwork = true; w.upTakes = time.Hour }, check: warned("no address on the owner's network"),
		},
		{
			name: "DHCP that hangs is begun anew", script: plays(flip(sec, eth0), []play{then(4*sec, data), {6 * time.Minute, func(w *world) { w.locked(func() { w.upTakes = sec }) }}}), path: runningPath, by: 11 * time.Minute,
			set: func(w *world, _ *pps.Options) { w.upTakes = time.Hour },
		},
		{
			name: "a link that is down for a while is waited for", path: runningPath, by: 7 * sec,
			script: []play{switched(1100 * time.Millisecond), change(1100*time.Millisecond, in(eth0, pps.OperDown)), change(4300*time.Millisecond, eth0), then(6*sec, data)},
			check:  connectedTimes(1),
		},
		{
			name: "a link that stays down is not", path: "Report WaitSwitch Connect Poll Handover Done", by: 14 * sec, set: func(w *world, _ *pps.Options) { w.upBlind = true },
			script: []play{switched(1100 * time.Millisecond), change(1100*time.Millisecond, in(eth0, pps.OperDown)), then(4*sec, data)},
		},
		{
			name: "DHCP that was begun before the switch is begun anew", path: runningPath, by: 8 * sec, set: func(w *world, _ *pps.Options) { w.upTakes = time.Hour },
			script: plays([]play{resync(1100 * time.Millisecond), {4 * sec, func(w *world) { w.locked(func() { w.upTakes = 100 * time.Millisecond }) }}}, flip(5100*time.Millisecond, eth0), []play{then(7*sec, data)}),
		},
		{
			name: "a switch in the pause after a failed DHCP", path: runningPath, by: 6 * sec, set: func(w *world, _ *pps.Options) { w.upFails = errors.New("no lease") },
			script: plays(flip(1100*time.Millisecond, eth0), flip(2*sec, eth0), []play{
				{2200 * time.Millisecond, func(w *world) { w.locked(func() { w.upFails, w.upTakes = nil, 2*sec }) }}, then(5*sec, data),
			}),
			check: connectedTimes(2),
		},
		{
			name: "another interface, which is switched", by: 9 * sec,
			script: plays([]play{detach(1100*time.Millisecond, eth0), attach(1500*time.Millisecond, nic(9, ownersMAC))}, flip(4100*time.Millisecond, nic(9, ownersMAC)), []play{then(7*sec, data)}),
			check: func(t *testing.T, _ *world, r *pps.Result) {
				t.Helper()
				if !slices.ContainsFunc(r.Timeline, func(step pps.Transition) bool { return step.Event == pps.EventSwitched }) {
					t.Error("the switch was not seen")
				}
			},
		},
		{
			name: "a watcher that breaks twice is one warning", by: 12 * sec,
			script: []play{{sec, func(w *world) { w.broken <- errors.New("broken") }}, {4 * sec, func(w *world) { w.broken <- errors.New("broken") }}, then(9*sec, data)},
			check: func(t *testing.T, w *world, r *pps.Result) {
				t.Helper()
				if len(r.Warnings) != 1 || w.watches != 3 {
					t.Errorf("%q, %d watches", r.Warnings, w.watches)
				}
			},
		},
		{name: "a second switch", script: plays(flip(sec, eth0), flip(4*sec, eth0), []play{then(7*sec, data)}), path: "Report WaitSwitch Connect Poll Connect Poll Done", by: 8 * sec},
		{name: "the interface is exchanged after all", script: plays([]play{detach(sec, eth0), attach(1500*time.Millisecond, nic(9, ownersMAC)), then(5*sec, data)}), by: 10 * sec},
		{name: "a switch that takes the interface away and back", script: plays([]play{detach(sec, in(eth0, pps.OperDown)), attach(2*sec, nic(9, poolMAC)), then(5*sec, data)}), by: 8 * sec},
		{
			name: "a store that cannot be written", script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec,
			set: func(w *world, _ *pps.Options) { w.store.saveErr = errors.New("full") }, check: warned("cannot be saved: full"),
		},
		{
			name: "a store that cannot be read", script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec,
			set: func(w *world, _ *pps.Options) { w.store.loadErr = errors.New("locked") }, check: warned("cannot be read: locked"),
		},
		{
			name: "no VM id", script: plays(flip(sec, eth0), late), path: runningPath, by: 5 * sec, check: warned("VM id is not known"),
			set: func(_ *world, o *pps.Options) { o.VMID = azprov.VMID{} },
		},
	} {
		row.kind = pps.TypeRunning
		t.Run(row.name, row.run)
	}
}

func reportFails(kind azprov.Kind) func(context.Context) error {
	return func(context.Context) error { return &azprov.Error{Op: "fake", Kind: kind, Message: "played"} }
}

func TestRecovery(t *testing.T) {
	none := func(*world, *pps.Options) {}
	for _, row := range []course{
		{
			name: "the data is there", kind: pps.TypeUnknown, set: marked(pps.PhaseReported), script: []play{then(0, data)}, path: recoverPath, by: 2 * sec,
			check: func(t *testing.T, w *world, r *pps.Result) {
				t.Helper()
				if len(w.reports) != 0 || w.ejects != 0 || w.ups != 0 || w.downs != 0 || r.Type != pps.TypeUnknown {
					t.Errorf("%+v", w)
				}
			},
		},
		{
			name: "the marker turns another type", kind: pps.TypeRunning, set: marked(pps.PhaseReported), script: []play{then(5*sec, data)}, path: recoverPath, by: 6 * sec,
			check: func(t *testing.T, w *world, r *pps.Result) {
				t.Helper()
				if len(w.reports) != 0 || r.Type != pps.TypeUnknown {
					t.Errorf("%d reports, %s", len(w.reports), r.Type)
				}
			},
		},
		{name: "on the caller's word alone", kind: pps.TypeUnknown, set: none, script: []play{then(3*sec, data)}, path: recoverPath, by: 4 * sec},
		{name: "the switch is still to come", kind: pps.TypeUnknown, set: marked(pps.PhaseReported), script: plays(flip(10*sec, eth0), []play{then(13*sec, data)}), path: "Poll Connect Poll Done", by: 14 * sec},
		{name: "the switch is still to come, and unseen", kind: pps.TypeUnknown, set: marked(pps.PhaseReported), script: []play{switched(10 * sec), then(13*sec, data)}, path: "Poll Connect Poll Done", by: 15 * sec},
		{name: "the exchange is still to come", kind: pps.TypeUnknown, set: marked(pps.PhaseReported), script: exchange(10 * sec), path: "Poll WaitAttach Probe Poll Done", by: 14 * sec},
		{
			name: "the exchange is still to come, and takes longer than a minute", kind: pps.TypeUnknown, set: func(w *world, o *pps.Options) { marked(pps.PhaseReported)(w, o); w.upTakes = 20 * sec },
			script: []play{detach(1100*time.Millisecond, eth0), attach(90300*time.Millisecond, nic(3, ownersMAC)), then(2*sec, data)}, path: "Poll WaitAttach Connect Probe Poll Done", by: 115 * sec,
		},
		{
			name: "data while the link is down", kind: pps.TypeUnknown, set: func(w *world, o *pps.Options) { marked(pps.PhaseReported)(w, o); w.anyNetwork, w.upBlind = true, true },
			script: []play{change(2500*time.Millisecond, in(eth0, pps.OperDown)), then(3500*time.Millisecond, data)}, path: "Poll Handover Done", by: 5 * sec,
		},
		{
			name: "the marker of another VM", kind: pps.TypeRunning, script: plays(flip(sec, eth0), []play{then(4*sec, data)}), path: runningPath, by: 5 * sec, check: warned("is of the VM 01000000-"),
			set: func(w *world, _ *pps.Options) {
				w.store.marker, w.store.there = pps.Marker{VMID: azprov.VMID{1}, Phase: pps.PhaseReported}, true
			},
		},
		{
			name: "a damaged marker", kind: pps.TypeRunning, script: plays(flip(sec, eth0), []play{then(4*sec, data)}), path: runningPath, by: 5 * sec, check: warned("is damaged"),
			set: func(w *world, _ *pps.Options) {
				w.store.loadErr = &azprov.Error{Op: "fake", Kind: azprov.KindMalformed, Message: "torn"}
			},
		},
		{
			name: "without a store: reported again, and the data is there", kind: pps.TypeRunning, script: []play{then(0, data)}, path: earlyPath, by: 2 * sec,
			set: func(_ *world, o *pps.Options) { o.Store = nil },
		},
		{
			name: "without a store, Savable", kind: pps.TypeSavable, script: []play{then(0, data)}, path: "Report WaitDetach Handover Done", by: 2 * sec,
			set: func(_ *world, o *pps.Options) { o.Store = nil },
		},
		{name: "rebooted after the data had come, which is still there", kind: pps.TypeUnknown, set: marked(pps.PhaseReused), script: []play{then(10*sec, data)}, path: recoverPath, by: 12 * sec},
		{
			name: "rebooted after the data had come, which is not there", kind: pps.TypeUnknown, set: marked(pps.PhaseReused), path: "Poll Failed", fail: azprov.KindNotReady, by: 5*time.Minute + 2*sec,
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if w.store.there {
					t.Error("the marker is still there")
				}
			},
		},
		{name: "rebooted before, and it takes an hour", kind: pps.TypeUnknown, set: marked(pps.PhaseReported), script: []play{then(time.Hour, data)}, path: recoverPath, by: time.Hour + 2*sec},
	} {
		t.Run(row.name, row.run)
	}
}

// An OS disk's owner comes in another boot.
func TestOSDisk(t *testing.T) {
	quiet := func(t *testing.T, w *world, _ *pps.Result) {
		t.Helper()
		if w.store.saves != 0 || w.watches != 0 || len(w.requests) != 0 || w.ejects != 1 {
			t.Errorf("saved %d, watched %d, asked %d, ejected %d", w.store.saves, w.watches, len(w.requests), w.ejects)
		}
	}
	for _, row := range []course{
		{name: "waits as long as it may", path: "Report WaitShutdown Stopped", fail: azprov.KindTimeout, by: 24 * time.Hour, check: quiet},
		{name: "without IMDS", path: "Report WaitShutdown Stopped", fail: azprov.KindTimeout, by: 24 * time.Hour, check: quiet, set: func(_ *world, o *pps.Options) { o.Metadata = nil }},
		{name: "the report fails", path: "Report Failed", fail: azprov.KindNetwork, check: quiet, set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindNetwork) }},
		{name: "the report takes no time", path: "Report Failed", fail: azprov.KindTimeout, check: quiet, set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindTimeout) }},
	} {
		row.kind = pps.TypePreprovisionedOSDisk
		t.Run(row.name, row.run)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := w.run(ctx, w.options(pps.TypePreprovisionedOSDisk), nil)
		if reason, _ := azprov.ReasonOf(err); reason != "error waiting for host shutdown" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, reason %q", err, reason)
		}
	})
}
