package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// fragmentsDir is where Debian's Ignition, 2.14, has the fragments of a platform.
const fragmentsDir = "/usr/lib/ignition/base.platform.d/azure"

// fragmentsProgram builds the command of the nested module examples/ignition, once.
var fragmentsProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "azprov-conformance-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ignition-azure")
	command := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/ignition-azure")
	command.Dir = filepath.Join("..", "..", "examples", "ignition")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// seen is a file that Ignition has made below /sysroot.
type seen struct{ path, mode, text string }

// TestFragments has Debian's Ignition merge the fragments that examples/ignition renders with
// the user's config, and apply that in its files stage: the user's values win.
func TestFragments(t *testing.T) {
	t.Parallel()
	const (
		password  = `{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "pilot", "passwordHash": "*", "sshAuthorizedKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFMmxI7GHIqFvIpDmBUXRnJjOsXzxAPwUbOLbuVpXHAZ user@example.test"]}]}`
		hostName  = `"storage": {"files": [{"path": "/etc/hostname", "mode": 384, "overwrite": true, "contents": {"source": "data:,the-users%0A"}}, {"path": "/etc/sudoers.d/90-platform-user", "contents": {"source": "data:,%23%20none%0A"}}]}}`
		keys      = "/home/pilot/.ssh/authorized_keys.d/ignition"
		sudo      = "/etc/sudoers.d/90-platform-user"
		sshd      = "/etc/ssh/sshd_config.d/10-platform.conf"
		shadow    = "/etc/shadow"
		group     = "/etc/group"
		userOwned = "pilot 600"
	)
	hash := seen{shadow, "", "pilot:$6$rounds=10000$"}
	for name, row := range map[string]struct {
		user     string
		scenario string
		args     []string
		want     []seen
		sshd     string
	}{
		"no config of the user's": {
			`{"ignition": {"version": "3.3.0"}}`, "custom-data",
			[]string{"--group", "sudo"},
			[]seen{
				hash,
				{"/etc/hostname", "root 644", "jetty-07\n"},
				{sudo, "root 440", "\npilot ALL=(ALL) ALL\n"},
				{sshd, "root 644", "\nPasswordAuthentication yes\n"},
				{keys, userOwned, "pilot@example.test\n"},
				{group, "root 644", ":pilot\n"},
			},
			"passwordauthentication yes",
		},
		"a disjoint config and no password": {
			ignitionConfig, "linux-vm", nil,
			[]seen{
				{shadow, "", "pilot:*:"},
				{"/etc/hostname", "root 644", "harbour-01\n"},
				{sudo, "root 440", "\npilot ALL=(ALL) NOPASSWD: ALL\n"},
				{sshd, "root 644", "\nPasswordAuthentication no\n"},
				{keys, userOwned, "pilot@example.test\n"},
				{"/etc/harbour", "root 640", "berth 17\n"},
			},
			"passwordauthentication no",
		},
		"a config that conflicts": {
			password + ", " + hostName, "custom-data", nil,
			[]seen{
				{shadow, "", "pilot:*:"},
				{"/etc/hostname", "root 600", "the-users\n"},
				{sudo, "root 440", "# none\n"},
				{keys, userOwned, "user@example.test\n"},
				{keys, userOwned, "pilot@example.test\n"},
			},
			"passwordauthentication yes",
		},
	} {
		for _, system := range []string{bookworm, trixie} {
			t.Run(name+"/"+system, func(t *testing.T) {
				t.Parallel()
				needSystem(t, system)
				program, err := fragmentsProgram()
				if err != nil {
					t.Fatal(err)
				}
				g := boot(t, system, withUserData(t, row.scenario, row.user), func(s *sandbox) {
					ignitionMachine(s)
					s.Programs["usr/bin/ignition-azure"] = program
				})
				g.network()
				args := []string{"render", "--media", "/dev/sr0", "--spec", "3.3.0", "--dir", fragmentsDir}
				g.run(patience, "ignition-azure", append(args, row.args...)...)
				g.run(patience, "ignition-azure", "lint", "--knows", "3.3.0", fragmentsDir)
				g.ignite()
				for _, file := range row.want {
					g.must("/sysroot"+file.path, file.text)
					if file.mode != "" {
						g.modeIn("/sysroot", file.path, file.mode)
					}
				}
				g.run(10*time.Second, "chroot", "/sysroot", "visudo", "--check", "--quiet")
				g.run(10*time.Second, "chroot", "/sysroot", "sh", "-c", "mkdir -p /run/sshd && ssh-keygen -A")
				if out := g.run(10*time.Second, "chroot", "/sysroot", "/usr/sbin/sshd", "-T"); !strings.Contains(out, row.sshd+"\n") {
					t.Errorf("sshd has no %q:\n%s", row.sshd, tail(out))
				}
			})
		}
	}
}

// withUserData returns a shipped scenario whose config is the user's, for Ignition.
func withUserData(t *testing.T, name, config string) emulator.Scenario {
	t.Helper()
	scenario, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	scenario.VM.UserData, scenario.VM.CustomData = azprov.NewSecret([]byte(config)), azprov.Secret{}
	return scenario
}

// ignite runs the stages that need no disks.
func (g *guest) ignite() {
	g.t.Helper()
	for _, stage := range []string{"fetch", "files"} {
		out := g.run(patience, ignitionProgram, "--platform=azure", "--stage="+stage, "--root=/sysroot",
			"--config-cache=/run/ignition.json", "--state-file=/run/ignition/state", "--log-to-stdout")
		if !strings.Contains(out, "Ignition finished successfully") {
			g.t.Errorf("stage %s: %s", stage, tail(out))
		}
	}
}

// modeIn is mode for a file of another root, which has users of its own.
func (g *guest) modeIn(root, path, want string) {
	g.t.Helper()
	if got := strings.TrimSpace(g.run(10*time.Second, "chroot", root, "stat", "--format", "%U %a", path)); got != want {
		g.t.Errorf("%s is of %s, want %s", path, got, want)
	}
}
