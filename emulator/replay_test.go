package emulator_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// replayOf returns a replay of entries.
func replayOf(t *testing.T, entries []emulator.Entry) *emulator.Replay {
	t.Helper()
	r, err := emulator.NewReplay(entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// recorded is an entry with an answer.
func recorded(service emulator.Service, path string, status int, body string) emulator.Entry {
	e := emulator.Entry{Seq: 1, Time: time.Now(), Service: service, Method: "GET", Path: path, Status: status, Answer: &emulator.Answer{}}
	if body != "" {
		e.Answer.Body = &emulator.Body{Length: len(body), Text: body}
	}
	return e
}

func TestReplayAnswersInOrder(t *testing.T) {
	t.Parallel()
	r := replayOf(t, []emulator.Entry{
		recorded("imds", "/metadata/reprovisiondata?api-version=2019-06-01", 404, "not yet"),
		recorded("wireserver", "/machine/"+firstID+"/"+secondID+"._a%2Db?comp=config&incarnation=1", 200, "first"),
		recorded("imds", "/metadata/reprovisiondata?api-version=2019-06-01", 200, "data"),
		recorded("wireserver", "/machine/"+thirdID+"/"+secondID+"._a%2Db?comp=config&incarnation=2", 200, "second"),
		{Service: "kvp", Method: "READ", Path: "PROVISIONING_REPORT"},
	})
	wire, imds := r.Handler("wireserver"), r.Handler("imds")
	if diff := cmp.Diff([]emulator.Service{"imds", "wireserver"}, r.Services()); diff != "" {
		t.Error(diff)
	}
	const poll = "/metadata/reprovisiondata?api-version=2019-06-01"
	for i, want := range []struct {
		status int
		body   string
	}{{404, "not yet"}, {200, "data"}, {200, "data"}} {
		if status, body, _ := ask(t, imds, http.MethodGet, poll, ""); status != want.status || body != want.body {
			t.Errorf("answer %d is %d %q, want %v", i+1, status, body, want)
		}
	}
	if diff := cmp.Diff([]string{"wireserver GET /machine/{container}/{instance}?comp=config&incarnation={incarnation}"}, r.Unasked()); diff != "" {
		t.Error(diff)
	}
	for _, row := range []struct{ target, want string }{
		{"/machine/" + secondID + "/x/?incarnation=7&comp=config", "first"}, // other ids, another order, a slash
		{"/machine/" + secondID + "/x?comp=config&incarnation=8", "second"},
	} {
		if _, body, _ := ask(t, wire, http.MethodGet, row.target, ""); body != row.want {
			t.Errorf("%s gives %q, want %q", row.target, body, row.want)
		}
	}
	if list := r.Unasked(); len(list) > 0 {
		t.Errorf("not asked: %q", list)
	}
	for _, row := range []struct{ method, target string }{
		{http.MethodPost, poll}, {http.MethodGet, "/metadata/versions"}, {http.MethodGet, "/metadata/reprovisiondata?api-version=2021-01-01"},
	} {
		status, body, _ := ask(t, imds, row.method, row.target, "")
		entries := r.Journal()
		if status != 404 || !strings.Contains(body, "Not found") || cmp.Diff([]string{"not in the recording"}, entries[len(entries)-1].Verdicts) != "" {
			t.Errorf("%s %s gives %d %q, and %v", row.method, row.target, status, body, entries[len(entries)-1])
		}
	}
}

func TestReplayConditions(t *testing.T) {
	t.Parallel()
	changed, same := recorded("wireserver", "/vmSettings", 200, "{}"), recorded("wireserver", "/vmSettings", 304, "")
	changed.Answer.Headers = map[string]string{"Etag": `"7"`, "Retry-After": "2"}
	same.Headers = map[string]string{"If-None-Match": `"7"`}
	for name, entries := range map[string][]emulator.Entry{"in order": {changed, same}, "the other way": {same, changed}} {
		h := replayOf(t, entries).Handler("wireserver")
		status, _, header := ask(t, h, http.MethodGet, "/vmSettings", "")
		if status != 200 || header.Get("ETag") != `"7"` || header.Get("Retry-After") != "2" {
			t.Errorf("%s: %d %v", name, status, header)
		}
		if status, _, _ := ask(t, h, http.MethodGet, "/vmSettings", "", `If-None-Match: "7"`); status != 304 {
			t.Errorf("%s: %d with a condition", name, status)
		}
	}
	h := replayOf(t, []emulator.Entry{changed}).Handler("wireserver")
	if status, _, _ := ask(t, h, http.MethodGet, "/vmSettings", "", `If-None-Match: "7"`); status != 200 {
		t.Errorf("%d with a condition that nobody made", status)
	}
}

// The goal state leads to where it was asked for.
func TestReplayLeadsToItself(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	first := goalState(t, f) // from 192.0.2.7:8080
	h := replayOf(t, f.Journal()).Handler("wireserver")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4711/machine/?comp=goalstate", http.NoBody)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	g, err := goalstate.ParseGoalState(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][2]string{
		{first.CertificatesURL, g.CertificatesURL}, {first.SharedConfigURL, g.SharedConfigURL}, {first.HostingEnvironmentConfigURL, g.HostingEnvironmentConfigURL},
	} {
		if want := strings.Replace(row[0], "192.0.2.7:8080", "127.0.0.1:4711", 1); row[1] != want || want == row[0] {
			t.Errorf("%s became %s", row[0], row[1])
		}
	}
	other := recorded("wireserver", "/x", 200, "<a>http://10.0.0.1/blob</a><b>http://10.0.0.1:80/machine/x</b>http://")
	_, body, _ := ask(t, replayOf(t, []emulator.Entry{other}).Handler("wireserver"), http.MethodGet, "/x", "")
	if want := "<a>http://10.0.0.1/blob</a><b>http://192.0.2.7:8080/machine/x</b>http://"; body != want {
		t.Errorf("%q", body)
	}
}

func TestReplayReproducesFaults(t *testing.T) {
	t.Parallel()
	entry := func(fault string, status int, ms int64) emulator.Entry {
		e := recorded("imds", "/metadata/versions", status, strings.Repeat("x", 40))
		e.Fault, e.DurationMs = fault, ms
		if status == 0 {
			e.Answer = nil
		}
		return e
	}
	good := recorded("imds", "/x", 200, "x")
	for _, row := range []struct {
		name   string
		entry  emulator.Entry
		status int // 0 for none
		took   time.Duration
		cut    bool
	}{
		{"a slow answer without a fault", entry("", 200, 3000), 200, 0, false},
		{"a delay", entry("delay", 200, 3000), 200, 3 * time.Second, false},
		{"a status after a delay", entry("503", 503, 2000), 503, 2 * time.Second, false},
		{"a reset", entry("reset", 0, 1500), 0, 1500 * time.Millisecond, false},
		{"a hang", entry("hang", 0, 100), 0, time.Minute, false},
		{"a client that gave up", entry("delay", 0, 100), 0, time.Minute, false},
		{"half of it", entry("truncate", 200, 1000), 200, time.Second, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := replayOf(t, []emulator.Entry{good, row.entry}).Handler("imds")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://x/metadata/versions", http.NoBody)
				w := httptest.NewRecorder()
				started := time.Now()
				aborted := serves(h, w, r)
				if took := time.Since(started); took != row.took {
					t.Errorf("it took %v, want %v", took, row.took)
				}
				if aborted != (row.status == 0) || !aborted && w.Code != row.status {
					t.Errorf("status %d, aborted %v", w.Code, aborted)
				}
				if cut := w.Body.Len() < 40; !aborted && (cut != row.cut || w.Header().Get("Content-Length") != "40") {
					t.Errorf("%d bytes, declared %s", w.Body.Len(), w.Header().Get("Content-Length"))
				}
			})
		})
	}
}

