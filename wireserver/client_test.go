package wireserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

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

func TestProxyInTheEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.7:3128")
	t.Setenv("http_proxy", "http://192.0.2.7:3128")
	// The endpoint is a closed port of this machine: a request that took the proxy
	// would fail in another way.
	c, err := NewClient(&ClientOptions{
		Endpoint:      "http://127.0.0.1:1",
		ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = c.GetGoalState(ctx, nil)
	if !errors.Is(err, azprov.ErrNetwork) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "192.0.2.7") {
		t.Errorf("error %v", err)
	}
}

func TestGetVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := goalstate.Versions{Preferred: "2015-04-05", Supported: []string{"2012-11-30"}}.Encode()
		server, transport := scripttest.Start(t, answer{Body: string(body)})
		resp, err := testClient(t, transport).GetVersions(t.Context(), nil)
		if err != nil || !resp.Supports("2012-11-30") || !slices.Equal(trace(server), []string{"GET /?comp=versions"}) {
			t.Errorf("%+v, %v, %q", resp, err, trace(server))
		}
	})
}

// TestConfigurations asserts which requests follow a stale URL.
func TestConfigurations(t *testing.T) {
	const (
		shared1 = "GET /machine/c1/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=sharedConfig"
		shared2 = "GET /machine/c2/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=sharedConfig"
	)
	fine := answer{Body: string(goalstate.SharedConfig{Instances: []goalstate.Instance{{ID: "vm", Address: "10.0.0.4"}}}.Encode())}
	stale := answer{Status: 410, Body: staleXML}
	given := state("c1", "1")
	for _, row := range []struct {
		name    string
		given   *goalstate.GoalState
		answers []answer
		want    []string
		kind    azprov.Kind
	}{
		{"from a new goal state", nil, []answer{stateAnswer("c1", "1"), fine}, []string{goalStateTarget, shared1}, ""},
		{"from the caller's", &given, []answer{fine}, []string{shared1}, ""},
		{"the caller's is stale", &given, []answer{stale, stateAnswer("c2", "1"), fine}, []string{shared1, goalStateTarget, shared2}, ""},
		{"gone with 404", &given, []answer{{Status: 404}, stateAnswer("c2", "1"), fine}, []string{shared1, goalStateTarget, shared2}, ""},
		{
			"an invalid container", &given,
			[]answer{{Status: 400, Body: `{"errorCode":"InvalidContainerConfiguration"}`}, stateAnswer("c2", "1"), fine},
			[]string{shared1, goalStateTarget, shared2},
			"",
		},
		{
			"stale for ever", &given,
			[]answer{stale, stateAnswer("c2", "1"), stale, stateAnswer("c2", "1"), stale},
			[]string{shared1, goalStateTarget, shared2, goalStateTarget, shared2},
			azprov.KindStale,
		},
		{"no URL", &goalstate.GoalState{}, []answer{{}}, nil, azprov.KindNotFound},
		{"no absolute URL", &goalstate.GoalState{SharedConfigURL: "/machine"}, []answer{{}}, nil, azprov.KindMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				resp, err := testClient(t, transport).GetSharedConfig(t.Context(), &GetSharedConfigOptions{GoalState: row.given})
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if got := trace(server); !slices.Equal(got, row.want) {
					t.Errorf("requests %q, want %q", got, row.want)
				}
				if err == nil && resp.Instances[0].Address != "10.0.0.4" {
					t.Errorf("%+v", resp)
				}
			})
		})
	}
}

func TestGetHostingEnvironmentConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := goalstate.HostingEnvironmentConfig{
			StoredCertificates: []goalstate.StoredCertificate{{Name: "TenantEncryptionCert", CertificateID: "sha1:ab"}},
		}.Encode()
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{Body: string(body)})
		resp, err := testClient(t, transport).GetHostingEnvironmentConfig(t.Context(), nil)
		if err != nil || len(resp.StoredCertificates) != 1 || resp.StoredCertificates[0].Thumbprint() != "AB" {
			t.Errorf("%+v, %v", resp, err)
		}
		if want := "GET /machine/c1/bc8b9d47%2Db5ed.%5Fvm?comp=config&incarnation=1&type=hostingEnvironmentConfig"; trace(server)[1] != want {
			t.Errorf("asked for %q, want %q", trace(server)[1], want)
		}
	})
}

