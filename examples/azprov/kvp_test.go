package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

// The keys of the three forms of events: cloud-init's, the same before 26.1, azure-init's.
const (
	eventID   = "0b7d3c1e-52a4-4f0e-8c11-6a4d9e3f7720"
	poolVM    = "2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20"
	newEvent  = "CLOUD_INIT|1764000000|finish|azure-ds/moor|" + poolVM + "|" + eventID
	oldEvent  = "CLOUD_INIT|1764000000|finish|azure-ds/moor|" + eventID
	rustEvent = "azure-init-0.1.1|" + poolVM + "|INFO|harbour:moor|" + eventID
	eventText = `{"name":"azure-ds/moor","type":"finish","ts":"2026-11-23T06:39:17.676085+00:00","result":"SUCCESS","duration":1.25,"msg":"rope\ttied"}`
)

// newPool writes a pool file.
func newPool(t *testing.T, records ...kvp.Record) string {
	t.Helper()
	b, err := kvp.Encode(records...)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "kvp_pool_1"), string(b))
}

// inPool is what a pool file has now.
func inPool(t *testing.T, path string) []kvp.Record {
	t.Helper()
	records, err := kvp.Open(&kvp.Options{Path: path}).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// onPool runs a verb on a pool.
func onPool(t *testing.T, path string, args ...string) outcome {
	t.Helper()
	return cli(t, slices.Concat([]string{"kvp"}, args, []string{"--pool", path})...)
}

func TestKVPList(t *testing.T) {
	t.Parallel()
	pool := newPool(t,
		kvp.Record{Key: "HARBOUR", Value: "open\x1b[31m\nat night"},
		kvp.Record{Key: newEvent, Value: eventText},
		kvp.Record{Key: kvp.ReportKey, Value: "result=success|agent=pilot/1"},
	)
	got := onPool(t, pool, "list").want(t, exitDone)
	want := "other   HARBOUR" + strings.Repeat(" ", 43) + "open [31m at night\n" +
		"event   " + newEvent + "  2026-11-23T06:39:17Z SUCCESS 1.25s rope tied\n" +
		"report  PROVISIONING_REPORT" + strings.Repeat(" ", 31) + "result=success|agent=pilot/1\n"
	if got.stdout != want || got.stderr != "" {
		t.Errorf("%q\nwant:\n%s\ngot:\n%s", got.stderr, want, got.stdout)
	}
	document := oneObject(t, onPool(t, pool, "list", "--output", "json").want(t, exitDone).stdout)
	records := at(t, document, "records").([]any)
	if at(t, document, "path") != pool || len(records) != 3 {
		t.Fatalf("%v", document)
	}
	for i, want := range []map[string]any{
		{"kind": "other", "key": "HARBOUR", "value": "open\x1b[31m\nat night"},
		{"kind": "event", "key": newEvent, "value": eventText},
		{"kind": "report", "key": "PROVISIONING_REPORT", "value": "result=success|agent=pilot/1"},
	} {
		for name, value := range want {
			if got := at(t, records[i].(map[string]any), name); got != value {
				t.Errorf("record %d: %s is %q, want %q", i, name, got, value)
			}
		}
	}
	got = onPool(t, pool, "list", "--key-prefix", "CLOUD_INIT|").want(t, exitDone)
	if !strings.HasPrefix(got.stdout, "event   CLOUD_INIT|") || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("%s", got.stdout)
	}
	for _, prefix := range []string{"harbour", "INIT", "HARBOUR-2"} {
		got = onPool(t, pool, "list", "--key-prefix", prefix).want(t, exitDone)
		if got.stdout != "" {
			t.Errorf("%s", got.stdout)
		}
		contains(t, got.stderr, "No key in "+pool+` begins with "`+prefix+`"`)
	}
}