// serves reports whether the handler ends the connection.
func serves(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() { aborted = recover() != nil }()
	h.ServeHTTP(w, r)
	return false
}

func TestReplayStandsIn(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
	const leaf = "/metadata/instance/compute/userData?api-version=2023-11-15&format=text"
	ask(t, f.IMDS(), http.MethodGet, leaf, "", "Metadata: true")
	cut := recorded("imds", "/long", 200, "abc")
	cut.Answer.Body.Left, cut.Answer.Body.Length = emulator.LeftEnd, 99
	binary := recorded("imds", "/binary", 200, "")
	binary.Answer.Body = &emulator.Body{Length: 5, Left: emulator.LeftBinary}
	bare := recorded("imds", "/bare", 200, "")
	bare.Answer = nil
	r := replayOf(t, append(f.Journal(), cut, binary, bare, recorded("wireserver", "/other", 200, "a [redacted] b")))
	encoded := base64.StdEncoding.EncodeToString([]byte("[redacted]"))
	if _, body, _ := ask(t, r.Handler("imds"), http.MethodGet, instance2023, ""); !strings.Contains(body, `"userData":"`+encoded+`"`) {
		t.Errorf("the instance is %s", body)
	}
	for target, want := range map[string]string{leaf: encoded, "/long": "abc", "/binary": "", "/bare": ""} {
		if status, body, _ := ask(t, r.Handler("imds"), http.MethodGet, target, ""); status != 200 || body != want {
			t.Errorf("%s gives %d %q, want %q", target, status, body, want)
		}
	}
	want := []string{
		`The user data was not recorded: it is "[redacted]", in base64.`,
		`The answer to GET /long ends after 3 of its 99 bytes.`,
		`The answer to GET /binary is empty: its 5 bytes are no text.`,
		`The answer to GET /bare was not recorded: its status comes with an empty body.`,
		`In the answer to GET /other secrets are "[redacted]".`,
	}
	if diff := cmp.Diff(want, r.StandIns()); diff != "" {
		t.Error(diff)
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	good := recorded("imds", "/x", 200, "x")
	bare := good
	bare.Answer = nil
	other := good
	other.VM = "other"
	for name, row := range map[string]struct {
		entries []emulator.Entry
		options *emulator.ReplayOptions
		want    string
	}{
		"nothing":                  {nil, nil, "the journal has no requests"},
		"the host's entries alone": {[]emulator.Entry{{Service: "kvp", Method: "READ"}}, nil, "the journal has no requests"},
		"a journal without bodies": {[]emulator.Entry{bare}, nil, "the journal has no answers"},
		"several VMs":              {[]emulator.Entry{good, other}, nil, "the journal is of several VMs"},
		"another choice of bodies": {[]emulator.Entry{good}, &emulator.ReplayOptions{Bodies: "all"}, `Options.Bodies is "all"`},
	} {
		if _, err := emulator.NewReplay(row.entries, row.options); !errors.Is(err, azprov.ErrMalformed) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestReplayListens(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r, err := emulator.NewReplay([]emulator.Entry{recorded("imds", "/x", 200, "x")}, &emulator.ReplayOptions{Journal: &out})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := fetch(t, http.DefaultClient, http.MethodGet, s.IMDSURL()+"/x", "")
	if err != nil || got.body != "x" {
		t.Errorf("%+v: %v", got, err)
	}
	if got, err := fetch(t, http.DefaultClient, http.MethodGet, s.WireServerURL()+"/x", ""); err == nil {
		t.Errorf("the wire server, which nobody has asked: %+v", got)
	}
	_, err = r.Listen(t.Context(), emulator.Addresses{IMDS: strings.TrimPrefix(s.IMDSURL(), "http://")})
	if !errors.Is(err, azprov.ErrNetwork) {
		t.Errorf("on a port that is taken: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("the journal is %q", out.String())
	}
}
