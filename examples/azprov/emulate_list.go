package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"

	"github.com/azprov/azprov/emulator"
)

// scenarioSchema is made by TestScenarioSchema from the types of package emulator.
//
//go:embed scenario.schema.json
var scenarioSchema []byte

// listedScenario is a row of emulate --list.
type listedScenario struct {
	Name        string `json:"name"`
	Group       string `json:"group"`
	Description string `json:"description"`
	Source      string `json:"source"`
	Extends     string `json:"extends,omitempty"`
}

// runList shows the shipped scenarios, by their groups.
func (a *app) runList() error {
	document := struct {
		Scenarios []listedScenario `json:"scenarios"`
	}{}
	var groups []string
	rows := map[string][]fact{}
	for _, s := range emulator.Scenarios() {
		document.Scenarios = append(document.Scenarios, listedScenario{s.Name, s.Group, s.Description, s.Source, s.Extends})
		if !slices.Contains(groups, s.Group) {
			groups = append(groups, s.Group)
		}
		rows[s.Group] = append(rows[s.Group], fact{name: s.Name, value: s.Description})
	}
	slices.Sort(groups[1:]) // The first is that of the default.
	return a.print(document, func(w io.Writer) {
		for _, group := range groups {
			_, _ = fmt.Fprintf(w, "%s\n", group)
			printFacts(w, "  ", rows[group])
			_, _ = fmt.Fprintln(w)
		}
		_, _ = fmt.Fprintln(w, "--output json has the source of each as well. A scenario of your own: docs/scenarios.md.")
	})
}

// runPrintSchema prints the JSON Schema of a scenario.
func (a *app) runPrintSchema() error {
	_, err := a.out.Write(scenarioSchema)
	if err == nil {
		err = a.out.failure()
	}
	return err
}