// A file of somebody else's is listed as far as it can be read.
func TestKVPListOfOtherFiles(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(newPool(t, kvp.Record{Key: "A", Value: "1"}))
	if err != nil {
		t.Fatal(err)
	}
	longKey := strings.Repeat("k", 512)
	foreign := make([]byte, kvp.RecordSize)
	copy(foreign, longKey)
	foreign[len(longKey)] = 0xff
	for name, row := range map[string]struct {
		file    string
		text    string
		remark  string
		records int
	}{
		"empty":                  {"", "", "There are no records in ", 0},
		"a torn record":          {string(whole) + "B\x00\x00", "other   A  1\n", "", 1},
		"a record without a key": {string(make([]byte, kvp.RecordSize)) + string(whole), "other   A  1\n", "", 1},
		"some text":              {"rope", "", "There are no records in ", 0},
		"over the host's limits": {string(foreign), "other   " + longKey + "  \uFFFD\n", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := writeFile(t, filepath.Join(t.TempDir(), "pool"), row.file)
			got := onPool(t, pool, "list").want(t, exitDone)
			if got.stdout != row.text || !strings.HasPrefix(got.stderr, row.remark) || row.remark == "" && got.stderr != "" {
				t.Errorf("%q, %q", got.stdout, got.stderr)
			}
			document := oneObject(t, onPool(t, pool, "list", "--output", "json").want(t, exitDone).stdout)
			if n := len(at(t, document, "records").([]any)); n != row.records {
				t.Errorf("%d records, want %d", n, row.records)
			}
		})
	}
	pool := writeFile(t, filepath.Join(t.TempDir(), "pool"), string(foreign))
	contains(t, onPool(t, pool, "list", "--output", "json").stdout, `"base64": "/w=="`)
	if got := onPool(t, pool, "get", longKey).want(t, exitDone); got.stdout != "\uFFFD\n" || !strings.Contains(got.stderr, "--output json has it") {
		t.Errorf("%q, %q", got.stdout, got.stderr)
	}
	if got := oneObject(t, onPool(t, pool, "get", longKey, "--output", "json").stdout); at(t, got, "value", "base64") != "/w==" {
		t.Errorf("%v", got)
	}
}

func TestRecordKind(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		kvp.ReportKey: recordReport, newEvent: recordEvent, newEvent + "|12": recordEvent, oldEvent: recordEvent,
		oldEvent + "|0": recordEvent, rustEvent: recordEvent,
		"HARBOUR": recordOther, "": recordOther, "a|b|c|" + eventID: recordOther, "a|b|c|d|e": recordOther,
		"a|b|c|" + eventID + "|1": recordOther, kvp.ReportKey + "2": recordOther, newEvent + "|x": recordOther, "1": recordOther,
	} {
		if got := recordKind(key); got != want {
			t.Errorf("%q is %s, want %s", key, got, want)
		}
	}
}

func TestEventDigest(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		eventText: "2026-11-23T06:39:17Z SUCCESS 1.25s rope tied",
		`{"name":"n","type":"start","ts":"2026-11-23T07:39:17+01:00","msg":"m"}`:      "2026-11-23T06:39:17Z m",
		`{"name":"n","type":"diagnostic","ts":"at dawn","msg_i":1,"msg":"a\u001b[m"}`: "at dawn a [m",
		`{"name":"n"}`:             `{"name":"n"}`,
		`{"ts":"at dawn"}`:         `{"ts":"at dawn"}`,
		"Time: now |\nEvent: moor": "Time: now | Event: moor",
		"":                         "",
	} {
		if got := eventDigest(value); got != want {
			t.Errorf("%q gives %q, want %q", value, got, want)
		}
	}
}

