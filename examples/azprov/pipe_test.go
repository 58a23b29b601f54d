package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestReaderThatGoesAway: a console that dies must not kill the process before the
// platform was told, and is a failure of the command all the same.
func TestReaderThatGoesAway(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGPIPE")
	}
	e := startEmulate(t)
	command := exec.CommandContext(t.Context(), os.Args[0], "provision", "--imds", e.ready.IMDS, "--wireserver", e.ready.WireServer)
	command.Env = append(os.Environ(), runMain+"=1")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	var stderr strings.Builder
	command.Stdout, command.Stderr = writer, &stderr
	err = command.Run()
	_ = writer.Close()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("%v, want exit code %d; standard error:\n%s", err, exitFailed, &stderr)
	}
	if text := stderr.String(); strings.Contains(text, "azprov:") {
		t.Errorf("standard error:\n%s", text)
	}
	contains(t, e.stop(t).stderr, "The VM's state is Ready.")
}
