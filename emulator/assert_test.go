package emulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
)

// TestCheck holds each form of assertion against one conversation, in a form that holds and
// in one that does not.
func TestCheck(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	instance, health := &emulator.Match{Path: "/metadata/instance"}, &emulator.Match{Path: "comp=health"}
	all := emulator.Match{Service: emulator.ServiceIMDS}
	const second = emulator.Duration(time.Second)
	for _, row := range []struct {
		name      string
		assertion emulator.Assertion
		want      string // of the unmet one, empty if it holds
	}{
		{"state", emulator.Assertion{State: emulator.StateReady}, ""},
		{"another state", emulator.Assertion{State: emulator.StateFailed}, "assert[0]: state Failed; saw Ready"},
		{"phase", emulator.Assertion{Phase: emulator.PhaseProvisioned}, ""},
		{"another phase", emulator.Assertion{Phase: emulator.PhaseStopped}, "assert[0]: phase Stopped; saw Provisioned"},
		{"report", emulator.Assertion{Report: "no such text"}, `assert[0]: a last report with "no such text"; saw Ready ""`},
		{"request", emulator.Assertion{Request: instance}, ""},
		{"no such request", emulator.Assertion{Request: &emulator.Match{Path: "comp=telemetry"}}, "assert[0]: comp=telemetry at least once; saw it 0 times"},
		{"exactly", emulator.Assertion{Request: instance, Exactly: number(3)}, ""},
		{"not exactly", emulator.Assertion{Request: instance, Exactly: number(1)}, "assert[0]: /metadata/instance exactly 1 times; saw it 3 times"},
		{"exactly none", emulator.Assertion{Request: &emulator.Match{Path: "x"}, Exactly: number(0)}, ""},
		{"at least", emulator.Assertion{Request: health, AtLeast: number(2)}, "assert[0]: comp=health at least 2 times; saw it once"},
		{"at most", emulator.Assertion{Request: instance, AtMost: number(2)}, "assert[0]: /metadata/instance at most 2 times; saw it 3 times"},
		{"from to", emulator.Assertion{Request: instance, AtLeast: number(3), AtMost: number(3)}, ""},
		{"below", emulator.Assertion{Request: instance, AtLeast: number(4), AtMost: number(5)}, "assert[0]: /metadata/instance 4 to 5 times; saw it 3 times"},
		{"never", emulator.Assertion{Never: &emulator.Match{Path: "comp=certificates"}}, ""},
		{"but it was", emulator.Assertion{Never: health}, "assert[0]: never comp=health; saw it once, first as number 5 of the journal"},
		{"order", emulator.Assertion{Order: []emulator.Match{*instance, {Path: "comp=goalstate"}, *health}}, ""},
		{"another order", emulator.Assertion{Order: []emulator.Match{*health, *instance}}, "assert[0]: comp=health, then /metadata/instance; saw no /metadata/instance after the comp=health that is number 5 of the journal"},
		{"an order that never begins", emulator.Assertion{Order: []emulator.Match{{Path: "x"}, *instance}}, "assert[0]: x, then /metadata/instance; saw no x"},
		{"the same twice", emulator.Assertion{Order: []emulator.Match{*health, *health}}, "saw no comp=health after the comp=health"},
		{"within", emulator.Assertion{Between: []emulator.Match{{Status: 410}, *health}, NotBefore: 3 * second, Within: 3 * second}, ""},
		{"too late", emulator.Assertion{Between: []emulator.Match{all, *health}, Within: 2 * second}, "assert[0]: imds, then comp=health within 2s; saw 3s"},
		{"too early", emulator.Assertion{Between: []emulator.Match{{Status: 410}, all}, NotBefore: 2 * second}, "assert[0]: answered 410, then imds not before 2s; saw 1s"},
		{"between what is not", emulator.Assertion{Between: []emulator.Match{{Path: "x"}, all}, Within: second}, "saw no x"},
		{"verdicts that may be", emulator.Assertion{Verdicts: []string{"missing Metadata"}}, ""},
		{"verdicts", emulator.Assertion{Verdicts: []string{}}, `assert[0]: no verdicts; saw "missing Metadata header" at number 3 of the journal`},
		{"other verdicts", emulator.Assertion{Verdicts: []string{"stale"}}, `assert[0]: no verdicts but stale; saw "missing`},
		{"step", emulator.Assertion{Step: "soon"}, ""},
		{"no step", emulator.Assertion{Step: "later"}, "assert[0]: step later played; saw that it was due in 57s"},
		{"an event that never came", emulator.Assertion{Step: "after failed"}, "saw that its event never came"},
		{"an event that came too seldom", emulator.Assertion{Step: "fourth"}, "saw that its request came 3 of 4 times"},
		{"a delay that is not over", emulator.Assertion{Step: "delayed"}, "saw that it was due in 4s"},
		{"a header", emulator.Assertion{Request: &emulator.Match{Headers: map[string]string{"user-agent": "pilot"}}, Exactly: number(1)}, ""},
		{"an api-version", emulator.Assertion{Request: &emulator.Match{APIVersion: "2012-11-30"}, Exactly: number(2)}, ""},
		{"an api-version of IMDS", emulator.Assertion{Request: &emulator.Match{APIVersion: "2023-11-15"}, Exactly: number(3)}, ""},
		{"a status", emulator.Assertion{Request: &emulator.Match{Service: emulator.ServiceIMDS, Method: "GET", Status: 400}, Exactly: number(1)}, ""},
		{"escapes undone", emulator.Assertion{Request: &emulator.Match{Path: "api-version=2023-11-15"}, Exactly: number(3)}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, func(s *emulator.Scenario) {
				s.IMDS.Faults = []emulator.Fault{{Status: 410}}
				s.Steps = []emulator.Step{
					{Name: "soon", At: second, GoalState: true},
					{Name: "later", At: 60 * second, GoalState: true},
					{Name: "after failed", After: &emulator.Event{Report: emulator.StateFailed}, GoalState: true},
					{Name: "fourth", After: &emulator.Event{Request: instance, Count: 4}, GoalState: true},
					{Name: "delayed", After: &emulator.Event{Report: emulator.StateReady, Delay: 4 * second}, GoalState: true},
				}
				s.Assert = []emulator.Assertion{row.assertion}
			}, func(b *bubble) {
				for _, header := range []string{"Metadata: true", "Metadata: true", "User-Agent: the pilot/1"} {
					target := strings.Replace(instance2023, "2023-11-15", "2023%2D11-15", 1)
					if _, err := fetch(b.t, b.server.Client(), http.MethodGet, b.server.IMDSURL()+target, "", header); err != nil {
						b.t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if _, err := postReady(b.t, b.fabric, b.server); err != nil {
					b.t.Fatal(err)
				}
				unmet := b.fabric.Check()
				switch {
				case row.want == "" && len(unmet) > 0:
					b.t.Error(unmet)
				case row.want != "" && (len(unmet) != 1 || !strings.Contains(unmet[0].String(), row.want)):
					b.t.Errorf("unmet %v, want %q", unmet, row.want)
				}
			})
		})
	}
}

