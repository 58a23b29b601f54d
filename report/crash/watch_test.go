//go:build unix

package crash_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// agent builds the program that is watched.
func agent(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "agent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/agent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestEnds(t *testing.T) {
	t.Parallel()
	program := agent(t)
	for _, row := range []struct {
		how string
		// exception is what is reported, nothing if empty; a stack follows it where one is
		// to be had.
		exception string
		stack     string
	}{
		{how: "well"},
		{how: "exit after done"},
		{how: "recovered"},
		{how: "exit", exception: "the agent ended without a word: killed, or it left in the middle"},
		{how: "panic", exception: "panic: the mast is down", stack: "main.main()"},
		{how: "goroutine", exception: "panic: fog: file does not exist", stack: "main.main.func2()"},
		{how: "nil", exception: "panic: runtime error: invalid memory address or nil pointer dereference", stack: "[signal SIGSEGV"},
		{how: "fatal", exception: "fatal error of Go's runtime in sync.(*Mutex).Unlock", stack: "main.main()"},
		{how: "deep", exception: "fatal error of Go's runtime in main.deep", stack: "main.deep("},
		{how: "kill", exception: "the agent ended without a word: killed, or it left in the middle"},
		{how: "term", exception: "the agent ended without a word: killed, or it left in the middle"},
		{how: "caught", exception: "the agent was ended by a signal: terminated"},
		{how: "quit", exception: "SIGQUIT: quit"},
		{how: "group", exception: "the agent ended without a word: killed, or it left in the middle"},
		{how: "report fails"},
	} {
		t.Run(row.how, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "report")
			command := exec.CommandContext(t.Context(), program, row.how, file)
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group of its own
			var stderr, stdout bytes.Buffer
			command.Stderr, command.Stdout = &stderr, &stdout
			start := time.Now()
			err := command.Run() // stderr is open until both processes have ended
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if (err == nil) != (row.how == "well" || row.how == "recovered") || stdout.Len() != 0 {
				t.Errorf("%v, %q", err, stdout.String())
			}
			if unheard := strings.Contains(stderr.String(), "was not reported: no wire"); unheard != (row.how == "report fails") {
				t.Errorf("%s", stderr.String())
			}
			got, err := os.ReadFile(file)
			if row.exception == "" {
				if err == nil {
					t.Errorf("reported %s", got)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			want := "\nInternal\nprovisioning agent crashed\n[{\"exception\" \"" + row.exception + "\"}"
			if !strings.Contains(string(got), want) {
				t.Errorf("%s\nwant %s", got, want)
			}
			checkStack(t, string(got), row.exception, row.stack)
		})
	}
}

func checkStack(t *testing.T, got, headline, line string) {
	t.Helper()
	found := regexp.MustCompile(`{"traceback_base64" "([^"]*)"}`).FindStringSubmatch(got)
	if found == nil {
		if line != "" {
			t.Errorf("no stack in %s", got)
		}
		return
	}
	text, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil || !strings.Contains(string(text), line) || strings.HasPrefix(headline, "panic") && !strings.Contains(string(text), headline) || len(text) > 2<<10 {
		t.Errorf("%v: %s", err, text)
	}
}

// An agent that is gone before the other process has begun is reported too, and does not
// begin anew as that process.
func TestGoneAtOnce(t *testing.T) {
	t.Parallel()
	program := agent(t)
	file := filepath.Join(t.TempDir(), "report")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = out.Close() // by whoever held it
	defer func() { _ = in.Close() }()
	command := exec.CommandContext(t.Context(), program, "well", file)
	command.Env, command.Stdin = append(os.Environ(), "AZPROV_CRASH_WATCHES=1"), in
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), "without a word") {
		t.Errorf("%v: %s", err, got)
	}
}
