package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// update writes what was seen instead of comparing it.
var update = flag.Bool("update", false, "write the transcripts of testdata and docs/conformance.md anew")

// golden names a transcript.
type golden struct{ agent, scenario, system string }

func (g golden) path() string {
	return filepath.Join("testdata", g.agent, g.scenario+"."+g.system+".txt")
}

func (g golden) check(t *testing.T, got string) {
	t.Helper()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(g.path()), 0o755), os.WriteFile(g.path(), []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(g.path())
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if diff := gocmp.Diff(string(want), got); diff != "" {
		t.Errorf("the conversation is not that of %s (-want +got):\n%s", g.path(), diff)
	}
}

// measured is what is not the same in every run: it is in the page, and not compared.
type measured struct {
	Agent        string `json:"agent"`
	Scenario     string `json:"scenario"`
	System       string `json:"system"`
	Version      string `json:"version"`
	Requests     int    `json:"requests"`
	Milliseconds int64  `json:"milliseconds"`
}

const measuredFile = "testdata/measured.json"

var keeping sync.Mutex

// keep writes a measurement beside the others.
func keep(m measured) {
	keeping.Lock()
	defer keeping.Unlock()
	all, err := measurements()
	if err == nil {
		all = slices.DeleteFunc(all, func(o measured) bool {
			return o.Agent == m.Agent && o.Scenario == m.Scenario && o.System == m.System
		})
		all = append(all, m)
		slices.SortFunc(all, func(a, b measured) int {
			return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.System, b.System))
		})
		var text []byte
		if text, err = json.MarshalIndent(all, "", "  "); err == nil {
			err = os.WriteFile(measuredFile, append(text, '\n'), 0o644)
		}
	}
	if err != nil {
		panic(err)
	}
}

func measurements() (all []measured, err error) {
	text, err := os.ReadFile(measuredFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}
