package pps_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

func TestSavable(t *testing.T) {
	vf := driven(named(nic(4, ownersMAC), "enP1s1"), "mlx5_core")
	for _, row := range []course{
		{
			name: "exchanged, then data", script: exchange(sec), path: savablePath, by: 3*sec + 250*time.Millisecond,
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"eth1"}) || w.ups != 0 || w.store.marker.Phase != pps.PhaseReused {
					t.Errorf("%+v", w)
				}
			},
		},
		{
			name: "no answer to the report: network", script: exchange(sec), path: savablePath, by: 4 * sec, check: warned("no answer to the report"),
			set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindNetwork) },
		},
		{
			name: "no answer to the report: time", script: exchange(sec), path: savablePath, by: 4 * sec,
			set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindTimeout) },
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if w.store.saves != 2 {
					t.Errorf("the marker was saved %d times, want 2", w.store.saves)
				}
			},
		},
		{name: "the report is refused", fail: azprov.KindDenied, path: "Report Failed", by: 0, set: func(w *world, _ *pps.Options) { w.report = reportFails(azprov.KindDenied) }},
		{
			name: "the interface goes while the report hangs", script: exchange(sec), path: savablePath, by: 4 * sec,
			set: func(w *world, _ *pps.Options) {
				w.report = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			},
		},
		{
			name: "all is over when the answer comes", script: exchange(0), path: savablePath, by: 6 * sec,
			set: func(w *world, _ *pps.Options) {
				w.report = func(context.Context) error { time.Sleep(4 * sec); return nil }
			},
		},
		{name: "the new interface comes first", script: []play{attach(sec, nic(3, ownersMAC)), detach(3*sec, eth0), then(4*sec, data)}, path: savablePath, by: 5 * sec},
		{
			name: "the first that comes is a secondary one", path: "Report WaitDetach WaitAttach Probe WaitAttach Probe Poll Done", by: 6 * sec,
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), attach(3*sec, nic(4, ownersMAC)), then(4*sec, data)},
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"eth1", "eth2"}) {
					t.Errorf("probed %q", w.probes)
				}
			},
		},
		{
			name: "both at once, the secondary first", path: "Report WaitDetach WaitAttach Probe WaitAttach Probe Poll Done", by: 6 * sec,
			script: []play{detach(sec, eth0), unseen(2400*time.Millisecond, pps.LinkAttached, nic(3, otherMAC)), unseen(2400*time.Millisecond, pps.LinkAttached, nic(4, ownersMAC)), resync(2500 * time.Millisecond), then(4*sec, data)},
		},
		{
			name: "one without DHCP does not hold up the other", path: "Report WaitDetach WaitAttach Probe WaitAttach Probe Poll Done", by: 34 * sec,
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), attach(3*sec, nic(4, ownersMAC)), then(4*sec, data)},
			set:    func(w *world, _ *pps.Options) { w.onHangs[otherMAC] = true },
		},
		{
			name: "alone, one without DHCP has 20 minutes", by: 20*time.Minute + 5*sec,
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC)), then(4*sec, data), {3 * sec, func(w *world) { w.locked(func() { w.onHangs[ownersMAC] = false }) }}},
			set:    func(w *world, _ *pps.Options) { w.onHangs[ownersMAC] = true },
			path:   "Report WaitDetach WaitAttach Probe WaitAttach Probe Poll Done",
		},
		{
			name: "an address fails, then does not", by: 9 * sec, script: plays(exchange(sec), []play{{5 * sec, func(w *world) { w.locked(func() { delete(w.onFails, ownersMAC) }) }}}),
			set: func(w *world, _ *pps.Options) { w.onFails[ownersMAC] = errors.New("no lease") },
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if n := len(w.probes); n < 3 || n > 5 {
					t.Errorf("%d probes in four seconds", n)
				}
			},
		},
		{
			name: "the interface under probe goes", path: "Report WaitDetach WaitAttach Probe WaitAttach Probe Poll Done", by: 8 * sec,
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), detach(4*sec, nic(3, otherMAC)), attach(5*sec, nic(4, ownersMAC)), then(6*sec, data)},
			set:    func(w *world, _ *pps.Options) { w.onHangs[otherMAC] = true },
		},
		{
			name: "another interface goes first", path: savablePath, by: 7 * sec,
			set:    func(w *world, _ *pps.Options) { w.links = append(w.links, nic(5, otherMAC)) },
			script: plays([]play{detach(sec, nic(5, otherMAC))}, exchange(4*sec)),
		},
		{
			name: "only the primary's going counts", path: "Report WaitDetach Handover Done", by: 6 * sec,
			set:    func(w *world, _ *pps.Options) { w.links = append(w.links, nic(5, otherMAC)) },
			script: []play{detach(sec, nic(5, otherMAC)), then(4*sec, data)},
		},
		{
			name: "what was there before is not the new one", path: savablePath, by: 8 * sec,
			set:    func(w *world, _ *pps.Options) { w.links = append(w.links, nic(5, otherMAC)) },
			script: []play{detach(sec, eth0), change(2*sec, named(nic(5, otherMAC), "renamed")), attach(4*sec, nic(3, ownersMAC)), then(5*sec, data)},
		},
		{name: "the same index with another address", path: savablePath, by: 5 * sec, script: []play{detach(sec, eth0), attach(2*sec, nic(2, ownersMAC)), then(3*sec, data)}},
		{name: "the same address with another index", path: savablePath, by: 5 * sec, script: []play{detach(sec, eth0), attach(2*sec, nic(3, poolMAC)), then(3*sec, data)}},
		{name: "the very same link comes back", path: savablePath, by: 5 * sec, script: []play{detach(sec, eth0), attach(2*sec, eth0), then(3*sec, data)}},
		{
			name: "an attached link that is down, or not known", path: savablePath, by: 5 * sec,
			script: []play{detach(sec, in(eth0, pps.OperNotPresent)), attach(2*sec, in(nic(3, ownersMAC), pps.OperUnknown)), then(3*sec, data)},
		},
		{
			name: "a twin and what is no interface of the host's", path: savablePath, by: 7 * sec,
			script: []play{
				detach(sec, eth0), attach(2*sec, pps.Link{Index: 6, Name: "veth0", Address: otherMAC, OperState: pps.OperUp}),
				attach(2*sec, pps.Link{Index: 7, Name: "docker0", Kind: "bridge", Address: otherMAC, OperState: pps.OperUp}),
				attach(3*sec, nic(5, ownersMAC)), attach(3*sec, vf), then(4*sec, data),
			},
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"eth3"}) {
					t.Errorf("probed %q", w.probes)
				}
			},
		},
		{
			name: "a MANA twin before its synthetic interface is up", path: savablePath, by: 6 * sec,
			script: []play{detach(sec, eth0), unseen(2400*time.Millisecond, pps.LinkAttached, nic(5, ownersMAC)), unseen(2400*time.Millisecond, pps.LinkAttached, driven(nic(3, ownersMAC), "mana")), resync(2500 * time.Millisecond), then(4*sec, data)},
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"eth3"}) {
					t.Errorf("probed %q", w.probes)
				}
			},
		},
		{
			name: "the caller's own predicate", path: savablePath, by: 7 * sec,
			set: func(_ *world, o *pps.Options) { o.Candidate = func(l pps.Link) bool { return l.Name == "net9" } },
			script: []play{
				detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), attach(3*sec, driven(named(nic(5, ownersMAC), "net9"), "virtio_net")), then(4*sec, data),
			},
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"net9"}) {
					t.Errorf("probed %q", w.probes)
				}
			},
		},
		{
			name: "both events are lost in an overrun", path: savablePath, by: 6 * sec,
			script: []play{unseen(sec, pps.LinkDetached, eth0), unseen(sec, pps.LinkAttached, nic(3, ownersMAC)), resync(1200 * time.Millisecond), then(3*sec, data)},
		},
		{
			name: "an overrun hides that the same interface went and came", path: savablePath, by: 8 * sec,
			script: []play{unseen(sec, pps.LinkDetached, eth0), unseen(sec, pps.LinkAttached, nic(3, poolMAC)), resync(1200 * time.Millisecond), then(3*sec, data)},
		},
		{name: "the detach event is lost", path: savablePath, by: 6 * sec, script: []play{unseen(sec, pps.LinkDetached, eth0), attach(2500*time.Millisecond, nic(3, ownersMAC)), then(4*sec, data)}},
		{name: "the attach event is lost", path: savablePath, by: 6 * sec, script: []play{detach(sec, eth0), unseen(2*sec, pps.LinkAttached, nic(3, ownersMAC)), then(4*sec, data)}},
		{
			name: "no links at all", path: "Report WaitDetach Connect Poll Done", by: 9 * sec,
			set:    func(_ *world, o *pps.Options) { o.Links = nil },
			script: []play{detach(sec, eth0), attach(4*sec, nic(3, ownersMAC)), then(5*sec, data)},
		},
		{
			name: "an interface that nobody takes for one", path: "Report WaitDetach WaitAttach Connect Poll Done", by: 63 * sec,
			set:    func(_ *world, o *pps.Options) { o.Candidate = func(l pps.Link) bool { return l == eth0 } },
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC)), then(4*sec, data)},
		},
		{
			name: "a replacement while an address is asked for anywhere", path: "Report WaitDetach Connect Probe Poll Done", by: 8 * sec,
			set:    func(w *world, _ *pps.Options) { w.upTakes = sec },
			script: []play{switched(1500 * time.Millisecond), attach(2300*time.Millisecond, nic(3, ownersMAC)), then(5*sec, data)},
		},
		{
			name: "a replacement in Connect after a minute", path: "Report WaitDetach WaitAttach Connect Probe Poll Done", by: 92 * sec,
			script: []play{detach(sec, eth0), attach(90*sec, nic(3, ownersMAC)), then(2*sec, data)},
		},
		{
			name: "the operating system's network", path: savablePath, by: 6 * sec, script: exchange(sec),
			set: func(w *world, o *pps.Options) { o.Network = nil; w.anyNetwork = true },
		},
		{name: "data before the exchange", path: "Report WaitDetach Handover Done", by: 3 * sec, script: []play{then(sec, data)}},
		{
			name: "data before the attach", path: "Report WaitDetach WaitAttach Handover Done", by: 6 * sec,
			set:    func(w *world, _ *pps.Options) { w.anyNetwork = true },
			script: []play{detach(sec, eth0), then(3*sec, data), {3 * sec, func(w *world) { w.change(pps.LinkAttached, nic(3, ownersMAC), false) }}},
		},
		{
			name: "data during a probe", path: "Report WaitDetach WaitAttach Probe Handover Done", by: 7 * sec,
			set:    func(w *world, _ *pps.Options) { w.anyNetwork = true; w.onHangs[ownersMAC] = true },
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC)), then(4*sec, data)},
		},
		{
			name: "nothing but IMDS", path: "Report WaitDetach Done", by: 5 * sec, script: []play{then(4*sec, data)},
			set: func(_ *world, o *pps.Options) { o.Links, o.Network, o.Store, o.Ejector = nil, nil, nil, nil },
		},
		{
			name: "two in turn", by: 100 * sec,
			script: []play{
				detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), attach(3*sec, nic(4, ownersMAC)), then(5*sec, data),
				{45 * sec, func(w *world) { w.locked(func() { delete(w.onHangs, ownersMAC) }) }},
			},
			set: func(w *world, _ *pps.Options) { w.onHangs[otherMAC], w.onHangs[ownersMAC] = true, true },
		},
		{
			name: "an overrun hides that the index is another interface's", path: savablePath, by: 6 * sec,
			script: []play{unseen(1100*time.Millisecond, pps.LinkChanged, nic(2, ownersMAC)), resync(1200 * time.Millisecond), then(3*sec, data)},
		},
		{
			name: "three, of which two without DHCP", by: 70 * sec,
			script: []play{detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), attach(3*sec, nic(4, "00:0d:3a:00:00:04")), attach(4*sec, nic(5, ownersMAC)), then(5*sec, data)},
			set:    func(w *world, _ *pps.Options) { w.onHangs[otherMAC], w.onHangs["00:0d:3a:00:00:04"] = true, true },
		},
		{
			name: "twins of which nobody knows the driver", by: 9 * sec,
			script: []play{
				detach(1100*time.Millisecond, eth0), unseen(2400*time.Millisecond, pps.LinkAttached, driven(nic(4, otherMAC), "")), unseen(2400*time.Millisecond, pps.LinkAttached, driven(nic(3, otherMAC), "")),
				resync(2500 * time.Millisecond), attach(5100*time.Millisecond, nic(5, ownersMAC)), then(6*sec, data),
			},
			check: func(t *testing.T, w *world, _ *pps.Result) {
				t.Helper()
				if !slices.Equal(w.probes, []string{"eth1", "eth2", "eth3"}) || w.downs != 5 {
					t.Errorf("probed %q, down %d times", w.probes, w.downs)
				}
			},
		},
		{
			name: "the operating system's network takes its time", path: "Report WaitDetach WaitAttach Done", by: 92 * sec, script: []play{detach(sec, eth0), then(90*sec, data)},
			set: func(w *world, o *pps.Options) { o.Network = nil; w.anyNetwork = true },
		},
		{
			name: "the minute of WaitAttach is over with it", by: 65 * sec,
			script: plays([]play{detach(sec, eth0), attach(2*sec, nic(3, ownersMAC))}, flip(60100*time.Millisecond, nic(3, ownersMAC)), []play{
				then(64*sec, data), {50 * sec, func(w *world) { w.locked(func() { w.upTakes = 2 * sec }) }},
			}),
			check: connectedTimes(1),
		},
		{
			name: "exchanged twice", path: "Report WaitDetach WaitAttach Probe Poll WaitAttach Probe Poll Done", by: 9 * sec,
			script: []play{
				detach(sec, eth0), attach(2*sec, nic(3, otherMAC)), detach(4*sec, nic(3, otherMAC)), attach(5*sec, nic(4, ownersMAC)), then(7*sec, data),
			},
			set: func(w *world, _ *pps.Options) { w.primary[otherMAC] = true },
		},
	} {
		row.kind = pps.TypeSavable
		t.Run(row.name, row.run)
	}
}
