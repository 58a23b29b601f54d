package emulator_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// What an agent does wrong, and what the platform makes of it.
func TestPoolReportsAtTheWrongTime(t *testing.T) {
	type step struct {
		after    time.Duration
		health   goalstate.Health
		fetch    bool
		verdicts []string
	}
	early, unread, late := []string{"Ready before the owner's data"}, []string{"Ready without the owner's data"}, []string{"Ready after Failed"}
	for _, row := range []struct {
		name     string
		steps    []step
		timeline []string
		state    emulator.ReportState
	}{
		{
			"a second Ready before the network goes",
			[]step{{health: ready}, {health: ready, verdicts: early}},
			[]string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Owned 4"},
			emulator.StateNone,
		},
		{
			"a second Ready before the data",
			[]step{{health: ready}, {after: 3 * time.Second, health: ready, verdicts: early}},
			[]string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Owned 4"},
			emulator.StateNone,
		},
		{
			"the owner's Ready without a look at the data",
			[]step{{health: ready}, {after: 5 * time.Second, health: ready, verdicts: unread}},
			[]string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Owned 4", "Provisioned 5"},
			emulator.StateReady,
		},
		{
			"progress only",
			[]step{{health: ready}, {after: 5 * time.Second, health: busy, fetch: true}},
			[]string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Owned 4"},
			emulator.StateInProgress,
		},
		{"a failure instead of the first Ready", []step{{health: failed}, {health: ready, verdicts: late}}, []string{"Pooled 0", "Failed 0"}, emulator.StateReady},
		{"a failure in the pool", []step{{health: ready}, {health: failed}, {health: ready, verdicts: late}}, []string{"Pooled 0", "Reported 0", "Failed 0"}, emulator.StateReady},
		{"a failure during the switch", []step{{health: ready}, {after: 1200 * time.Millisecond, health: failed}}, []string{"Pooled 0", "Reported 0", "Disconnected 1", "Failed 1.2"}, emulator.StateFailed},
		{"a failure after the switch", []step{{health: ready}, {after: 2 * time.Second, health: failed}}, []string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Failed 2"}, emulator.StateFailed},
		{
			"the owner's failure, then Ready",
			[]step{{health: ready}, {after: 5 * time.Second, health: failed}, {health: ready, fetch: true, verdicts: late}},
			[]string{"Pooled 0", "Reported 0", "Disconnected 1", "Connected 1.5", "Owned 4", "Failed 5", "Provisioned 5"},
			emulator.StateReady,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			pooled(t, "pps-running", true, nil, func(p *poolVM) {
				for i, step := range row.steps {
					time.Sleep(step.after)
					synctest.Wait()
					if step.fetch {
						p.reprovisionData()
					}
					if got := p.report(step.health); !slices.Equal(got, step.verdicts) {
						t.Errorf("report %d: verdicts %q, want %q", i+1, got, step.verdicts)
					}
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				p.wantTimeline(row.timeline...)
				if got := p.fabric.State(); got != row.state {
					t.Errorf("state %s, want %s", got, row.state)
				}
			})
		})
	}
}

// A report whose answer is lost is sent again: no fault of the agent.
func TestPoolReportIsRepeated(t *testing.T) {
	pooled(t, "pps-running", true, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "comp=health", Kind: emulator.FaultTruncate}, {Path: "comp=health", Status: 503}}
	}, func(p *poolVM) {
		for i, want := range []int{200, 503, 200, 200} {
			g := goalState(p.t, p.fabric)
			status, _ := report(p.t, p.fabric, g, ready)
			if early := slices.Contains(verdicts(p.t, p.fabric), "Ready before the owner's data"); status != want || early != (i == 3) {
				p.t.Errorf("report %d: status %d, verdicts %q", i+1, status, verdicts(p.t, p.fabric))
			}
		}
	})
}
