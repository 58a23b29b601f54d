package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	codes := map[azprov.Kind]int{
		azprov.KindNotFound: exitNotFound, azprov.KindNotAzure: exitNotFound, azprov.KindTimeout: exitTimeout,
	}
	for _, kind := range azprov.PossibleKindValues() {
		want, ok := codes[kind]
		if !ok {
			want = exitFailed
		}
		if got := exitCode(fmt.Errorf("around it: %w", &azprov.Error{Op: "x", Kind: kind})); got != want {
			t.Errorf("%s gives %d, want %d", kind, got, want)
		}
	}
	for _, row := range []struct {
		name string
		err  error
		want int
	}{
		{"no error", nil, exitDone},
		{"any other error", errors.New("x"), exitFailed},
		{"a bare deadline", context.DeadlineExceeded, exitTimeout},
		{"usage", usagef("", "x"), exitUsage},
		{"what was not found before time ran out", &azprov.Error{Kind: azprov.KindTimeout, Last: azprov.ErrNotFound}, exitTimeout},
		{"already shown", shownError{&azprov.Error{Kind: azprov.KindNotAzure}}, exitNotFound},
	} {
		if got := exitCode(row.err); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), "x")
	for _, row := range []struct {
		args string
		want string
	}{
		{"provison", "hint: did you mean provision?"},
		{"imds instanse", "hint: did you mean instance?"},
		{"imds nonsense", `azprov: unknown verb "nonsense"`},
		{"help nonsense", "azprov --help lists the verbs"},
		{"provision --emulate slow-start", "hint: write --emulate=slow-start"},
		{"provision --emulat", "hint: did you mean --emulate?"},
		{"provision --imd http://127.0.0.1:1", "hint: did you mean --imds?"},
		{"provision --nonsense", "hint: see azprov provision --help"},
		{"provision -x", "unknown shorthand flag"},
		{"provision stray", `stray argument "stray"`},
		{"provision --emulate --imds http://127.0.0.1:1", "leave out --emulate"},
		{"provision --emulate --ovf /nonexistent/ovf-env.xml", "--ovf: "},
		{"provision --emulate --config-order whatever", "want custom-data-first or user-data-first"},
		{"provision --emulate --agent-name a|b", "want printable ASCII"},
		{"provision --emulate=" + file, "cannot be used: emulator.ParseScenario"},
		{"provision --output xml", "want text or json"},
		{"provision --log-level loud", "want debug or info or warn or error"},
		{"provision --timeout -1s", "want a duration"},
		{"provision --imds 169.254.169.254", "want a base URL"},
		{"provision --imds http://127.0.0.1/metadata", "want a base URL"},
		{"provision --dmi /nonexistent", "is no directory"},
		{"vm-id --dmi " + file, "is no directory"},
		{"vm-id stray", "stray argument"},
		{"version stray", "stray argument"},
		{"imds instance stray", "stray argument"},
		{"imds get", "the argument PATH is missing"},
		{"imds get a b", `stray argument "b"`},
		{"imds get ../x --imds http://127.0.0.1:1", "want a path below /metadata"},
		{"imds get x --api-version new", "is no version"},
		{"imds get x --format xml", "want text or json"},
		{"wireserver discover stray", "stray argument"},
		{"wireserver find", `unknown verb "find"`},
		{"goalstate show stray", "stray argument"},
		{"goalstate parse", "the argument FILE is missing"},
		{"ovf show", "the argument FILE is missing"},
		{"ovf redact a b", "stray argument"},
		{"report failure", "--reason is missing"},
		{"report failure --reason x --detail y", "has no key"},
		{"report failure --reason x --detail result=success", "choose another key"},
		{"report ready --reason x", "unknown flag --reason"},
		{"report done", "unknown verb"},
		{"explain", "the argument REASON is missing"},
		{"explain --list x", `stray argument "x"`},
		{"explain --lst", "did you mean --list?"},
		{"kvp lst", "hint: did you mean list or get?"},
		{"kvp list stray", `stray argument "stray"`},
		{"kvp list --key-prefx x", "did you mean --key-prefix?"},
		{"kvp list --pool=", "want a file"},
		{"kvp list --create", "unknown flag --create"},
		{"kvp get", "the argument KEY is missing"},
		{"kvp get a b", `stray argument "b"`},
		{"kvp write", "the argument KEY is missing"},
		{"kvp write a", "hint: write - to read it from standard input"},
		{"kvp write a b c", "hint: put a value with blanks into quotes"},
		{"kvp delete", "the argument KEY is missing"},
		{"kvp clear stray", `stray argument "stray"`},
		{"kvp clear --stale", "unknown flag --stale"},
		{"journal shw", "hint: did you mean show?"},
		{"journal show", "the argument FILE is missing"},
		{"journal show a b", `stray argument "b"`},
		{"journal show a --service imsd", "want one of imds, wireserver"},
		{"journal show a --repeats folded", "hint: add --transcript"},
		{"journal show a --transcript --repeats often", "want counted or folded or apart"},
		{"journal diff a", "the argument B is missing"},
		{"journal diff - -", "only one of the journals can be standard input"},
		{"journal replay", "the argument FILE is missing"},
		{"journal replay a --listen-imds 8001", "want HOST:PORT"},
		{"--emulate", "unknown flag --emulate"},
	} {
		t.Run(row.args, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(row.args)
			got := cli(t, args...).want(t, exitUsage)
			if got.stdout != "" {
				t.Errorf("standard output has:\n%s", got.stdout)
			}
			contains(t, got.stderr, row.want)
			lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
			if len(lines) != 2 || !strings.HasPrefix(lines[0], "azprov: ") || !strings.HasPrefix(lines[1], "hint: ") {
				t.Errorf("want an error and a hint, each on a line:\n%s", got.stderr)
			}
			if slices.Contains(args, "--output") {
				return
			}
			for _, inJSON := range [][]string{
				append([]string{"--output", "json"}, args...), append(slices.Clone(args), "--output=json"),
			} {
				object := oneObject(t, cli(t, inJSON...).want(t, exitUsage).stdout)
				if kind := at(t, object, "error", "kind"); kind != kindUsage {
					t.Errorf("error.kind is %v, want %s", kind, kindUsage)
				}
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	elsewhere := notAzure(t)
	for _, args := range [][]string{
		{"provision", "--dmi", elsewhere},
		{"vm-id", "--dmi", elsewhere},
		{"vm-id", "--dmi", t.TempDir()},
		{"imds", "instance", "--dmi", elsewhere},
		{"imds", "versions", "--dmi", elsewhere, "--wireserver", "http://127.0.0.1:1"},
		{"goalstate", "show", "--dmi", elsewhere},
		{"certs", "get", "--dmi", elsewhere},
		{"report", "ready", "--dmi", elsewhere},
		{"ovf", "show", "/nonexistent"},
		{"ovf", "show", elsewhere},
		{"ovf", "redact", "/nonexistent"},
		{"goalstate", "parse", "/nonexistent"},
		{"kvp", "list", "--pool", "/nonexistent"},
		{"explain", "adrift"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			t.Parallel()
			got := cli(t, args...).want(t, exitNotFound)
			contains(t, got.stderr, "azprov: cannot ")
			object := oneObject(t, cli(t, slices.Concat(args, []string{"--output=json"})...).want(t, exitNotFound).stdout)
			at(t, object, "error", "message")
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := writeFile(t, filepath.Join(dir, "broken.xml"), "<Environment><Password>Keel-Hauled-3</Password>")
	other := writeFile(t, filepath.Join(dir, "other.xml"), "<Environment/>")
	huge := writeFile(t, filepath.Join(dir, "huge.xml"), strings.Repeat(" ", 1<<20+7)+"<GoalState/>")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"ovf", "show", broken}, "cannot show the OVF environment: ovf."},
		{[]string{"ovf", "redact", broken}, "cannot redact the OVF environment: ovf."},
		{[]string{"goalstate", "parse", other}, "the root element is <Environment>"},
		{[]string{"goalstate", "parse", broken}, "the root element is <Environment>"},
		{[]string{"goalstate", "parse", huge}, "cannot parse the document: goalstate."},
	} {
		t.Run(strings.Join(row.args[:2], " "), func(t *testing.T) {
			t.Parallel()
			got := cli(t, row.args...).want(t, exitFailed)
			contains(t, got.stderr, row.want)
			if strings.Contains(got.stdout+got.stderr, settingSecret) {
				t.Errorf("a secret got out:\n%s", got.stderr)
			}
		})
	}
}

// brokenWriter fails like a full disk.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestStandardOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, want string }{
		{"--help", "azprov: standard output cannot be written: disk full"},
		{"version", "azprov: cannot print the version: standard output cannot be written: disk full"},
		{"version --output json", "azprov: cannot print the version: disk full"},
		{"emulate", "azprov: cannot emulate the platform: standard output cannot be written: disk full"},
		{"emulate --list", "azprov: cannot emulate the platform: standard output cannot be written: disk full"},
		{"provision --emulate", "azprov: cannot provision: standard output cannot be written: disk full"},
		{"provision --emulate --output json", "azprov: cannot provision: disk full"},
	} {
		var stderr strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends an emulator that stays
		code := newApp(strings.NewReader(""), brokenWriter{}, &stderr, func(string) string { return "" }).run(ctx, strings.Fields(row.args))
		cancel()
		lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
		if last := lines[len(lines)-1]; code != exitFailed || last != row.want {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", row.args, code, exitFailed, row.want, stderr.String())
		}
	}
}

