package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/report/kvp"
)

type readyLine struct {
	IMDS       string `json:"imds"`
	WireServer string `json:"wireserver"`
	HostGA     string `json:"hostga"`
	PID        int    `json:"pid"`
	Netns      string `json:"netns"`
}

// emulating is a verb that serves, running in this process.
type emulating struct {
	ready  readyLine
	cancel context.CancelFunc
	result chan outcome
}

func startEmulate(t *testing.T, args ...string) *emulating {
	t.Helper()
	return startVerb(t, append([]string{"emulate"}, args...)...)
}

// startVerb starts a verb that serves until it is stopped.
func startVerb(t *testing.T, args ...string) *emulating {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	e := &emulating{cancel: cancel, result: make(chan outcome, 1)}
	reader, writer := io.Pipe()
	go func() {
		var stderr bytes.Buffer
		code := newApp(strings.NewReader(""), writer, &stderr, func(string) string { return "" }).run(ctx, args)
		_ = writer.Close()
		e.result <- outcome{code: code, stderr: stderr.String()}
	}()
	lines := bufio.NewReader(reader)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("no first line: %v\n%s", err, (<-e.result).stderr)
	}
	if err := json.Unmarshal(line, &e.ready); err != nil {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return e
}

func (e *emulating) stop(t *testing.T) outcome {
	t.Helper()
	e.cancel()
	got := <-e.result
	return got.want(t, exitDone)
}

func TestEmulateAndProvision(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dmi, medium, journal := filepath.Join(dir, "sys"), filepath.Join(dir, "medium"), filepath.Join(dir, "journal.jsonl")
	e := startEmulate(t, "--scenario", "custom-data", "--dmi", dmi, "--medium", medium, "--journal", journal, "--listen-imds", "localhost:0")
	if e.ready.PID != os.Getpid() {
		t.Errorf("pid is %d, want %d", e.ready.PID, os.Getpid())
	}
	got := cli(t, "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer, "--dmi", dmi, "--ovf", medium).want(t, exitDone)
	contains(t, got.stdout, "Ready: accepted at")
	id := cli(t, "vm-id", "--dmi", dmi).want(t, exitDone)
	if id.stdout != "5b3e9d17-c084-4a6f-92e1-0d7f6c18a2b5\n" {
		t.Errorf("vm-id prints %q", id.stdout)
	}
	// The journal is complete before the emulator ends.
	checkJournal(t, journal)
	end := e.stop(t)
	contains(t, end.stderr, "--imds "+e.ready.IMDS+" --wireserver "+e.ready.WireServer, "--ovf ", "The VM's state is Ready. The services had 3 requests, no remarks.")
	for _, path := range []string{journal, filepath.Join(medium, "ovf-env.xml"), filepath.Join(medium, "CustomData.bin")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(path), mode)
		}
	}
}

// Without a network of its own a VM of a pool gets its owner by time alone.
func TestEmulateAndProvisionInAPool(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"pps-running":  {"WaitSwitch → Done (data)", "jetty-21"},
		"pps-savable":  {"WaitDetach → Done (data)", "jetty-22"},
		"pps-recovery": {"Poll → Done (data)", "jetty-24"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			dmi, medium := filepath.Join(dir, "sys"), filepath.Join(dir, "medium")
			e := startEmulate(t, "--scenario", scenario, "--dmi", dmi, "--medium", medium,
				"--listen-imds", "127.0.0.1:0", "--listen-wireserver", "127.0.0.1:0", "--listen-hostga", "127.0.0.1:0")
			args := []string{"provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer, "--dmi", dmi, "--ovf", medium}
			if scenario == "pps-recovery" { // which begins after a reboot in the pool
				args = append(args, "--marker", writeFile(t, filepath.Join(dir, "pool.json"),
					`{"vmId":"`+strings.TrimSpace(cli(t, "vm-id", "--dmi", dmi).want(t, exitDone).stdout)+`","phase":"Reported","at":"2026-01-01T00:00:00Z"}`))
			}
			contains(t, cli(t, args...).want(t, exitDone).stdout, append(want, "Ready: accepted at")...)
			contains(t, e.stop(t).stderr, "  Owned\n", "  Provisioned\n", "The VM's state is Ready.", "no remarks.")
		})
	}
}

