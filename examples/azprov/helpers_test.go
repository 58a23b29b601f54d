package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf/media"
)

// The secrets of the VM that the tests provision. None is a word that would occur
// by chance.
const (
	testPassword   = "Capstan-and-Windlass-9"
	testCustomData = "#cloud-config\nbosun: whistle\n"
	testUserData   = "#!/bin/sh\necho barnacle\n"
)

// runMain in the environment makes the test binary be the command, for tests that
// need a process of their own.
const runMain = "AZPROV_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

type outcome struct {
	code   int
	stdout string
	stderr string
}

// cli runs one command line in this process.
func cli(t *testing.T, args ...string) outcome {
	t.Helper()
	return cliWith(t.Context(), "", args...)
}

func cliWith(ctx context.Context, stdin string, args ...string) outcome {
	return cliOn(ctx, nil, stdin, args...)
}

// cliOn runs it on a machine with that drive; nil is this one.
func cliOn(ctx context.Context, system media.System, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	noEnvironment := func(string) string { return "" }
	a := &app{
		in: strings.NewReader(stdin), out: &sticky{w: &stdout}, err: &locked{w: &stderr},
		getenv: noEnvironment, program: programName(), system: system,
	}
	code := a.run(ctx, args)
	return outcome{code, stdout.String(), stderr.String()}
}

// want fails the test if the exit code is another one.
func (o outcome) want(t *testing.T, code int) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", o.code, code, o.stdout, o.stderr)
	}
	return o
}

// contains fails the test unless every text is in s.
func contains(t *testing.T, s string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s, text) {
			t.Errorf("%q is missing in:\n%s", text, s)
		}
	}
}

// oneObject decodes s, which must be one JSON object and nothing else.
func oneObject(t *testing.T, s string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(s))
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("not a JSON object: %v\n%s", err, s)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one JSON value:\n%s", s)
	}
	return object
}

// at follows member names into an object.
func at(t *testing.T, object map[string]any, path ...string) any {
	t.Helper()
	var value any = object
	for _, name := range path {
		inner, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%v: no object at %q", path, name)
		}
		if value, ok = inner[name]; !ok {
			t.Fatalf("%v: no member %q in %v", path, name, inner)
		}
	}
	return value
}

// platform is an emulated platform outside of the command under test.
type platform struct {
	fabric     *emulator.Fabric
	imds       string
	wireServer string
	dmi        string
	medium     string
}

// newPlatform starts the default scenario with the tests' secrets and no rate limit.
func newPlatform(t *testing.T, change func(*emulator.Scenario)) platform {
	t.Helper()
	scenario, err := emulator.LookupScenario("")
	if err != nil {
		t.Fatal(err)
	}
	scenario.IMDS.RateLimit = azprov.SwitchOff
	scenario.VM.Password = azprov.NewSecret([]byte(testPassword))
	scenario.VM.CustomData = azprov.NewSecret([]byte(testCustomData))
	scenario.VM.UserData = azprov.NewSecret([]byte(testUserData))
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
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	p := platform{
		fabric: fabric, imds: server.IMDSURL(), wireServer: server.WireServerURL(),
		dmi: filepath.Join(dir, "sys"), medium: filepath.Join(dir, "medium"),
	}
	if err := writeSurroundings(fabric, &emulateFlags{dmi: p.dmi, medium: p.medium}); err != nil {
		t.Fatal(err)
	}
	return p
}

// flags are those that point a verb at the platform.
func (p platform) flags(args ...string) []string {
	return append(args, "--imds", p.imds, "--wireserver", p.wireServer, "--dmi", p.dmi)
}

// notAzure is a tree of the firmware's tables of some other machine.
func notAzure(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "class", "dmi", "id", "chassis_asset_tag"), "No Asset Tag\n")
	return dir
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
