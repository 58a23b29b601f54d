package unitfailure

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"time"
)

// Runner runs a program of the system and returns what it has written to standard output,
// cut after limit bytes. An error tells why it could not be run or has failed; the output
// that came before it is returned too.
type Runner func(ctx context.Context, limit int, program string, args ...string) ([]byte, error)

const (
	// maxComplaint is what is kept of a program's standard error: its first line is told.
	maxComplaint = 4 << 10
	// pipeDelay is how long a program's own children may hold its output open after its
	// end.
	pipeDelay = time.Second
)

// RunProgram is the Runner of the system: it finds the program in PATH, gives it no input,
// and kills it at the end of the context, or when it writes more than limit bytes, which
// is no error.
func RunProgram(ctx context.Context, limit int, program string, args ...string) ([]byte, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	stdout, stderr := &bounded{limit: limit, full: stop}, &bounded{limit: maxComplaint}
	command := exec.CommandContext(running, program, args...) //nolint:gosec // Callers name the programs; a unit's name is checked.
	command.Stdout, command.Stderr, command.WaitDelay = stdout, stderr, pipeDelay
	err := command.Run()
	switch {
	case err == nil, stdout.overflowed:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return stdout.Bytes(), errors.New("no answer in time")
	}
	if complaint, _, _ := bytes.Cut(bytes.TrimSpace(stderr.Bytes()), []byte("\n")); len(complaint) > 0 {
		err = errors.New(string(complaint))
	}
	return stdout.Bytes(), err
}

// bounded keeps the first bytes that are written, and takes the rest too, so that the
// program does not fail for it.
type bounded struct {
	kept       bytes.Buffer
	limit      int
	full       func()
	overflowed bool
}

func (b *bounded) Bytes() []byte { return b.kept.Bytes() }

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.kept.Len()
	if len(p) <= room {
		return b.kept.Write(p)
	}
	b.overflowed = true
	if b.full != nil {
		b.full()
	}
	_, _ = b.kept.Write(p[:max(0, room)]) // a buffer takes all
	return len(p), nil
}
