package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
)

// recordJournal provisions a VM of the scenario, and returns the journal of it.
func recordJournal(t *testing.T, scenario string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	path, dmi, medium := filepath.Join(dir, "journal.jsonl"), filepath.Join(dir, "sys"), filepath.Join(dir, "medium")
	e := startEmulate(t, append([]string{"--scenario", scenario, "--journal", path, "--dmi", dmi, "--medium", medium}, args...)...)
	provision := []string{"provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer, "--dmi", dmi, "--agent-name", "pilot/1.0"}
	if _, err := os.Stat(medium); err == nil {
		provision = append(provision, "--ovf", medium)
	}
	cli(t, provision...).want(t, exitDone)
	e.stop(t)
	return path
}

// edited is a copy of a journal with its entries changed.
func edited(t *testing.T, path string, edit func([]emulator.Entry) []emulator.Entry) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := emulator.ParseJournal(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, entry := range edit(entries) {
		line, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	return writeFile(t, filepath.Join(t.TempDir(), "edited.jsonl"), lines.String())
}

// wrong marks the goal state's entry.
func wrong(entries []emulator.Entry) []emulator.Entry {
	entries[1].Verdicts = []string{"unwanted"}
	return entries
}

const linuxTranscript = `imds GET /metadata/instance?api-version=2023-11-15&extended=true Metadata=true User-Agent=azsdk-go-imds X-Ms-Client-Request-Id={uuid} -> 200
wireserver GET /machine/?comp=goalstate User-Agent=azsdk-go-wireserver X-Ms-Agent-Name=pilot/{version} X-Ms-Version=2012-11-30 -> 200
wireserver POST /machine?comp=health Content-Type="text/xml; charset=utf-8" User-Agent=azsdk-go-wireserver X-Ms-Agent-Name=pilot/{version} X-Ms-Version=2012-11-30 -> 200 report=Ready/xml
`

func TestJournalShow(t *testing.T) {
	t.Parallel()
	path := edited(t, recordJournal(t, "linux-vm"), wrong)
	plain := cli(t, "journal", "show", path).want(t, exitDone)
	contains(t, plain.stdout, "imds        GET   /metadata/instance?api-version=", "->  200", "report: Ready\n", "wrong:  unwanted\n")
	contains(t, plain.stderr, "3 entries, 1 remark.")
	bodies := cli(t, "journal", "show", path, "--bodies").want(t, exitDone)
	contains(t, bodies.stdout, "> Metadata: true\n", "< Server: Microsoft-IIS/10.0\n", "<ContainerId>", `"userData":"[redacted]"`, "> <?xml")
	if strings.Contains(plain.stdout, "<ContainerId>") || strings.Contains(plain.stdout, "Metadata: true") {
		t.Errorf("headers or bodies without --bodies:\n%s", plain.stdout)
	}
	for _, row := range []struct {
		args  []string
		lines int
	}{
		{[]string{"--verdicts-only"}, 1}, {[]string{"--service", "imds"}, 1}, {[]string{"--service", "wireserver"}, 2}, {[]string{"--service", "kvp"}, 0},
	} {
		got := cli(t, append([]string{"journal", "show", path}, row.args...)...).want(t, exitDone)
		if n := strings.Count(got.stdout, "  ->  "); n != row.lines {
			t.Errorf("%v shows %d entries, want %d:\n%s", row.args, n, row.lines, got.stdout)
		}
	}
	object := oneObject(t, cli(t, "journal", "show", path, "--output", "json").want(t, exitDone).stdout)
	if entries, _ := at(t, object, "entries").([]any); len(entries) != 3 {
		t.Errorf("%d entries in JSON", len(entries))
	}
}

func TestJournalShowTranscript(t *testing.T) {
	t.Parallel()
	path := recordJournal(t, "linux-vm")
	got := cli(t, "journal", "show", path, "--transcript").want(t, exitDone)
	if got.stdout != linuxTranscript || got.stderr != "" {
		t.Errorf("transcript\n%swant\n%s", got.stdout, linuxTranscript)
	}
	object := oneObject(t, cli(t, "journal", "show", path, "--transcript", "--output", "json").want(t, exitDone).stdout)
	if text := at(t, object, "transcript"); text != linuxTranscript {
		t.Errorf("in JSON %q", text)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	polled := lines[0] + strings.Join(lines, "")
	for repeats, want := range map[string]string{"counted": "-> 200 x2\n", "folded": "={uuid} -> 200\nwireserver", "apart": "-> 200\nimds GET"} {
		got := cliWith(t.Context(), polled, "journal", "show", "-", "--transcript", "--repeats", repeats).want(t, exitDone)
		contains(t, got.stdout, want)
	}
}

// Entries of many VMs are chosen by name.
func TestJournalOfSeveralVMs(t *testing.T) {
	t.Parallel()
	path := edited(t, recordJournal(t, "linux-vm"), func(entries []emulator.Entry) []emulator.Entry {
		both := slices.Concat(entries, entries)
		for i := range both {
			both[i].VM = []string{"quay-1", "quay-2"}[i/len(entries)]
		}
		return both
	})
	contains(t, cli(t, "journal", "show", path).want(t, exitDone).stdout, "quay-1  imds", "quay-2  wireserver")
	if got := cli(t, "journal", "show", path, "--vm", "quay-2", "--transcript").want(t, exitDone); strings.Count(got.stdout, "\n") != 3 {
		t.Errorf("of one VM:\n%s", got.stdout)
	}
	contains(t, cli(t, "journal", "show", path, "--vm", "quay-3").want(t, exitNotFound).stderr, "there is no VM quay-3", "it has quay-1, quay-2")
	contains(t, cli(t, "journal", "diff", path, path, "--vm", "quay-1", "--vm-b", "quay-2").want(t, exitDone).stdout, "the same: 3 requests")
	contains(t, cli(t, "journal", "replay", path).want(t, exitUsage).stderr, "the journal of 2 VMs", "choose one with --vm")
}

func TestJournalDiff(t *testing.T) {
	t.Parallel()
	one, other := recordJournal(t, "linux-vm"), recordJournal(t, "linux-vm")
	same := cli(t, "journal", "diff", one, other).want(t, exitDone)
	if same.stdout != "The conversations are the same: 3 requests.\n" || same.stderr != "" {
		t.Errorf("%q, %q", same.stdout, same.stderr)
	}
	changed := edited(t, other, func(entries []emulator.Entry) []emulator.Entry {
		entries[0].Headers["User-Agent"] = "Cloud-Init/22.4.2"
		return slices.Delete(entries, 1, 2)
	})
	got := cli(t, "journal", "diff", one, changed).want(t, exitFailed)
	contains(
		t, got.stdout, "! imds GET /metadata/instance?", "    header User-Agent\n      A  azsdk-go-imds\n      B  Cloud-Init\n",
		"- wireserver GET /machine/?comp=goalstate -> 200\n", "1 request is the same, 1 changed, 1 only in A, 0 only in B.",
	)
	if got.stderr != "" {
		t.Errorf("a difference is no failure:\n%s", got.stderr)
	}
	contains(t, cli(t, "journal", "diff", changed, one, "--ignore", "user-agent").want(t, exitFailed).stdout, "+ wireserver GET", "0 changed")
	cli(t, "journal", "diff", changed, one, "--ignore", "user-agent", "--service", "imds").want(t, exitDone)
	object := oneObject(t, cli(t, "journal", "diff", one, changed, "--output", "json").want(t, exitFailed).stdout)
	if steps, _ := at(t, object, "steps").([]any); at(t, object, "same") != false || len(steps) != 3 {
		t.Errorf("in JSON %v", object)
	}
	old := edited(t, one, func(entries []emulator.Entry) []emulator.Entry { // of before bodies were kept
		for i := range entries {
			entries[i].Body, entries[i].Answer = nil, nil
		}
		return entries
	})
	cli(t, "journal", "diff", one, old, "--answers").want(t, exitDone)
}

func TestJournalReplay(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"linux-vm", "no-ovf", "pps-recovery"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			recording := recordJournal(t, scenario)
			again := filepath.Join(t.TempDir(), "again.jsonl")
			e := startVerb(t, "journal", "replay", recording, "--journal", again)
			got := cli(t, "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer, "--agent-name", "pilot/1.0").want(t, exitDone)
			contains(t, got.stdout, "Ready: accepted at")
			end := e.stop(t)
			contains(t, end.stderr, "0 of them not in the recording.")
			if strings.Contains(end.stderr, "not asked for") {
				t.Errorf("something was not asked for:\n%s", end.stderr)
			}
			if scenario == "pps-recovery" { // Its verdicts are not the replay's.
				contains(t, cli(t, "journal", "diff", recording, again).want(t, exitFailed).stdout, "0 only in A, 0 only in B.", "Only verdicts differ; ")
				cli(t, "journal", "diff", recording, again, "--ignore", "verdict").want(t, exitDone)
				return
			}
			contains(t, end.stderr, "What the journal does not hold is replaced:\n  The user data was not recorded")
			cli(t, "journal", "diff", recording, again).want(t, exitDone)
		})
	}
}

// The guest gets the certificates that are no secret.
func TestJournalReplayCertificates(t *testing.T) {
	t.Parallel()
	recording := recordJournal(t, "fingerprint-keys")
	b, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(b), " characters, sha256 ")
	e := startVerb(t, "journal", "replay", recording)
	got := cli(t, "certs", "get", "--wireserver", e.ready.WireServer).want(t, exitDone)
	contains(t, got.stdout, "ssh-rsa ")
	contains(t, e.stop(t).stderr, "certificates and private keys were not recorded")
}

