package pps_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/pps"
)

var update = flag.Bool("update", false, "draw docs/pps.md anew instead of comparing with it")

var finals = []pps.State{pps.StateDone, pps.StateFailed, pps.StateStopped}

// TestTable holds the table against itself.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	into, outOf := map[pps.State]bool{}, map[pps.State]bool{}
	for _, r := range pps.Transitions() {
		key := string(r.From) + "/" + string(r.Event)
		if seen[key] {
			t.Errorf("two rows for %s", key)
		}
		seen[key] = true
		into[r.To], outOf[r.From] = true, true
		if slices.Contains(finals, r.From) {
			t.Errorf("%s is an end and leads to %s", r.From, r.To)
		}
	}
	for _, s := range pps.PossibleStateValues() {
		if s != pps.StateStart && !into[s] {
			t.Errorf("nothing leads to %s", s)
		}
		// A VM whose disk alone is kept waits for its end.
		if !outOf[s] && !slices.Contains(finals, s) && s != pps.StateWaitShutdown {
			t.Errorf("nothing leads out of %s", s)
		}
	}
	for _, r := range pps.Transitions() {
		if r.From != "" && !slices.Contains(pps.PossibleStateValues(), r.From) || !slices.Contains(pps.PossibleStateValues(), r.To) {
			t.Errorf("%v names an unknown state", r)
		}
	}
}

// TestDrawing keeps docs/pps.md, which is made from the table, as the table is.
func TestDrawing(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "pps.md")
	if *update {
		if err := os.WriteFile(path, drawing(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(kept, []byte("\r\n"), []byte("\n")), drawing()) {
		t.Error("docs/pps.md is not what the table says; go test ./pps -run TestDrawing -update draws it")
	}
}

// drawing is the page: everything that waits is one composite state, so that the two
// events that end it anywhere are two arrows.
func drawing() []byte {
	var b bytes.Buffer
	b.WriteString(`# The states of a VM in a pool

Drawn from the table in ` + "`pps/state.go`" + ` by ` + "`go test ./pps -run TestDrawing -update`" + `; do not edit.

` + "```mermaid\nstateDiagram-v2\n    [*] --> Working\n    state Working {\n        [*] --> Start\n")
	type arrow struct{ from, to pps.State }
	var order []arrow
	events := map[arrow][]string{}
	for _, r := range pps.Transitions() {
		a := arrow{r.From, r.To}
		if events[a] == nil {
			order = append(order, a)
		}
		events[a] = append(events[a], string(r.Event))
	}
	draw := func(indent string, from string, a arrow) {
		fmt.Fprintf(&b, "%s%s --> %s : %s\n", indent, from, a.to, strings.Join(events[a], " / "))
	}
	for _, a := range order {
		if !slices.Contains(finals, a.to) {
			draw("        ", string(a.from), a)
		}
	}
	b.WriteString("    }\n")
	for _, a := range order {
		if from := string(a.from); slices.Contains(finals, a.to) {
			if from == "" {
				from = "Working"
			}
			draw("    ", from, a)
		}
	}
	for _, s := range finals {
		fmt.Fprintf(&b, "    %s --> [*]\n", s)
	}
	b.WriteString("```\n\n| from | event | to |\n| --- | --- | --- |\n")
	for _, r := range pps.Transitions() {
		from := string(r.From)
		if from == "" {
			from = "any but an end"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", from, r.Event, r.To)
	}
	return b.Bytes()
}
