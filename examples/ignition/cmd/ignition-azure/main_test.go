package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
)

// asProgram in the environment makes the test binary be the program.
const asProgram = "IGNITION_AZURE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// invoke runs the command in this process.
func invoke(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = command(t.Context(), &streams{strings.NewReader(input), &out, &err}, args)
	return code, out.String(), err.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// medium writes that of a scenario into a directory.
func medium(t *testing.T, scenario string) (dir, image string) {
	t.Helper()
	fabric := fabricOf(t, scenario)
	files, _ := fabric.Medium()
	dir = filepath.Join(t.TempDir(), "medium")
	var disc bytes.Buffer
	if err := fabric.WriteMediumImage(&disc, emulator.ImageFormatBridge); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir, write(t, disc.String())
}

func fabricOf(t *testing.T, name string) *emulator.Fabric {
	t.Helper()
	scenario, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fabric
}

func serve(t *testing.T, fabric *emulator.Fabric) []string {
	t.Helper()
	server, err := fabric.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return []string{"--imds", server.IMDSURL(), "--wireserver", server.WireServerURL()}
}

// TestVerbs has every flag, and every mistake on the command line.
func TestVerbs(t *testing.T) {
	t.Parallel()
	const empty = `{"ignition": {"version": "3.0.0"}}`
	const machine = `{"hostName": "harbour-01", "user": {"name": "pilot", "passwordHash": "$6$salt$hidden"}}`
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, "a.ign"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args   []string
		input  string
		code   int
		stdout []string // a text that begins with ! must not be there
		stderr []string
	}{
		"no verb":              {nil, "", exitDone, []string{"ignition-azure run"}, nil},
		"help":                 {[]string{"--help"}, "", exitDone, []string{"ignition-azure run"}, nil},
		"a wrong verb":         {[]string{"ruin"}, "", exitUsage, nil, []string{`there is no verb "ruin": run, render or lint`}},
		"help of a verb":       {[]string{"render", "--help"}, "", exitDone, []string{"-no-password", "-resource-disk"}, nil},
		"an unknown flag":      {[]string{"run", "--emulator"}, "", exitUsage, nil, []string{"not defined: -emulator"}},
		"a stray argument":     {[]string{"run", "--emulate", "linux-vm"}, "", exitUsage, nil, []string{`stray argument "linux-vm"`}},
		"an unknown scenario":  {[]string{"run", "--emulate=atlantis"}, "", exitUsage, nil, []string{"linux-vm"}},
		"two platforms":        {[]string{"run", "--emulate", "--imds", "http://x", "--wireserver", "http://y"}, "", exitUsage, nil, []string{"leave out --imds"}},
		"half a platform":      {[]string{"run", "--imds", "http://x"}, "", exitUsage, nil, []string{"belong together"}},
		"data of a real VM":    {[]string{"run", "--user-data", "x"}, "", exitUsage, nil, []string{"are for --emulate"}},
		"two configs":          {[]string{"run", "--emulate", "--user-data", "x", "--custom-data", "y"}, "", exitUsage, nil, []string{"one of the two"}},
		"two media":            {[]string{"run", "--emulate", "--ovf", "x", "--media", "y"}, "", exitUsage, nil, []string{"one medium"}},
		"a wrong order":        {[]string{"run", "--emulate", "--order", "floppy"}, "", exitUsage, nil, []string{`no source "floppy"`}},
		"a wrong ready stage":  {[]string{"run", "--emulate", "--ready-after", "lunch"}, "", exitUsage, nil, []string{`no stage "lunch"`}},
		"a failure of nothing": {[]string{"run", "--emulate", "--fail", "disks"}, "", exitUsage, nil, []string{"want STAGE=ERROR"}},
		"no such config":       {[]string{"run", "--emulate", "--user-data", "/none/such"}, "", exitFailed, nil, []string{"/none/such"}},

		"run":                    {[]string{"run", "--emulate"}, "", exitDone, []string{"config has been read from user-data", "stage umount", "accepted: Ready"}, nil},
		"run, custom data":       {[]string{"run", "--emulate", "--custom-data", write(t, empty)}, "", exitDone, []string{"config has been read from custom-data", "accepted: Ready"}, nil},
		"run, custom data first": {[]string{"run", "--emulate", "--order", "custom-data,user-data"}, "", exitDone, []string{"config has been read from user-data"}, nil},
		"run, not Ready":         {[]string{"run", "--emulate", "--ready-after", "-"}, "", exitDone, []string{"accepted: InProgress", "!accepted: Ready"}, nil},
		"run, for cloud-init": {
			[]string{"run", "--emulate", "--user-data", "scenario"},
			"", exitFailed,
			[]string{"accepted: Failed result=error|reason=provisioning program ignition-fetch.service failed|", "stage=fetch|error=config is not valid|"},
			[]string{"stage fetch failed: config is not valid"},
		},
		"run, a stage fails": {
			[]string{"run", "--emulate", "--fail", "disks=no such device"},
			"", exitFailed,
			[]string{"stage=disks|error=no such device|", "!stage mount", "!accepted: Ready"},
			[]string{"stage disks failed: no such device"},
		},

		"render": {
			[]string{"render", "--emulate=custom-data"},
			"", exitDone,
			[]string{"== platform-user.ign 0600", `"passwordHash": "[redacted]"`, "jetty-07%0A", "PasswordAuthentication%20yes", `"version": "3.0.0"`, "!groups", "!mnt-resource"},
			nil,
		},
		"render, revealed":       {[]string{"render", "--emulate=custom-data", "--reveal"}, "", exitDone, []string{`"passwordHash": "$6$rounds=10000$`}, nil},
		"render, a spec":         {[]string{"render", "--emulate", "--spec", "3.6"}, "", exitDone, []string{`"version": "3.6.0"`}, nil},
		"render, a wrong spec":   {[]string{"render", "--emulate", "--spec", "3.7"}, "", exitUsage, nil, []string{"3.0.0 to 3.6.0"}},
		"render, more":           {[]string{"render", "--emulate", "--group", "wheel", "--group", "sudo", "--resource-disk"}, "", exitDone, []string{`"wheel",`, `"sudo"`, "mnt-resource.mount"}, nil},
		"render, less":           {[]string{"render", "--emulate=custom-data", "--no-hostname", "--no-keys", "--no-groups", "--no-password", "--no-sudo", "--no-sshd"}, "", exitDone, []string{"== platform-user.ign 0644", "!hostname", "!ssh-", "!passwordHash", "!sudoers"}, nil},
		"render, no user":        {[]string{"render", "--emulate", "--no-user"}, "", exitDone, []string{"!platform-user.ign", "platform-hostname"}, nil},
		"render, off":            {[]string{"render", "--off"}, "", exitDone, []string{"!="}, nil},
		"render, another":        {[]string{"render", "--machine", write(t, machine)}, "", exitDone, []string{"harbour-01", "[redacted]", "!hidden"}, nil},
		"render, from a pipe":    {[]string{"render", "--machine", "-"}, machine, exitDone, []string{"harbour-01"}, nil},
		"render, a wrong one":    {[]string{"render", "--machine", "-"}, `{"host": "x"}`, exitFailed, nil, []string{`unknown field "host"`}},
		"render, none":           {[]string{"render", "--machine", "/none/such"}, "", exitFailed, nil, []string{"/none/such"}},
		"render, two machines":   {[]string{"render", "--machine", "-", "--emulate"}, "", exitUsage, nil, []string{"--machine says it all"}},
		"render, a failure":      {[]string{"render", "--emulate=bad-ovf"}, "", exitFailed, nil, []string{"ovf"}},
		"lint, no directory":     {[]string{"lint"}, "", exitUsage, nil, []string{"name the directory"}},
		"lint, none such":        {[]string{"lint", "/none/such"}, "", exitFailed, nil, []string{"/none/such"}},
		"lint, a wrong form":     {[]string{"lint", "--output", "yaml", bad}, "", exitUsage, nil, []string{"neither text nor json"}},
		"lint, a wrong version":  {[]string{"lint", "--knows", "2", bad}, "", exitUsage, nil, []string{"--knows"}},
		"lint, no such user":     {[]string{"lint", "--user", "/none/such", bad}, "", exitFailed, nil, []string{"/none/such"}},
		"lint, refused":          {[]string{"lint", bad}, "", exitFailed, []string{"refused    a.ign: not a config (empty)\n"}, nil},
		"lint, refused, as JSON": {[]string{"lint", "--output", "json", bad}, "", exitFailed, []string{`"verdict": "refused"`}, nil},
		"lint, nothing":          {[]string{"lint", "--output", "json", t.TempDir()}, "", exitDone, []string{"[]\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := invoke(t, row.input, row.args...)
			if code != row.code {
				t.Errorf("exit code %d, want %d", code, row.code)
			}
			for _, want := range row.stdout {
				if text, not := strings.CutPrefix(want, "!"); strings.Contains(stdout, text) == not {
					t.Errorf("standard output and %q", want)
				}
			}
			for _, want := range row.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("standard error has no %q", want)
				}
			}
			if t.Failed() {
				t.Logf("%s\n%s", stdout, stderr)
			}
		})
	}
}