// Before anything was asked there is nothing to see, and the assertions say so one by one.
func TestCheckBeforeAnything(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) {
		s.Assert = []emulator.Assertion{{Report: "x"}, {Verdicts: []string{}}, {State: emulator.StateNone}, {Request: &emulator.Match{}}}
	})
	var got []string
	for _, unmet := range f.Check() {
		got = append(got, unmet.String())
	}
	want := `assert[0]: a last report with "x"; saw no report|assert[3]: any request at least once; saw it 0 times`
	if strings.Join(got, "|") != want {
		t.Errorf("unmet %q", got)
	}
}

// What the host reads in the guest's pool is no request, unless it is asked for.
func TestCheckTellsRequestsFromTheHost(t *testing.T) {
	t.Parallel()
	s := fabric(t, nil).Scenario()
	s.Assert = []emulator.Assertion{
		{Never: &emulator.Match{}}, {Request: &emulator.Match{Service: emulator.ServiceKVP}}, {Verdicts: []string{"cannot be read"}},
	}
	f, err := emulator.NewFabric(s, &emulator.Options{KVPPool: t.TempDir()}) // a directory
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CollectKVP(t.Context()); err == nil {
		t.Error("the directory was read")
	}
	if unmet := f.Check(); len(unmet) > 0 {
		t.Error(unmet)
	}
}