func checkJournal(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i, line := range lines {
		var entry emulator.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("line %d is %q: %v", i+1, line, err)
		}
		if entry.Seq != i+1 || entry.Path == "" || len(entry.Verdicts) > 0 {
			t.Errorf("line %d is %q", i+1, line)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines, want 3:\n%s", len(lines), b)
	}
	contains(t, lines[len(lines)-1], `"report":{"state":"Ready"`)
}

func TestEmulateWithoutMedium(t *testing.T) {
	t.Parallel()
	contains(t, startEmulate(t, "--scenario", "no-ovf", "--medium", t.TempDir()).stop(t).stderr, "has no provisioning medium")
	e := startEmulate(t, "--scenario", "no-ovf", "--output", "json")
	cli(t, "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer).want(t, exitDone)
	if end := e.stop(t); end.stderr != "" {
		t.Errorf("standard error has:\n%s", end.stderr)
	}
}

func TestEmulateListensForTheHostGAPlugin(t *testing.T) {
	t.Parallel()
	e := startEmulate(t, "--listen-hostga", "localhost:0", "--journal", filepath.Join(t.TempDir(), "journal.jsonl"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.ready.HostGA+"/versions", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `["2015-09-01"]` {
		t.Errorf("versions are %s (%v)", body, err)
	}
	contains(t, e.stop(t).stderr, "The services had 1 request, no remarks.")
}

// TestEmulateSuggests runs the command that is suggested, word for word.
func TestEmulateSuggests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"bare": nil, "with all": {"--dmi", filepath.Join(dir, "sys"), "--medium", filepath.Join(dir, "medium")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stderr := startEmulate(t, args...).stop(t).stderr
			e := startEmulate(t, args...)
			_, after, _ := strings.Cut(stderr, " provision --imds ")
			line, _, _ := strings.Cut(after, "\n")
			words := strings.Fields(line) // URL --wireserver URL …
			if len(words) < 3 {
				t.Fatalf("no command is suggested:\n%s", stderr)
			}
			suggested := append([]string{"provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer}, words[3:]...)
			contains(t, cli(t, suggested...).want(t, exitDone).stdout, "Ready: accepted at")
		})
	}
}

func TestEmulateScenarioFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, filepath.Join(t.TempDir(), "tug.json"), `{
		"name": "tug", "description": "A tug.",
		"vm": {"id": "9b1f0c44-77aa-4d2e-8c11-5f60a2b3c4d5", "hostName": "tug-01", "userName": "mate", "sshKeys": [{"keyData": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w mate@example.test"}]}
	}`)
	got := cli(t, "provision", "--emulate="+file).want(t, exitDone)
	contains(t, got.stdout, "tug-01", "Emulated scenario tug: ")
	e := startEmulate(t, "--scenario", file)
	contains(t, e.stop(t).stderr, "Scenario tug: A tug.")
}

func TestEmulateEndsWithItsTime(t *testing.T) {
	t.Parallel()
	got := cli(t, "emulate", "--timeout", "50ms").want(t, exitDone)
	contains(t, got.stderr, "The VM's state is None. The services had 0 requests")
}

func TestEmulateWarnsOfWrongRequests(t *testing.T) {
	t.Parallel()
	e := startEmulate(t)
	cli(t, "imds", "get", "instance/compute/location", "--imds", e.ready.IMDS).want(t, exitFailed)
	contains(t, e.stop(t).stderr, "WARN", "instance/compute/location", "1 request, 1 remark.")
}