func TestReportHealth(t *testing.T) {
	ready := HealthReport{State: goalstate.HealthStateReady}
	failed := HealthReport{
		State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: "result=error|reason=x",
	}
	gs, fine, stale := stateAnswer("c1", "1"), answer{}, answer{Status: 410, Body: staleXML}
	viaJSON := &ReportHealthOptions{Format: HealthFormatJSON}
	for _, row := range []struct {
		name    string
		report  HealthReport
		options *ReportHealthOptions
		answers []answer
		want    []string // nil is "not compared"
		kind    azprov.Kind
		under   time.Duration
		body    string // in the last request
	}{
		{"ready", ready, nil, []answer{gs, fine}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, "<State>Ready</State>"},
		{"204 is success", ready, nil, []answer{gs, {Status: 204}}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{
			"failed", failed, nil,
			[]answer{gs, fine},
			[]string{goalStateTarget, healthTarget},
			"", time.Millisecond,
			"<Details><SubStatus>ProvisioningFailed</SubStatus><Description>result=error|reason=x</Description></Details>",
		},
		{
			"a stale report is built anew", ready, nil,
			[]answer{gs, stale, stateAnswer("c2", "1"), fine},
			[]string{goalStateTarget, healthTarget, goalStateTarget, healthTarget},
			"", 2 * time.Second, "<ContainerId>c2</ContainerId>",
		},
		{
			"an invalid container too", ready, nil,
			[]answer{gs, {Status: 400, Body: "InvalidContainerConfiguration"}, stateAnswer("c2", "1"), fine},
			[]string{goalStateTarget, healthTarget, goalStateTarget, healthTarget},
			"", 2 * time.Second, "<ContainerId>c2</ContainerId>",
		},
		{"stale for ever ends with the budget", ready, nil, []answer{gs, stale, gs, stale, gs, stale, gs, stale, gs, stale, gs, {Status: 410}}, nil, azprov.KindTimeout, reportBudget, ""},
		{"205 is success", ready, nil, []answer{gs, {Status: 205}}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"an answer that is cut is an answer", ready, nil, []answer{gs, {Body: "x", Truncate: true}, fine}, []string{goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"503 is waited out", ready, nil, []answer{gs, {Status: 503}, {Status: 503}, fine}, []string{goalStateTarget, healthTarget, healthTarget, healthTarget}, "", 5 * time.Second, ""},
		{"a broken connection is tried again", ready, nil, []answer{gs, {Drop: true}, fine}, []string{goalStateTarget, healthTarget, healthTarget}, "", 2 * time.Second, ""},
		{"400 turns to JSON", ready, nil, []answer{gs, {Status: 400}, {Status: 201}}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, `{"state":"Ready"}`},
		{"404 turns to JSON", ready, nil, []answer{gs, {Status: 404}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"405 turns to JSON", ready, nil, []answer{gs, {Status: 405}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"501 turns to JSON", ready, nil, []answer{gs, {Status: 501}, fine}, []string{goalStateTarget, healthTarget, jsonTarget}, "", time.Millisecond, ""},
		{"no goal state turns to JSON", ready, nil, []answer{{Status: 404}, fine}, []string{goalStateTarget, jsonTarget}, "", time.Millisecond, ""},
		{"403 does not", ready, nil, []answer{gs, {Status: 403}, fine}, []string{goalStateTarget, healthTarget}, azprov.KindDenied, time.Millisecond, ""},
		{"JSON first", failed, viaJSON, []answer{{Status: 201}}, []string{jsonTarget}, "", time.Millisecond, `{"state":"NotReady","details":{"subStatus":"ProvisioningFailed","description":"result=error|reason=x"}}`},
		{"JSON turns to XML", ready, viaJSON, []answer{{Status: 404}, gs, fine}, []string{jsonTarget, goalStateTarget, healthTarget}, "", time.Millisecond, ""},
		{"neither", ready, nil, []answer{gs, {Status: 404}, {Status: 404}}, []string{goalStateTarget, healthTarget, jsonTarget}, azprov.KindNotFound, time.Millisecond, ""},
		{"a report that contradicts itself", HealthReport{State: goalstate.HealthStateReady, SubStatus: goalstate.HealthSubStatusProvisioning}, nil, []answer{gs}, []string{goalStateTarget}, azprov.KindInternal, time.Millisecond, ""},
		{"an unknown format", ready, &ReportHealthOptions{Format: "yaml"}, []answer{gs}, []string{}, azprov.KindInternal, time.Millisecond, ""},
		{"ready has twenty minutes", ready, nil, []answer{gs, {Status: 500}}, nil, azprov.KindTimeout, reportBudget, ""},
		{"a failure has two", failed, nil, []answer{gs, {Status: 500}}, nil, azprov.KindTimeout, failureBudget, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				start := time.Now()
				resp, err := testClient(t, transport).ReportHealth(t.Context(), row.report, row.options)
				took := time.Since(start)
				if err != nil && resp != (ReportHealthResponse{}) {
					t.Errorf("%+v came with an error", resp)
				}
				if took > row.under || (row.kind == azprov.KindTimeout && took < row.under*9/10) {
					t.Errorf("took %v, want %v", took, row.under)
				}
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if got := trace(server); row.want != nil && !slices.Equal(got, row.want) {
					t.Errorf("requests %q, want %q", got, row.want)
				}
				if requests := server.Requests(); row.body != "" && !strings.Contains(requests[len(requests)-1].Body, row.body) {
					t.Errorf("body %q lacks %q", requests[len(requests)-1].Body, row.body)
				}
			})
		})
	}
}

func TestBeforePostIsCalledOnceAndAfterTheGoalState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{Status: 410}, stateAnswer("c2", "1"), answer{Status: 400}, answer{})
		var at []int
		_, err := testClient(t, transport).ReportHealth(t.Context(), HealthReport{State: goalstate.HealthStateReady}, &ReportHealthOptions{
			BeforePost: func(context.Context) { at = append(at, server.Attempts()) },
		})
		if err != nil || !slices.Equal(at, []int{1}) {
			t.Errorf("%v, called after %v requests, want once after 1", err, at)
		}
	})
}

func TestWatchYieldsTheEndLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Status: 401})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var kinds []azprov.Kind
		for _, err := range testClient(t, transport).WatchGoalState(ctx, nil) {
			kinds = append(kinds, azprov.KindOf(err))
			cancel()
		}
		if want := []azprov.Kind{azprov.KindUnauthenticated, azprov.KindCanceled}; !slices.Equal(kinds, want) {
			t.Errorf("yielded %q, want %q", kinds, want)
		}
	})
}

// TestBudgets holds the times that the comments of the methods promise.
func TestBudgets(t *testing.T) {
	report := func(state goalstate.HealthState, sub goalstate.HealthSubStatus) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.ReportHealth(ctx, HealthReport{State: state, SubStatus: sub}, nil)
			return err
		}
	}
	for _, row := range []struct {
		name   string
		budget time.Duration
		call   func(context.Context, *Client) error
	}{
		{"GetVersions", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetVersions(ctx, nil); return err }},
		{"GetGoalState", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetGoalState(ctx, nil); return err }},
		{"GetSharedConfig", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetSharedConfig(ctx, nil); return err }},
		{"GetHostingEnvironmentConfig", 5 * time.Minute, func(ctx context.Context, c *Client) error {
			_, err := c.GetHostingEnvironmentConfig(ctx, nil)
			return err
		}},
		{"Ready", 20 * time.Minute, report(goalstate.HealthStateReady, "")},
		{"Provisioning", 20 * time.Minute, report(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioning)},
		{"ProvisioningFailed", 2 * time.Minute, report(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioningFailed)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Hang: true})
				start := time.Now()
				err := row.call(t.Context(), testClient(t, transport))
				if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > row.budget || took < row.budget-15*time.Second {
					t.Errorf("%v after %v, want the %v of its comment", err, took, row.budget)
				}
			})
		})
	}
}

func TestDescriptionIsShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateAnswer("c1", "1"), answer{})
		description := "result=error|reason=no luck|agent=a/1|trace=" + strings.Repeat("<&é", 3000) + "|vm_id=id|timestamp=now|documentation_url=u"
		_, err := testClient(t, transport).ReportHealth(t.Context(), HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: description,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		body := server.Requests()[1].Body
		if len(body) > goalstate.MaxHealthBody || !strings.Contains(body, "reason=no luck") || !strings.Contains(body, "documentation_url=u") {
			t.Errorf("%d bytes: %s", len(body), body)
		}
	})
}

func TestWatchGoalState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The same, new certificates under the same incarnation, a failure, back again.
		second := state("c1", "1")
		second.CertificatesURL = "http://192.0.2.1/certificates"
		same := stateAnswer("c1", "1")
		server, transport := scripttest.Start(t, same, same, answer{Body: string(second.Encode())}, answer{Status: 403}, answer{Body: string(second.Encode())}, stateAnswer("c2", "1"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		type event struct {
			at   time.Duration
			id   string
			kind azprov.Kind
		}
		var got []event
		for resp, err := range testClient(t, transport).WatchGoalState(ctx, nil) {
			got = append(got, event{time.Since(start), resp.ContainerID + resp.CertificatesURL, azprov.KindOf(err)})
			if resp.ContainerID == "c2" {
				cancel()
			}
		}
		want := []event{
			{0, "c1", ""},
			{12 * time.Second, "c1http://192.0.2.1/certificates", ""},
			{18 * time.Second, "", azprov.KindDenied},
			{30 * time.Second, "c2", ""},
			{30 * time.Second, "", azprov.KindCanceled},
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if server.Attempts() != 6 {
			t.Errorf("%d reads, want 6", server.Attempts())
		}
	})
}

func TestWatchGoalStateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, stateAnswer("c1", "1"))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var last error
		for _, err := range testClient(t, transport).WatchGoalState(ctx, &WatchGoalStateOptions{Interval: time.Second}) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("ended with %v", last)
		}
	})
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]ClientOptions{
		"a line break in the agent's name": {AgentName: "a\r\nX-Evil: 1"},
		"an agent's name beyond ASCII":     {AgentName: "agént"},
		"an endpoint with a path":          {Endpoint: "http://192.0.2.1/machine"},
	} {
		if _, err := NewClient(&options); azprov.KindOf(err) != azprov.KindInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
