package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
)

// A run is an agent in a scenario.
type run struct {
	// agent is what provisions.
	agent string
	// scenario is a shipped one.
	scenario string
	// about says in a few words what is seen here, for people.
	about string
	// change changes the scenario; nil leaves it.
	change func(*emulator.Scenario)
	// machine changes the machine; nil leaves it.
	machine func(*sandbox)
	// drive lets the agent run to its own success, and looks at what it has made.
	drive func(g *guest)
	// state is what the platform shows in the end; empty stands for Ready.
	state emulator.ReportState
	// verdicts are those that the agent earns, which is its own fault; any other is the
	// emulator's.
	verdicts []string
	// until is what an agent that goes on for ever has asked for in the end, each the
	// beginning of a line of the transcript. Threads of its own ask for it, so that what
	// follows the outcome is told without its order.
	until []string
	// systems are those that it is run on; nil stands for both.
	systems []string
}

// allRuns is the table of agents and scenarios.
func allRuns() []run { return slices.Concat(cloudInitRuns(), waagentRuns(), ignitionRuns(), ourRuns()) }

// patience is for an agent that is to end by itself: the slowest has faults of half a minute
// to sit out, on a machine that others use too.
const patience = 2 * time.Minute

// TestConformance is the table, on each system.
func TestConformance(t *testing.T) {
	t.Parallel()
	if *update {
		t.Cleanup(func() { writePage(t) })
	}
	for _, r := range allRuns() {
		for _, system := range r.on() {
			t.Run(strings.Join([]string{r.agent, r.scenario, system}, "/"), func(t *testing.T) {
				t.Parallel()
				r.test(t, system)
			})
		}
	}
}

// on returns the systems that it is run on.
func (r *run) on() []string {
	if r.systems != nil {
		return r.systems
	}
	return []string{bookworm, trixie}
}

// outcome is the state that the platform is to show.
func (r *run) outcome() emulator.ReportState {
	if r.state != "" {
		return r.state
	}
	return emulator.StateReady
}

func (r *run) test(t *testing.T, system string) {
	t.Helper()
	g := boot(t, system, r.shipped(t), r.machine)
	started := time.Now()
	r.drive(g)
	if got := g.fabric.State(); got != r.outcome() {
		t.Errorf("the platform shows %q, want %q", got, r.outcome())
	}
	entries := g.fabric.Journal()
	for _, e := range entries {
		for _, verdict := range e.Verdicts {
			if !slices.Contains(r.verdicts, verdict) {
				t.Errorf("%s %s %s: the emulator says %q", e.Service, e.Method, e.Path, verdict)
			}
		}
	}
	golden{r.agent, r.scenario, system}.check(t, r.transcript(entries))
	if *update && !t.Failed() {
		keep(measured{
			Agent: r.agent, Scenario: r.scenario, System: system, Version: g.version(r.agent),
			Requests: requestsTo(entries), Milliseconds: outcomeTime(entries, started).Milliseconds(),
		})
	}
	if t.Failed() {
		t.Logf("the conversation:\n%s", emulator.Transcript(entries))
	}
}

// shipped returns the run's scenario.
func (r *run) shipped(t *testing.T) emulator.Scenario {
	t.Helper()
	scenario, err := emulator.LookupScenario(r.scenario)
	if err != nil {
		t.Fatal(err)
	}
	if scenario.Pool.Type != "" {
		// An agent on a slow machine still has to ask once before the answer is there.
		scenario.Pool.DataAfter = emulator.Duration(6 * time.Second)
	}
	if r.change != nil {
		r.change(&scenario)
	}
	return scenario
}

// transcript is the conversation as the golden file has it. How often an agent asks until
// something happens is not told.
func (r *run) transcript(entries []emulator.Entry) string {
	folded := &emulator.TranscriptOptions{Repeats: emulator.RepeatsFolded}
	end := lastOutcome(entries) + 1
	if r.until == nil || end == 0 {
		return emulator.TranscriptWith(entries, folded)
	}
	lines := strings.SplitAfter(emulator.TranscriptWith(entries, &emulator.TranscriptOptions{Repeats: emulator.RepeatsApart}), "\n")
	after := slices.DeleteFunc(slices.Clone(lines[end:len(entries)]), func(line string) bool { return !beginsWith(line, r.until) })
	slices.Sort(after)
	return emulator.TranscriptWith(entries[:end], folded) + anyOrder + strings.Join(slices.Compact(after), "")
}

// anyOrder stands before lines whose order is chance.
const anyOrder = "# then, in any order and again and again:\n"

func beginsWith(line string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
}

// lastOutcome is the index of the report that made the state final; -1 without one.
func lastOutcome(entries []emulator.Entry) int {
	for i, e := range slices.Backward(entries) {
		if e.Report != nil && e.Report.State != emulator.StateInProgress {
			return i
		}
	}
	return -1
}

// outcomeTime is how long after started that report came; of an agent that never reports,
// its last request.
func outcomeTime(entries []emulator.Entry, started time.Time) time.Duration {
	i := lastOutcome(entries)
	if i < 0 {
		i = len(entries) - 1
	}
	return entries[i].Time.Sub(started)
}

// requestsTo is how many requests there were until then.
func requestsTo(entries []emulator.Entry) int {
	if i := lastOutcome(entries); i >= 0 {
		return i + 1
	}
	return len(entries)
}
