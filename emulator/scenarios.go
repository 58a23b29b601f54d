package emulator

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

// DefaultScenario is the name of the scenario to use where none is named.
const DefaultScenario = "linux-vm"

//go:embed scenarios/*.json
var shipped embed.FS

// Scenarios returns the shipped scenarios: the default first, the others by name.
func Scenarios() []Scenario {
	names := shippedNames()
	all := make([]Scenario, 0, len(names))
	for _, name := range names {
		if s, err := loadShipped(name); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// shippedNames are the names in the order of [Scenarios].
func shippedNames() []string {
	files, _ := fs.Glob(shipped, "scenarios/*.json") // The pattern is right.
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(path.Base(file), ".json"); name != DefaultScenario {
			names = append(names, name)
		}
	}
	slices.Sort(names) // The names of the files have another order: ".json" stands behind a dash.
	return append([]string{DefaultScenario}, names...)
}

// LookupScenario returns the shipped scenario of that name, the default one for
// the empty name. An unknown name is an error of azprov.KindNotFound that lists
// the known ones.
func LookupScenario(name string) (Scenario, error) {
	if name == "" {
		name = DefaultScenario
	}
	names := shippedNames()
	if slices.Contains(names, name) {
		return loadShipped(name)
	}
	hint := "known are " + strings.Join(names, ", ")
	if near := nearest.Word(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return Scenario{}, &azprov.Error{
		Op: "emulator.LookupScenario", Target: azprov.OneLine(name), Kind: azprov.KindNotFound,
		Message: "there is no such scenario", Hint: hint,
	}
}

func loadShipped(name string) (Scenario, error) {
	b, err := shippedDocument(name)
	if err != nil {
		return Scenario{}, err
	}
	return ParseScenario(b)
}

func shippedDocument(name string) ([]byte, error) {
	return shipped.ReadFile("scenarios/" + name + ".json")
}
