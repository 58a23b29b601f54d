package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/emulator"
)

// writeFiles makes a directory with these files.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestYAMLKeepsItsLines(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"a mapping", "a: 1\nb: two\n", "{\"a\":1,\n\"b\":\"two\"}"},
		{"blank lines and remarks", "# first\n\na: 1\n\n# more\nb:\n  - x\n  - y: true\n", "\n\n{\"a\":1,\n\n\n\"b\":\n[\"x\",\n{\"y\":true}]}"},
		{"a block of text", "a: |\n  one\n  two\nb: 1\n", "{\"a\":\"one\\ntwo\\n\",\n\n\n\"b\":1}"},
		{"flow", "{a: [1, 2.5, null, ~, yes], b: 'x'}", `{"a":[1,2.5,null,null,"yes"],"b":"x"}`},
		{"a date", "a: 2021-08-01\n", `{"a":"2021-08-01"}`},
		{"JSON", "{\"a\":\n [1]}", "{\"a\":\n[1]}"},
		{"a number as text", "a: \"1\"\n", `{"a":"1"}`},
		{"nothing", "a:\n", `{"a":null}`},
		{"a text over lines", "a: one\n  two\nb: 1\n", "{\"a\":\"one two\",\n\n\"b\":1}"},
	} {
		got, err := jsonOfYAML([]byte(row.in))
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %q, %v; want %q", row.name, got, err, row.want)
		}
	}
	for _, row := range []struct{ name, in, want string }{
		{"nothing", "", "there is nothing in it"},
		{"a remark", "# none\n", "there is nothing in it"},
		{"no YAML", "a: b: c\n", "not YAML: "},
		{"a tab", "a:\n\t- b\n", "not YAML: line 2: a tab stands before the text"},
		{"two documents", "a: 1\n---\nb: 2\n", "more than one document"},
		{"a reference", "a: &x 1\nb: *x\n", "line 2: a reference is not taken here"},
		{"a merge", "a: &x {b: 1}\nc:\n  <<: *x\n", "line 3: a key is no text"},
		{"a key that is no text", "1: a\n", "line 1: a key is no text"},
		{"a key that is a list", "? [a]\n: b\n", "line 1: a key is no text"},
		{"a number that is none", "a: .nan\n", "line 1: a number is none of JSON's"},
		{"a tag", "a: !!binary aGk=\n", "line 1: the tag !!binary is not known here"},
	} {
		if _, err := jsonOfYAML([]byte(row.in)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: 1\nb:\n  - x\n"))
	f.Add([]byte("a: |\n  one\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := jsonOfYAML(b)
		if err == nil && !json.Valid(out) {
			t.Errorf("%q", out)
		}
	})
}

func TestScenarioFiles(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"mine.yaml":    "name: mine\nextends: base\nvm:\n  hostName: top\n",
		"base.yml":     "name: base\nextends: linux-vm\nvm:\n  zone: \"3\"\n",
		"mine.json":    `{"name": "mine-too", "extends": "./base.yml"}`,
		"plain":        "name: plain\nextends: linux-vm\n",
		"braces":       `{"name": "braces", "extends": "linux-vm"}`,
		"wrong.yaml":   "name: wrong\nextends: linux-vm\nimds:\n  fault: []\n",
		"quotes.yaml":  "name: quotes\nextends: linux-vm\nvm:\n  zone: 3\n",
		"circle.yaml":  "name: circle\nextends: round\n",
		"round.yaml":   "name: round\nextends: circle\n",
		"nowhere.yaml": "name: x\nextends: linuxvm\n",
		"below.yaml":   "name: x\nextends: wrong\n",
		"syntax.yaml":  "name: x\n vm: y\n",
		"bare.yaml":    "name: bare\nvm:\n  hostName: a\n",
	})
	for _, row := range []struct{ file, name, host, zone string }{
		{"mine.yaml", "mine", "top", "3"},
		{"mine.json", "mine-too", "harbour-01", "3"},
		{"plain", "plain", "harbour-01", "1"},
		{"braces", "braces", "harbour-01", "1"},
	} {
		s, err := newApp(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }).scenario(filepath.Join(dir, row.file))
		if err != nil || s.Name != row.name || s.VM.HostName != row.host || s.VM.Zone != row.zone {
			t.Errorf("%s: %v, %s, %s, %s", row.file, err, s.Name, s.VM.HostName, s.VM.Zone)
		}
	}
	for _, row := range []struct{ file, want string }{
		{"wrong.yaml", `line 4: unknown key "fault" in imds` + "\nhint: did you mean \"faults\"?"},
		{"quotes.yaml", "line 4: vm.zone is a number, want a text\nhint: put it into quotes"},
		{"circle.yaml", "extends goes round in a circle: round extends circle extends round"},
		{"nowhere.yaml", `extends "linuxvm": there is no shipped scenario of that name, and no linuxvm.yaml, linuxvm.yml, linuxvm.json beside the file`},
		{"nowhere.yaml", "hint: did you mean linux-vm?"},
		{"below.yaml", `in wrong, which is extended: line 4: unknown key "fault"`},
		{"syntax.yaml", "not YAML: line 2"},
		{"bare.yaml", "vm.id is missing: write a UUID, or extends: linux-vm, which has one\nhint: docs/scenarios.md and azprov emulate --print-schema"},
		{"none.yaml", "none.yaml"},
	} {
		got := cli(t, "emulate", "--timeout", "5s", "--scenario", filepath.Join(dir, row.file)).want(t, exitUsage)
		contains(t, got.stderr, row.want)
	}
	got := cli(t, "emulate", "--timeout", "5s", "--scenario", "migratoin").want(t, exitUsage)
	contains(t, got.stderr, `there is no scenario "migratoin"`, "did you mean migration?")
	// The same for the verb that plays both sides.
	contains(t, cli(t, "provision", "--emulate="+filepath.Join(dir, "mine.yaml")).want(t, exitDone).stdout, "top")
}

