package unitfailure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLines: which lines say why, and which of them most.
func TestLines(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	many := func(n int) []entry {
		var entries []entry
		for i := range n {
			entries = append(entries, says("6", fmt.Sprintf("knot %d", i)))
		}
		return entries
	}
	for name, row := range map[string]struct {
		entries []entry
		lines   []string
		err     string // the last of lines if empty
	}{
		"none": {nil, nil, ""},
		"the last ones, without systemd's": {
			append(prints("hoisting", "adrift"), unitResult("exit-code")),
			[]string{"hoisting", "adrift"},
			"",
		},
		"errors alone where there are some": {
			[]entry{says("6", "hoisting"), says("3", "no wind"), says("4", "fog"), says("2", "sunk"), says("3", "goodbye")},
			[]string{"no wind", "sunk", "goodbye"},
			"sunk",
		},
		"the last of equal ones": {[]entry{says("3", "one"), says("3", "two")}, []string{"one", "two"}, "two"},
		"systemd's where there are no others": {
			[]entry{manager("641257651c1b4ec9a8624d7a40a9e1e7", "pilot.service: start operation timed out. Terminating."), unitResult("timeout")},
			[]string{"pilot.service: start operation timed out. Terminating."},
			"",
		},
		"the rest of a message that is an error": {
			[]entry{says("6", "hoisting"), says("3", "mast broken\n  above the deck\n\n")},
			[]string{"mast broken", "above the deck"},
			"mast broken",
		},
		"no priority is information": {
			[]entry{{"MESSAGE": "a", "_PID": "4"}, {"MESSAGE": "b", "_PID": "4", "PRIORITY": "x"}, {"MESSAGE": "c", "_PID": "4", "PRIORITY": "-1"}},
			[]string{"a", "b", "c"},
			"",
		},
		"Ignition": {
			[]entry{says("6", "Stage: fetch"), says("2", "Ignition failed: failed to fetch config: not found"), says("3", "POST Status error: no"), says("2", "writing state: disk")},
			[]string{"Ignition failed: failed to fetch config: not found", "POST Status error: no", "writing state: disk"},
			"Ignition failed: failed to fetch config: not found",
		},
		"Ignition on standard output": {
			prints("INFO     : Stage: fetch", "CRITICAL : Ignition failed: no config", "INFO     : closing"),
			[]string{"CRITICAL : Ignition failed: no config"},
			"",
		},
		"this command": {prints("waiting: attempt 1", "azprov: cannot provision: no medium", "hint: look"), []string{"azprov: cannot provision: no medium"}, ""},
		"Afterburn":    {prints("INFO fetching", "Error: failed to run", "Caused by:"), []string{"Error: failed to run"}, ""},
		"a traceback": {
			prints("hoisting", "Traceback (most recent call last):", `  File "pilot.py", line 3, in <module>`, "    steer()", "ValueError: no rudder", "bye"),
			[]string{"Traceback (most recent call last):", "ValueError: no rudder"},
			"ValueError: no rudder",
		},
		"a traceback in one message": {
			[]entry{says("6", "ERROR log: Traceback (most recent call last):\n  File \"pilot.py\"\nOSError: aground")},
			[]string{"ERROR log: Traceback (most recent call last):", "OSError: aground"},
			"OSError: aground",
		},
		"an error that is only quoted":         {prints("retrying after error: x", "  error: indented"), []string{"retrying after error: x", "error: indented"}, ""},
		"of another run":                       {[]entry{says("3", "old").with("_SYSTEMD_INVOCATION_ID", lastRun), says("6", "new")}, []string{"new"}, ""},
		"without an invocation":                {[]entry{{"MESSAGE": "brief", "_PID": "9"}, says("6", "new")}, []string{"brief", "new"}, ""},
		"terminal sequences":                   {prints("\x1b[1;31mred\x1b[0m \x1b]0;title\x07flag\x1bM"), []string{"red flag"}, ""},
		"control characters":                   {prints("a\tb\rc\x00d"), []string{"a b c d"}, ""},
		"not UTF-8":                            {prints("a\xffb"), []string{"a\uFFFDb"}, ""},
		"twenty at most":                       {many(30), linesOf(many(30)[10:]), ""},
		"2 KiB at most":                        {prints(slicesOf(6, x("y ", 249)+"y")...), slicesOf(4, x("y ", 249)+"y"), ""},
		"half of a long message from each end": {prints(x("a ", 20000)), slicesOf(2, x("a ", 254)+"a…"), ""},
		"what systemd says of a panic": {
			[]entry{says("6", "hoisting"), manager("", "panic: goroutine 1 [running]:")}, []string{"hoisting"}, "",
		},
		"a line of 512 bytes at most":  {prints(x("ü ", 300)), []string{x("ü ", 169) + "ü…"}, ""},
		"the middle of a long message": {prints("begin " + x("- ", 20000) + "\nerror: end"), []string{"error: end"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := read(t, &machine{show: failed("exit-code", "1", "1"), byRun: row.entries, byUnit: row.entries}, nil)
			wantLines(t, f, row.lines...)
			if row.err == "" && len(row.lines) > 0 {
				row.err = row.lines[len(row.lines)-1]
			}
			if f.Error != row.err {
				t.Errorf("error %q, want %q", f.Error, row.err)
			}
			for _, text := range f.Lines {
				if len(text) > 512 || !utf8.ValidString(text) {
					t.Errorf("%d bytes: %q", len(text), text)
				}
			}
		})
	}
}

