package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, row := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"a verb that is not there", []string{"clena"}, exitUsage, []string{`unknown verb "clena"`, "hint: did you mean clean?"}},
		{"a scenario after a blank", []string{"--emulate", "custom-data"}, exitUsage, []string{"write --emulate=custom-data"}},
		{"a flag that is not there", []string{"--rot", "x"}, exitUsage, []string{"unknown flag: --rot", "see azure-init --help"}},
		{"a stray argument", []string{"clean", "all"}, exitUsage, []string{`stray argument "all"`}},
		{"two arguments", []string{"set-hostname", "a", "b"}, exitUsage, []string{`stray argument "b"`}},
		{"custom data takes none", []string{"take-custom-data", "x"}, exitUsage, []string{`stray argument "x"`}},
		{"no reason", []string{"report-failure"}, exitUsage, []string{"want one reason"}},
		{"a blank reason", []string{"report-failure", " "}, exitUsage, []string{"want one reason"}},
		{"a switch", []string{"configure-sshd", "on", "--root", root}, exitUsage, []string{"configure-sshd on", "say yes or no"}},
		{"the emulator for this machine", []string{"--emulate"}, exitUsage, []string{"--emulate needs --root"}},
		{"an unknown scenario", []string{"--emulate=submarine", "--root", root}, exitUsage, []string{`no scenario "submarine"`, "linux-vm"}},
		{"two platforms", []string{"--emulate", "--imds", "http://127.0.0.1:1", "--root", root}, exitUsage, []string{"leave out --emulate"}},
		{"a value and the emulator", []string{"set-hostname", "x", "--emulate", "--root", root}, exitUsage, []string{"leave out one"}},
		{"a root that is not there", []string{"--root", filepath.Join(root, "none")}, exitUsage, []string{"is no directory"}},
		{"a root that is a file", []string{"--root", os.Args[0]}, exitUsage, []string{"is no directory"}},
		{"a medium that is not there", []string{"--imds", "http://127.0.0.1:1", "--media", filepath.Join(root, "none"), "--root", root}, exitUsage, []string{"--media"}},
		{"an endpoint with a path", []string{"--imds", "http://127.0.0.1:1/x", "--root", root}, exitFailed, []string{"endpoint"}},
		{"a time", []string{"--timeout", "soon"}, exitUsage, []string{"soon"}},
		{"a configuration that is not there", []string{"--config", filepath.Join(root, "none.toml"), "--print-effective-config"}, exitConfig, []string{"cannot be read"}},
		{"help", []string{"--help"}, exitDone, []string{"--print-effective-config", "set-hostname", "Exit codes"}},
		{"help for a verb", []string{"create-user", "--help"}, exitDone, []string{"create-user [NAME]"}},
		{"version", []string{"-V"}, exitDone, []string{"azure-init " + azprov.Version}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cli(t, row.args...).want(t, row.code, row.want...)
		})
	}
}

func TestNotAzure(t *testing.T) {
	t.Parallel()
	dmi := t.TempDir()
	makeFiles(t, dmi, map[string]string{"class/dmi/id/chassis_asset_tag": "No Asset Tag\n"})
	cli(t, "--dmi", dmi, "--root", t.TempDir()).want(t, exitFailed, "the chassis asset tag", "the platform was not told")
	config := filepath.Join(t.TempDir(), "x.toml")
	makeFiles(t, filepath.Dir(config), map[string]string{"x.toml": "shh = 1\n"})
	cli(t, "--dmi", dmi, "--root", t.TempDir(), "--config", config).want(t, exitConfig, "unknown key shh")
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 503, Always: true}} })
	cli(t, p.args("--timeout", "300ms", "--root", t.TempDir())...).want(t, exitFailed, "failed; the platform was told")
}

// TestConfiguredTimes: the platform is given up when the configuration says so.
func TestConfiguredTimes(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 503, Always: true}} })
	root := t.TempDir()
	makeFiles(t, root, map[string]string{"etc/azure-init.toml": "[imds]\ntotal_retry_timeout_secs = 0.5\nretry_interval_secs = 0.1\n"})
	got := cli(t, p.args("--root", root)...).want(t, exitFailed, "failed; the platform was told")
	contains(t, got.stderr, "no time for another attempt", "503")
}

// TestGroups: the flag wins over the environment, and that over the configuration.
func TestGroups(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, env, flag, want string }{
		{"configuration", "", "", "adm"},
		{"environment", "sudo, users", "", "sudo,users"},
		{"flag", "sudo", "-g=users", "users"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.env["AZURE_INIT_USER_GROUPS"] = row.env
			makeFiles(t, m.system, map[string]string{"etc/azure-init.toml": "[user_provisioners]\ngroups = ['adm']\n"})
			args := []string{"create-user", "pilot"}
			if row.flag != "" {
				args = append(args, row.flag)
			}
			m.cli(t.Context(), args...).want(t, exitDone)
			if got := m.calls[len(m.calls)-1]; !strings.HasSuffix(got, "--groups "+row.want) {
				t.Errorf("the program is %q, want the groups %s", got, row.want)
			}
		})
	}
}

// TestLogLevel: AZURE_INIT_LOG is for standard error, the file has everything.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	for level, lines := range map[string]bool{"": false, "info": true, "nonsense": false} {
		m := newMachine(t)
		m.env["AZURE_INIT_LOG"] = level
		root := t.TempDir()
		got := m.cli(t.Context(), "--emulate", "--root", root).want(t, exitDone)
		if strings.Contains(got.stderr, "create-user") != lines {
			t.Errorf("at level %q standard error is:\n%s", level, got.stderr)
		}
		contains(t, readText(t, root, "var/log/azure-init.log"), "create-user")
	}
}

