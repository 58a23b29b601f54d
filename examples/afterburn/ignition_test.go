package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/sha512crypt"
)

const hostnameFragment = `{
  "ignition": {
    "version": "3.0.0"
  },
  "storage": {
    "files": [
      {
        "path": "/etc/hostname",
        "mode": 420,
        "overwrite": true,
        "contents": {
          "source": "data:,harbour%2D01"
        }
      }
    ]
  }
}
`

// userFragment is user.ign of the scenario linux-vm; hash is a line, or nothing.
func userFragment(hash string) string {
	if hash != "" {
		hash = ",\n        \"passwordHash\": \"" + hash + "\""
	}
	return `{
  "ignition": {
    "version": "3.0.0"
  },
  "passwd": {
    "users": [
      {
        "name": "pilot",
        "sshAuthorizedKeys": [
          "` + firstKey + `",
          "` + spareKey + `"
        ]` + hash + `
      }
    ]
  }
}
`
}

func withPassword(s *emulator.Scenario) {
	s.VM.Password, s.VM.DisablePasswordAuthentication = azprov.NewSecret([]byte(testPassword)), azprov.SwitchOff
}

func TestRender(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "base.platform.d", "azure")
	args := []string{"render-ignition", "--provider", "azure", "--render-ignition-dir", dir}
	host, user := filepath.Join(dir, "hostname.ign"), filepath.Join(dir, "user.ign")
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		start := time.Now()
		m.run(args...).want(t, 0, "wrote "+host, "wrote "+user)
		wantFile(t, host, hostnameFragment, 0o644)
		wantFile(t, user, userFragment(""), 0o644)
		leftBehind(t, dir, "hostname.ign", "user.ign")
		m.run(args...).want(t, 0, host+" is as it should be", user+" is as it should be")
		// No password is to be expected, so that the medium is not waited for.
		m.drive.At = time.Now().Add(time.Hour)
		m.run(args...).want(t, 0, user+" is as it should be")
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if m.fabric.State() != emulator.StateNone {
			t.Error("it has reported")
		}
	})
}

// TestRenderPassword: the hash is of the password, stays what it is, and changes with it.
func TestRenderPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"render-ignition", "--provider", "azure", "--render-ignition-dir", dir}
	user := filepath.Join(dir, "user.ign")
	hashed := func(t *testing.T) (hash string) {
		t.Helper()
		if hash = oldHash(user, "pilot"); hash == "" {
			t.Fatal("no hash")
		}
		return hash
	}
	var first string
	onVM(t, "linux-vm", withPassword, func(m *vm) {
		t := m.t

		got := m.run(args...).want(t, 0, "wrote "+user)
		first = hashed(t)
		wantFile(t, user, userFragment(first), 0o600)
		if !strings.HasPrefix(first, "$6$rounds=10000$") || !sha512crypt.Matches(first, []byte(testPassword)) {
			t.Error(first)
		}
		if strings.Contains(got.stdout+got.stderr, testPassword) || strings.Contains(got.stdout+got.stderr, first) {
			t.Error("the secret is told")
		}
		m.run(args...).want(t, 0, user+" is as it should be")
		// A mode that lets others read the hash is mended.
		if err := os.Chmod(user, 0o644); err != nil {
			t.Fatal(err)
		}
		m.run(args...).want(t, 0, "wrote "+user)
		wantFile(t, user, userFragment(first), 0o600)
	})
	onVM(t, "linux-vm", func(s *emulator.Scenario) {
		withPassword(s)
		s.VM.Password = azprov.NewSecret([]byte("Halyard-3-" + testPassword))
	}, func(m *vm) {
		t := m.t

		m.run(args...).want(t, 0, "wrote "+user)
		if second := hashed(t); second == first || !sha512crypt.Matches(second, []byte("Halyard-3-"+testPassword)) {
			t.Error(second)
		}
	})
}

