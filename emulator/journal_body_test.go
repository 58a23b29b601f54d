package emulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

// withBodies returns a fabric of the tests' scenario that writes its journal to w.
func withBodies(t *testing.T, bodies emulator.Bodies, w io.Writer) *emulator.Fabric {
	t.Helper()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	f, err := emulator.NewFabric(s, &emulator.Options{Journal: w, Bodies: bodies})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func lastEntry(t *testing.T, f *emulator.Fabric) emulator.Entry {
	t.Helper()
	entries := f.Journal()
	if len(entries) == 0 {
		t.Fatal("the journal is empty")
	}
	return entries[len(entries)-1]
}

func TestJournalKeepsBodies(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	g := goalState(t, f)
	e := lastEntry(t, f)
	if e.Body != nil || e.Answer == nil || e.Answer.Headers["Content-Type"] != "text/xml; charset=utf-8" || e.Answer.Headers["Server"] == "" {
		t.Fatalf("entry %+v", e)
	}
	if b := e.Answer.Body; b.Length != len(b.Text) || b.Left != "" || !strings.Contains(b.Text, "<ContainerId>"+g.ContainerID) {
		t.Errorf("the goal state is %+v", b)
	}
	report(t, f, g, goalstate.Health{State: "NotReady", SubStatus: "ProvisioningFailed", Description: "a < b & " + testPassword})
	e = lastEntry(t, f)
	if e.Body == nil || !strings.Contains(e.Body.Text, "a &lt; b &amp; [redacted]") || e.Body.Length <= len(e.Body.Text)-20 || e.Answer.Body != nil {
		t.Errorf("entry %+v, %+v", e.Body, e.Answer)
	}
	ask(t, f.IMDS(), http.MethodGet, instance2023, "", "Metadata: true")
	if text := lastEntry(t, f).Answer.Body.Text; !strings.Contains(text, `"userData":"[redacted]"`) || !json.Valid([]byte(text)) {
		t.Errorf("the instance is %s", text)
	}
}

func TestJournalBoundsBodies(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	for _, row := range []struct {
		name, path, body string
		left             emulator.Left
		kept             int
	}{
		{"a short one", "/HealthService", "x", "", 1},
		{"one at the limit", "/HealthService", strings.Repeat("é", 32<<10), "", 64 << 10},
		{"one over the limit", "/HealthService", strings.Repeat("é", 32<<10) + "x", emulator.LeftEnd, 64<<10 + len("…")},
		{"telemetry", "/machine?comp=telemetrydata", strings.Repeat("t", 20_000), emulator.LeftEnd, 16<<10 + len("…")},
		{"one that is no text", "/HealthService", "\xff\xfe<\x00", emulator.LeftBinary, 0},
		{"one with NUL", "/HealthService", "a\x00b", emulator.LeftBinary, 0},
		{"one over all limits", "/HealthService", strings.Repeat("x", 1<<20+1), emulator.LeftUnreadable, 0},
	} {
		ask(t, f.WireServer(), http.MethodPost, row.path, row.body, "x-ms-version: 2012-11-30")
		b := lastEntry(t, f).Body
		if b == nil || b.Left != row.left || len(b.Text) != row.kept || b.Length != len(row.body) {
			t.Errorf("%s: %d of %d bytes, %q", row.name, len(b.Text), b.Length, b.Left)
			continue
		}
		if (b.SHA256 != "") != (row.left == emulator.LeftEnd) {
			t.Errorf("%s: digest %q", row.name, b.SHA256)
		}
	}
}

func TestJournalShortensCertificates(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	blob := strings.Repeat("MIIC\n", 100)
	for body, want := range map[string]string{
		"<CertificateFile><Data>" + blob + "</Data></CertificateFile>":                 "<CertificateFile><Data>[500 characters, sha256 ",
		"<a:CertificateFile><Data xmlns=''>" + blob + "</Data></a:CertificateFile>":    "<a:CertificateFile><Data xmlns=''>[500 characters, sha256 ",
		"<CertificateFile><Data>" + blob:                                               "<CertificateFile><Data>[500 characters, sha256 ",
		"<CertificateFile><Data":                                                       "<CertificateFile><Data",
		"<CertificateFile><Data></Data></CertificateFile>":                             "<CertificateFile><Data></Data></CertificateFile>",
		"<CertificateFile></CertificateFile>":                                          "<CertificateFile></CertificateFile>",
		"<CertificateFile><Data>a</Data><Data>" + blob + "</Data></CertificateFile>":   "<CertificateFile><Data>[1 characters, sha256 ",
		"<CertificateFile><x:Data xmlns:x='y'>" + blob + "</x:Data></CertificateFile>": "<CertificateFile><x:Data xmlns:x='y'>[500 characters, sha256 ",
		"<CertificateFile><!-- <Data> --><Data>" + blob + "</Data></CertificateFile>":  "<CertificateFile><!-- <Data>[",
		"<CertificateFile><Data><![CDATA[" + blob + "]]></Data></CertificateFile>":     "<CertificateFile><Data>[",
	} {
		ask(t, f.WireServer(), http.MethodPost, "/HealthService", body)
		if text := lastEntry(t, f).Body.Text; !strings.HasPrefix(text, want) || strings.Contains(text, "MIIC") {
			t.Errorf("%.60s…: %s", body, text)
		}
	}
}

// Secrets are not in bodies, however they are wrapped.
func TestJournalBodiesHoldNoSecret(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := withBodies(t, emulator.BodiesKept, &out)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	wrapped := func(s string, width int) string {
		var lines []string
		for len(s) > width {
			lines, s = append(lines, s[:width]), s[width:]
		}
		return strings.Join(append(lines, s), "\r\n")
	}
	everyRune := func(format, s string) string {
		var b strings.Builder
		for _, r := range s {
			fmt.Fprintf(&b, format, r)
		}
		return b.String()
	}
	for _, secret := range []string{testPassword, testCustomData, testUserData} {
		inJSON, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string]string{
			"as it is":                      secret,
			"in JSON":                       `{"content":` + string(inJSON) + `}`,
			"in JSON, all escaped":          `{"content":"` + everyRune(`\u%04x`, secret) + `"}`,
			"in JSON, slashes escaped":      `{"content":"` + strings.ReplaceAll(strings.Trim(string(inJSON), `"`), "/", `\/`) + `"}`,
			"in XML":                        "<a>" + everyRune("&#%d;", secret) + "</a>",
			"in XML, by hex":                "<a>" + everyRune("&#x%X;", secret) + "</a>",
			"in base64":                     `{"content":"` + encode(secret) + `"}`,
			"in base64, in lines":           wrapped(encode("a longer text around "+secret+" and behind it"), 16),
			"in base64 with more":           `{"content":"` + encode("before it, "+secret+" and behind") + `"}`,
			"in base64 of JSON":             encode(`{"content":` + string(inJSON) + `}`),
			"in base64 in base64":           encode("x" + encode("yz"+secret)),
			"in base64 behind an =":         "content=" + encode("of the form "+secret),
			"in base64 behind a slash":      "/some/path/" + encode("of the form "+secret),
			"in base64 behind lines":        "first line\n" + encode("of the form "+secret) + "\nlast",
			"in base64 for URLs":            base64.RawURLEncoding.EncodeToString([]byte("of the form>>?? " + secret)),
			"percent-encoded":               everyRune("%%%02X", secret),
			"in base64 of percent-encoding": encode(everyRune("%%%02X", secret)),
		} {
			ask(t, f.WireServer(), http.MethodPost, "/HealthService", body)
			e := lastEntry(t, f)
			text := e.Body.Text
			if e.Body.Length != len(body) || !strings.Contains(text, "redacted") && !strings.Contains(text, "cmVkYWN0") && !strings.Contains(text, "JlZGFjd") && !strings.Contains(text, "yZWRhY3") && !strings.Contains(name, "base64 in") {
				t.Errorf("%s: %q became %q", name, body, text)
			}
			for _, part := range []string{"Bollard", "not-to-be-seen", "not to be seen", "Qm9sbGFyZC", "I2Nsb3VkLWNvbm", "dXNlciBkYXRh"} {
				if strings.Contains(text, part) || strings.Contains(deepDecoded(text), part) {
					t.Errorf("%s: %q is written down: %q", name, part, text)
				}
			}
		}
	}
	if strings.Contains(out.String(), "Bollard") {
		t.Error("it is in the file")
	}
}