// TestPrintRecords: on a terminal no line is longer than it.
func TestPrintRecords(t *testing.T) {
	t.Parallel()
	records := []kvp.Record{
		{Key: "HARBOUR", Value: "open"},
		{Key: newEvent + "|12", Value: eventText},
		{Key: rustEvent, Value: "Time: 2026-11-23T06:39:17Z | Event: msg=moored"},
		{Key: kvp.ReportKey, Value: "result=success|agent=ferry/1"},
	}
	for width, want := range map[int]string{
		80: "other   HARBOUR                             open\n" +
			"event   CLOUD_INIT|…|finish|azure-ds/moor…  2026-11-23T06:39:17Z SUCCESS 1.25s…\n" +
			"event   azure-init-0.1.1|…|INFO|harbour:m…  Time: 2026-11-23T06:39:17Z | Event…\n" +
			"report  PROVISIONING_REPORT                 result=success|agent=ferry/1\n",
		120: "other   HARBOUR                                 open\n" +
			"event   CLOUD_INIT|…|finish|azure-ds/moor|…|12  2026-11-23T06:39:17Z SUCCESS 1.25s rope tied\n" +
			"event   azure-init-0.1.1|…|INFO|harbour:moor|…  Time: 2026-11-23T06:39:17Z | Event: msg=moored\n" +
			"report  PROVISIONING_REPORT                     result=success|agent=ferry/1\n",
		1: "other   …  …\nevent   …  …\nevent   …  …\nreport  …  …\n",
	} {
		var out bytes.Buffer
		if cut := printRecords(&out, records, width); !cut {
			t.Errorf("%d columns: nothing was cut", width)
		}
		if got := out.String(); got != want {
			t.Errorf("%d columns:\n%s\nwant:\n%s", width, got, want)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(line)) - 1; n >= width && width > 20 {
				t.Errorf("%d columns: a line has %d:\n%s", width, n, line)
			}
		}
	}
	var out bytes.Buffer
	if printRecords(&out, records[:1], 80) || printRecords(&out, records, 0) {
		t.Errorf("something was cut:\n%s", &out)
	}
}

func TestKVPGet(t *testing.T) {
	t.Parallel()
	pool := newPool(t, kvp.Record{Key: "HARBOUR", Value: "old"}, kvp.Record{Key: "PIER", Value: "x"}, kvp.Record{Key: "HARBOUR", Value: "two\n\tlines\x1b"})
	got := onPool(t, pool, "get", "HARBOUR").want(t, exitDone)
	if got.stdout != "two\n\tlines \n" {
		t.Errorf("%q", got.stdout)
	}
	contains(t, got.stderr, "--output json has it as it is")
	if got := onPool(t, pool, "get", "PIER").want(t, exitDone); got.stdout != "x\n" || got.stderr != "" {
		t.Errorf("%q, %q", got.stdout, got.stderr)
	}
	document := oneObject(t, onPool(t, pool, "get", "HARBOUR", "--output", "json").want(t, exitDone).stdout)
	if at(t, document, "value") != "two\n\tlines\x1b" || at(t, document, "key") != "HARBOUR" || at(t, document, "path") != pool {
		t.Errorf("%v", document)
	}
	for key, hint := range map[string]string{
		"HARBUOR":                `hint: did you mean "HARBOUR"? azprov kvp list shows the keys`,
		"BUOYS":                  "hint: azprov kvp list shows the keys",
		strings.Repeat("x", 255): "hint: azprov kvp list shows the keys",
	} {
		got := onPool(t, pool, "get", key, "--output", "json").want(t, exitNotFound)
		contains(t, got.stderr, "cannot get the value: kvp get ("+pool+"): no record has the key ", hint)
		if kind := at(t, oneObject(t, got.stdout), "error", "kind"); kind != "NotFound" {
			t.Errorf("%v", kind)
		}
	}
}