// Both channels are told as they come, and read once more at the end.
func TestEmulateTellsBothChannels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, journal := filepath.Join(dir, "pool"), filepath.Join(dir, "journal.jsonl")
	e := startEmulate(t, "--kvp-pool", path, "--journal", journal)
	pool := kvp.Open(&kvp.Options{Path: path, Create: true})
	write := func(text string) {
		t.Helper()
		if err := pool.Upsert(t.Context(), kvp.ReportKey, text); err != nil {
			t.Fatal(err)
		}
	}
	write("result=success|agent=pilot/1")
	cli(t, "report", "failure", "--reason", "fog", "--wireserver", e.ready.WireServer, "--state", dir).want(t, exitDone)
	write("result=error|reason=gale\x1b[2J|agent=pilot/1")
	stderr := e.stop(t).stderr
	contains(
		t, stderr, "  host         result=success|agent=pilot/1\n", "  wire server  Failed result=error|reason=fog|",
		"               wrong: Failed while the KVP report says success\n", "result=error|reason=gale",
		"The VM's state is Failed. The services had 2 requests, 1 remark. The host saw 2 reports and 0 events.",
	)
	if strings.Contains(stderr, "\x1b") {
		t.Errorf("a terminal would obey:\n%q", stderr)
	}
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	for line := range strings.Lines(string(b)) {
		var entry emulator.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		services = append(services, string(entry.Service))
	}
	if got := strings.Join(services, " "); got != "wireserver kvp wireserver kvp" && got != "kvp wireserver wireserver kvp" {
		t.Errorf("the journal is about %s", got)
	}
}

func TestEmulateTellsOfTrouble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := startEmulate(t, "--kvp-pool", dir)
	stderr := e.stop(t).stderr
	contains(t, stderr, "  host         PROVISIONING_REPORT\n", "wrong: KVP pool cannot be read: ", "WARN", "record for the host", "0 requests")
	e = startEmulate(t, "--kvp-pool", dir, "--output", "json", "--log-level", "error")
	if end := e.stop(t); end.stderr != "" {
		t.Errorf("standard error has:\n%s", end.stderr)
	}
}

func TestEmulateList(t *testing.T) {
	t.Parallel()
	text := cli(t, "emulate", "--list").want(t, exitDone).stdout
	object := oneObject(t, cli(t, "emulate", "--list", "--output", "json").want(t, exitDone).stdout)
	listed, _ := at(t, object, "scenarios").([]any)
	known := emulator.Scenarios()
	if len(listed) != len(known) {
		t.Errorf("%d scenarios are listed, want %d", len(listed), len(known))
	}
	for _, s := range known {
		contains(t, text, s.Name, s.Description)
	}
}

