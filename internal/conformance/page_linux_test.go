package conformance

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
)

const (
	pageFile     = "../../docs/conformance.md"
	pageTemplate = "testdata/conformance.md.tmpl"
)

// systemNames are those that people know.
var systemNames = map[string]string{bookworm: "Debian 12", trixie: "Debian 13"}

// pageScenario is a scenario with all that was said in it.
type pageScenario struct {
	Name, Description string
	Talks             []pageTalk
}

// pageTalk is a conversation that one agent had, on one system or more.
type pageTalk struct{ Who, Text string }

// pageRow is a line of the table.
type pageRow struct{ Scenario, Agent, Version, System, Seen, Outcome, Requests, Time string }

// TestPage holds docs/conformance.md to the transcripts; go test -update writes it, after a
// run as root that has written those.
func TestPage(t *testing.T) {
	switch {
	case *update && os.Getenv(rootsVariable) != "":
		t.Skip("TestConformance writes it, once it has the transcripts")
	case *update:
		writePage(t)
		return
	}
	text := renderPage(t)
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(page), text); diff != "" {
		t.Errorf("docs/conformance.md is not what the transcripts say; go test ./internal/conformance -run TestPage -update writes it (-page +transcripts):\n%s", diff)
	}
}

func writePage(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(pageFile, []byte(renderPage(t)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func renderPage(t *testing.T) string {
	t.Helper()
	all, err := measurements()
	if err != nil {
		t.Fatal(err)
	}
	var rows []pageRow
	var scenarios []pageScenario
	for _, r := range allRuns() {
		i := slices.IndexFunc(scenarios, func(s pageScenario) bool { return s.Name == r.scenario })
		if i < 0 {
			shipped, err := emulator.LookupScenario(r.scenario)
			if err != nil {
				t.Fatal(err)
			}
			i = len(scenarios)
			scenarios = append(scenarios, pageScenario{Name: r.scenario, Description: shipped.Description})
		}
		for _, system := range r.on() {
			rows = append(rows, r.row(t, system, all))
			scenarios[i].add(r.agent, systemNames[system], compact(golden{r.agent, r.scenario, system}.read(t)))
		}
	}
	// What was seen in one scenario stands together.
	at := func(name string) int {
		return slices.IndexFunc(scenarios, func(s pageScenario) bool { return s.Name == name })
	}
	slices.SortStableFunc(rows, func(a, b pageRow) int { return at(a.Scenario) - at(b.Scenario) })
	page, err := template.ParseFiles(pageTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := page.Execute(&b, map[string]any{"Rows": rows, "Scenarios": scenarios}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (r *run) row(t *testing.T, system string, all []measured) pageRow {
	t.Helper()
	i := slices.IndexFunc(all, func(m measured) bool {
		return m.Agent == r.agent && m.Scenario == r.scenario && m.System == system
	})
	if i < 0 {
		t.Fatalf("%s has no measurement of %s in %s on %s; a run as root with -update makes it", measuredFile, r.agent, r.scenario, system)
	}
	m := all[i]
	outcome := string(r.outcome())
	if r.outcome() == emulator.StateNone {
		outcome = "no report"
	}
	return pageRow{
		Scenario: r.scenario, Agent: r.agent, Version: m.Version, System: systemNames[system], Seen: r.about, Outcome: outcome,
		Requests: fmt.Sprint(m.Requests), Time: fmt.Sprintf("%.2f s", (time.Duration(m.Milliseconds) * time.Millisecond).Seconds()),
	}
}

// add adds a conversation, once if it is the same on several systems.
func (s *pageScenario) add(agent, system, text string) {
	for i := range s.Talks {
		if talk := &s.Talks[i]; talk.Text == text && strings.HasPrefix(talk.Who, agent+" (") {
			talk.Who = strings.TrimSuffix(talk.Who, ")") + ", " + system + ")"
			return
		}
	}
	s.Talks = append(s.Talks, pageTalk{Who: agent + " (" + system + ")", Text: text})
}

func (g golden) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(g.path())
	if err != nil {
		t.Fatalf("%v; a run as root with -update makes it", err)
	}
	return string(text)
}

// header is one of a request's, in a line of a transcript.
var header = regexp.MustCompile(` [A-Z][A-Za-z0-9-]*=("([^"\\]|\\.)*"|[^ ]*)`)

// compact leaves the headers out: they are in the transcript's file.
func compact(transcript string) string {
	var b strings.Builder
	for line := range strings.Lines(transcript) {
		request, answer, ok := strings.Cut(line, " -> ")
		if ok {
			line = header.ReplaceAllString(request, "") + " -> " + answer
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