func TestKVPWrite(t *testing.T) {
	t.Parallel()
	old := []kvp.Record{{Key: "HARBOUR", Value: "open"}, {Key: "PIER", Value: "3"}, {Key: "HARBOUR", Value: "shut"}}
	longest := strings.Repeat("é", kvp.MaxValue/2)
	with := func(r kvp.Record) []kvp.Record { return append(slices.Clone(old), r) }
	for name, row := range map[string]struct {
		args     []string
		stdin    string
		want     []kvp.Record
		bytes    float64
		appended bool
	}{
		"the only one":            {[]string{"HARBOUR", "moored"}, "", []kvp.Record{old[1], {Key: "HARBOUR", Value: "moored"}}, 6, false},
		"a new one":               {[]string{"BUOY", longest}, "", with(kvp.Record{Key: "BUOY", Value: longest}), 1022, false},
		"added":                   {[]string{"HARBOUR", "moored", "--append"}, "", with(kvp.Record{Key: "HARBOUR", Value: "moored"}), 6, true},
		"empty":                   {[]string{"PIER", ""}, "", []kvp.Record{old[0], old[2], {Key: "PIER"}}, 0, false},
		"from standard input":     {[]string{"PIER", "-"}, "a\nb\n\n", []kvp.Record{old[0], old[2], {Key: "PIER", Value: "a\nb\n"}}, 4, false},
		"added, and from there":   {[]string{"PIER", "-", "--append"}, "4", with(kvp.Record{Key: "PIER", Value: "4"}), 1, true},
		"a value like a flag":     {[]string{"--", "PIER", "--append"}, "", []kvp.Record{old[0], old[2], {Key: "PIER", Value: "--append"}}, 8, false},
		"the report":              {[]string{kvp.ReportKey, "result=success"}, "", with(kvp.Record{Key: kvp.ReportKey, Value: "result=success"}), 14, false},
		"--create changes it not": {[]string{"PIER", "4", "--create"}, "", []kvp.Record{old[0], old[2], {Key: "PIER", Value: "4"}}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, output := range []string{outputText, outputJSON} {
				pool := newPool(t, old...)
				args := slices.Concat([]string{"--output", output, "kvp", "write", "--pool", pool}, row.args)
				got := cliWith(t.Context(), row.stdin, args...).want(t, exitDone)
				if got := inPool(t, pool); !slices.Equal(got, row.want) {
					t.Errorf("%q, want %q", got, row.want)
				}
				if output == outputText {
					contains(t, got.stdout, "written  ", pool)
					continue
				}
				document := oneObject(t, got.stdout)
				if at(t, document, "bytes") != row.bytes || at(t, document, "appended") != row.appended || at(t, document, "path") != pool {
					t.Errorf("%v", document)
				}
			}
		})
	}
}

func TestKVPWriteCreates(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"--append", "--append=false"} {
		pool := filepath.Join(t.TempDir(), "hyperv", "kvp_pool_1")
		contains(t, onPool(t, pool, "write", "PIER", "3", mode).want(t, exitNotFound).stderr, "hv_kvp_daemon makes it", "--create of kvp write")
		onPool(t, pool, "write", "PIER", "3", mode, "--create").want(t, exitDone)
		if got := inPool(t, pool); !slices.Equal(got, []kvp.Record{{Key: "PIER", Value: "3"}}) {
			t.Errorf("%q", got)
		}
	}
}

// A value that the host would not get is refused, and the pool is as it was.
func TestKVPWriteRefused(t *testing.T) {
	t.Parallel()
	full := slices.Repeat([]kvp.Record{{Key: "A", Value: "1"}}, kvp.MaxRecords)
	for name, row := range map[string]struct {
		key, stdin string
		records    []kvp.Record
		want       []string
	}{
		"a long value":     {"PIER", strings.Repeat("x", kvp.MaxValue+1), nil, []string{"the value has 1023 bytes, the host takes 1022", "shorten it, or write pieces of it under several keys"}},
		"a huge value":     {"PIER", strings.Repeat("x", maxFile+9), nil, []string{"the host takes 1022"}},
		"a long key":       {strings.Repeat("k", kvp.MaxKey+1), "", nil, []string{"the key has 255 bytes, the host takes 254", "shorten it"}},
		"bytes":            {"PIER", "\xff", nil, []string{"the value is not UTF-8", "hint: write it as text, in base64"}},
		"a NUL":            {"PIER", "a\x00b", nil, []string{"contains NUL", "hint: write it as text, in base64"}},
		"too many records": {"PIER", "3", full, []string{"would have more than 1024 records", "azprov kvp clear removes all"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, row.records...)
			args := []string{"kvp", "write", "--append", row.key, "-", "--pool", pool, "--output", "json"}
			got := cliWith(t.Context(), row.stdin, args...).want(t, exitFailed)
			contains(t, got.stderr, append(row.want, "azprov: cannot write the record: ")...)
			at(t, oneObject(t, got.stdout), "error", "hint")
			if got := inPool(t, pool); len(got) != len(row.records) {
				t.Errorf("%d records, want %d", len(got), len(row.records))
			}
		})
	}
}

