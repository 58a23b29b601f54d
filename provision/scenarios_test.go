package provision_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

// TestShippedScenariosAreMet runs the whole course against every shipped scenario, and holds
// it against what the scenario says of a right agent.
func TestShippedScenariosAreMet(t *testing.T) {
	for _, scenario := range emulator.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scenario)
				if scenario.Pool.Switched { // it has reported before it was rebooted
					r.options.Pool.Store = &memoryStore{marker: &pps.Marker{VMID: scenario.VM.ID, Phase: pps.PhaseReported}}
				}
				// Who waits for its owner does so for ever.
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				go func() { // a VM whose disk is taken is shut down in the middle of its waiting
					for milestone := range r.fabric.Follow(ctx) {
						if milestone.Phase == emulator.PhaseStopped {
							cancel()
						}
					}
				}()
				start := time.Now()
				result, err := provision.Run(ctx, r.options)
				t.Logf("%v, %s, %v", time.Since(start), result.Report.State, err)
				for _, unmet := range r.fabric.Check() {
					t.Error(unmet)
				}
				if t.Failed() {
					for _, entry := range r.fabric.Journal() {
						t.Logf("%s %s %s: %d %s %q", entry.Time.Sub(start), entry.Method, entry.Path, entry.Status, entry.Fault, entry.Verdicts)
					}
				}
			})
		})
	}
}
