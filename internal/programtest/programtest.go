// Package programtest runs programs of the system in tests, which hold this module's work
// against theirs.
package programtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Need skips the test where one of the programs is not installed.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the program %s is not installed", program)
		}
	}
}

// Run runs a program in dir and returns its standard output. If it fails, so does the
// test.
func Run(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	out, stderr, err := Try(t, dir, program, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, stderr)
	}
	return out
}

// Try is [Run] for a program that may fail; err is then an *exec.ExitError.
func Try(t *testing.T, dir, program string, args ...string) (stdout, stderr []byte, err error) {
	t.Helper()
	Need(t, program)
	var complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), program, args...) //nolint:gosec // Tests name the programs.
	command.Dir, command.Stderr = dir, &complaints
	stdout, err = command.Output()
	return stdout, complaints.Bytes(), err
}

// Write writes a private file into dir and returns its path.
func Write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Read reads a file in dir, which a program has written.
func Read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Rerun runs the test t once more, in a process of its own with more of an environment,
// in dir. Without success there, t fails.
func Rerun(t *testing.T, dir string, env ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // This very program.
	command.Dir, command.Env = dir, append(os.Environ(), env...)                             //nolint:forbidigo // The test has its own.
	out, err := command.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
}
