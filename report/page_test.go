package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

var update = flag.Bool("update", false, "write docs/reasons.md anew instead of comparing with it")

// TestPage keeps docs/reasons.md, which is made from the catalogue, as the catalogue is.
func TestPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "reasons.md")
	if *update {
		if err := os.WriteFile(path, page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(kept, []byte("\r\n"), []byte("\n")), page()) {
		t.Error("docs/reasons.md is not what the catalogue says; go test ./report -run TestPage -update writes it")
	}
}

// page has a table for each source. What would end a cell is escaped.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(`# Reasons of failed provisioning

Made from the catalogue in package ` + "`report`" + ` by ` + "`go test ./report -run TestPage -update`" + `; do not edit.

The reason is the field ` + "`reason=`" + ` of the record that the agent sends. A name in angle brackets stands
for what differs from failure to failure. Agents use each other's texts; the headings say
whose they are.
`)
	cell := strings.NewReplacer("|", `\|`).Replace
	for _, source := range report.PossibleSourceValues() {
		fmt.Fprintf(&b, "\n## %s\n\n| reason | what has happened | what to do | kinds |\n| --- | --- | --- | --- |\n", source)
		for _, e := range report.Catalogue() {
			if e.Source != source {
				continue
			}
			kinds := make([]string, 0, len(e.Kinds))
			for _, kind := range e.Kinds {
				kinds = append(kinds, string(kind))
			}
			fmt.Fprintf(&b, "| <a id=%q></a>`%s` | %s | %s | %s |\n", e.ID, cell(e.Text), cell(e.Cause), cell(e.NextStep), strings.Join(kinds, ", "))
		}
	}
	b.WriteString("\n## Errors without a reason of their own\n\n| kind | reason |\n| --- | --- |\n")
	for _, kind := range azprov.PossibleKindValues() {
		e := report.ForKind(kind)
		fmt.Fprintf(&b, "| %s | [%s](#%s) |\n", kind, e.Text, e.ID)
	}
	return b.Bytes()
}