func TestEmulateAssert(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"met.yaml":   "name: met\nextends: linux-vm\nwireServer: {faults: [{path: comp=health, status: 503}]}\nassert: [{state: Ready}, {request: {path: comp=health}, exactly: 2}]\n",
		"unmet.yaml": "name: unmet\nextends: linux-vm\nassert: [{state: Ready}, {never: {path: comp=health}}, {request: {path: comp=certificates}}]\n",
		"none.yaml":  "name: none\nextends: linux-vm\nassert: null\n",
	})
	play := func(file string) outcome {
		e := startEmulate(t, "--scenario", filepath.Join(dir, file), "--assert", "--assert-quiet", "300ms")
		cli(t, "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer).want(t, exitDone)
		return <-e.result // by itself
	}
	contains(t, play("met.yaml").want(t, exitDone).stderr, "All 2 assertions met.")
	unmet := play("unmet.yaml").want(t, exitFailed)
	contains(t, unmet.stderr, "not met: assert[1]: never comp=health; saw it once", "azprov: 2 of 3 assertions not met\n",
		"It ends by itself 300ms after the last request", "not met: assert[2]: comp=certificates at least once; saw it 0 times\n")
	// Without an outcome it is the time that ends it.
	got := cli(t, "emulate", "--scenario", "linux-vm", "--assert", "--timeout", "300ms").want(t, exitFailed)
	contains(t, got.stderr, "not met: assert[0]: state Ready; saw None\nazprov: 1 of 2 assertions not met\n")
	contains(t, cli(t, "emulate", "--scenario", filepath.Join(dir, "none.yaml"), "--assert").want(t, exitUsage).stderr, "the scenario none has no assertions")
	contains(t, cli(t, "emulate", "--assert-quiet", "1s").want(t, exitUsage).stderr, "add --assert")
	asJSON := cli(t, "emulate", "--assert", "--timeout", "300ms", "--output", "json").want(t, exitFailed)
	lines := strings.Split(strings.TrimSpace(asJSON.stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), asJSON.stdout)
	}
	contains(t, lines[1], `"message":"1 of 2 assertions not met"`, `"unmet":[{"index":0,"want":"state Ready","saw":"None"}]`)
	// The verb that plays both sides tells them too, and has its own outcome.
	both := cli(t, "provision", "--emulate="+filepath.Join(dir, "unmet.yaml")).want(t, exitDone)
	contains(t, both.stdout, "  not met: assert[1]: never comp=health; saw it once", "Ready: accepted at")
	object := oneObject(t, cli(t, "provision", "--emulate="+filepath.Join(dir, "unmet.yaml"), "--output", "json").want(t, exitDone).stdout)
	if list, _ := at(t, object, "unmet").([]any); len(list) != 2 {
		t.Errorf("unmet in JSON: %v", list)
	}
}

