package emulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// pooled runs test in a bubble against a scenario of a pool. links is nil for a fabric
// without a driver.
func pooled(t *testing.T, name string, driven bool, edit func(*emulator.Scenario), test func(*poolVM)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario(name)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(&s)
		}
		p := &poolVM{start: time.Now()}
		options := &emulator.Options{}
		if driven {
			p.links = emulator.NewMemoryLinks(s)
			p.events = p.links.Subscribe(t.Context())
			options.Links = p.links
		}
		f, err := emulator.NewFabric(s, options)
		if err != nil {
			t.Fatal(err)
		}
		server := f.ListenInMemory(t.Context())
		defer func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}()
		p.bubble = bubble{t, f, server}
		test(p)
	})
}

type poolVM struct {
	bubble
	start  time.Time
	links  *emulator.MemoryLinks
	events <-chan emulator.LinkEvent
}

// reprovisionData asks once.
func (p *poolVM) reprovisionData() answer {
	p.t.Helper()
	resp, err := fetch(p.t, p.server.Client(), http.MethodGet, p.server.IMDSURL()+"/metadata/reprovisiondata?api-version=2019-06-01", "", "Metadata: true")
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

// instance returns the computer's name and the ppsType that IMDS tells.
func (p *poolVM) instance() string {
	p.t.Helper()
	resp, err := fetch(p.t, p.server.Client(), http.MethodGet, p.server.IMDSURL()+instance2023+"&extended=true", "", "Metadata: true")
	if err != nil || resp.status != http.StatusOK {
		p.t.Fatalf("%v, status %d", err, resp.status)
	}
	return between(resp.body, `"computerName":"`) + " " + between(resp.body, `"ppsType":"`)
}

// between returns what follows start up to the next quote.
func between(s, start string) string {
	_, after, _ := strings.Cut(s, start)
	value, _, _ := strings.Cut(after, `"`)
	return value
}

// report sends a report and returns its verdicts.
func (p *poolVM) report(health goalstate.Health) []string {
	p.t.Helper()
	status, text := report(p.t, p.fabric, goalState(p.t, p.fabric), health)
	if status != http.StatusOK {
		p.t.Fatalf("status %d: %s", status, text)
	}
	return verdicts(p.t, p.fabric)
}

// wantTimeline compares the timeline with "Phase seconds" entries.
func (p *poolVM) wantTimeline(want ...string) {
	p.t.Helper()
	var got []string
	for _, m := range p.fabric.Timeline() {
		got = append(got, fmt.Sprintf("%s %g", m.Phase, m.Time.Sub(p.start).Seconds()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Error(diff)
	}
}

var (
	ready  = goalstate.Health{State: goalstate.HealthStateReady}
	failed = goalstate.Health{State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: "result=error"}
	busy   = goalstate.Health{State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioning}
)