func TestRenderVariants(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		late   time.Duration // when the medium comes
		args   string
		code   int
		files  []string
		word   string
	}{
		{"no host name", nil, 0, "--disable-hostname-fragment", 0, []string{"user.ign"}, ""},
		{"no user", nil, 0, "--disable-user-fragment", 0, []string{"hostname.ign"}, ""},
		{"neither", nil, 0, "--disable-user-fragment --disable-hostname-fragment", 0, nil, "warning: both fragments are disabled"},
		{"the computer's name", func(s *emulator.Scenario) { s.VM.Name = "x" }, 0, "--hostname-from computer-name", 0, []string{"hostname.ign", "user.ign"}, ""},
		{"the platform names no host", func(s *emulator.Scenario) { s.IMDS.Instance = []byte(`{"compute":{"name":""}}`) }, 0, "", 0, []string{"user.ign"}, "no hostname.ign"},
		{"a late medium", withPassword, 20 * time.Second, "", 0, []string{"hostname.ign", "user.ign"}, "waiting for the provisioning medium"},
		{"no medium", withPassword, time.Hour, "", 0, []string{"hostname.ign", "user.ign"}, "warning: there is no provisioning medium, and so no password"},
		{"a named medium that is not there", withPassword, 0, "--media /dev/sr9", exitFailed, []string{"hostname.ign"}, "/dev/sr9"},
		{"no user at all", func(s *emulator.Scenario) {
			s.IMDS.Instance = []byte(`{"compute":{"osProfile":{"adminUsername":""}}}`)
		}, time.Hour, "", 0, []string{"hostname.ign"}, "no user.ign"},
		{"the medium's user", func(s *emulator.Scenario) {
			s.IMDS.Instance = []byte(`{"compute":{"osProfile":{"adminUsername":""}}}`)
		}, 0, "", 0, []string{"hostname.ign", "user.ign"}, ""},
		{"no way to log in", func(s *emulator.Scenario) {
			s.VM.SSHKeys, s.VM.DisablePasswordAuthentication = nil, azprov.SwitchOn
		}, 0, "", 0, []string{"hostname.ign"}, "no user.ign"},
		{"a damaged medium", func(s *emulator.Scenario) {
			s.Medium.Document = azprov.NewSecret([]byte("<Environment"))
		}, 0, "", exitFailed, []string{"hostname.ign"}, "ovf"},
		{"an encrypted password", func(s *emulator.Scenario) {
			withPassword(s)
			s.VM.Password = azprov.NewSecret([]byte("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"))
		}, 0, "", 0, []string{"hostname.ign", "user.ign"}, "warning: the password is encrypted"},
		{"no IMDS", func(s *emulator.Scenario) { s.IMDS.Absent = true }, 0, "--timeout 10s", exitFailed, nil, "imds"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			onVM(t, "linux-vm", row.change, func(m *vm) {
				t := m.t

				if row.late > 0 {
					m.drive.At = time.Now().Add(row.late)
				}
				args := append([]string{"render-ignition", "--provider", "azure", "--render-ignition-dir", dir}, strings.Fields(row.args)...)
				m.run(args...).want(t, row.code, row.word)
				leftBehind(t, dir, row.files...)
			})
		})
	}
}

func TestDataURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"my-vm": "data:,my%2Dvm", "a.b_C9": "data:,a%2Eb%5FC9", "": "data:,", "ö": "data:,%C3%B6"} {
		if got := dataURL(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestOldHash: what is there already is not trusted to be a fragment.
func TestOldHash(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "user.ign")
	for content, want := range map[string]string{
		userFragment("$6$rounds=10000$a$b"): "$6$rounds=10000$a$b",
		userFragment("$6$rounds=99999$a$b"): "",
		userFragment(""):                    "", hostnameFragment: "", "{": "", `{"passwd":{"users":[{"name":"other","passwordHash":"$6$rounds=10000$a$b"}]}}`: "",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := oldHash(file, "pilot"); got != want {
			t.Errorf("%s: %q", content, got)
		}
	}
	if got := oldHash(file+"x", "pilot"); got != "" {
		t.Error(got)
	}
}
