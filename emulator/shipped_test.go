package emulator_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// shipped runs test in a bubble against a shipped scenario in memory.
func shipped(t *testing.T, name string, test func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := f.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		test(&bubble{t, f, server})
	})
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	shipped(t, "slow-start", func(b *bubble) {
		t, s := b.t, b.server
		if _, err := fetchInstance(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("at the start: %v", err)
		}
		time.Sleep(time.Second)
		for i, want := range []int{410, 410, 429, 503, 200} {
			resp, err := fetchInstance(t, s)
			if err != nil || resp.status != want || (want == 429) != (resp.header.Get("Retry-After") == "1") {
				t.Errorf("IMDS request %d: %v, status %d, want %d", i+1, err, resp.status, want)
			}
		}
		for i, want := range []struct {
			status     int
			code, body string
		}{
			{410, goalstate.ErrorCodeResourceNotAvailable, ""},
			{429, goalstate.ErrorCodeRequestRateLimitExceeded, ""},
			{503, "", "<h2>Service Unavailable</h2>"},
			{200, "", "<GoalState"},
		} {
			resp, err := fetch(t, s.Client(), http.MethodGet, s.WireServerURL()+"/machine?comp=goalstate", "", version2012)
			if err != nil || resp.status != want.status || !strings.Contains(resp.body, want.body) {
				t.Errorf("wire server request %d: %v, status %d, %s", i+1, err, resp.status, resp.body)
			}
			if document, err := goalstate.ParseServiceError([]byte(resp.body)); (err == nil) != (want.code != "") || document.Code != want.code {
				t.Errorf("wire server request %d: code %q, %v", i+1, document.Code, err)
			}
		}
	})
}

func TestIMDSDenied(t *testing.T) {
	t.Parallel()
	shipped(t, "imds-denied", func(b *bubble) {
		t, s := b.t, b.server
		for range 3 {
			if resp, err := fetchInstance(t, s); err != nil || resp.status != http.StatusForbidden || resp.body != "" {
				t.Errorf("%v, status %d, %q", err, resp.status, resp.body)
			}
		}
		if resp, err := postReady(t, b.fabric, s); err != nil || resp.status != http.StatusOK {
			t.Errorf("the wire server: %v, status %d", err, resp.status)
		}
	})
}

func TestStackHub(t *testing.T) {
	t.Parallel()
	shipped(t, "stack-hub", func(b *bubble) {
		t, s := b.t, b.server
		resp, err := fetchInstance(t, s)
		if err != nil || resp.status != http.StatusBadRequest || !strings.Contains(resp.body, `"newest-versions":["2019-06-01","2019-04-30","2019-03-11"]`) {
			t.Errorf("%v, status %d, %s", err, resp.status, resp.body)
		}
		resp, err = fetch(t, s.Client(), http.MethodGet, s.IMDSURL()+"/metadata/instance?api-version=2019-06-01", "", "Metadata: true")
		if err != nil || !strings.Contains(resp.body, `"azEnvironment":"AzureStack"`) || strings.Contains(resp.body, "osProfile") {
			t.Errorf("%v, status %d, %s", err, resp.status, resp.body)
		}
	})
}

// What the wire server says with a status that a fault names.
func TestWireServerFailures(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		403: "<h2>403 - Forbidden: Access is denied.</h2>",
		410: "<Code>ResourceNotAvailable</Code>",
		429: "<Code>RequestRateLimitExceeded</Code>",
		500: "<Code>InternalServerError</Code>",
		503: "<h2>Service Unavailable</h2>",
	} {
		f := fabric(t, func(s *emulator.Scenario) { s.WireServer.Faults = []emulator.Fault{{Status: status}} })
		got, body, header := ask(t, f.WireServer(), http.MethodGet, "/?comp=versions", "")
		if got != status || !strings.Contains(body, want) {
			t.Errorf("status %d: %s", got, body)
		}
		server, kind := "Microsoft-IIS/10.0", "text/xml; charset=utf-8"
		if strings.HasPrefix(want, "<h2>") { // from the web server in front
			server, kind = "Microsoft-HTTPAPI/2.0", "text/html; charset=us-ascii"
		}
		if header.Get("Server") != server || header.Get("Content-Type") != kind {
			t.Errorf("status %d: headers %v", got, header)
		}
	}
}

// What IMDS says with a status that a fault names.
func TestIMDSFailures(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		403: ``,
		404: `{"error":"Not found"}`,
		410: `{"error":"Gone"}`,
		429: `{"error":"Too many requests"}`,
		500: `{"error":"Server error"}`,
		503: `{"error":"Service unavailable"}`,
	} {
		f := fabric(t, imdsFaults(emulator.Fault{Status: status}))
		got, body, _ := ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
		if got != status || body != want {
			t.Errorf("status %d: %s", got, body)
		}
	}
}

func TestEnumerationsAreComplete(t *testing.T) {
	t.Parallel()
	if !slices.Contains(emulator.PossibleServiceValues(), emulator.ServiceIMDS) || !slices.Contains(emulator.PossibleServiceValues(), emulator.ServiceHostGA) ||
		!slices.Contains(emulator.PossibleReportStateValues(), emulator.StateInProgress) ||
		!slices.Contains(emulator.PossibleFaultKindValues(), emulator.FaultHang) ||
		!slices.Contains(emulator.PossiblePhaseValues(), emulator.PhaseStopped) ||
		!slices.Contains(emulator.PossibleLinkEventKindValues(), emulator.LinkUp) {
		t.Error("a value is missing")
	}
	for _, s := range emulator.Scenarios() {
		if s.IMDS.RateLimit != azprov.SwitchUnset {
			t.Errorf("%s sets the rate limit", s.Name)
		}
	}
}
