package emulator_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// journaled returns a fabric that writes its journal to w.
func journaled(t *testing.T, w interface{ Write([]byte) (int, error) }) *emulator.Fabric {
	t.Helper()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	f, err := emulator.NewFabric(s, &emulator.Options{Journal: w})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestJournalIsJSONLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	flushed := bufio.NewWriter(&out)
	f := journaled(t, flushed)
	certificate := strings.Repeat("A", 1060)
	ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true", "User-Agent: test", "Accept: */*", "x-ms-client-request-id: 1")
	if !strings.HasSuffix(out.String(), "\n") {
		t.Error("the entry is not flushed")
	}
	ask(t, f.WireServer(), http.MethodGet, "/machine?comp=goalstate", "", "x-ms-guest-agent-public-x509-cert: "+certificate)
	var entries []emulator.Entry
	for line := range strings.Lines(out.String()) {
		var entry emulator.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	if diff := cmp.Diff(f.Journal(), entries); diff != "" {
		t.Error(diff)
	}
	for i := range entries {
		if age := time.Since(entries[i].Time); entries[i].Time.Location() != time.UTC || age < 0 || age > time.Minute {
			t.Errorf("time %v", entries[i].Time)
		}
		entries[i].Time, entries[i].DurationMs = time.Time{}, 0
	}
	want := []emulator.Entry{{
		Seq: 1, Service: "imds", Method: "GET", Path: instance2023, Status: 200, Verdicts: []string{},
		Headers: map[string]string{"Metadata": "true", "User-Agent": "test", "X-Ms-Client-Request-Id": "1"},
	}, {
		Seq: 2, Service: "wireserver", Method: "GET", Path: "/machine?comp=goalstate", Status: 400, Verdicts: []string{"missing x-ms-version"},
		Headers: map[string]string{"X-Ms-Guest-Agent-Public-X509-Cert": "AAAAAAAAAAAAAAAA… (1060 characters)"},
	}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Error(diff)
	}
}

func TestJournalHoldsNoSecret(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := journaled(t, &out)
	g := goalState(t, f)
	var forms []string
	for _, secret := range []string{testPassword, testCustomData, testUserData} {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		for _, form := range []string{secret, encoded, strings.TrimRight(encoded, "="), base64.URLEncoding.EncodeToString([]byte(secret))} {
			twice := url.QueryEscape(url.QueryEscape(form))
			lower := strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%23", "%23").Replace(url.QueryEscape(form))
			forms = append(forms, form, strings.TrimSpace(form), url.QueryEscape(form), url.PathEscape(form), twice, url.QueryEscape(twice), lower)
		}
	}
	for _, form := range forms {
		sent := len(f.Journal())
		if !strings.ContainsAny(form, " \n#/") {
			ask(t, f.IMDS(), http.MethodGet, "/metadata/instance?api-version="+form, "", "Metadata: true")
			if !slices.Contains(verdicts(t, f), "secret in URL") {
				t.Errorf("no verdict on %q in the query", form)
			}
			ask(t, f.IMDS(), http.MethodGet, "/metadata/"+form+"?bad=%zz", "", "Metadata: true")
			if !slices.Contains(verdicts(t, f), "secret in URL") {
				t.Errorf("no verdict on %q in the path", form)
			}
		}
		ask(t, f.IMDS(), http.MethodGet, "/metadata/versions", "", "Metadata: "+form, "x-ms-other: "+form, "User-Agent: a "+form)
		ask(t, f.WireServer(), http.MethodGet, "/machine?comp=goalstate", "", "x-ms-version: "+form)
		report(t, f, g, goalstate.Health{State: "NotReady", SubStatus: "ProvisioningFailed", Description: "it is " + form})
		if len(f.Journal()) == sent {
			t.Error("nothing was written")
		}
	}
	reports, err := json.Marshal(f.Reports())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), string(reports)} {
		for _, part := range []string{"Bollard", "not-to-be-seen", "not to be seen", "not+to+be", "not%20to", "Qm9sbGFyZC", "I2Nsb3VkLWNvbm", "dXNlciBkYXRh"} {
			if at := strings.Index(text, part); at >= 0 {
				t.Errorf("%q is written down: …%s…", part, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
}

func TestJournalOneLinePerRequestFromMany(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := journaled(t, &out)
	var wg sync.WaitGroup
	const requests = 50
	for range requests {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/metadata/versions\n", http.NoBody)
			if err == nil {
				f.IMDS().ServeHTTP(&recorder{header: http.Header{}}, r)
				return
			}
			ask(t, f.IMDS(), http.MethodGet, "/metadata/versions", "")
		})
	}
	wg.Wait()
	if got := strings.Count(out.String(), "\n"); got != requests {
		t.Errorf("%d lines, want %d", got, requests)
	}
	for i, entry := range f.Journal() {
		if entry.Seq != i+1 {
			t.Errorf("entry %d has number %d", i+1, entry.Seq)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestCloseTellsOfALostJournal(t *testing.T) {
	t.Parallel()
	f := journaled(t, brokenWriter{})
	s := f.ListenInMemory(t.Context())
	if _, err := fetchInstance(t, s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "cannot write the journal") {
		t.Errorf("error %v", err)
	}
}
