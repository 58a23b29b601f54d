package emulator_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// steps gives the scenario these.
func steps(list ...emulator.Step) func(*emulator.Scenario) {
	return func(s *emulator.Scenario) { s.Steps = list }
}

// wantPlayed compares the steps that were played, each with its time from the start.
func wantPlayed(b *bubble, start time.Time, want ...string) {
	b.t.Helper()
	var got []string
	for _, played := range b.fabric.Played() {
		got = append(got, played.Name+" "+played.Time.Sub(start).String())
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("played %q, want %q", got, want)
	}
}

func TestStepsByTimeAndEvent(t *testing.T) {
	t.Parallel()
	second := emulator.Duration(time.Second)
	inMemory(t, steps(
		emulator.Step{Name: "by time", At: 10 * second, GoalState: true},
		emulator.Step{Name: "by request", After: &emulator.Event{Request: &emulator.Match{Path: "comp=goalstate"}, Count: 2}, Migrate: true},
		emulator.Step{Name: "by report", After: &emulator.Event{Report: emulator.StateReady, Delay: 2 * second}, GoalState: true},
		emulator.Step{After: &emulator.Event{Step: "by report", Delay: second}, GoalState: true},
		emulator.Step{Name: "by phase", After: &emulator.Event{Phase: emulator.PhaseProvisioned, Delay: 4 * second}, GoalState: true},
		emulator.Step{Name: "never", After: &emulator.Event{Phase: emulator.PhaseStopped}, GoalState: true},
	), func(b *bubble) {
		start := time.Now()
		first := goalState(b.t, b.fabric)
		if second := goalState(b.t, b.fabric); second.ContainerID != first.ContainerID || second.Incarnation != "1" {
			b.t.Errorf("the second read has the step already: %+v", second)
		}
		third := goalState(b.t, b.fabric)
		if third.ContainerID == first.ContainerID || third.Incarnation != "2" {
			b.t.Errorf("after it: %+v", third)
		}
		time.Sleep(time.Second)
		if _, err := postReady(b.t, b.fabric, b.server); err != nil {
			b.t.Error(err)
		}
		wantPlayed(b, start, "by request 0s")
		time.Sleep(9 * time.Second)
		if got := goalState(b.t, b.fabric); got.Incarnation != "6" || got.ContainerID != third.ContainerID {
			b.t.Errorf("at the end: %+v", got)
		}
		wantPlayed(b, start, "by request 0s", "by report 3s", "steps[3] 4s", "by phase 5s", "by time 10s")
	})
}

func TestStepChangesDocuments(t *testing.T) {
	t.Parallel()
	const second = emulator.Duration(time.Second)
	inMemory(t, steps(
		emulator.Step{At: second, Instance: []byte(`{"compute":{"location":"northeurope","zone":null,"osProfile":{"computerName":"moved"}}}`)},
		emulator.Step{At: 2 * second, Tags: []emulator.Tag{{Name: "moved", Value: "yes"}}},
	), func(b *bubble) {
		before, _ := fetchInstance(b.t, b.server)
		time.Sleep(1500 * time.Millisecond)
		after, _ := fetchInstance(b.t, b.server)
		for _, row := range []struct{ body, want, not string }{
			{before.body, `"location":"westeurope"`, "northeurope"},
			{after.body, `"location":"northeurope"`, `"zone"`},
			{after.body, `"computerName":"moved"`, "test_vm-1\",\"disable"},
			{after.body, `"adminUsername":"tester"`, "moved:yes"},
		} {
			if !strings.Contains(row.body, row.want) || strings.Contains(row.body, row.not) {
				b.t.Errorf("want %s and no %s in %s", row.want, row.not, row.body)
			}
		}
		time.Sleep(time.Second)
		if last, _ := fetchInstance(b.t, b.server); !strings.Contains(last.body, `"tags":"moved:yes"`) || !strings.Contains(last.body, `"tagsList":[{"name":"moved","value":"yes"}]`) || !strings.Contains(last.body, "northeurope") {
			b.t.Errorf("tags of %s", last.body)
		}
	})
}

