package conformance

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
)

// A defect is something that the emulator would do wrong, and an agent that must notice.
type defect struct {
	name string
	// run is the table's, by agent and scenario.
	agent, scenario string
	// plant changes the scenario, whose fabric is there to be asked.
	plant func(*testing.T, *emulator.Scenario, *emulator.Fabric)
	// drive lets the agent go as far as it comes.
	drive func(*guest)
}

// TestDefects plants defects into the emulator: a run that passes all the same would prove
// nothing.
func TestDefects(t *testing.T) {
	t.Parallel()
	for _, d := range []defect{
		{
			name: "a goal state without Incarnation", agent: "cloud-init", scenario: "fingerprint-keys",
			plant: func(t *testing.T, s *emulator.Scenario, f *emulator.Fabric) {
				t.Helper()
				whole := ask(t, f, "/machine/?comp=goalstate", nil)
				damaged := regexp.MustCompile(`<Incarnation>[^<]*</Incarnation>`).ReplaceAllString(whole, "")
				if damaged == whole {
					t.Fatalf("no incarnation in %s", whole)
				}
				s.WireServer.Faults = []emulator.Fault{{Path: "comp=goalstate", Always: true, Status: http.StatusOK, Body: &damaged}}
			},
			drive: cloudInitAttempts,
		},
		{
			name: "a certificate blob for another key", agent: "cloud-init", scenario: "fingerprint-keys",
			plant: func(t *testing.T, s *emulator.Scenario, f *emulator.Fabric) {
				t.Helper()
				gs, err := goalstate.ParseGoalState([]byte(ask(t, f, "/machine/?comp=goalstate", nil)))
				if err != nil {
					t.Fatal(err)
				}
				key, err := certs.GenerateTransportKey(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				blob := ask(t, f, strings.TrimPrefix(gs.CertificatesURL, "http://168.63.129.16:80"), http.Header{
					goalstate.HeaderGuestAgentCertificate: {key.HeaderValue()}, goalstate.HeaderCipherName: {"DES_EDE3_CBC"},
				})
				s.WireServer.Faults = []emulator.Fault{{Path: "comp=certificates", Always: true, Status: http.StatusOK, Body: &blob}}
			},
			drive: cloudInitAttempts,
		},
		{
			name: "port 32526 closed", agent: "waagent", scenario: "fingerprint-keys",
			plant: func(_ *testing.T, s *emulator.Scenario, _ *emulator.Fabric) { s.HostGA.Absent = true },
			drive: func(g *guest) {
				g.network()
				g.background("/usr/sbin/waagent", "-daemon")
				// With the port open it has reported within two seconds; it now begins anew,
				// again and again.
				g.await(patience, "second attempt of waagent", func(entries []emulator.Entry) bool {
					return strings.Count(emulator.Transcript(entries), "comp=versions") > 1
				})
			},
		},
	} {
		for _, system := range []string{bookworm, trixie} {
			t.Run(d.name+"/"+system, func(t *testing.T) {
				t.Parallel()
				d.test(t, system)
			})
		}
	}
}

func (d *defect) test(t *testing.T, system string) {
	t.Helper()
	for _, r := range allRuns() {
		if r.agent != d.agent || r.scenario != d.scenario {
			continue
		}
		scenario := r.shipped(t)
		fabric, err := emulator.NewFabric(scenario, nil)
		if err != nil {
			t.Fatal(err)
		}
		d.plant(t, &scenario, fabric)
		g := boot(t, system, scenario, r.machine)
		d.drive(g)
		if state := g.fabric.State(); state == emulator.StateReady {
			t.Errorf("the agent has not noticed:\n%s", emulator.Transcript(g.fabric.Journal()))
		}
		return
	}
	t.Fatalf("no run of %s in %s", d.agent, d.scenario)
}

// ask returns the wire server's answer to a GET from the VM.
func ask(t *testing.T, f *emulator.Fabric, target string, header http.Header) string {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://168.63.129.16"+target, http.NoBody)
	for name, values := range header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set(goalstate.HeaderVersion, "2012-11-30")
	recorder := httptest.NewRecorder()
	f.WireServer().ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, recorder.Code, recorder.Body)
	}
	return recorder.Body.String()
}

// cloudInitAttempts lets cloud-init go on for long enough to report if all were well.
func cloudInitAttempts(g *guest) {
	g.t.Helper()
	_, _ = g.try(20*time.Second, "cloud-init", "init", "--local") // Whether it ends is no matter.
}
