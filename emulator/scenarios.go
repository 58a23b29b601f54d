package emulator

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// DefaultScenario is the name of the scenario to use where none is named.
const DefaultScenario = "linux-vm"

//go:embed scenarios/*.json
var shipped embed.FS

// Scenarios returns the shipped scenarios: the default first, the others by name.
func Scenarios() []Scenario {
	files, _ := fs.Glob(shipped, "scenarios/*.json") // The pattern is right.
	all := make([]Scenario, 0, len(files))
	for _, file := range files {
		if s, err := loadShipped(strings.TrimSuffix(path.Base(file), ".json")); err == nil {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Scenario) int {
		switch {
		case a.Name == DefaultScenario:
			return -1
		case b.Name == DefaultScenario:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// LookupScenario returns the shipped scenario of that name, the default one for
// the empty name. An unknown name is an error of azprov.KindNotFound that lists
// the known ones.
func LookupScenario(name string) (Scenario, error) {
	if name == "" {
		name = DefaultScenario
	}
	var names []string
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, &azprov.Error{
		Op: "emulator.LookupScenario", Target: azprov.OneLine(name), Kind: azprov.KindNotFound,
		Message: "there is no such scenario", Hint: "known are " + strings.Join(names, ", "),
	}
}

func loadShipped(name string) (Scenario, error) {
	b, err := shipped.ReadFile("scenarios/" + name + ".json")
	if err != nil {
		return Scenario{}, err
	}
	return ParseScenario(b)
}