// Steps that are found due in one look are played in the order of their times.
func TestStepsInTheOrderOfTheirTimes(t *testing.T) {
	t.Parallel()
	place := func(at time.Duration, where string) emulator.Step {
		return emulator.Step{At: emulator.Duration(at), Instance: []byte(`{"compute":{"location":"` + where + `"}}`)}
	}
	inMemory(t, steps(place(2*time.Second, "second"), place(3*time.Second, "third"), place(time.Second, "first")), func(b *bubble) {
		time.Sleep(4 * time.Second)
		if resp, err := fetchInstance(b.t, b.server); err != nil || !strings.Contains(resp.body, `"location":"third"`) {
			b.t.Errorf("%v, %s", err, resp.body)
		}
	})
}

// A request that gets no answer is an event as well.
func TestStepAfterARequestWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Kind: emulator.FaultReset}}
		s.Steps = []emulator.Step{{Name: "next", After: &emulator.Event{Request: &emulator.Match{Service: emulator.ServiceIMDS}}, GoalState: true}}
	}, func(b *bubble) {
		start := time.Now()
		if _, err := fetchInstance(b.t, b.server); err == nil {
			b.t.Error("there was an answer")
		}
		wantPlayed(b, start, "next 0s")
	})
}

// A report whose answer was lost may be sent again.
func TestLostReportMayComeAgain(t *testing.T) {
	pooled(t, "pps-running", false, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "comp=health", Kind: emulator.FaultLose}}
	}, func(p *poolVM) {
		if _, err := postReady(p.t, p.fabric, p.server); err == nil {
			p.t.Error("there was an answer")
		}
		if got := p.report(ready); len(got) > 0 {
			p.t.Errorf("verdicts %q", got)
		}
		if got := p.report(ready); !slices.Equal(got, []string{"Ready before the owner's data"}) {
			p.t.Errorf("once more: verdicts %q", got)
		}
	})
}

// A fabric of the same scenario must not see what a step of another one has changed.
func TestStepsAreTheVMsOwn(t *testing.T) {
	t.Parallel()
	scenario := fabric(t, steps(emulator.Step{Instance: []byte(`{"compute":{"location":"elsewhere"}}`)})).Scenario()
	for range 2 {
		f, err := emulator.NewFabric(scenario, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, body, _ := ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true"); !strings.Contains(body, "elsewhere") {
			t.Error(body)
		}
		if len(f.Played()) != 1 {
			t.Errorf("played %v", f.Played())
		}
	}
}

func TestStepStopsAndStartsServices(t *testing.T) {
	t.Parallel()
	const second = emulator.Duration(time.Second)
	inMemory(t, func(s *emulator.Scenario) {
		s.IMDS.Absent = true
		s.Steps = []emulator.Step{
			{At: second, Start: []emulator.Service{emulator.ServiceIMDS}},
			{At: 2 * second, Stop: []emulator.Service{emulator.ServiceIMDS}},
			{At: 3 * second, Start: []emulator.Service{emulator.ServiceIMDS}},
		}
	}, func(b *bubble) {
		for i, want := range []bool{false, true, false, true} {
			if _, err := fetchInstance(b.t, b.server); (err == nil) != want {
				b.t.Errorf("after %d s: %v", i, err)
			}
			if _, err := fetch(b.t, b.server.Client(), http.MethodGet, b.server.WireServerURL()+"/?comp=versions", ""); err != nil {
				b.t.Errorf("the other service: %v", err)
			}
			time.Sleep(time.Second + time.Millisecond)
		}
		if entry := b.fabric.Journal()[0]; entry.Status != 0 || entry.Fault != "reset" {
			b.t.Errorf("journal: %+v", entry)
		}
	})
}

func TestStepReplacesFaults(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Status: 410, Always: true}}
		s.Steps = []emulator.Step{{At: emulator.Duration(time.Second), Faults: &emulator.StepFaults{IMDS: []emulator.Fault{{Status: 503}}}}}
	}, func(b *bubble) {
		if got, want := statuses(b, 6), []int{410, 410, 410, 410, 503, 200}; !slices.Equal(got, want) {
			b.t.Errorf("statuses %v, want %v", got, want)
		}
	})
}

