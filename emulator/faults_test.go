package emulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// bubble is what a test has inside.
type bubble struct {
	t      *testing.T
	fabric *emulator.Fabric
	server *emulator.Server
}

// inMemory runs test in a bubble against a server in memory.
func inMemory(t *testing.T, edit func(*emulator.Scenario), test func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := fabric(t, edit)
		s := f.ListenInMemory(t.Context())
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(&bubble{t, f, s})
	})
}

// imdsFaults gives IMDS these faults.
func imdsFaults(faults ...emulator.Fault) func(*emulator.Scenario) {
	return func(s *emulator.Scenario) { s.IMDS.Faults = faults }
}

func fetchInstance(t *testing.T, s *emulator.Server) (answer, error) {
	t.Helper()
	return fetch(t, s.Client(), http.MethodGet, s.IMDSURL()+instance2023, "", "Metadata: true")
}

func TestFaultSteps(t *testing.T) {
	t.Parallel()
	body := "teapot"
	inMemory(t, imdsFaults(
		emulator.Fault{Status: 410, Times: 2},
		emulator.Fault{Status: 429, RetryAfter: "2", Headers: map[string]string{"x-test": "yes"}},
		emulator.Fault{Status: 418, Body: &body, Headers: map[string]string{"Content-Type": "text/tea"}},
		emulator.Fault{Path: "nowhere-near", Status: 500, Always: true},
		emulator.Fault{Path: "/metadata/instance", Status: 503},
	), func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		for i, want := range []struct {
			status            int
			body, retry, test string
		}{
			{410, `{"error":"Gone"}`, "", ""},
			{410, `{"error":"Gone"}`, "", ""},
			{429, `{"error":"Too many requests"}`, "2", "yes"},
			{418, body, "", ""},
			{503, `{"error":"Service unavailable"}`, "", ""},
			{200, "", "", ""},
			{200, "", "", ""},
		} {
			resp, err := fetchInstance(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if resp.status != want.status || want.body != "" && resp.body != want.body ||
				resp.header.Get("Retry-After") != want.retry || resp.header.Get("X-Test") != want.test {
				t.Errorf("request %d: status %d, headers %v, body %.60s", i+1, resp.status, resp.header, resp.body)
			}
			wantVerdict(t, f, "")
		}
		if got := f.Journal()[2].Fault; got != "429" {
			t.Errorf("fault %q in the journal", got)
		}
	})
}

// A delayed answer is that of the moment at which the request came.
func TestFaultDelaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Delay: emulator.Duration(3 * time.Second)}}
		s.Steps = []emulator.Step{{At: emulator.Duration(time.Second), Instance: []byte(`{"compute":{"location":"northeurope"}}`)}}
	}, func(b *bubble) {
		for _, want := range []string{"westeurope", "northeurope"} {
			if resp, err := fetchInstance(b.t, b.server); err != nil || !strings.Contains(resp.body, `"location":"`+want) {
				b.t.Errorf("%v, want %s in %s", err, want, resp.body)
			}
		}
	})
}

func TestFaultsDoNotHideAWrongRequest(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Status: 500}), func(b *bubble) {
		t, s := b.t, b.server
		for _, want := range []int{400, 500, 400, 200} {
			headers := []string{"Metadata: true"}
			if want == http.StatusBadRequest {
				headers = nil
			}
			resp, err := fetch(t, s.Client(), http.MethodGet, s.IMDSURL()+instance2023, "", headers...)
			if err != nil {
				t.Fatal(err)
			}
			if resp.status != want {
				t.Errorf("status %d, want %d", resp.status, want)
			}
		}
	})
}

func TestFaultIsKeptForARightMethod(t *testing.T) {
	t.Parallel()
	f := fabric(t, func(s *emulator.Scenario) { s.WireServer.Faults = []emulator.Fault{{Status: 500}} })
	for _, want := range []int{405, 500, 200} {
		method := http.MethodGet
		if want == http.StatusMethodNotAllowed {
			method = http.MethodPost
		}
		if status, _, _ := ask(t, f.WireServer(), method, "/?comp=versions", ""); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "comp=health", Kind: emulator.FaultReset}}
	}, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		for i, want := range []emulator.ReportState{emulator.StateNone, emulator.StateReady} {
			_, err := postReady(t, f, s)
			if (err == nil) != (i == 1) || f.State() != want {
				t.Errorf("report %d: error %v, state %s", i+1, err, f.State())
			}
		}
		entry := f.Journal()[1]
		if entry.Fault != "reset" || entry.Status != 0 || entry.Report != nil {
			t.Errorf("journal: %+v", entry)
		}
	})
}

