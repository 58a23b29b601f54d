package main

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

const spareKey = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNL1DqD/oPyI/CrXLY3h6k0IBuBOxp0CujDAqsU/ifSas0PsgmwfY2LWmeQyZOVmO03iVlU4qx13zoCRUBvcCDE= spare@example.test"

const installed = ".ssh/authorized_keys.d/afterburn"

func TestKeysAreInstalled(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "journal")
	sent := journald(t, socket)
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		m.app.journal = socket
		file := filepath.Join(m.home, filepath.FromSlash(installed))
		neighbour := filepath.Join(m.home, ".ssh", "authorized_keys")
		if err := os.MkdirAll(filepath.Dir(neighbour), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(neighbour, []byte("the user's own\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "wrote "+file)
		wantFile(t, file, firstKey+"\n"+spareKey+"\n", 0o600)
		wantFile(t, neighbour, "the user's own\n", 0o640)
		leftBehind(t, m.home, ".ssh/authorized_keys", installed)
		for dir, mode := range map[string]os.FileMode{".ssh": 0o750, ".ssh/authorized_keys.d": 0o700} {
			if info, err := os.Stat(filepath.Join(m.home, dir)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v", dir, info.Mode(), err)
			}
		}
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, file+" is as it should be")
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "wrote "+file)
		wantFile(t, file, firstKey+"\n"+spareKey+"\n", 0o600)
	})
	if got := sent(); !strings.Contains(got, "MESSAGE_ID="+messageKeysAdded+"\n") || !strings.Contains(got, "AFTERBURN_USER_NAME=core\n") {
		t.Errorf("the journal has %q", got)
	}
}

func TestKeysAreRemoved(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "journal")
	sent := journald(t, socket)
	onVM(t, "linux-vm", func(s *emulator.Scenario) {
		s.VM.SSHKeys, s.VM.Password = nil, azprov.NewSecret([]byte(testPassword))
		s.VM.DisablePasswordAuthentication = azprov.SwitchOff
	}, func(m *vm) {
		t := m.t

		m.app.journal = socket
		file := filepath.Join(m.home, filepath.FromSlash(installed))
		m.drive.At = time.Now().Add(time.Hour) // nobody needs the medium
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "as it should be")
		leftBehind(t, m.home)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "removed "+file)
		leftBehind(t, m.home)
	})
	if got := sent(); !strings.Contains(got, "MESSAGE_ID="+messageKeysRemoved+"\n") {
		t.Errorf("the journal has %q", got)
	}
}

// TestKeysFromElsewhere: keys that IMDS does not have, or as certificates.
func TestKeysFromElsewhere(t *testing.T) {
	t.Parallel()
	noKeys := func(s *emulator.Scenario) { s.IMDS.Instance = []byte(`{"compute":{"publicKeys":[]}}`) }
	noMedium := func(s *emulator.Scenario) { s.Medium.Absent = true }
	for _, row := range []struct {
		name, scenario, provider string
		change                   func(*emulator.Scenario)
		code                     int
		want                     []string // the beginnings of the lines
		word                     string
	}{
		{"certificates", "fingerprint-keys", azure, nil, 0, []string{"ssh-rsa AAAA", "ecdsa-sha2-nistp256 AAAA"}, "wrote"},
		{"certificates that IMDS hides", "fingerprint-keys", azureStack, noKeys, 0, []string{"ssh-rsa AAAA", "ecdsa-sha2-nistp256 AAAA"}, "wrote"},
		{"an old IMDS", "stack-hub", azureStack, noMedium, 0, []string{firstKey}, "wrote"},
		{"no IMDS", "no-imds", azureStack, nil, 0, []string{firstKey}, "there is no IMDS here"},
		{"neither", "no-imds", azureStack, noMedium, exitFailed, nil, "media"},
		{"certificates without a medium", "fingerprint-keys", azure, noMedium, exitFailed, nil, "media"},
		{"a key twice", "linux-vm", azure, func(s *emulator.Scenario) { s.VM.SSHKeys[1] = s.VM.SSHKeys[0] }, 0, []string{firstKey}, "wrote"},
		{"one of IMDS's is none", "linux-vm", azure, func(s *emulator.Scenario) {
			noMedium(s)
			s.VM.SSHKeys[1].KeyData = "-----BEGIN NONSENSE-----"
		}, 0, []string{firstKey}, "warning: some SSH keys cannot be had"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			onVM(t, row.scenario, row.change, func(m *vm) {
				t := m.t

				m.run("--provider", row.provider, "--ssh-keys", "core").want(t, row.code, row.word)
				b, _ := os.ReadFile(filepath.Join(m.home, filepath.FromSlash(installed)))
				lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
				if len(row.want) == 0 && len(b) == 0 {
					return
				}
				if len(lines) != len(row.want) {
					t.Fatalf("%q", lines)
				}
				for i, want := range row.want {
					if !strings.HasPrefix(lines[i], want) {
						t.Errorf("%q, want %q", lines[i], want)
					}
				}
			})
		})
	}
}