func TestKVPDelete(t *testing.T) {
	t.Parallel()
	records := []kvp.Record{{Key: "HARBOUR", Value: "open"}, {Key: "PIER", Value: "3"}, {Key: "HARBOUR", Value: "shut"}}
	pool := newPool(t, records...)
	contains(t, onPool(t, pool, "delete", "HARBOUR").want(t, exitDone).stdout, "HARBOUR, 2 records", pool)
	if got := inPool(t, pool); !slices.Equal(got, records[1:2]) {
		t.Errorf("%q", got)
	}
	contains(t, onPool(t, pool, "delete", "HARBOUR").want(t, exitNotFound).stderr, `no record has the key "HARBOUR"`, "azprov kvp list shows the keys")
	contains(t, onPool(t, pool, "delete", "PEIR").want(t, exitNotFound).stderr, `did you mean "PIER"?`)
	document := oneObject(t, onPool(t, pool, "delete", "PIER", "--output", "json").want(t, exitDone).stdout)
	if at(t, document, "deleted") != 1.0 || at(t, document, "key") != "PIER" || at(t, document, "path") != pool || len(inPool(t, pool)) != 0 {
		t.Errorf("%v", document)
	}
}

// cliWithProc runs a command line on a machine with that /proc.
func cliWithProc(t *testing.T, proc fstest.MapFS, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &sticky{w: &stdout}, err: &locked{w: &stderr},
		getenv: func(string) string { return "" }, program: programName(), proc: proc,
	}
	code := a.run(t.Context(), args)
	return outcome{code, stdout.String(), stderr.String()}
}

func TestKVPClear(t *testing.T) {
	t.Parallel()
	boot := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	proc := fstest.MapFS{"stat": {Data: []byte("cpu 1\nbtime 1795413600\n")}}
	for name, row := range map[string]struct {
		args    []string
		written time.Time
		text    string
		cleared bool
	}{
		"all":                 {nil, boot.Add(time.Hour), "cleared  ", true},
		"all of an old one":   {nil, boot.Add(-time.Hour), "cleared  ", true},
		"if it is stale":      {[]string{"--if-stale"}, boot.Add(-time.Second), ": last written before the boot at 2026-11-23T06:00:00Z", true},
		"not if it is of now": {[]string{"--if-stale"}, boot.Add(time.Second), ": empty, or written since the boot at 2026-11-23T06:00:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, output := range []string{outputText, outputJSON} {
				pool := newPool(t, kvp.Record{Key: "HARBOUR", Value: "open"})
				if err := os.Chtimes(pool, row.written, row.written); err != nil {
					t.Fatal(err)
				}
				args := slices.Concat([]string{"kvp", "clear", "--pool", pool, "--output", output}, row.args)
				got := cliWithProc(t, proc, args...).want(t, exitDone)
				if left := len(inPool(t, pool)); (left == 0) != row.cleared {
					t.Errorf("%d records are left", left)
				}
				if output == outputText {
					contains(t, got.stdout, pool, row.text)
					continue
				}
				document := oneObject(t, got.stdout)
				if at(t, document, "cleared") != row.cleared || at(t, document, "path") != pool {
					t.Errorf("%v", document)
				}
				if len(row.args) > 0 && at(t, document, "boot") != "2026-11-23T06:00:00Z" {
					t.Errorf("%v", document)
				}
			}
		})
	}
	pool := newPool(t, kvp.Record{Key: "HARBOUR", Value: "open"})
	got := cliWithProc(t, fstest.MapFS{}, "kvp", "clear", "--if-stale", "--pool", pool).want(t, exitNotFound)
	contains(t, got.stderr, "cannot clear the pool: kvp.BootTime (/proc/stat)", "hint: without --if-stale the pool is cleared in any case")
	if len(inPool(t, pool)) != 1 {
		t.Error("the pool was cleared")
	}
}