// TestMedia: an image, a directory, and none at all.
func TestMedia(t *testing.T) {
	t.Parallel()
	secret := func(s *emulator.Scenario) { s.VM.CustomData = azprov.NewSecret([]byte("x")) }
	p := newTestPlatform(t, secret)
	flags := p.flags[:len(p.flags)-2]
	medium, _ := p.fabric.Medium()
	dir := t.TempDir()
	if err := os.CopyFS(dir, medium); err != nil {
		t.Fatal(err)
	}
	for media, want := range map[string]string{p.medium: "1 bytes saved", dir: "1 bytes saved"} {
		cli(t, append([]string{"take-custom-data", "--media", media, "--root", t.TempDir()}, flags...)...).want(t, exitDone, want)
	}
	// What the platform promises and nobody has read is a failure.
	cli(t, append([]string{"take-custom-data", "--root", t.TempDir()}, flags...)...).want(t, exitFailed, "custom data")
	a := &app{}
	if medium, err := a.medium(&config{}, false); err != nil || medium != provision.NoMedium() {
		t.Errorf("with provisioning_media.enable = false the medium is %v, %v", medium, err)
	}
	if medium, err := a.medium(defaultConfig(), false); err != nil || medium == provision.NoMedium() {
		t.Errorf("on a VM no medium is looked for: %v, %v", medium, err)
	}
}

// TestVerbs: what the command line says is done, and nobody is asked.
func TestVerbs(t *testing.T) {
	t.Parallel()
	root := debianRoot(t)
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w"
	for _, row := range []struct {
		name, stdin string
		args        []string
		code        int
		want        string
		file, text  string // what is in a file then
	}{
		{"host name", "", []string{"set-hostname", "pier-9"}, exitDone, "pier-9", "etc/hostname", "pier-9\n"},
		{"a host name that is none", "", []string{"set-hostname", "-pier"}, exitUsage, "", "", ""},
		{"a host name that is too long", "", []string{"set-hostname", strings.Repeat("a.", 33)}, exitFailed, "host name (a.a.", "", ""},
		{"nobody yet", "", []string{"grant-sudo", "pilot"}, exitFailed, "user (pilot): there is none", "", ""},
		{"user", "", []string{"create-user", "pilot", "-g", "adm"}, exitDone, "pilot made", "", ""},
		{"another user", "", []string{"create-user", "Mate.2"}, exitDone, "Mate.2 made", "", ""},
		{"sudo without a password", "", []string{"grant-sudo", "pilot"}, exitDone, "without", "etc/sudoers.d/azure-init-user", "pilot ALL=(ALL) NOPASSWD: ALL\n"},
		{"password", testPassword + "\n", []string{"set-password", "Mate.2"}, exitDone, "set", "", ""},
		{"sudo with the password", "", []string{"grant-sudo", "Mate.2"}, exitDone, "with the", "etc/sudoers.d/azure-init-user", "pilot ALL=(ALL) NOPASSWD: ALL\nMate.2 ALL=(ALL) ALL\n"},
		{"the same password", testPassword, []string{"set-password", "Mate.2"}, exitDone, "the same as before", "", ""},
		{"no password", "", []string{"set-password", "Mate.2"}, exitDone, "locked", "", ""},
		{"sudo changes with it", "", []string{"grant-sudo", "Mate.2"}, exitDone, "without", "etc/sudoers.d/azure-init-user", "pilot ALL=(ALL) NOPASSWD: ALL\nMate.2 ALL=(ALL) NOPASSWD: ALL\n"},
		{"keys", "# mine\n" + key + " one\n\n", []string{"install-keys", "pilot"}, exitDone, "1 added, 0 there", "home/pilot/.ssh/authorized_keys", key + " one\n"},
		{"the same key by another name", key + " two\n", []string{"install-keys", "pilot"}, exitDone, "0 added, 1 there", "home/pilot/.ssh/authorized_keys", key + " one\n"},
		{"sshd", "", []string{"configure-sshd", "no"}, exitDone, "PasswordAuthentication no\n", sshdDropIn, "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"},
		{"sshd again", "", []string{"configure-sshd", "yes"}, exitDone, "PasswordAuthentication yes\n", sshdDropIn, "PasswordAuthentication yes\n"},
		{"keys without end", strings.Repeat("x", 1<<20+1), []string{"install-keys", "pilot"}, exitFailed, "over 1 MiB", "", ""},
	} { // in this order
		m := newMachine(t)
		m.stdin = row.stdin
		got := m.cli(t.Context(), append(row.args, "--root", root)...)
		if got.code != row.code {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", row.name, got.code, row.code, got.stdout, got.stderr)
		}
		contains(t, got.stdout+got.stderr, row.want)
		if row.file != "" {
			if text := readText(t, root, row.file); text != row.text {
				t.Errorf("%s: %s is %q, want %q", row.name, row.file, text, row.text)
			}
		}
		if len(m.calls) > 0 {
			t.Errorf("%s: programs were run below --root: %q", row.name, m.calls)
		}
	}
}

// TestVerbsAsk: without an argument the platform says what to do, and is told nothing.
func TestVerbsAsk(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, nil)
	root := debianRoot(t)
	for _, step := range steps {
		cli(t, p.args(step.verb, "--root", root)...).want(t, exitDone, step.verb)
	}
	if len(p.fabric.Reports()) != 0 {
		t.Errorf("the platform was told %+v", p.fabric.Reports())
	}
	wantFile(t, root, "etc/hostname", "harbour-01\n", 0o644)
	wantFile(t, root, sshdDropIn, "PasswordAuthentication no\nKbdInteractiveAuthentication no\n", 0o600)
	if _, err := os.Stat(filepath.Join(root, "var/log")); err == nil {
		t.Error("a verb writes the log")
	}
}