// TestKeysOfALaterBoot: the medium is gone, and with it what the fingerprints were.
func TestKeysOfALaterBoot(t *testing.T) {
	t.Parallel()
	onVM(t, "fingerprint-keys", nil, func(m *vm) {
		t := m.t

		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "wrote")
		file := filepath.Join(m.home, filepath.FromSlash(installed))
		before, _ := os.ReadFile(file)
		m.drive.At = time.Now().Add(time.Hour) // an empty drive
		start := time.Now()
		m.run("--provider", "azure", "--ssh-keys", "core").want(t, 0, "is left as it is")
		if took := time.Since(start); took > time.Second {
			t.Errorf("waited for the medium for %v", took)
		}
		wantFile(t, file, string(before), 0o600)
	})
}

func TestKeysOfNobody(t *testing.T) {
	t.Parallel()
	onVM(t, "linux-vm", nil, func(m *vm) {
		m.run("--provider", "azure", "--ssh-keys", "pirate").want(m.t, exitUsage, `no user "pirate"`)
		leftBehind(m.t, m.home)
	})
}

// TestKeysOfAnEmulator: they are for show, whoever the user is.
func TestKeysOfAnEmulator(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	a := &app{
		proc: fstest.MapFS{}, sys: fstest.MapFS{}, host: provision.NoHost(),
		account: func(string) (*user.User, error) { return &user.User{HomeDir: home, Uid: "0", Gid: "0"}, nil },
	}
	got := a.inProcess(t, "--provider", "azure", "--emulate", "--ssh-keys", "core").want(t, 0)
	if got.stdout != firstKey+"\n"+spareKey+"\n" {
		t.Error(got.stdout)
	}
	leftBehind(t, home)
}

// TestLinksInTheHome: the user's home may lead elsewhere; root does not follow.
func TestLinksInTheHome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, link string
		inside     bool
		code       int
	}{
		{".ssh leads out", ".ssh", false, exitFailed},
		{".ssh leads within", ".ssh", true, exitFailed},
		{"the directory leads out", ".ssh/authorized_keys.d", false, exitFailed},
		{"the file leads out", installed, false, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			secret := filepath.Join(outside, "secret")
			if err := os.WriteFile(secret, []byte("untouched"), 0o600); err != nil {
				t.Fatal(err)
			}
			onVM(t, "linux-vm", nil, func(m *vm) {
				t := m.t

				link := filepath.Join(m.home, filepath.FromSlash(row.link))
				if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
					t.Fatal(err)
				}
				target := outside
				switch {
				case row.inside:
					target = "elsewhere"
					if err := os.Mkdir(filepath.Join(m.home, target), 0o700); err != nil {
						t.Fatal(err)
					}
				case row.link == installed:
					target = secret
				}
				if err := os.Symlink(target, link); err != nil {
					t.Skipf("no links here: %v", err)
				}
				m.run("--provider", "azure", "--ssh-keys", "core").want(t, row.code)
				wantFile(t, secret, "untouched", 0o600)
				leftBehind(t, outside, "secret")
				if row.code == 0 {
					wantFile(t, link, firstKey+"\n"+spareKey+"\n", 0o600)
				}
			})
		})
	}
}