func TestStepRotatesCertificates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("certificate-rotation")
		if err != nil {
			t.Fatal(err)
		}
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := f.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		b := &bubble{t, f, server}
		first := goalState(b.t, b.fabric)
		if _, err := postReady(t, f, server); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1001 * time.Millisecond)
		next := goalState(b.t, b.fabric)
		if next.Incarnation == first.Incarnation || next.ContainerID != first.ContainerID {
			t.Errorf("goal state %+v after %+v", next, first)
		}
		_, path, _ := strings.Cut(first.CertificatesURL, ":8080")
		if status, _, _ := ask(t, f.WireServer(), http.MethodGet, path, "", version2012); status != http.StatusGone {
			t.Errorf("the old URL %s: status %d", path, status)
		}
		// Those of the two SSH keys, and the one that is new.
		if got := len(contentsOf(t, f).Certificates); got != 3 {
			t.Errorf("%d certificates", got)
		}
	})
}

// What a step brings is as secret as what was there.
func TestSecretsOfSteps(t *testing.T) {
	t.Parallel()
	f := fabric(t, steps(emulator.Step{At: emulator.Duration(time.Hour), Instance: []byte(`{"compute":{"userData":"bGF0ZSBzZWNyZXQ="}}`)}))
	ask(t, f.IMDS(), http.MethodGet, "/metadata/versions?x=late%20secret", "", "Metadata: true")
	if entry := f.Journal()[0]; strings.Contains(entry.Path, "late") || !slices.Contains(entry.Verdicts, "secret in URL") {
		t.Errorf("journal: %+v", entry)
	}
	tenant := fabricOf(t, "fingerprint-keys").VM().Certificates[0]
	f = fabric(t, steps(emulator.Step{At: emulator.Duration(time.Hour), Certificates: []emulator.Certificate{tenant}}))
	key := url.QueryEscape(tenant.PrivateKey.RevealString())
	ask(t, f.IMDS(), http.MethodGet, "/metadata/versions?x="+key, "", "Metadata: true")
	if entry := f.Journal()[0]; !slices.Contains(entry.Verdicts, "secret in URL") {
		t.Errorf("journal: %+v", entry)
	}
}