// A request after the outcome keeps it going.
func TestSettled(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		t.Fatal(err)
	}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		server := f.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		post := func(path, body, kind string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.WireServerURL()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", kind)
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		start := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			post("/provisioning/health", `{"state":"Ready"}`, "application/json")
			time.Sleep(1500 * time.Millisecond)
			post("/HealthService", "{}", "application/json")
		}()
		settled(t.Context(), f, 2*time.Second)
		if took := time.Since(start); took < 13500*time.Millisecond || took > 13800*time.Millisecond {
			t.Errorf("settled after %v", took)
		}
	})
}

// What no request has met is told at the end.
func TestEmulateTellsOfUnusedFaults(t *testing.T) {
	t.Parallel()
	file := filepath.Join(writeFiles(t, map[string]string{
		"typo.yaml": "name: typo\nextends: linux-vm\nimds: {faults: [{path: /metadata/instanse, status: 410}]}\n",
	}), "typo.yaml")
	const want = "never taken: imds.faults[0] (410 of /metadata/instanse)\n"
	contains(t, cli(t, "provision", "--emulate="+file).want(t, exitDone).stdout, want)
	e := startEmulate(t, "--scenario", file)
	cli(t, "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer).want(t, exitDone)
	contains(t, e.stop(t).stderr, "Scenario typo.\n", "no remarks.\n"+want)
}

// A step whose event has come is waited for, and what follows on it.
func TestSettledWaitsForSteps(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		t.Fatal(err)
	}
	after := func(event emulator.Event) emulator.Step {
		return emulator.Step{Name: "dark", After: &event, GoalState: true}
	}
	s.Steps = []emulator.Step{
		after(emulator.Event{Report: emulator.StateReady, Delay: emulator.Duration(10 * time.Second)}),
		{After: &emulator.Event{Step: "dark", Delay: emulator.Duration(5 * time.Second)}, GoalState: true},
		{At: emulator.Duration(time.Hour), GoalState: true},
	}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		server := f.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.WireServerURL()+"/provisioning/health", strings.NewReader(`{"state":"Ready"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		settled(t.Context(), f, 2*time.Second)
		if took := time.Since(start); took < 17*time.Second || took > 17500*time.Millisecond {
			t.Errorf("settled after %v", took)
		}
	})
}

func TestListIsGrouped(t *testing.T) {
	t.Parallel()
	text := cli(t, "emulate", "--list").want(t, exitDone).stdout
	contains(t, text, "Whole fabrics\n  linux-vm ", "\n\nPre-provisioning\n", "\n  migration ")
	object := oneObject(t, cli(t, "emulate", "--list", "--output", "json").want(t, exitDone).stdout)
	for _, entry := range at(t, object, "scenarios").([]any) {
		for _, key := range []string{"name", "group", "description", "source"} {
			if text, _ := entry.(map[string]any)[key].(string); text == "" {
				t.Errorf("no %s in %v", key, entry)
			}
		}
	}
}