// TestKVPThatCannotBe: every verb says what to do about a pool that cannot be used.
func TestKVPThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	huge := writeFile(t, filepath.Join(dir, "huge"), "")
	if err := os.Truncate(huge, 64<<20); err != nil {
		t.Fatal(err)
	}
	rows := map[string]struct {
		pool string
		code int
		want []string
	}{
		"missing":     {filepath.Join(dir, "none"), exitNotFound, []string{"there is no pool", "hint: hv_kvp_daemon makes it when it starts (package hyperv-daemons, on Ubuntu linux-cloud-tools)"}},
		"a directory": {dir, exitFailed, []string{"the pool is not used", "hint: name the file itself with --pool FILE"}},
		"too large":   {huge, exitFailed, []string{"the pool is not used", "hint: look at the file; azprov kvp clear removes all that is in it"}},
	}
	for _, args := range [][]string{
		{"list"},
		{"get", "HARBOUR"},
		{"write", "HARBOUR", "open"},
		{"write", "HARBOUR", "open", "--append"},
		{"delete", "HARBOUR"},
		{"clear"},
		{"clear", "--if-stale"},
	} {
		for what, row := range rows {
			switch {
			case what == "too large" && args[0] == "clear": // it goes, whatever it is
				continue
			case runtime.GOOS != "linux" && (what == "a directory" || slices.Contains(args, "--if-stale")): // no boot time, another error
				continue
			}
			t.Run(strings.Join(args, " ")+": "+what, func(t *testing.T) {
				t.Parallel()
				got := onPool(t, row.pool, slices.Concat(args, []string{"--output", "json"})...).want(t, row.code)
				contains(t, got.stderr, append(row.want, "azprov: cannot ")...)
				at(t, oneObject(t, got.stdout), "error", "message")
			})
		}
	}
}

// TestPoolError: the hints are for users of the command, whatever the package says.
func TestPoolError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want string
	}{
		{&azprov.Error{Kind: azprov.KindDenied, Target: "pool"}, "run it as root, or name a file of your own with --pool FILE"},
		{&azprov.Error{Kind: azprov.KindTimeout, Target: "pool", Hint: "x"}, "see who keeps the file locked, with fuser or lslocks, and try again"},
		{&azprov.Error{Kind: azprov.KindTooLarge, Target: "pool", Hint: "x"}, "look at the file; azprov kvp clear removes all that is in it"},
		{&azprov.Error{Kind: azprov.KindTooLarge}, "shorten it, or write pieces of it under several keys"},
		{&azprov.Error{Kind: azprov.KindInternal, Target: "pool", Hint: "its own"}, "its own"},
		{errors.New("x"), ""},
	} {
		if _, hint := describe(poolError(row.err)); hint != row.want {
			t.Errorf("%v: %q, want %q", row.err, hint, row.want)
		}
	}
}

// The default pool is the daemon's.
func TestKVPDefaultPool(t *testing.T) {
	t.Parallel()
	contains(t, cli(t, "kvp", "--help").want(t, exitDone).stdout, "--pool FILE", "(default "+kvp.DefaultPath+")")
	var f kvpFlags
	a := &app{out: &sticky{}, err: &locked{}}
	if f.pool.value = a.kvpCommand().PersistentFlags().Lookup("pool").Value.String(); f.open().Path() != kvp.DefaultPath {
		t.Errorf("%s", f.open().Path())
	}
}