// TestHelp walks all verbs: each has a help with an example and the exit codes.
func TestHelp(t *testing.T) {
	t.Parallel()
	a := &app{out: &sticky{}, err: &locked{}}
	var walk func(command *cobra.Command)
	walk = func(command *cobra.Command) {
		path := strings.Fields(command.CommandPath())[1:]
		got := cli(t, append(path, "--help")...).want(t, exitDone)
		contains(t, got.stdout, "Usage:\n  "+command.CommandPath(), "--output FORMAT", "xit codes:", "out of time")
		if same := cli(t, append([]string{"help"}, path...)...).want(t, exitDone); same.stdout != got.stdout {
			t.Errorf("help %v says something else than --help:\n%s", path, same.stdout)
		}
		for line := range strings.SplitSeq(command.Long, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: a line of the help has %d columns: %q", command.CommandPath(), len(line), line)
			}
		}
		if !command.HasSubCommands() && (command.Example == "" || command.Annotations[annotationAction] == "") {
			t.Errorf("%s has no example, or no words for its errors", command.CommandPath())
		}
		for _, verb := range command.Commands() {
			walk(verb)
		}
	}
	root := a.rootCommand()
	walk(root)
	for _, group := range [][]string{nil, {"imds"}, {"report"}} {
		contains(t, cli(t, group...).want(t, exitDone).stdout, "Verbs:\n")
	}
	contains(t, cli(t, "provision", "--help").stdout, "--emulate[=NAME|FILE]", "--timeout DURATION")
}
