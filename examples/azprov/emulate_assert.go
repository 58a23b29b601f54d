package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/azprov/azprov/emulator"
)

const (
	// quietTime is how long no request may come after the outcome until it is the last:
	// agents that report twice do so within a second (measured with WALinuxAgent).
	quietTime = 2 * time.Second
	// watchTime is how often the outcome is looked for.
	watchTime = 100 * time.Millisecond
)

// assertFlags are those of emulate --assert.
type assertFlags struct {
	wanted bool
	quiet  time.Duration
}

func (f *assertFlags) add(flags *pflag.FlagSet) {
	f.quiet = quietTime
	flags.BoolVar(&f.wanted, "assert", false, "end with the outcome, and fail if an assertion of the scenario is not met")
	flags.Var(patience{&f.quiet}, "assert-quiet", "how long no request may come after the outcome, for --assert to end")
}

// check refuses what would assert nothing.
func (f *assertFlags) check(flags *pflag.FlagSet, s *emulator.Scenario) error {
	switch {
	case f.wanted && len(s.Assert) == 0:
		return usagef(`write some under "assert"; docs/scenarios.md has their forms`, "the scenario %s has no assertions", s.Name)
	case !f.wanted && flags.Changed("assert-quiet"):
		return usagef("add --assert", "--assert-quiet says when --assert ends")
	}
	return nil
}

// ending says how the verb ends.
func (f *assertFlags) ending() string {
	if !f.wanted {
		return "Interrupt (Ctrl-C) to end."
	}
	return "It ends by itself " + f.quiet.String() + " after the last request, once there is an outcome; an interrupt (Ctrl-C) ends it before."
}

// settled waits for the outcome of the VM, and then until it was quiet for a while and no
// step is to follow on what has happened; or until ctx ends.
func settled(ctx context.Context, fabric *emulator.Fabric, quiet time.Duration) {
	ticker := time.NewTicker(watchTime)
	defer ticker.Stop()
	ends := []emulator.Phase{emulator.PhaseProvisioned, emulator.PhaseFailed, emulator.PhaseStopped}
	seen, since := -1, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			n := len(fabric.Journal()) + len(fabric.Played())
			if n != seen || len(fabric.Waiting()) > 0 || !slices.Contains(ends, fabric.Phase()) {
				seen, since = n, now
			}
			if now.Sub(since) >= quiet {
				return
			}
		}
	}
}

// unmetError says how many assertions were not met: each has been told. It is the verb's
// result, and not its failure.
type unmetError struct {
	unmet []emulator.Unmet
	of    int
}

func (e *unmetError) Error() string {
	return fmt.Sprintf("%d of %s not met", len(e.unmet), plural(e.of, "assertion", "assertions"))
}

// assert holds the scenario's assertions against what has happened.
func (a *app) assert(fabric *emulator.Fabric) error {
	unmet, of := fabric.Check(), len(fabric.Scenario().Assert)
	if len(unmet) == 0 {
		a.remark("All %s met.", plural(of, "assertion", "assertions"))
		return nil
	}
	for _, one := range unmet {
		a.remark("not met: %s", one)
	}
	return &unmetError{unmet, of}
}
