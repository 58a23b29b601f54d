package main

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/report"
)

const (
	pyTraceback = `Traceback (most recent call last):
  File "/usr/lib/harbour/pilot.py", line 7, in moor
    tie(rope)
  File "/usr/lib/harbour/rope.py", line 3, in tie
    raise RuntimeError('rope | "short"')
RuntimeError: rope | "short"`

	recordTail = "|vm_id=2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20|timestamp=2026-11-23T06:38:18.5+00:00|documentation_url=https://aka.ms/linuxprovisioningerror"
	// Both dialects have a value that they must put into their quotes.
	pyRecord   = `result=error|reason=http error 404 querying IMDS|agent=Cloud-Init/26.1|http_code=404|'exception=it''s "over" | \o/'` + recordTail
	rustRecord = `result=error|reason=http status error|agent=Azure-Init/0.1.1|"endpoint=the ""old"" one | \o/"|status=404|pps_type=None` + recordTail
)

// reversed is a traceback as cloud-init sends it.
func reversed(traceback string) string {
	lines := strings.Split(traceback, "\n")
	slices.Reverse(lines)
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(lines, "\n")))
}

func unhandled(traceback string) string {
	return "result=error|reason=unhandled exception|agent=Cloud-Init/26.1|exception=RuntimeError()|traceback_base64=" + traceback + recordTail
}

