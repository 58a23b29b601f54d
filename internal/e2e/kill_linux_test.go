package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

// runs is how many agents are run at a time: each is a process and a lab.
const runs = 4

// TestKilledAtEveryStep kills the agent at each line that it prints, starts it again, and
// wants one outcome for the owner, with the owner's data, whatever was killed.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	slots := make(chan struct{}, runs)
	for _, row := range []struct{ scenario, host string }{
		{"pps-running", "jetty-21"}, {"pps-savable", "jetty-22"}, {"pps-recovery", "jetty-24"},
	} {
		course := newGuest(t, &lab.Options{Scenario: quick(t, row.scenario)})
		course.recover(row.scenario)
		lines, _ := course.run(t.Context(), "")
		for _, line := range steps(lines) {
			t.Run(row.scenario+", killed at "+line, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				g := newGuest(t, &lab.Options{Scenario: quick(t, row.scenario)})
				g.recover(row.scenario)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				first, killed := g.run(ctx, line)
				if !killed {
					t.Logf("%s was not come by in this run", line)
				}
				second, _ := g.run(ctx, "")
				_, owner := g.readies()
				if owner != 1 || g.applied() != row.host || g.lab.Fabric().Phase() != emulator.PhaseProvisioned {
					t.Errorf("Ready %d times for the owner, applied %q, %s\n%s\n-- again:\n%s",
						owner, g.applied(), g.lab.Fabric().Phase(), strings.Join(first, "\n"), strings.Join(second, "\n"))
				}
			})
		}
	}
}

// TestKilledOnItsWayOut: a VM whose disk alone goes to the owner never reports for one.
func TestKilledOnItsWayOut(t *testing.T) {
	t.Parallel()
	g := newGuest(t, &lab.Options{Scenario: quick(t, "pps-osdisk")})
	for _, line := range []string{"state Report", "state WaitShutdown", "state WaitShutdown"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if lines, killed := g.run(ctx, line); !killed {
			t.Errorf("%s: %s", line, strings.Join(lines, "\n"))
		}
		cancel()
	}
	if pool, owner := g.readies(); pool+owner == 0 || g.applied() != "" {
		t.Errorf("Ready %d and %d times, applied %q", pool, owner, g.applied())
	}
}

// steps are the lines at which an agent can be killed: each once.
func steps(lines []string) (list []string) {
	for _, line := range lines {
		kind, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"step", "done", "state"}, kind) && !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}