// TestNamedPlatform: a platform beside the program, and its medium as a directory and a disc.
func TestNamedPlatform(t *testing.T) {
	t.Parallel()
	mounted, image := medium(t, "custom-data")
	for flag, path := range map[string]string{"--ovf": mounted, "--media": image} {
		platform := append(serve(t, fabricOf(t, "custom-data")), flag, path)
		code, stdout, stderr := invoke(t, "", append([]string{"render", "--reveal"}, platform...)...)
		if code != exitDone || !strings.Contains(stdout, "$6$rounds=10000$") || !strings.Contains(stdout, "jetty-07") {
			t.Errorf("%s: %d\n%s\n%s", flag, code, stdout, stderr)
		}
		code, stdout, stderr = invoke(t, "", append([]string{"run", "--order", "custom-data"}, platform...)...)
		if code != exitFailed || !strings.Contains(stdout, "config has been read from custom-data") || !strings.Contains(stderr, "config is not valid") {
			t.Errorf("%s: %d\n%s\n%s", flag, code, stdout, stderr) // it is cloud-init's
		}
	}
	platform := serve(t, fabricOf(t, "linux-vm"))
	if code, _, stderr := invoke(t, "", append([]string{"run", "--order", "custom-data"}, platform...)...); code != exitDone {
		t.Errorf("without a medium, which IMDS does not promise: %d\n%s", code, stderr)
	}
}