func TestFaultResetWithoutAConnectionAborts(t *testing.T) {
	t.Parallel()
	f := fabric(t, imdsFaults(emulator.Fault{Kind: emulator.FaultReset}))
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // It is that very value which net/http knows.
			t.Errorf("panic %v", got)
		}
	}()
	ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
	t.Error("there was an answer")
}

func TestFaultRefusesAReport(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "health", Status: 503}}
	}, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		for _, want := range []struct {
			status int
			state  emulator.ReportState
		}{{503, emulator.StateNone}, {200, emulator.StateReady}} {
			resp, err := postReady(t, f, s)
			if err != nil || resp.status != want.status || f.State() != want.state {
				t.Errorf("%v, status %d, state %s", err, resp.status, f.State())
			}
		}
		if entry := f.Journal()[1]; entry.Report == nil || entry.Report.State != emulator.StateReady || entry.Status != 503 {
			t.Errorf("journal: %+v", entry)
		}
	})
}

func TestFaultTruncateLosesTheAnswerOnly(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{
			{Path: "comp=health", Kind: emulator.FaultTruncate},
			{Path: "comp=versions", Kind: emulator.FaultTruncate},
		}
	}, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		if _, err := postReady(t, f, s); !errors.Is(err, io.ErrUnexpectedEOF) || f.State() != emulator.StateReady {
			t.Errorf("error %v, state %s", err, f.State())
		}
		resp, err := fetch(t, s.Client(), http.MethodGet, s.WireServerURL()+"/?comp=versions", "")
		if !errors.Is(err, io.ErrUnexpectedEOF) || resp.declared <= int64(len(resp.body)) || resp.body == "" {
			t.Errorf("error %v, %d of %d bytes", err, len(resp.body), resp.declared)
		}
	})
}

// postReady reports Ready through the server.
func postReady(t *testing.T, f *emulator.Fabric, s *emulator.Server) (answer, error) {
	t.Helper()
	g := goalState(t, f)
	h := goalstate.Health{Incarnation: g.Incarnation, ContainerID: g.ContainerID, InstanceID: g.InstanceID, State: "Ready"}
	body, err := h.EncodeXML()
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, s.Client(), http.MethodPost, s.WireServerURL()+"/machine?comp=health", string(body), version2012, xmlType)
}

func TestFaultHangEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Kind: emulator.FaultHang}), func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		client := s.Client()
		client.Timeout = 30 * time.Second
		started := time.Now()
		_, err := fetch(t, client, http.MethodGet, s.IMDSURL()+instance2023, "", "Metadata: true")
		if err == nil || time.Since(started) != client.Timeout {
			t.Errorf("error %v after %v", err, time.Since(started))
		}
		synctest.Wait()
		if entry := f.Journal()[0]; entry.Fault != "hang" || entry.DurationMs != 30_000 {
			t.Errorf("journal: %+v", entry)
		}
		if resp, err := fetchInstance(t, s); err != nil || resp.status != http.StatusOK {
			t.Errorf("the next request: %v", err)
		}
	})
}

func TestFaultHangEndsWithTheServer(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Kind: emulator.FaultHang, Always: true}}
	}, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		failed := make(chan error)
		go func() {
			// A large body: the handler must have read it before it hangs.
			_, err := fetch(t, s.Client(), http.MethodPost, s.WireServerURL()+"/HealthService", strings.Repeat("x", 1<<19))
			failed <- err
		}()
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// Close has waited for the handler, so its entry is there.
		if n := len(f.Journal()); n != 1 {
			t.Errorf("%d entries", n)
		}
		if err := <-failed; err == nil {
			t.Error("the request succeeded")
		}
	})
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Delay: emulator.Duration(3 * time.Second)}), func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		started := time.Now()
		resp, err := fetchInstance(t, s)
		if err != nil || resp.status != http.StatusOK || time.Since(started) != 3*time.Second {
			t.Errorf("error %v after %v", err, time.Since(started))
		}
		if entry := f.Journal()[0]; entry.Fault != "delay" || entry.DurationMs != 3000 {
			t.Errorf("journal: %+v", entry)
		}
	})
}

