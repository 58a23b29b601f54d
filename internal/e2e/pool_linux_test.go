package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

// patience bounds one agent in the lab, which takes a few seconds.
const patience = time.Minute

// quick is a shipped scenario with waits for real time.
func quick(t *testing.T, name string) emulator.Scenario {
	t.Helper()
	s, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	s.Pool.SwitchAfter, s.Pool.Outage = emulator.Duration(300*time.Millisecond), emulator.Duration(200*time.Millisecond)
	s.Pool.DataAfter, s.Pool.StaleReads = emulator.Duration(time.Second), 0
	return s
}

// TestPool goes the whole way with real links, DHCP and sockets.
func TestPool(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		options lab.Options
		host    string
	}{
		{"pps-running", lab.Options{}, "jetty-21"},
		{"pps-savable", lab.Options{}, "jetty-22"},
		{"pps-running", lab.Options{Secondary: true}, "jetty-21"},
		{"pps-savable", lab.Options{Secondary: true}, "jetty-22"},
		{"pps-running", lab.Options{Twin: true}, "jetty-21"},
		{"pps-savable", lab.Options{Twin: true}, "jetty-22"},
	} {
		name := row.name
		if row.options.Secondary {
			name += ", the primary interface second"
		}
		if row.options.Twin {
			name += ", a twin with the same address"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := row.options
			options.Scenario = quick(t, row.name)
			g := newGuest(t, &options)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			lines, _ := g.run(ctx, "")
			pool, owner := g.readies()
			if pool != 1 || owner != 1 || g.applied() != row.host || g.lab.Fabric().Phase() != emulator.PhaseProvisioned {
				t.Errorf("Ready %d times in the pool, %d times for the owner; applied %q; %s\n%s", pool, owner, g.applied(), g.lab.Fabric().Phase(), strings.Join(lines, "\n"))
			}
			for _, entry := range g.lab.Fabric().Journal() {
				if len(entry.Verdicts) > 0 {
					t.Errorf("%s %s: %q", entry.Method, entry.Path, entry.Verdicts)
				}
			}
			t.Logf("from the owner's data to Ready: %v", latency(g.lab.Fabric()))
		})
	}
}

// latency is what the pools are there for.
func latency(f *emulator.Fabric) time.Duration {
	at := map[emulator.Phase]time.Time{}
	for _, milestone := range f.Timeline() {
		at[milestone.Phase] = milestone.Time
	}
	return at[emulator.PhaseProvisioned].Sub(at[emulator.PhaseOwned])
}