func TestEmulateFailures(t *testing.T) {
	t.Parallel()
	e := startEmulate(t)
	taken := strings.TrimPrefix(e.ready.IMDS, "http://")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a port of the HostGAPlugin that is taken", []string{"--listen-hostga", taken}, exitFailed, "hint: --listen-hostga: use port 0"},
		{"a lab with the HostGAPlugin's port", []string{"--lab", "--listen-hostga", "127.0.0.1:0"}, exitUsage, "leave --listen-imds, --listen-wireserver and --listen-hostga out"},
		{"a port that is taken", []string{"--listen-imds", taken}, exitFailed, "hint: --listen-imds: use port 0"},
		{"an address of nobody here", []string{"--listen-wireserver", "192.0.2.1:0"}, exitFailed, "hint: --listen-wireserver: the address is none of this machine's"},
		{"no address", []string{"--listen-imds", "8001"}, exitUsage, "want HOST:PORT"},
		{"services to ask", []string{"--imds", "http://127.0.0.1:1"}, exitUsage, "use --listen-imds"},
		{"no such scenario", []string{"--scenario", "submarine"}, exitUsage, hintList},
		{"an empty scenario", []string{"--scenario", ""}, exitUsage, "want the name of a scenario"},
		{"a port that cannot be", []string{"--listen-imds", "127.0.0.1:99999"}, exitUsage, "want HOST:PORT"},
		{"a journal in no directory", []string{"--journal", filepath.Join(t.TempDir(), "no", "journal")}, exitUsage, "hint: name a file that can be written"},
		{"a journal that is a link", []string{"--journal", link}, exitFailed, "symbolic link"},
		{"a lab with ports", []string{"--lab", "--listen-imds", "127.0.0.1:0"}, exitUsage, "leave --listen-imds, --listen-wireserver and --listen-hostga out"},
		{"a name without a lab", []string{"--lab-name", "jetty"}, exitUsage, "add --lab"},
		{"a twin without a lab", []string{"--lab-twin"}, exitUsage, "add --lab"},
		{"a secondary interface without a lab", []string{"--lab-secondary"}, exitUsage, "add --lab"},
		{"a lab's name that cannot be", []string{"--lab", "--lab-name", "../jetty"}, exitFailed, "the name is not one of"},
		{"a stray argument", []string{"linux-vm"}, exitUsage, "stray argument \"linux-vm\"\nhint: write --scenario linux-vm"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := cli(t, append([]string{"emulate", "--timeout", "5s"}, row.args...)...).want(t, row.code)
			contains(t, got.stderr, "azprov: cannot emulate the platform: ", row.want)
		})
	}
}

// A start that fails leaves the journal of before as it is, and one that does not replaces it.
func TestEmulateKeepsTheJournalUntilItListens(t *testing.T) {
	t.Parallel()
	e := startEmulate(t)
	journal := writeFile(t, filepath.Join(t.TempDir(), "journal.jsonl"), "precious\n")
	is := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(journal); err != nil || string(b) != want {
			t.Errorf("the journal is %q, %v, want %q", b, err, want)
		}
	}
	taken := strings.TrimPrefix(e.ready.IMDS, "http://")
	cli(t, "emulate", "--journal", journal, "--listen-imds", taken).want(t, exitFailed)
	cli(t, "emulate", "--vms", "2", "--journal", journal, "--listen-imds", taken).want(t, exitFailed)
	is("precious\n")
	cli(t, "emulate", "--journal", journal, "--timeout", "50ms").want(t, exitDone)
	is("")
}

// What is suggested for a VM with custom data says that it goes without, and how it need not.
func TestEmulateTellsOfCustomData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "medium")
	const told = "begin again with --medium ./medium, and give provision --ovf ./medium."
	contains(t, startEmulate(t, "--scenario", "custom-data").stop(t).stderr, "--allow-missing-custom-data", told)
	if stderr := startEmulate(t, "--scenario", "custom-data", "--medium", dir).stop(t).stderr; strings.Contains(stderr, told) || strings.Contains(stderr, "allow-missing") {
		t.Errorf("there is a medium:\n%s", stderr)
	}
	e := startVerb(t, "journal", "replay", recordJournal(t, "custom-data"))
	contains(t, e.stop(t).stderr, "The VM has custom data, and no journal holds the medium that it is on: give provision --ovf DIR")
	e = startVerb(t, "journal", "replay", recordJournal(t, "linux-vm"))
	if stderr := e.stop(t).stderr; strings.Contains(stderr, "custom data") {
		t.Errorf("there is none:\n%s", stderr)
	}
}

// TestEmulateInterrupted sends a real signal to a real process.
func TestEmulateInterrupted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send an interrupt to one process")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "emulate")
	command.Env = append(os.Environ(), runMain+"=1")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var ready readyLine
	if err != nil || json.Unmarshal(line, &ready) != nil || ready.PID != command.Process.Pid {
		t.Errorf("the first line is %q (%v), want the pid %d", line, err, command.Process.Pid)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want exit code 0", err)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"./sys": "./sys", "my dir": "'my dir'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'",
	} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}