// deepDecoded is what base64 words of a text say, three layers deep.
func deepDecoded(text string) string {
	all := text
	for range 3 {
		var next []string
		for _, word := range strings.FieldsFunc(text, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/-_", r))
		}) {
			for at := range min(4, len(word)) { // Letters of something else may stand before it.
				rest := word[at:]
				if len(rest)%4 == 1 {
					rest = rest[:len(rest)-1]
				}
				if b, err := base64.RawStdEncoding.DecodeString(rest); err == nil {
					next = append(next, string(b))
				}
			}
		}
		text = strings.Join(next, "\n")
		all += "\n" + text
	}
	return all
}

// A text that has no secret is kept as it is.
func TestJournalBodiesStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	f := withBodies(t, emulator.BodiesKept, nil)
	for _, body := range []string{
		`{"a":"\u00e9\/b\\c","d":"aGVsbG8gd29ybGQ="}`, "<a>&lt;&#65;%41+</a>\r\n", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ\nd29ybGQ=", "100%",
	} {
		ask(t, f.WireServer(), http.MethodPost, "/HealthService", body)
		if text := lastEntry(t, f).Body.Text; text != body {
			t.Errorf("%q became %q", body, text)
		}
	}
}

func TestBodiesAreAChoice(t *testing.T) {
	t.Parallel()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := emulator.NewFabric(s, &emulator.Options{Bodies: "some"}); err == nil || !strings.Contains(err.Error(), `"some"`) {
		t.Errorf("error %v", err)
	}
}