// TestWriteAndLint: the course of an image's author.
func TestWriteAndLint(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "base.platform.d", "azure")
	code, stdout, stderr := invoke(t, "", "render", "--emulate=custom-data", "--spec", "3.4", "--dir", dir)
	if code != exitDone || !strings.Contains(stdout, filepath.Join(dir, "platform-user.ign")+"\n") {
		t.Fatalf("%d\n%s\n%s", code, stdout, stderr)
	}
	if info, err := os.Stat(filepath.Join(dir, "platform-user.ign")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	user := write(t, `{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/etc/hostname", "contents": {"source": "data:,x"}}]}}`)
	code, stdout, stderr = invoke(t, "", "lint", "--user", user, dir)
	if code != exitDone || stdout != "overridden platform-hostname.ign: storage.files[/etc/hostname].contents.source: by the user's config\n" {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	code, stdout, _ = invoke(t, "", "lint", "--knows", "3.3.0", "--output", "json", dir)
	var findings []struct{ Verdict, File, Path, Reason string }
	if err := json.Unmarshal([]byte(stdout), &findings); err != nil || code != exitFailed || len(findings) != 4 || findings[0].Path != "ignition.version" {
		t.Errorf("%d %v\n%s", code, err, stdout)
	}
	if code, _, _ := invoke(t, "", "render", "--off", "--dir", dir); code != exitDone {
		t.Errorf("off: %d", code)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestStageFails has the program as a process of its own, on a platform that it does not know
// of: a stage fails, and the platform knows why within 10 seconds.
func TestStageFails(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	fabric := fabricOf(t, "no-ovf")
	args := append([]string{"run", "--fail", "fetch=failed to fetch config: resource not found"}, serve(t, fabric)...)
	program := exec.CommandContext(t.Context(), self, args...)
	program.Env = append(os.Environ(), asProgram+"=1")
	started := time.Now()
	out, err := program.CombinedOutput()
	if program.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%v\n%s", err, out)
	}
	reports := fabric.Reports()
	if len(reports) != 1 || reports[0].State != emulator.StateFailed || reports[0].SubStatus != "ProvisioningFailed" ||
		!strings.Contains(reports[0].Description, "|stage=fetch|error=failed to fetch config: resource not found|") {
		t.Fatalf("%+v", reports)
	}
	if took := reports[0].Time.Sub(started); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if fabric.State() != emulator.StateFailed {
		t.Errorf("the platform shows %s", fabric.State())
	}
}
