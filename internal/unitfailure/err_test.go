package unitfailure_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/unitfailure"
	"github.com/azprov/azprov/report"
)

// TestErr: what the platform is told.
func TestErr(t *testing.T) {
	t.Parallel()
	d := func(key, value string) azprov.Detail { return azprov.Detail{Key: key, Value: value} }
	for name, row := range map[string]struct {
		failure unitfailure.Failure
		entry   string
		reason  string
		kind    azprov.Kind
		details []azprov.Detail
	}{
		"an exit status": {
			unitfailure.Failure{Result: "exit-code", Status: 3, Lines: []string{"a", "b", "c"}, Error: "b"},
			"unit-failed", "provisioning program pilot.service failed", azprov.KindInternal,
			[]azprov.Detail{d("unit", unit), d("unit_result", "exit-code"), d("status", "3"), d("error", "b"), d("log", "a / c")},
		},
		"nothing is known": {
			unitfailure.Failure{},
			"unit-failed", "provisioning program pilot.service failed", azprov.KindInternal,
			[]azprov.Detail{d("unit", unit)},
		},
		"ended by somebody": {
			unitfailure.Failure{Result: "signal", Signal: "TERM"},
			"unit-failed", "provisioning program pilot.service failed", azprov.KindInternal,
			[]azprov.Detail{d("unit", unit), d("unit_result", "signal"), d("signal", "TERM")},
		},
		"a panic": {
			unitfailure.Failure{Result: "exit-code", Status: 2, Lines: []string{"a", "panic: x", "main.steer()"}, Error: "panic: x; goroutine 1", Panic: "panic: x; goroutine 1"},
			"agent-crashed", "provisioning agent crashed", azprov.KindInternal,
			[]azprov.Detail{d("unit", unit), d("unit_result", "exit-code"), d("status", "2"), d("error", "panic: x; goroutine 1"), d("log", "a / main.steer()")},
		},
		"a fault":       {unitfailure.Failure{Result: "signal", Signal: "SEGV"}, "agent-crashed", "provisioning agent crashed", azprov.KindInternal, nil},
		"a core dump":   {unitfailure.Failure{Result: "core-dump", Signal: "QUIT"}, "agent-crashed", "provisioning agent crashed", azprov.KindInternal, nil},
		"a watchdog":    {unitfailure.Failure{Result: "watchdog"}, "agent-crashed", "provisioning agent crashed", azprov.KindInternal, nil},
		"a timeout":     {unitfailure.Failure{Result: "timeout"}, "unit-timed-out", "provisioning program pilot.service timed out", azprov.KindTimeout, nil},
		"out of memory": {unitfailure.Failure{Result: "oom-kill", Signal: "KILL"}, "unit-out-of-memory", "provisioning program pilot.service ran out of memory", azprov.KindInternal, nil},
		"too often":     {unitfailure.Failure{Result: "start-limit-hit"}, "unit-failed", "provisioning program pilot.service failed", azprov.KindInternal, nil},
	} {
		row.failure.Unit = unit
		e := row.failure.Err()
		entry, r := report.For(e)
		if entry.ID != row.entry || r.Reason != row.reason || e.Kind != row.kind || e.Target != unit {
			t.Errorf("%s: %s, %q, %v", name, entry.ID, r.Reason, e)
		}
		if diff := cmp.Diff(row.details, e.Details); row.details != nil && diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