func TestStepsAndAssertionsRefused(t *testing.T) {
	t.Parallel()
	const base = `{"name":"a","extends":"linux-vm",`
	for _, row := range []struct{ name, members, want string }{
		{"a step that does nothing", `"steps":[{"at":"1s"}]`, "steps[0] changes nothing"},
		{"at and after", `"steps":[{"at":"1s","after":{"report":"Ready"},"migrate":true}]`, "steps[0]: at and after exclude each other"},
		{"a negative time", `"steps":[{"at":"-1s","migrate":true}]`, "steps[0].at is negative"},
		{"no event", `"steps":[{"after":{},"migrate":true}]`, "steps[0].after wants one of request, report, phase and step"},
		{"two events", `"steps":[{"after":{"report":"Ready","phase":"Owned"},"migrate":true}]`, "steps[0].after wants one of"},
		{"a count of no request", `"steps":[{"after":{"report":"Ready","count":2},"migrate":true}]`, "steps[0].after.count is the number of a request"},
		{"a negative delay", `"steps":[{"after":{"report":"Ready","delay":"-1s"},"migrate":true}]`, "steps[0].after.delay is negative"},
		{"an unknown report", `"steps":[{"after":{"report":"None"},"migrate":true}]`, "steps[0].after.report is not one of Ready, Failed, InProgress"},
		{"an unknown phase", `"steps":[{"after":{"phase":"Happy"},"migrate":true}]`, "steps[0].after.phase is not one of Pooled"},
		{"a step below", `"steps":[{"after":{"step":"b"},"migrate":true},{"name":"b","at":"1s","migrate":true}]`, `steps[0].after.step: no step above is called "b"`},
		{"a name twice", `"steps":[{"name":"b","at":"1s","migrate":true},{"name":"b","at":"2s","migrate":true}]`, "steps[1].name is that of another step"},
		{"an unknown service", `"steps":[{"at":"1s","stop":["kvp"]}]`, `steps[0]: "kvp" is not one of imds, wireserver`},
		{"stop and start", `"steps":[{"at":"1s","stop":["imds"],"start":["imds"]}]`, "steps[0] both stops and starts imds"},
		{"a patch that is none", `"steps":[{"at":"1s","instance":[1]}]`, "steps[0].instance is not a JSON object"},
		{"a certificate that is none", `"steps":[{"at":"1s","certificates":[{"certificate":"x"}]}]`, "steps[0].certificates[0].certificate is no"},
		{"a fault that does nothing", `"steps":[{"at":"1s","faults":{"imds":[{}]}}]`, "steps[0].faults.imds[0]: the step does nothing"},
		{"a fault of the other service that does nothing", `"steps":[{"at":"1s","faults":{"wireServer":[{}]}}]`, "steps[0].faults.wireServer[0]: the step does nothing"},
		{"an event of an unknown service", `"steps":[{"after":{"request":{"service":"dns"}},"migrate":true}]`, "steps[0].after.request.service is not one of imds, wireserver"},
		{"an empty assertion", `"assert":[{}]`, "line 1: assert[0] has nothing to hold: want one of state, phase, report, request"},
		{"two in one", `"assert":[{"state":"Ready","verdicts":[]}]`, "assert[0] has state and verdicts: make an item of each"},
		{"a count of nothing", `"assert":[{"state":"Ready","exactly":1}]`, "assert[0]: exactly, atLeast and atMost count a request"},
		{"two counts", `"assert":[{"request":{},"exactly":1,"atMost":2}]`, "assert[0]: exactly excludes"},
		{"a negative count", `"assert":[{"request":{},"atLeast":-1}]`, "assert[0]: a number of requests is negative"},
		{"an order of one", `"assert":[{"order":[{}]}]`, "assert[0] wants two requests"},
		{"between three", `"assert":[{"between":[{},{},{}],"within":"1s"}]`, "assert[0] wants two requests"},
		{"between without a time", `"assert":[{"between":[{},{}]}]`, "assert[0]: between goes with notBefore, within or both"},
		{"a time without between", `"assert":[{"state":"Ready","within":"1s"}]`, "assert[0]: between goes with"},
		{"a negative time between", `"assert":[{"between":[{},{}],"within":"-1s"}]`, "assert[0]: a duration is negative"},
		{"a state that is none", `"assert":[{"state":"Happy"}]`, "assert[0].state is not one of None, Ready"},
		{"a state that is nearly one", `"assert":[{"state":"ready"}]`, "assert[0].state is not one of None, Ready, Failed, InProgress; did you mean Ready?"},
		{"null for no verdicts", `"assert":[{"verdicts":null}]`, "that there are no verdicts is written verdicts: []"},
		{"a number without a request", `"assert":[{"exactly":2}]`, "assert[0]: exactly, atLeast and atMost count a request: add request"},
		{"a step that is nearly one", `"steps":[{"name":"moved","migrate":true}],"assert":[{"step":"move"}]`, `assert[0].step: no step is called "move"; did you mean moved?`},
		{"a step above that is nearly one", `"steps":[{"name":"moved","migrate":true},{"after":{"step":"move"},"migrate":true}]`, `steps[1].after.step: no step above is called "move"; did you mean moved?`},
		{"a phase that is none", `"assert":[{"phase":"Happy"}]`, "assert[0].phase is not one of"},
		{"a step that is none", `"assert":[{"step":"b"}]`, `assert[0].step: no step is called "b"`},
		{"a method in lower case", `"assert":[{"request":{"method":"get"}}]`, "assert[0].request.method is not in upper case"},
		{"a status that is none", `"assert":[{"never":{"status":42}}]`, "assert[0].never.status is not between"},
		{"a wrong match in an order", `"assert":[{"order":[{},{"status":42}]}]`, "assert[0].order[1].status is not between"},
		{"a wrong match in between", `"assert":[{"between":[{"status":42},{}],"within":"1s"}]`, "assert[0].between[0].status is not between"},
		{"a fault's negative nth", `"imds":{"faults":[{"status":500,"nth":-1}]}`, "imds.faults[0]: nth is negative"},
		{"a fault's probability", `"imds":{"faults":[{"status":500,"probability":1.5}]}`, "imds.faults[0]: probability is not between 0 and 1"},
		{"a fault's method", `"wireServer":{"faults":[{"status":500,"method":"get"}]}`, "wireServer.faults[0]: method is not in upper case"},
		{"refuse with a match", `"imds":{"faults":[{"refuse":"1s","nth":2}]}`, "refuse stands alone"},
		{"an answer that is lost", `"imds":{"faults":[{"kind":"lose","status":500}]}`, "a step of kind lose has no answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := emulator.ParseScenario([]byte(base + row.members + "}"))
			if azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}
