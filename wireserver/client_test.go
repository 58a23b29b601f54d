package wireserver

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/scripttest"
)

type answer = scripttest.Answer

func testClient(t *testing.T, transport *http.Client) *Client {
	t.Helper()
	c, err := NewClient(&ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}, AgentName: "test-agent"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trace lists "METHOD target" of all requests.
func trace(s *scripttest.Server) (list []string) {
	for _, r := range s.Requests() {
		list = append(list, r.Method+" "+r.Target)
	}
	return list
}

const (
	goalStateTarget = "GET /machine/?comp=goalstate"
	healthTarget    = "POST /machine?comp=health"
	jsonTarget      = "POST /provisioning/health"
	staleXML        = `<?xml version="1.0" encoding="utf-8"?><Error><Code>ResourceNotAvailable</Code><Message>gone</Message></Error>`
)

// state returns a goal state of a container whose configuration URLs carry the
// escapes of real ones.
func state(container, incarnation string) goalstate.GoalState {
	base := "http://192.0.2.1:80/machine/" + container + "/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=" + incarnation + "&type="
	return goalstate.GoalState{
		Version: "2012-11-30", Incarnation: incarnation, ContainerID: container, InstanceID: "bc8b9d47-b5ed._vm", InstanceState: "Started",
		HostingEnvironmentConfigURL: base + "hostingEnvironmentConfig", SharedConfigURL: base + "sharedConfig",
	}
}

func stateAnswer(container, incarnation string) answer {
	return answer{Body: string(state(container, incarnation).Encode())}
}

func withoutRole() answer {
	gs := state("c1", "1")
	gs.InstanceID = ""
	return answer{Body: string(gs.Encode())}
}

func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{})
		_, err := testClient(t, transport).ReportHealth(t.Context(), HealthReport{State: goalstate.HealthStateReady}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range server.Requests() {
			if r.Header.Get("x-ms-version") != "2012-11-30" || r.Header.Get("x-ms-agent-name") != "test-agent" || r.Host != "168.63.129.16" {
				t.Errorf("%s %s: %v", r.Method, r.Host, r.Header)
			}
		}
		post := server.Requests()[1]
		if got := post.Header.Get("Content-Type"); got != "text/xml; charset=utf-8" {
			t.Errorf("content type %q", got)
		}
		want := `<?xml version="1.0" encoding="utf-8"?><Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">` +
			`<GoalStateIncarnation>1</GoalStateIncarnation><Container><ContainerId>c1</ContainerId><RoleInstanceList><Role>` +
			`<InstanceId>bc8b9d47-b5ed._vm</InstanceId><Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>`
		if post.Body != want {
			t.Errorf("body\n%s\nwant\n%s", post.Body, want)
		}
	})
}

func TestGetGoalState(t *testing.T) {
	const xmlError = `<Error><Code>RequestRateLimitExceeded</Code></Error>`
	fine := stateAnswer("c1", "1")
	for _, row := range []struct {
		name     string
		answers  []answer
		kind     azprov.Kind
		is       error
		attempts int // 0 is "not counted"
		under    time.Duration
	}{
		{"at once", []answer{fine}, "", nil, 1, time.Millisecond},
		{"stale for a while", []answer{{Status: 410, Body: staleXML}, {Status: 410, Body: staleXML}, fine}, "", nil, 3, 4 * time.Second},
		{"no RoleInstance, then one", []answer{withoutRole(), withoutRole(), fine}, "", nil, 3, 1100 * time.Millisecond},
		{"no RoleInstance at all", []answer{withoutRole()}, azprov.KindNotReady, nil, 6, 2600 * time.Millisecond},
		{"throttled by XML with 403", []answer{{Status: 403, Body: xmlError}, fine}, "", nil, 2, 2 * time.Second},
		{"throttled by an IIS page with 403", []answer{{Status: 403, Body: "<html>Access is denied.</html>"}, fine}, "", nil, 2, 2 * time.Second},
		{"denied", []answer{{Status: 403}}, azprov.KindDenied, nil, 1, time.Millisecond},
		{"unsigned", []answer{{Status: 401}}, azprov.KindUnauthenticated, nil, 1, time.Millisecond},
		{"no wire server", []answer{{Status: 404}}, azprov.KindNotFound, nil, 1, time.Millisecond},
		{"a redirect", []answer{{Status: 301, Header: map[string]string{"Location": "http://192.0.2.9/"}}}, azprov.KindNotAzure, nil, 1, time.Millisecond},
		{"no route", []answer{{Unreachable: true}}, azprov.KindNetwork, nil, 10, 75 * time.Second},
		{"refused for ever", []answer{{Refuse: true}}, azprov.KindTimeout, azprov.ErrNetwork, 0, readBudget},
		{"silent for ever", []answer{{Hang: true}}, azprov.KindTimeout, azprov.ErrNetwork, 0, readBudget},
		{"empty", []answer{{}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"truncated XML", []answer{{Body: fine.Body[:200]}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"truncated, then whole", []answer{{Body: fine.Body[:200]}, fine}, "", nil, 2, 2 * time.Second},
		{"not UTF-8", []answer{{Body: "<GoalState>\xff</GoalState>"}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"two roots", []answer{{Body: fine.Body + "<GoalState/>"}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"an entity bomb", []answer{{Body: `<!DOCTYPE g [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><GoalState>&b;</GoalState>`}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"1 MiB of nesting", []answer{{Body: strings.Repeat("<a>", (1<<20)/3)}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"HTML with status 200", []answer{{Body: "<html><body>sign in</body></html>"}}, azprov.KindMalformed, nil, 6, time.Minute},
		{"a 100 MiB body", []answer{{Body: strings.Repeat(" ", 100<<20)}}, azprov.KindTooLarge, nil, 1, time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				start := time.Now()
				resp, err := testClient(t, transport).GetGoalState(t.Context(), nil)
				if took := time.Since(start); took > row.under {
					t.Errorf("took %v, want %v at most", took, row.under)
				}
				if azprov.KindOf(err) != row.kind || (row.is != nil && !errors.Is(err, row.is)) {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if err == nil && resp.ContainerID != "c1" {
					t.Errorf("goal state %+v", resp.GoalState)
				}
				var e *azprov.Error
				if errors.As(err, &e) && e.Op != "wireserver.Client.GetGoalState" {
					t.Errorf("the error names %s", e.Op)
				}
				if row.attempts != 0 && server.Attempts() != row.attempts {
					t.Errorf("%d attempts, want %d", server.Attempts(), row.attempts)
				}
			})
		})
	}
}

func TestHealthFormats(t *testing.T) {
	t.Parallel()
	if got := PossibleHealthFormatValues(); !slices.Equal(got, []HealthFormat{"xml", "json"}) {
		t.Errorf("formats %q", got)
	}
}

func TestAgentNameOfPrintableASCII(t *testing.T) {
	t.Parallel()
	const name = "My agent/1.0 ~!"
	c, err := NewClient(&ClientOptions{AgentName: name, ClientOptions: azcore.ClientOptions{APIVersion: "2015-04-05"}})
	if err != nil {
		t.Fatal(err)
	}
	if h := c.header(); h.Get("x-ms-agent-name") != name || h.Get("x-ms-version") != "2015-04-05" {
		t.Errorf("headers %v", h)
	}
}