func TestJournalReplayOfAnotherConversation(t *testing.T) {
	t.Parallel()
	e := startVerb(t, "journal", "replay", recordJournal(t, "linux-vm"))
	cli(t, "imds", "versions", "--imds", e.ready.IMDS).want(t, exitNotFound)
	contains(t, e.stop(t).stderr, "WARN", "not in the recording", "1 of them not in the recording.", "Recorded, and not asked for:\n  imds GET /metadata/instance?")
}

// TestJournalReplayAsProgram replays in a process of its own, as a user does.
func TestJournalReplayAsProgram(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send an interrupt to one process")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "journal", "replay", recordJournal(t, "linux-vm"))
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
	if err != nil || json.Unmarshal(line, &ready) != nil {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	agent := exec.CommandContext(t.Context(), os.Args[0], "provision", "--imds", ready.IMDS, "--wireserver", ready.WireServer)
	agent.Env = command.Env
	if out, err := agent.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Ready: accepted at")) {
		t.Errorf("%v:\n%s", err, out)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want exit code 0", err)
	}
}

func TestJournalWithoutBodies(t *testing.T) {
	t.Parallel()
	path := recordJournal(t, "linux-vm", "--journal-bodies=false")
	if got := cli(t, "journal", "show", path, "--bodies").want(t, exitDone); strings.Contains(got.stdout, "ContainerId") {
		t.Errorf("there are bodies:\n%s", got.stdout)
	}
	contains(t, cli(t, "journal", "replay", path).want(t, exitFailed).stderr, "the journal has no answers", "record it with bodies")
}

