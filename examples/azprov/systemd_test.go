package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/programtest"
)

// ignitionStage is one of Ignition's units as far as it matters to a drop-in: how it fails.
const ignitionStage = `[Unit]
Description=Ignition (fetch)
DefaultDependencies=false
OnFailure=emergency.target
OnFailureJobMode=isolate
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
`

// TestUnits: systemd takes the units of examples/systemd.
func TestUnits(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "systemd-analyze", "sh")
	read := func(name ...string) string {
		return string(programtest.Read(t, filepath.Join("..", "systemd"), filepath.Join(name...)))
	}
	// The command is where the units have it: they are checked with one that is there.
	here := func(text string) string { return strings.ReplaceAll(text, "/usr/bin/azprov", "/bin/true") }
	failure, ready := here(read("azprov-report-failure@.service")), here(read("azprov-ready.service"))
	dropIn := here(read("initramfs", "ignition", "10-azprov.conf"))
	for name, row := range map[string]struct {
		files  map[string]string
		unit   string
		refuse string // what systemd says; empty if it takes the unit
	}{
		"the template": {map[string]string{"azprov-report-failure@.service": failure}, "azprov-report-failure@pilot.service.service", ""},
		"Ready":        {map[string]string{"azprov-report-failure@.service": failure, "azprov-ready.service": ready}, "azprov-ready.service", ""},
		"an agent": {map[string]string{
			"azprov-report-failure@.service": failure,
			"pilot.service":                  "[Unit]\nDescription=p\nOnFailure=azprov-report-failure@%n.service\n[Service]\nExecStart=/bin/true\n",
		}, "pilot.service", ""},
		"a stage of Ignition": {map[string]string{
			"ignition-fetch.service": ignitionStage, "ignition-fetch.service.d/10-azprov.conf": dropIn,
		}, "ignition-fetch.service", ""},
		// Why the drop-in has no OnFailure= of its own.
		"a stage with a second OnFailure=": {map[string]string{
			"azprov-report-failure@.service": failure, "ignition-fetch.service": ignitionStage,
			"ignition-fetch.service.d/10-azprov.conf": "[Unit]\nOnFailure=azprov-report-failure@%n.service\n",
		}, "ignition-fetch.service", "More than one OnFailure= dependencies specified but OnFailureJobMode=isolate set"},
		// That the check notices something at all.
		"an unknown line": {map[string]string{"pilot.service": failure + "Anchor=up\n"}, "pilot.service", "Unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range row.files {
				writeFile(t, filepath.Join(dir, file), text)
			}
			_, complaints, err := programtest.Try(t, dir, "systemd-analyze", "verify", "--man=no", "--recursive-errors=one", filepath.Join(dir, row.unit))
			var own []string // about our files, not about the system's
			for line := range strings.Lines(string(complaints)) {
				if strings.Contains(line, dir) || strings.Contains(line, "azprov") || strings.Contains(line, row.unit) {
					own = append(own, line)
				}
			}
			if row.refuse == "" && (err != nil || len(own) > 0) || !strings.Contains(string(complaints), row.refuse) {
				t.Errorf("%v\n%s", err, complaints)
			}
		})
	}
}

// TestUnitsCallTheCommand: the command lines of the units are such that the command has.
func TestUnitsCallTheCommand(t *testing.T) {
	t.Parallel()
	var called []string
	for _, name := range []string{"azprov-report-failure@.service", "azprov-ready.service", "initramfs/ignition/10-azprov.conf"} {
		b, err := os.ReadFile(filepath.Join("..", "systemd", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if _, args, ok := strings.Cut(line, "/usr/bin/azprov "); ok && strings.HasPrefix(line, "Exec") {
				called = append(called, strings.TrimRight(strings.TrimSpace(args), "'"))
			}
		}
	}
	if len(called) != 3 {
		t.Fatalf("%q", called)
	}
	for _, line := range called {
		args := strings.Fields(strings.NewReplacer("%i", "pilot.service", "%n", "pilot.service").Replace(line))
		cli(t, append(args, "--dmi", notAzure(t))...).want(t, exitNotFound)
	}
}

// TestDropInAsksForTheResult: only a stage that failed is worth a process.
func TestDropInAsksForTheResult(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "sh")
	b := string(programtest.Read(t, filepath.Join("..", "systemd", "initramfs", "ignition"), "10-azprov.conf"))
	_, rest, _ := strings.Cut(b, "sh -c '")
	script, _, _ := strings.Cut(rest, "'\n")
	// systemd turns $$ into $.
	script = strings.NewReplacer("$$", "$", "exec /usr/bin/azprov", "echo").Replace(script)
	for result, want := range map[string]string{"success": "", "exit-code": "report failure --from-journal %n --timeout 60s\n", "": "report failure --from-journal %n --timeout 60s\n"} {
		if got := string(programtest.Run(t, "", "sh", "-c", "SERVICE_RESULT="+result+"; "+script)); got != want {
			t.Errorf("%q: %q, want %q", result, got, want)
		}
	}
}