func TestExplainReason(t *testing.T) {
	t.Parallel()
	entry, _ := report.Lookup("connection timeout querying IMDS")
	for _, args := range [][]string{
		{"connection timeout querying IMDS"},
		{"connection", "timeout", "querying", "IMDS"},
		{"CONNECTION timeout  querying imds\n"},
		{entry.ID},
		{"IMDS-Connect-Timeout"},
	} {
		got := cli(t, append([]string{"explain"}, args...)...).want(t, exitDone)
		contains(t, got.stdout, "id          imds-connect-timeout\n", "written by  cloud-init\n", "cause       "+entry.Cause+"\n", "next step   "+entry.NextStep+"\n")
		if strings.Contains(got.stdout, "Report") || got.stderr != "" || strings.Count(got.stdout, "\n") != 5 {
			t.Errorf("%q: %s%s", args, got.stdout, got.stderr)
		}
	}
	contains(t, cli(t, "explain", "imds-http-error").stdout, "reason      http error <code> querying IMDS\n")
	contains(t, cli(t, "explain", "http error 404 querying IMDS").stdout, "reason      http error 404 querying IMDS\n", "id          imds-http-error\n")
	contains(t, cliWith(t.Context(), "XML error\n", "explain", "-").want(t, exitDone).stdout, "id          xml\n", "written by  azure-init\n")

	document := oneObject(t, cli(t, "explain", "http error 404 querying IMDS", "--output", "json").want(t, exitDone).stdout)
	http, _ := report.Lookup("http error 404 querying IMDS")
	if at(t, document, "reason") != "http error 404 querying IMDS" || at(t, document, "report") != nil || document["error"] != nil {
		t.Errorf("%v", document)
	}
	for name, want := range map[string]string{"id": http.ID, "text": http.Text, "source": "cloud-init", "cause": http.Cause, "nextStep": http.NextStep} {
		if got := at(t, document, "entry", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if kinds := at(t, document, "entry", "kinds").([]any); len(kinds) != len(http.Kinds) {
		t.Errorf("%v", kinds)
	}
}

func TestExplainEveryReason(t *testing.T) {
	t.Parallel()
	list := cli(t, "explain", "--list").want(t, exitDone).stdout
	var ids []string
	for _, e := range report.Catalogue() {
		for _, text := range []string{e.ID, e.Text} {
			if x, err := explain(text); err != nil || x.Entry.ID != e.ID || x.Reason != e.Text {
				t.Errorf("%s: %v, %v", text, x, err)
			}
		}
		contains(t, list, e.ID, "  "+e.Text+"\n")
		ids = append(ids, e.ID)
	}
	reasons := at(t, oneObject(t, cli(t, "explain", "--list", "--output", "json").want(t, exitDone).stdout), "reasons").([]any)
	var listed []string
	for _, reason := range reasons {
		listed = append(listed, reason.(map[string]any)["id"].(string))
	}
	if diff := cmp.Diff(ids, listed); diff != "" || strings.Count(list, "\n") != len(ids) {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExplainReport(t *testing.T) {
	t.Parallel()
	got := cliWith(t.Context(), rustRecord, "explain", "-").want(t, exitDone)
	want := `
Report
  result            error
  agent             Azure-Init/0.1.1
  VM id             2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20
  time              2026-11-23T06:38:18.5Z
  pre-provisioning  None
  documentation     https://aka.ms/linuxprovisioningerror

Supporting data
  endpoint  the "old" one | \o/
  status    404
`
	contains(t, got.stdout, "reason      http status error\nid          http-status\nwritten by  azure-init\ncause ")
	if !strings.HasSuffix(got.stdout, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.stdout, want)
	}
	document := oneObject(t, cli(t, "explain", rustRecord, "--output", "json").want(t, exitDone).stdout)
	want = `{"agent":"Azure-Init/0.1.1","documentationUrl":"https://aka.ms/linuxprovisioningerror","ppsType":"None","reason":"http status error",` +
		`"result":"error","supporting":[{"key":"endpoint","value":"the \"old\" one | \\o/"},{"key":"status","value":"404"}],` +
		`"timestamp":"2026-11-23T06:38:18.5Z","vmId":"2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20"}`
	if b, err := json.Marshal(document["report"]); err != nil || string(b) != want {
		t.Errorf("%v\n got %s\nwant %s", err, b, want)
	}
}

// quotedJSON is a text in JSON, without the escapes of HTML.
func quotedJSON(t *testing.T, s string) string {
	t.Helper()
	b, err := encodeJSON(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestExplainPasted: the same report comes out of what people paste, in both dialects.
func TestExplainPasted(t *testing.T) {
	t.Parallel()
	for _, record := range []string{pyRecord, rustRecord} {
		want, _, err := report.Parse(record)
		if err != nil {
			t.Fatal(err)
		}
		sentence := "OS Provisioning failed for VM 'jetty-07' due to: "
		message := `{"code": "OSProvisioningClientError", "message": ` + quotedJSON(t, sentence+record) + `}`
		nested := `{"status": "Failed", "error": {"details": [{"message": ` + quotedJSON(t, message) + `, "code": "Conflict"}]}}`
		line := `"message": ` + quotedJSON(t, record)
		for name, text := range map[string]string{
			"as it is":               record,
			"words around it":        sentence + record + "\nSee https://example.test",
			"JSON":                   message,
			"JSON, indented":         strings.ReplaceAll(nested, `, "code"`, ",\n  \"code\""),
			"JSON in JSON":           nested,
			"JSON in JSON twice":     `[` + quotedJSON(t, nested) + `]`,
			"words and JSON":         "(OSProvisioningClientError) " + nested + " Correlation id: 7",
			"a line of JSON":         line,
			"a line with a comma":    line + ",",
			"JSON without its end":   strings.TrimSuffix(line, `"`),
			"JSON string alone":      quotedJSON(t, sentence+record),
			"JSON, escaped for HTML": strings.NewReplacer(`'`, `\u0027`).Replace(message),
			"JSON, a broken line":    strings.Replace(message, "|vm_id", "\r\n|vm_id", 1),
			"quotes before it":       `"jetty-07" failed: ` + record,
			"a quote before it":      `the "pilot": ` + record,
			"without its begin":      strings.TrimPrefix(record, "result=error|"),
			"out of kvp list":        "report  PROVISIONING_REPORT  " + record + "\n",
		} {
			x, err := explain(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(newOutcomeDocument(want), x.Report); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
		// In quotes, and not in JSON.
		if x, err := explain("`" + record + "`"); err != nil || x.Report.Reason != want.Reason {
			t.Errorf("%v, %v", x, err)
		}
	}
	x, err := explain("reason=XML error|agent=ferry/1")
	if err != nil || x.Entry.ID != "xml" || x.Report.Agent != "ferry/1" || x.Warnings[0] != "the record's begin is missing" {
		t.Errorf("%v, %v", x, err)
	}
	contains(t, cli(t, "explain", "reason=XML error").want(t, exitDone).stdout, "id          xml\n", "warning: the record's begin is missing\n")
}

// A quoted text that is no JSON is left as it is: its backslashes are the agent's.
func TestFromJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"m": "result=error|a=\\o"}`:                `result=error|a=\o`,
		`"result=error|a=\\o`:                        `result=error|a=\o`,
		"[\"x\", \"result=error|a=\n\\\"\"]":         "result=error|a=\n\"",
		`"jetty" failed: result=error|a=\\o`:         "",
		`result=error|"a=\\o"`:                       "",
		`"result=error|"a=b|c"|d`:                    "",
		`"result=error|", and more`:                  "",
		`"result=error|a=KeyError("\\o")|b`:          "",
		`"m": "result=error|a=\o"`:                   "",
		`"m": "no record"`:                           "",
		`"a\"b": result=error`:                       "",
		`{"\\": "result=error|a=\u00e9\ud83d\ude00"`: "result=error|a=é😀",
	} {
		got, ok := fromJSON(text)
		if got != want && ok || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, ok, want)
		}
	}
}

// FuzzExplain: whatever is pasted, nothing panics, and the errors are the documented ones.
func FuzzExplain(f *testing.F) {
	for _, seed := range []string{
		"", "reason=", "XML error", pyRecord, rustRecord, `{"m": "result=error|a=\\o"}`, `"result=`, `"result=\`, unhandled(reversed(pyTraceback)), unhandled("/////w=="),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		boundtest.Check(t, func() {
			x, err := explain(text)
			if code := exitCode(err); code != exitDone && code != exitNotFound && len(text) <= report.MaxText {
				t.Fatalf("%v", err)
			}
			if x != nil {
				printExplanation(&sticky{w: &strings.Builder{}}, x)
			}
		})
	})
}

func TestExplainSuccess(t *testing.T) {
	t.Parallel()
	const success = "result=success|agent=Cloud-Init/26.1|timestamp=2026-11-23T06:38:18+00:00|vm_id=None"
	got := cli(t, "explain", success).want(t, exitDone)
	want := "Nothing failed: the agent has reported that the VM is provisioned. There is nothing to do.\n\nReport\n" +
		"  result  success\n  agent   Cloud-Init/26.1\n  VM id   -\n  time    2026-11-23T06:38:18Z\n"
	if got.stdout != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.stdout, want)
	}
	document := oneObject(t, cli(t, "explain", success, "--output", "json").want(t, exitDone).stdout)
	if at(t, document, "entry") != nil || at(t, document, "report", "result") != "success" || at(t, document, "reason") != "" {
		t.Errorf("%v", document)
	}
	contains(t, cli(t, "explain", success+"|reason=calm sea").want(t, exitDone).stdout, "  reason  calm sea\n")
}

func TestDecodeTraceback(t *testing.T) {
	t.Parallel()
	encoded := reversed(pyTraceback)
	_, end, _ := strings.Cut(pyTraceback, "in moor\n    tie(rope)\n")
	for name, row := range map[string]struct{ value, want string }{
		"reversed":            {encoded, pyTraceback},
		"as before 25.2":      {base64.StdEncoding.EncodeToString([]byte(pyTraceback + "\n")), pyTraceback},
		"with CR":             {base64.StdEncoding.EncodeToString([]byte("quay\r\nTraceback (most recent call last):\r\n")), "Traceback (most recent call last):\nquay"},
		"with a blank in it":  {encoded[:50] + " " + encoded[50:], pyTraceback},
		"without its padding": {strings.TrimRight(encoded, "="), pyTraceback},
		"a line":              {reversed("RuntimeError"), "RuntimeError"},
		"no base64":           {"rope!", ""},
		"some bytes":          {"/////w==", ""},
		"a cut character":     {base64.StdEncoding.EncodeToString([]byte("quay\xf0\x9f\x98")), "quay"},
		"nothing":             {"", ""},
	} {
		if got := decodeTraceback(row.value); got != row.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, row.want)
		}
	}
	// However much was cut off, the exception is left, at the end.
	for n := range encoded {
		got := decodeTraceback(encoded[:n])
		if n > 40 && !strings.HasSuffix(got, "\nRuntimeError: rope | \"short\"") {
			t.Errorf("the first %d:\n%s", n, got)
		}
		if len(got) < n*3/4-3 {
			t.Errorf("of the first %d there are %d left:\n%s", n, len(got), got)
		}
	}
	if got := decodeTraceback(encoded[:len(encoded)*2/3]); !strings.HasSuffix(got, end) {
		t.Errorf("%s", got)
	}
}

func TestExplainTraceback(t *testing.T) {
	t.Parallel()
	got := cli(t, "explain", unhandled(reversed(pyTraceback+"\x1b[2J"))).want(t, exitDone)
	contains(t, got.stdout, "id          unhandled\n", "  traceback_base64  decoded below\n",
		"\nTraceback\n  "+strings.ReplaceAll(pyTraceback, "\n", "\n  ")+" [2J\n")
	document := oneObject(t, cli(t, "explain", unhandled(reversed(pyTraceback)), "--output", "json").want(t, exitDone).stdout)
	if at(t, document, "report", "traceback") != pyTraceback {
		t.Errorf("%v", document)
	}
	twice := unhandled(reversed(pyTraceback) + "|traceback_base64=" + reversed("RuntimeError"))
	if x, err := explain(twice); err != nil || x.Report.Traceback != pyTraceback {
		t.Errorf("of two the first counts: %v, %v", x, err)
	}
	got = cli(t, "explain", unhandled("rope!")).want(t, exitDone)
	contains(t, got.stdout, "  traceback_base64  rope!\n")
	if strings.Contains(got.stdout, "\nTraceback\n") {
		t.Errorf("%s", got.stdout)
	}
}

func TestExplainUnknown(t *testing.T) {
	t.Parallel()
	const own = "it is the agent's own: read the supporting data, and the log of the boot on the VM's serial console"
	for name, row := range map[string]struct {
		text    string
		message string
		hint    string
		report  bool
	}{
		"a slip":              {"conection timeout querying IMDS", `the reason "conection timeout querying IMDS"`, `did you mean "connection timeout querying IMDS"? ` + listReasons, false},
		"a slip in an id":     {"imds-conect-timeout", "does not have the reason", `did you mean "imds-connect-timeout"? ` + listReasons, false},
		"another reason":      {"ran aground on the bar at low tide", "does not have the reason", own + "; " + listReasons, false},
		"a long one":          {strings.Repeat("connection timeout querying IMDS ", 99), "timeout query…\"", own + "; " + listReasons, false},
		"the platform's":      {`{"code": "OSProvisioningTimedOut", "message": "x"}`, "the platform heard nothing of the VM's agent", "read the agent's log on the VM's serial console; azprov kvp list shows what it told the host", false},
		"in a report":         {strings.Replace(rustRecord, "http status error", "ran aground", 1), `the reason "ran aground"`, own + "; " + listReasons, true},
		"a slip in a report":  {strings.Replace(rustRecord, "http status", "htp status", 1), `the reason "htp status error"`, `did you mean "http status error"? ` + listReasons, true},
		"an id in a report":   {strings.Replace(rustRecord, "http status error", "hostname", 1), `the reason "hostname"`, "", true},
		"no reason in it":     {"result=error|agent=ferry/1", "the report has no reason", "read the supporting data, and the log of the boot on the VM's serial console", true},
		"another result, too": {"result=adrift|agent=ferry/1", "the report has no reason", "read the supporting data", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := cliWith(t.Context(), row.text, "explain", "-").want(t, exitNotFound)
			contains(t, got.stderr, "azprov: cannot explain it: explain: ", row.message, "\nhint: "+row.hint)
			if shown := strings.Contains(got.stdout, "\nReport\n  result"); shown != row.report || !row.report && got.stdout != "" {
				t.Errorf("%s", got.stdout)
			}
			document := oneObject(t, cliWith(t.Context(), row.text, "explain", "-", "--output", "json").want(t, exitNotFound).stdout)
			if at(t, document, "error", "kind") != "NotFound" || (document["report"] != nil) != row.report {
				t.Errorf("%v", document)
			}
		})
	}
}

func TestExplainThatCannotBe(t *testing.T) {
	t.Parallel()
	got := cliWith(t.Context(), strings.Repeat("x", report.MaxText+1), "explain", "-", "--output", "json").want(t, exitFailed)
	contains(t, got.stderr, "cannot explain it: report.Parse: the text has 65537 bytes", "hint: copy the whole of it")
	if kind := at(t, oneObject(t, got.stdout), "error", "kind"); kind != "TooLarge" {
		t.Errorf("%v", kind)
	}
	got = cliWith(t.Context(), " \n", "explain", "-").want(t, exitUsage)
	contains(t, got.stderr, "standard input is empty", "hint: "+listReasons)
}
