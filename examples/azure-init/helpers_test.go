package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

const (
	testPassword   = "Capstan-and-Windlass-9"
	testCustomData = "#!/bin/sh\necho barnacle\n"
)

type outcome struct {
	code           int
	stdout, stderr string
}

// machine is a running system for tests: a directory, and programs that only say that they
// were called.
type machine struct {
	system string
	env    map[string]string
	stdin  string
	// fail has the error of a program; that of getent is 2 for a user that is not in there.
	fail  map[string]error
	calls []string
	name  string
}

// exited is the error of a program that ended with this status.
type exited int

func (e exited) Error() string { return "exit status" }
func (e exited) ExitCode() int { return int(e) }

func newMachine(t *testing.T) *machine {
	t.Helper()
	return &machine{system: t.TempDir(), env: map[string]string{}, fail: map[string]error{}}
}

// run is the runner: useradd makes the account, as far as getent is to find it.
func (m *machine) run(_ context.Context, stdin, name string, args ...string) (string, error) {
	call := strings.TrimSpace(name + " " + strings.Join(args, " "))
	if stdin != "" {
		call += " <" + strings.TrimSpace(stdin)
	}
	m.calls = append(m.calls, call)
	if err := m.fail[name]; err != nil {
		return "", err
	}
	passwd := filepath.Join(m.system, "etc", "passwd")
	switch name {
	case "getent":
		b, _ := os.ReadFile(passwd)
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, args[1]+":") {
				return line, nil
			}
		}
		return "", exited(2)
	case "useradd":
		line := args[0] + ":x:1000:1000::/home/" + args[0] + ":/bin/sh\n"
		return "", errors.Join(os.MkdirAll(filepath.Join(m.system, "home", args[0]), 0o755), appendTo(passwd, line))
	}
	return "", nil
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// cli runs one command line on the machine.
func (m *machine) cli(ctx context.Context, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	a := &app{
		in: strings.NewReader(m.stdin), out: &stdout, err: &stderr, system: m.system, run: m.run,
		getenv:        func(name string) string { return m.env[name] },
		setKernelName: func(name string) error { m.name = name; return m.fail["sethostname"] },
	}
	code := a.main(ctx, args)
	return outcome{code, stdout.String(), stderr.String()}
}

// cli runs one command line on a machine of its own.
func cli(t *testing.T, args ...string) outcome {
	t.Helper()
	return newMachine(t).cli(t.Context(), args...)
}

// want fails the test if the exit code is another one, or a text is nowhere in the output.
func (o outcome) want(t *testing.T, code int, texts ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", o.code, code, o.stdout, o.stderr)
	}
	contains(t, o.stdout+o.stderr, texts...)
	return o
}

func contains(t *testing.T, s string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s, text) {
			t.Errorf("%q is missing in:\n%s", text, s)
		}
	}
}

// testPlatform is an emulated platform outside of the command under test.
type testPlatform struct {
	fabric *emulator.Fabric
	flags  []string
	medium string
}

func newTestPlatform(t *testing.T, change func(*emulator.Scenario)) testPlatform {
	t.Helper()
	scenario, err := emulator.LookupScenario("")
	if err != nil {
		t.Fatal(err)
	}
	scenario.IMDS.RateLimit = azprov.SwitchOff
	if change != nil {
		change(&scenario)
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := fabric.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	dir := t.TempDir()
	p := testPlatform{fabric: fabric, medium: filepath.Join(dir, "medium.img")}
	image, err := os.Create(p.medium)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(fabric.WriteMediumImage(image, emulator.ImageFormatUDF), image.Close(), fabric.WriteDMI(filepath.Join(dir, "sys"))); err != nil {
		t.Fatal(err)
	}
	p.flags = []string{"--imds", server.IMDSURL(), "--wireserver", server.WireServerURL(), "--dmi", filepath.Join(dir, "sys"), "--media", p.medium}
	return p
}

// args are those that point the command at the platform, and some more.
func (p testPlatform) args(more ...string) []string { return append(more, p.flags...) }

// makeFiles writes files by their names; one that ends in a slash is a directory.
func makeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readText(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// wantFile checks text and mode of a file.
func wantFile(t *testing.T, dir, name, text string, mode fs.FileMode) {
	t.Helper()
	if got := readText(t, dir, name); got != text {
		t.Errorf("%s is %q, want %q", name, got, text)
	}
	wantMode(t, dir, name, mode)
}

func wantMode(t *testing.T, dir, name string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
		return
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
		t.Errorf("%s has the mode %o, want %o", name, info.Mode().Perm(), mode)
	}
}
