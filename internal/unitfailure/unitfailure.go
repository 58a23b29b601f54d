// Package unitfailure says why a unit of systemd has failed: its result, and the lines of
// the journal that tell the cause, without secrets. It asks systemctl and journalctl, so
// that it knows of programs that could not speak for themselves: one that crashed, or one
// that knows nothing of Azure, like Ignition.
package unitfailure

import (
	"context"
	"strings"
	"time"
)

const (
	// defaultLines is how many entries of the journal are read: Ignition writes some
	// dozens in its longest stage, and the cause is among the last.
	defaultLines = 200
	// maxLines bounds what a caller may ask for.
	maxLines = 2000
	// defaultTimeout bounds all programs together. A journal in memory is read in
	// milliseconds; a journald that hangs must not cost the report.
	defaultTimeout = 10 * time.Second
)

// State is whether the unit has failed.
type State string

// The states.
const (
	StateFailed State = "failed"
	// StateNotFailed: its last run was a success, it runs, or it has never run.
	StateNotFailed State = "not-failed"
	// StateMissing: systemd has no unit of that name, and the journal no failure of it.
	StateMissing State = "missing"
	// StateUnknown: neither systemd nor the journal could be asked.
	StateUnknown State = "unknown"
)

// Failure is what is known of a unit's failure. Its texts are single lines of valid UTF-8
// without secrets.
type Failure struct {
	// Unit is its full name, like "ignition-fetch.service".
	Unit  string
	State State
	// Result is systemd's word for it: exit-code, signal, core-dump, timeout, watchdog,
	// oom-kill, start-limit-hit, …, and also the job's: dependency. Empty if unknown.
	Result string
	// Status is the exit status of the process that failed, 0 if it has none.
	Status int
	// Signal that ended it, like "SEGV"; empty if none did.
	Signal string
	// Lines say why, at most 20 and 2 KiB, oldest first.
	Lines []string
	// Error is the panic, else the most telling of Lines; empty without any.
	Error string
	// Panic is the message of a Go or Rust program's crash, with the goroutine and its
	// first frame where they are known.
	Panic string
	// Warnings is what could not be asked, without secrets.
	Warnings []string
}

// Options change what [Read] asks; the zero value is fine.
type Options struct {
	// Directory with a journal other than the running system's, as journalctl -D takes.
	// Then the journal alone is asked, because systemd knows nothing of that boot.
	Directory string
	// Lines is how many of the unit's last entries are looked at, 200 if 0, at most 2000.
	Lines int
	// Timeout for all programs together, 10 s if 0.
	Timeout time.Duration
	// Getenv gives the variables that systemd sets for what a failure starts; nil for
	// none.
	Getenv func(string) string
	// Run runs a program; nil is [RunProgram].
	Run Runner
}

// Read finds out why a unit has failed. A name without a suffix is that of a service, as
// systemctl has it.
//
// What is known comes, in this order, from the variables that systemd sets for a unit
// started by OnFailure= (MONITOR_*, since version 251) or for a command of ExecStopPost=
// (SERVICE_RESULT and others), from systemctl, and from the journal. What cannot be asked
// is missing in the result and told in its warnings: Read fails for nothing but a name
// that no unit can have, with Malformed.
func Read(ctx context.Context, unit string, o *Options) (*Failure, error) {
	name, err := fullName(unit)
	if err != nil {
		return nil, err
	}
	r := newReader(name, o)
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	known := r.environment()
	if r.o.Directory == "" {
		known = known.or(r.systemctl(ctx))
	}
	entries := r.journal(ctx, known.invocation)
	told := journalFacts(entries, name)
	return r.failure(known, told, of(entries, known.or(told).invocation)), nil
}

// reader reads of one unit.
type reader struct {
	unit     string
	o        Options
	warnings []string
}

func newReader(unit string, o *Options) *reader {
	r := &reader{unit: unit}
	if o != nil {
		r.o = *o
	}
	if r.o.Lines <= 0 {
		r.o.Lines = defaultLines
	}
	r.o.Lines = min(r.o.Lines, maxLines)
	if r.o.Timeout <= 0 {
		r.o.Timeout = defaultTimeout
	}
	if r.o.Getenv == nil {
		r.o.Getenv = func(string) string { return "" }
	}
	if r.o.Run == nil {
		r.o.Run = RunProgram
	}
	return r
}

func (r *reader) warn(text string) {
	r.warnings = append(r.warnings, line{text: oneLine(text)}.shown())
}

// failure puts together what is known first and what the journal has told.
func (r *reader) failure(known, told facts, entries []entry) *Failure {
	f := &Failure{Unit: r.unit, State: state(known, told), Warnings: r.warnings}
	all := known.or(told)
	// A job that failed leaves a success in the unit that never ran.
	if f.State == StateFailed && all.result == resultSuccess {
		all.result = told.result
	}
	f.Result = word(all.result)
	f.Status, f.Signal = all.ended()
	lines := collect(entries)
	f.Panic = findPanic(lines)
	f.Lines, f.Error = pick(lines)
	if f.Panic != "" {
		f.Error = f.Panic
	}
	return f
}

// state decides from systemd's word, and from the journal's where there is none.
func state(known, told facts) State {
	silent := known.active == "" && known.result == ""
	switch {
	case known.failed(), silent && told.failed():
		return StateFailed
	case known.active == activeInactive && told.result == resultDependency:
		return StateFailed // systemd keeps a job's result nowhere but in the journal
	case known.loaded == loadedNotFound && silent:
		return StateMissing
	case !silent, told.result == resultSuccess:
		return StateNotFailed
	default:
		return StateUnknown
	}
}

// oneLine is the text without terminal sequences, control characters and line breaks.
func oneLine(s string) string { return strings.TrimSpace(printable(s)) }

// word is a result or a signal from outside.
func word(s string) string { return clip(redact(oneLine(s)), maxWord) }
