package unitfailure_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/unitfailure"
)

const (
	unit    = "pilot.service"
	thisRun = "cccccccccccccccccccccccccccccccc"
	lastRun = "dddddddddddddddddddddddddddddddd"
)

// entry is one of the journal, in the form of JSON or of an export.
type entry map[string]string

// says is a line of the unit's program, with a priority.
func says(priority, text string) entry {
	return entry{"MESSAGE": text, "PRIORITY": priority, "_PID": "44", "_SYSTEMD_UNIT": unit, "_SYSTEMD_INVOCATION_ID": thisRun}
}

// prints are lines of its standard output.
func prints(texts ...string) []entry {
	var entries []entry
	for _, text := range texts {
		entries = append(entries, says("6", text))
	}
	return entries
}

// manager is a message of systemd about the unit.
func manager(id, text string, more ...string) entry {
	e := entry{"MESSAGE": text, "PRIORITY": "4", "_PID": "1", "UNIT": unit, "INVOCATION_ID": thisRun, "MESSAGE_ID": id}
	return e.with(more...)
}

func (e entry) with(more ...string) entry {
	for i := 0; i+1 < len(more); i += 2 {
		e[more[i]] = more[i+1]
	}
	return e
}

func unitResult(result string) entry {
	return manager("d9b373ed55a64feb8242e02dbe79a49c", unit+": Failed with result '"+result+"'.", "UNIT_RESULT", result)
}

func processExit(code, status string) entry {
	return manager("98e322203f7a4ed290d09fe03c09fe15", unit+": Main process exited", "EXIT_CODE", code, "EXIT_STATUS", status)
}

func jobFailed(result string) entry {
	return manager("be02cf6855d2428ba40df7e9d022f03d", "Failed to start "+unit, "JOB_RESULT", result)
}

// machine answers for the programs of a system.
type machine struct {
	// show is what systemctl answers; empty: it is not there.
	show string
	// byRun and byUnit are the journal's, oldest first, as asked by invocation or unit.
	byRun, byUnit []entry
	// raw is the journal as bytes, in place of both.
	raw string
	// noJournal: journalctl is not there.
	noJournal bool
	calls     [][]string
}

func (m *machine) run(_ context.Context, limit int, program string, args ...string) ([]byte, error) {
	m.calls = append(m.calls, append([]string{program}, args...))
	out := ""
	switch {
	case program == "systemctl" && m.show == "", program == "journalctl" && m.noJournal:
		return nil, errors.New(`exec: "` + program + `": executable file not found in $PATH`)
	case program == "systemctl":
		out = m.show
	case slices.Contains(args, "--sync"):
	case m.raw != "":
		out = m.raw
	case slices.Contains(args, "--unit="+unit):
		out = jsonLines(m.byUnit)
	default:
		out = jsonLines(m.byRun)
	}
	return []byte(out)[:min(limit, len(out))], nil
}

// jsonLines are entries as journalctl --reverse shows them.
func jsonLines(entries []entry) string {
	var b strings.Builder
	for _, e := range slices.Backward(entries) {
		text, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.String()
}

// read asks a machine for the unit's failure, with systemd's variables.
func read(t *testing.T, m *machine, variables map[string]string) *unitfailure.Failure {
	t.Helper()
	f, err := unitfailure.Read(t.Context(), unit, &unitfailure.Options{Run: m.run, Getenv: func(name string) string { return variables[name] }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// failed is a unit's properties after its program has exited.
func failed(result, code, status string) string {
	return "LoadState=loaded\nActiveState=failed\nResult=" + result + "\nExecMainCode=" + code + "\nExecMainStatus=" + status + "\nInvocationID=" + thisRun + "\n"
}

func wantLines(t *testing.T, f *unitfailure.Failure, lines ...string) {
	t.Helper()
	if !slices.Equal(f.Lines, lines) {
		t.Errorf("lines:\n%s\nwant:\n%s", strings.Join(f.Lines, "\n"), strings.Join(lines, "\n"))
	}
}