func TestFaultDelayEndsWithTheServer(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Delay: emulator.Duration(time.Hour)}), func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		started := time.Now()
		failed := make(chan error)
		go func() {
			_, err := fetchInstance(t, s)
			failed <- err
		}()
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; err == nil || time.Since(started) != 0 || f.Journal()[0].Status != 0 {
			t.Errorf("error %v after %v, journal %+v", err, time.Since(started), f.Journal())
		}
	})
}

func TestFaultRefuse(t *testing.T) {
	t.Parallel()
	inMemory(t, imdsFaults(emulator.Fault{Refuse: emulator.Duration(1500 * time.Millisecond)}), func(b *bubble) {
		t, s := b.t, b.server
		if _, err := fetchInstance(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("at the start: %v", err)
		}
		if _, err := fetch(t, s.Client(), http.MethodGet, s.WireServerURL()+"/?comp=versions", ""); err != nil {
			t.Errorf("the other service: %v", err)
		}
		time.Sleep(1499 * time.Millisecond)
		if _, err := fetchInstance(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("just before: %v", err)
		}
		time.Sleep(time.Millisecond)
		if resp, err := fetchInstance(t, s); err != nil || resp.status != http.StatusOK {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) { s.IMDS.RateLimit = azprov.SwitchUnset }, func(b *bubble) {
		t, f, s := b.t, b.fabric, b.server
		status := func() int {
			resp, err := fetchInstance(t, s)
			if err != nil {
				t.Fatal(err)
			}
			return resp.status
		}
		for i := range 5 {
			if got := status(); got != http.StatusOK {
				t.Errorf("request %d: status %d", i+1, got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := status(); got != http.StatusTooManyRequests {
			t.Errorf("the sixth: status %d", got)
		}
		wantVerdict(t, f, "over 5 requests a second")
		time.Sleep(500 * time.Millisecond)
		if got := status(); got != http.StatusOK {
			t.Errorf("a second after the first: status %d", got)
		}
		if got := status(); got != http.StatusTooManyRequests {
			t.Errorf("and one more: status %d", got)
		}
	})
}

func TestMemoryReachesTheServicesOnly(t *testing.T) {
	t.Parallel()
	inMemory(t, func(s *emulator.Scenario) { s.IMDS.Absent = true }, func(b *bubble) {
		t, s := b.t, b.server
		if s.IMDSURL() != azprov.IMDSEndpoint || s.WireServerURL() != azprov.WireServerEndpoint || s.HostGAURL() != azprov.HostGAEndpoint {
			t.Errorf("URLs %s, %s, %s", s.IMDSURL(), s.WireServerURL(), s.HostGAURL())
		}
		for _, url := range []string{
			s.IMDSURL() + "/metadata/versions", // Absent in this scenario.
			"http://168.63.129.16:32527/versions", "http://169.254.169.254:32526/versions", "http://192.0.2.1/", "http://localhost/",
		} {
			if _, err := fetch(t, s.Client(), http.MethodGet, url, ""); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v", url, err)
			}
		}
		for _, url := range []string{s.WireServerURL() + "/?comp=versions", s.HostGAURL() + "/versions"} {
			if _, err := fetch(t, s.Client(), http.MethodGet, url, ""); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := fetch(t, s.Client(), http.MethodGet, s.WireServerURL()+"/?comp=versions", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestServerEndsItsRequestsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fabric(t, imdsFaults(emulator.Fault{Kind: emulator.FaultHang}))
		ctx, cancel := context.WithCancel(t.Context())
		s := f.ListenInMemory(ctx)
		defer func() { _ = s.Close() }()
		failed := make(chan error)
		go func() {
			_, err := fetchInstance(t, s)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; err == nil {
			t.Error("the request succeeded")
		}
	})
}
