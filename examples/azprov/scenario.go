package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/nearest"
)

// hintList is for who looks for a scenario.
const hintList = "azprov emulate --list names the shipped scenarios"

// scenarioSuffixes are the names of files with a scenario, in the order in which they are
// looked for.
var scenarioSuffixes = []string{".yaml", ".yml", ".json"}

// scenario finds a shipped scenario or reads one from a file. A mistake in either is
// one of usage.
func (a *app) scenario(nameOrFile string) (emulator.Scenario, error) {
	isFile := nameOrFile == "-" || strings.ContainsAny(nameOrFile, `./\`)
	if !isFile {
		scenario, err := emulator.LookupScenario(nameOrFile)
		if err == nil {
			return scenario, nil
		}
	}
	if _, err := os.Stat(nameOrFile); !isFile && err != nil {
		hint := hintList + "; a file has a dot or a slash in its name"
		if near := nearestScenario(nameOrFile); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return emulator.Scenario{}, usagef(hint, "there is no scenario %q", nameOrFile)
	}
	b, err := a.readScenario(nameOrFile)
	var scenario emulator.Scenario
	if err == nil {
		dir := filepath.Dir(nameOrFile) // of "-" it is the working directory
		scenario, err = emulator.ParseScenarioWith(b, func(name string) ([]byte, error) { return a.baseScenario(dir, name) })
	}
	if err != nil {
		text, hint := describe(err)
		if hint == "" {
			hint = "docs/scenarios.md and azprov emulate --print-schema describe the form; " + hintList
		}
		return emulator.Scenario{}, usagef(hint, "the scenario %s cannot be used: %s", nameOrFile, text)
	}
	return scenario, nil
}

// baseScenario reads what a scenario in that directory extends.
func (a *app) baseScenario(dir, name string) ([]byte, error) {
	candidates := []string{name}
	if !slices.Contains(scenarioSuffixes, filepath.Ext(name)) {
		candidates = nil
		for _, suffix := range scenarioSuffixes {
			candidates = append(candidates, name+suffix)
		}
	}
	for _, candidate := range candidates {
		path := filepath.FromSlash(candidate)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if _, err := os.Stat(path); err == nil {
			return a.readScenario(path)
		}
	}
	hint := hintList
	if near := nearestScenario(name); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return nil, &azprov.Error{
		Op: "read", Target: name, Kind: azprov.KindNotFound, Hint: hint, Last: fs.ErrNotExist,
		Message: "there is no shipped scenario of that name, and no " + strings.Join(candidates, ", ") + " beside the file",
	}
}

func nearestScenario(name string) string {
	var names []string
	for _, s := range emulator.Scenarios() {
		names = append(names, s.Name)
	}
	return nearest.Word(name, names)
}

// readScenario reads a scenario and makes JSON of it. What is in YAML begins with no brace,
// or has a name that says so.
func (a *app) readScenario(path string) ([]byte, error) {
	b, err := a.readFile(path)
	if err != nil {
		return nil, err
	}
	named := strings.ToLower(filepath.Ext(path))
	braced := bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{"))
	if named == ".json" || braced && named != ".yaml" && named != ".yml" {
		return b, nil
	}
	b, err = jsonOfYAML(b)
	var wrong *yamlError
	if errors.As(err, &wrong) {
		return nil, &azprov.Error{Op: "read", Target: filepath.Clean(path), Kind: azprov.KindMalformed, Message: wrong.message, Hint: wrong.hint}
	}
	return b, err
}
