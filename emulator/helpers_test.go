package emulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// secrets of the scenario that the tests use.
const (
	testPassword   = "Bollard+Rope/9"
	testCustomData = "#cloud-config\nhostname: not-to-be-seen\n"
	testUserData   = "user data not to be seen"
)

// testScenario is small, and without the rate limit.
const testScenario = `{
	"name": "test", "description": "For tests.",
	"vm": {
		"id": "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf",
		"hostName": "test_vm-1", "userName": "tester", "password": "Bollard+Rope/9",
		"disablePasswordAuthentication": true,
		"sshKeys": [{"keyData": "ssh-ed25519 AAAA one\r\n"}, {"keyData": "ssh-ed25519 AAAB two", "path": "/keys"}],
		"customData": "#cloud-config\nhostname: not-to-be-seen\n", "userData": "user data not to be seen",
		"location": "westeurope", "zone": "2",
		"tags": [{"name": "a", "value": "b;c"}, {"name": "d", "value": "e"}],
		"interfaces": [{"macAddress": "000D3A000001", "addresses": ["10.1.0.4/24", "10.1.0.5/24", "fd00::4/64"]}]
	},
	"imds": {"rateLimit": false}
}`

// fabric returns a fabric of testScenario as edit leaves it.
func fabric(t *testing.T, edit func(*emulator.Scenario)) *emulator.Fabric {
	t.Helper()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(&s)
	}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ask is one request, without a server in between. The headers are "Name: value".
func ask(t *testing.T, h http.Handler, method, target, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://192.0.2.7:8080", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	if u, err := r.URL.Parse("http://192.0.2.7:8080" + target); err == nil {
		r.URL = u
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// verdicts returns those of the last request.
func verdicts(t *testing.T, f *emulator.Fabric) []string {
	t.Helper()
	entries := f.Journal()
	if len(entries) == 0 {
		t.Fatal("the journal is empty")
	}
	return entries[len(entries)-1].Verdicts
}

func wantVerdict(t *testing.T, f *emulator.Fabric, want string) {
	t.Helper()
	got := verdicts(t, f)
	if want == "" && len(got) == 0 || want != "" && slices.Contains(got, want) {
		return
	}
	t.Errorf("verdicts %q, want %q", got, want)
}

// goalState asks for the goal state.
func goalState(t *testing.T, f *emulator.Fabric) goalstate.GoalState {
	t.Helper()
	status, body, _ := ask(t, f.WireServer(), http.MethodGet, "/machine/?comp=goalstate", "", "x-ms-version: 2012-11-30")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	g, err := goalstate.ParseGoalState([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// report sends a health report for goal state g.
func report(t *testing.T, f *emulator.Fabric, g goalstate.GoalState, health goalstate.Health) (int, string) {
	t.Helper()
	health.Incarnation, health.ContainerID, health.InstanceID = g.Incarnation, g.ContainerID, g.InstanceID
	body, err := health.EncodeXML()
	if err != nil {
		t.Fatal(err)
	}
	status, text, _ := ask(t, f.WireServer(), http.MethodPost, "/machine?comp=health", string(body),
		"x-ms-version: 2012-11-30", "Content-Type: text/xml; charset=utf-8")
	return status, text
}

// answer is what came back, read to its end.
type answer struct {
	status   int
	header   http.Header
	declared int64
	body     string
}

// fetch is one request through a server.
func fetch(t *testing.T, client *http.Client, method, url, body string, headers ...string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, declared: resp.ContentLength, body: string(b)}, err
}