// Of a journal whose writer was killed all but the last line is used.
func TestJournalWithACutEnd(t *testing.T) {
	t.Parallel()
	good := recordJournal(t, "linux-vm")
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := writeFile(t, filepath.Join(t.TempDir(), "cut.jsonl"), string(b[:len(b)-20]))
	const want = "going on without the last line of "
	contains(t, cli(t, "journal", "show", cut).want(t, exitDone).stderr, want, "2 entries, no remarks.")
	got := cli(t, "journal", "diff", good, cut, "--output", "json").want(t, exitFailed)
	contains(t, got.stderr, want)
	oneObject(t, got.stdout)
}

func TestJournalFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := recordJournal(t, "linux-vm")
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, text string) string { return writeFile(t, filepath.Join(dir, name), text) }
	for name, row := range map[string]struct {
		path string
		code int
		want string
	}{
		"no such file":     {filepath.Join(dir, "none"), exitNotFound, "no such file"},
		"a directory":      {dir, exitFailed, "it is a directory"},
		"an empty file":    {file("empty", ""), exitFailed, "the journal is empty"},
		"a text":           {file("text", "hello\n"), exitFailed, "it is no journal"},
		"a binary file":    {file("binary", "\x7fELF\x00\n"), exitFailed, "line 1: it is no text in UTF-8"},
		"JSON of its own":  {file("json", "{\n \"seq\": 1\n}\n"), exitFailed, "line 1: it is cut short"},
		"another object":   {file("object", `{"name":"x"}`), exitFailed, `line 1: unknown field "name"`},
		"a line cut short": {file("cut", string(b[:40])), exitFailed, "line 1: it is cut short, or it is no journal"},
	} {
		if runtime.GOOS == "windows" && name == "no such file" {
			continue // Windows says it in other words.
		}
		contains(t, cli(t, "journal", "show", row.path).want(t, row.code).stderr, "azprov: cannot show the journal: ", row.want)
		contains(t, cli(t, "journal", "replay", row.path).want(t, row.code).stderr, "azprov: cannot replay the journal: ", row.want)
		contains(t, cli(t, "journal", "diff", row.path, good).want(t, exitUsage).stderr, "azprov: cannot compare the journals: ", row.want)
		oneObject(t, cli(t, "journal", "diff", good, row.path, "--output", "json").want(t, exitUsage).stdout)
	}
	for args, want := range map[string]string{
		"replay " + good + " --journal " + good:                "--journal would replace",
		"replay " + good + " --imds http://127.0.0.1:1":        "use --listen-imds",
		"show " + good + " --vm x":                             "it is the journal of one VM without a name",
		"replay " + good + " --listen-imds 192.0.2.1:1":        "cannot listen",
		"diff " + good + " " + good + " --vm x":                "there is no VM x in it",
		"replay " + good + " --journal " + dir + "/no/journal": "journal",
	} {
		got := cli(t, append([]string{"journal"}, strings.Fields(args)...)...)
		if got.code == exitDone {
			t.Errorf("%s: exit code 0", args)
		}
		contains(t, got.stderr, want)
	}
	if after, err := os.ReadFile(good); err != nil || !bytes.Equal(after, b) {
		t.Error("the journal was changed")
	}
	var stderr strings.Builder
	if code := newApp(strings.NewReader(""), brokenWriter{}, &stderr, func(string) string { return "" }).run(t.Context(), []string{"journal", "diff", good, good}); code != exitUsage {
		t.Errorf("a result that cannot be written: exit code %d, want %d", code, exitUsage)
	}
}