// What a scenario has and nobody met is told: it may have a mistake.
func TestUnused(t *testing.T) {
	t.Parallel()
	const second = emulator.Duration(time.Second)
	inMemory(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Refuse: 1}, {Path: "/metadata/instanse", Status: 410}, {Delay: second}}
		s.WireServer.Faults = []emulator.Fault{{Method: "POST", Path: "comp=helth", Kind: emulator.FaultReset}}
		s.HostGA.Faults = []emulator.Fault{{Status: 503}}
		s.Steps = []emulator.Step{
			{After: &emulator.Event{Request: &emulator.Match{Path: "/metadata/"}}, Faults: &emulator.StepFaults{HostGA: []emulator.Fault{{Status: 500}}}},
			{Name: "lost", After: &emulator.Event{Request: &emulator.Match{Path: "/metdata/"}}, GoalState: true},
			{Name: "waits", At: 60 * second, GoalState: true},
		}
		s.Assert = []emulator.Assertion{
			{Never: &emulator.Match{Path: "comp=certificates"}},
			{Never: &emulator.Match{Path: "comp=certificats", Status: 500}},
			{Never: &emulator.Match{Path: "/metadata/", Status: 500}},
			{Never: &emulator.Match{Status: 500}},
		}
	}, func(b *bubble) {
		if got := b.fabric.Unused(); got != nil {
			b.t.Errorf("before anything was asked: %q", got)
		}
		time.Sleep(time.Second) // IMDS listens now.
		if _, err := fetchInstance(b.t, b.server); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := len(b.fabric.Waiting()); got != 0 {
			b.t.Errorf("%d steps wait", got)
		}
		want := []string{
			"never taken: hostGA.faults[0] (503 of any request)",
			"never taken: imds.faults[1] (410 of /metadata/instanse)",
			"never taken: wireServer.faults[0] (reset of POST comp=helth)",
			"never taken: steps[0].faults.hostGA[0] (500 of any request)",
			"never played: lost, as its event never came",
			"never asked for: comp=certificats, of assert[1]",
		}
		if diff := cmp.Diff(want, b.fabric.Unused()); diff != "" {
			b.t.Error(diff)
		}
	})
}

// A step waits from its event to the end of its delay.
func TestWaiting(t *testing.T) {
	t.Parallel()
	const second = emulator.Duration(time.Second)
	inMemory(t, steps(
		emulator.Step{Name: "first", After: &emulator.Event{Report: emulator.StateReady, Delay: 5 * second}, GoalState: true},
		emulator.Step{Name: "second", After: &emulator.Event{Step: "first", Delay: 2 * second}, GoalState: true},
		emulator.Step{Name: "by time", At: 60 * second, GoalState: true},
	), func(b *bubble) {
		start := time.Now()
		for i, want := range []string{"", "first 5s", "second 7s", ""} {
			var got []string
			for _, step := range b.fabric.Waiting() {
				got = append(got, step.Name+" "+step.Time.Sub(start).String())
			}
			if strings.Join(got, ", ") != want {
				b.t.Errorf("look %d: %q wait, want %q", i, got, want)
			}
			if i == 0 {
				if _, err := postReady(b.t, b.fabric, b.server); err != nil {
					b.t.Fatal(err)
				}
				continue
			}
			time.Sleep([]time.Duration{0, 5500 * time.Millisecond, 2 * time.Second, 0}[i])
		}
	})
}