func linesOf(entries []entry) []string {
	var lines []string
	for _, e := range entries {
		lines = append(lines, e["MESSAGE"])
	}
	return lines
}

// TestJournalJSON: the forms that journalctl gives a message.
func TestJournalJSON(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		`"plain"`: "plain", `"a\u000ab"`: "a", `[97,255,98]`: "a\uFFFDb", `[ 97 , 98 ]`: "ab", `["first","second"]`: "first",
		`[[97,98],"second"]`: "ab", `null`: "", `[]`: "", `7`: "", `{"a":1}`: "", `[97,256,-1,"x",98]`: "ab",
	} {
		f := read(t, &machine{show: failed("exit-code", "1", "1"), raw: `{"_PID":"4","MESSAGE":` + message + "}\n"}, nil)
		got := ""
		if len(f.Lines) > 0 {
			got = f.Lines[0]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	const (
		goroutine = "goroutine 1 [running]:"
		frame     = "main.steer(0x0, {0xc000012345, 0x3})"
	)
	for name, row := range map[string]struct {
		lines []string
		want  string
	}{
		"of Go": {
			[]string{"hoisting", "panic: no rudder", goroutine, frame, "  /src/main.go:12 +0x1d", "exit status 2"},
			"panic: no rudder; goroutine 1 [running] in main.steer",
		},
		"of Go, by a signal": {
			[]string{"panic: runtime error: invalid memory address", "[signal SIGSEGV: segmentation violation]", goroutine, "panic({0x1, 0x2})", "runtime.panicmem(...)", "github.com/a/b.(*Ship).Sail(0x0)"},
			"panic: runtime error: invalid memory address; goroutine 1 [running] in github.com/a/b.(*Ship).Sail",
		},
		"of Go's runtime": {
			[]string{"fatal error: all goroutines are asleep - deadlock!", "goroutine 1 [chan receive]:", "main.main()"},
			"fatal error: all goroutines are asleep - deadlock!; goroutine 1 [chan receive] in main.main",
		},
		"without a goroutine":             {[]string{"panic: no rudder"}, "panic: no rudder"},
		"a fatal error that is none":      {[]string{"fatal error: pilot.h: No such file"}, ""},
		"in the middle of a line":         {[]string{"kernel panic: no", "do not panic: row"}, ""},
		"of Rust":                         {[]string{"thread 'main' panicked at src/main.rs:5:9:", "no rudder", "note: run with"}, "thread 'main' panicked at src/main.rs:5:9: no rudder"},
		"of Rust, with a number":          {[]string{"thread 'main' (77) panicked at src/main.rs:5:9:", "no rudder"}, "thread 'main' (77) panicked at src/main.rs:5:9: no rudder"},
		"of older Rust":                   {[]string{"thread 'main' panicked at 'no rudder', src/main.rs:5:9", "note"}, "thread 'main' panicked at 'no rudder', src/main.rs:5:9"},
		"the last of two":                 {[]string{"panic: one", goroutine, "main.a()", "panic: two", goroutine, "main.b()"}, "panic: two; goroutine 1 [running] in main.b"},
		"a secret in its message and all": {[]string{"panic: password=Capstan-9", goroutine, frame}, "panic: password=[redacted] goroutine 1 [running] in main.steer"},
	} {
		f := read(t, &machine{show: failed("exit-code", "1", "2"), byRun: prints(row.lines...)}, nil)
		if f.Panic != row.want || row.want != "" && f.Error != row.want {
			t.Errorf("%s: panic %q, error %q", name, f.Panic, f.Error)
		}
		if row.want != "" && (slices.Contains(f.Lines, "hoisting") || len(f.Lines) == 0) {
			t.Errorf("%s: %q", name, f.Lines)
		}
	}
	// A crash says more than errors before it, and is not lost behind a long stack.
	entries := append([]entry{says("2", "no wind"), says("6", "panic: aground"), says("6", goroutine)}, prints(slices.Repeat([]string{"main.row(0x0)"}, 100)...)...)
	f := read(t, &machine{show: failed("exit-code", "1", "2"), byRun: entries}, nil)
	if f.Error != "panic: aground; goroutine 1 [running] in main.row" || !slices.Contains(f.Lines, "no wind") || len(f.Lines) != 8 {
		t.Errorf("%q, %q", f.Error, f.Lines)
	}
}
