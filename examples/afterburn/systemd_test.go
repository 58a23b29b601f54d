package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/azprov/azprov/internal/programtest"
)

// units are the shipped ones, by their files.
func units(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	files, err := filepath.Glob(filepath.Join("systemd", "*.service"))
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(b)
	}
	return texts
}

// TestUnits: systemd takes the units.
func TestUnits(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "systemd-analyze")
	verify := func(t *testing.T, name, text string) (complaints string) {
		t.Helper()
		dir := t.TempDir()
		// The command is where the units have it: they are checked with one that is there.
		programtest.Write(t, dir, name, []byte(strings.ReplaceAll(text, "/usr/bin/afterburn", "/bin/true")))
		if strings.Contains(text, "10-azprov.conf") { // the unit says that it goes with this drop-in
			dropIn := programtest.Read(t, filepath.Join("..", "systemd", "initramfs", "ignition"), "10-azprov.conf")
			if err := os.Mkdir(filepath.Join(dir, name+".d"), 0o700); err != nil {
				t.Fatal(err)
			}
			programtest.Write(t, filepath.Join(dir, name+".d"), "10-azprov.conf", bytes.ReplaceAll(dropIn, []byte("/usr/bin/azprov"), []byte("/bin/true")))
		}
		unit := filepath.Join(dir, strings.Replace(name, "@", "@core", 1))
		_, stderr, err := programtest.Try(t, dir, "systemd-analyze", "verify", "--man=no", "--recursive-errors=one", unit)
		for line := range strings.Lines(string(stderr)) {
			if strings.Contains(line, dir) || strings.Contains(line, "afterburn") { // about our files, not the system's
				complaints += line
			}
		}
		if err != nil && complaints == "" {
			complaints = err.Error() + "\n" + string(stderr)
		}
		return complaints
	}
	for name, text := range units(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if complaints := verify(t, name, text); complaints != "" {
				t.Error(complaints)
			}
		})
	}
	// That the check notices something at all.
	if got := verify(t, "afterburn.service", "[Service]\nExecStart=/bin/true\nAnchor=up\n"); !strings.Contains(got, "Unknown key") {
		t.Error(got)
	}
}

// TestUnitsCallTheCommand: the command lines of the units are such that the command has,
// and do what the unit is for.
func TestUnitsCallTheCommand(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"afterburn.service":                   "run/metadata/afterburn",
		"afterburn-sshkeys@.service":          installed,
		"afterburn-checkin.service":           "",
		"afterburn-hostname.service":          "sysroot/etc/hostname",
		"afterburn-ignition-fragment.service": "etc/ignition/base.platform.d/azure/hostname.ign etc/ignition/base.platform.d/azure/user.ign",
	} {
		root := t.TempDir()
		_, line, found := strings.Cut(units(t)[name], "\nExecStart=/usr/bin/afterburn ")
		line, _, _ = strings.Cut(line, "\n")
		if !found {
			t.Fatal(name)
		}
		args := strings.Fields(strings.NewReplacer("%i", "core", "=/", "="+filepath.ToSlash(root)+"/").Replace(line))
		onVM(t, "linux-vm", nil, func(m *vm) {
			t := m.t

			m.app.proc = fstest.MapFS{"cmdline": {Data: []byte("ignition.platform.id=azure")}}
			m.run(args...).want(t, 0)
			where := root
			if strings.Contains(name, "@") {
				where = m.home
			}
			leftBehind(t, where, strings.Fields(want)...)
			if ready := name == "afterburn-checkin.service"; ready != (len(m.fabric.Reports()) == 1) {
				t.Errorf("%s: %+v", name, m.fabric.Reports())
			}
		})
	}
}
