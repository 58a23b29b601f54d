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

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/sha512crypt"
)

// azureInitProgram builds the port of azure-init, once.
var azureInitProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "azprov-conformance-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "azure-init")
	command := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/azprov/azprov/examples/azure-init")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// otherVM is the id of a machine that an image was moved to.
const otherVM = "7d1f3c52-9a40-4c6e-8b1d-0e5f2a6b7c80"

// azureInitConfig is for a machine without systemd: hostnamectl fails, and the next one does it.
const azureInitConfig = `[hostname_provisioners]
backends = ["hostnamectl", "sethostname"]
[user_provisioners]
groups = ["users", "adm"]
`

// TestAzureInit sets up systems of Debian, with their own programs and from outside, and asks
// these programs what came of it.
func TestAzureInit(t *testing.T) {
	t.Parallel()
	for _, system := range []string{bookworm, trixie} {
		for _, row := range []struct {
			name     string
			root     string // of the system that is set up
			password string
		}{
			{"from outside with keys", "/sysroot", ""},
			{"from outside with a password", "/sysroot", "Capstan-and-Windlass-9"},
			{"by its programs with keys", "", ""},
			{"by its programs with a password", "", "Capstan-and-Windlass-9"},
		} {
			t.Run(system+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				needSystem(t, system)
				scenario, err := emulator.LookupScenario("linux-vm")
				if err != nil {
					t.Fatal(err)
				}
				if scenario.VM.DisablePasswordAuthentication = azprov.NewSwitch(row.password == ""); row.password != "" {
					scenario.VM.Password = azprov.NewSecret([]byte(row.password))
				}
				g := bootForAzureInit(t, system, scenario, row.root)
				a := azureInitRun{guest: g, root: row.root}
				a.checkFirst(row.password)
				a.checkAgain()
				a.checkOtherVM()
			})
		}
	}
}

func bootForAzureInit(t *testing.T, system string, scenario emulator.Scenario, root string) *guest {
	t.Helper()
	program, err := azureInitProgram()
	if err != nil {
		t.Fatal(err)
	}
	g := boot(t, system, scenario, func(s *sandbox) {
		s.Programs["usr/bin/azure-init"] = program
		s.Second = root != ""
		s.Files["srv/azure-init.toml"] = file{Text: azureInitConfig, Mode: 0o644}
		for name, text := range map[string]string{
			"chassis_asset_tag": azprov.AzureAssetTag, "product_uuid": otherVM, "sys_vendor": "Microsoft Corporation",
		} {
			s.Files["srv/sys/class/dmi/id/"+name] = file{Text: text + "\n", Mode: 0o444}
		}
		s.Files["srv/sys/firmware/efi/keep"] = file{Mode: 0o444}
	})
	g.network()
	return g
}

// azureInitRun is a machine and the system on it that is set up.
type azureInitRun struct {
	*guest

	root string
}

// provision runs the program as its unit does.
func (a azureInitRun) provision(more ...string) string {
	a.t.Helper()
	args := []string{"--config", "/srv/azure-init.toml", "--media", "/dev/sr0"}
	if a.root != "" {
		args = append(args, "--root", a.root)
	}
	return a.run(time.Minute, "azure-init", append(args, more...)...)
}

// inside runs a program of the system that is set up.
func (a azureInitRun) inside(name string, args ...string) string {
	a.t.Helper()
	if a.root != "" {
		args = append([]string{a.root, name}, args...)
		name = "chroot"
	}
	return a.run(20*time.Second, name, args...)
}

func (a azureInitRun) checkFirst(password string) {
	a.t.Helper()
	output := a.provision()
	if !strings.Contains(output, "Ready, the platform was told") {
		a.t.Fatalf("not ready:\n%s", output)
	}
	if reports := a.fabric.Reports(); len(reports) != 1 || reports[0].State != emulator.StateReady {
		a.t.Errorf("the reports are %+v, want one of Ready", reports)
	}
	vm := a.fabric.Owner()
	a.checkAccount(vm, password)
	a.inside("visudo", "-c")
	sudoers := a.read(a.root + "/etc/sudoers.d/azure-init-user")
	want, rule := "yes", vm.UserName+" ALL=(ALL) ALL\n"
	if password == "" {
		want, rule = "no", vm.UserName+" ALL=(ALL) NOPASSWD: ALL\n"
	}
	if sudoers != rule {
		a.t.Errorf("the rule is %q, want %q", sudoers, rule)
	}
	a.run(10*time.Second, "mkdir", "-p", a.root+"/run/sshd")
	if got := a.inside("sshd", "-T"); !strings.Contains(got, "\npasswordauthentication "+want+"\n") {
		a.t.Errorf("sshd -T does not say passwordauthentication %s:\n%s", want, tail(got))
	}
	if name := a.read(a.root + "/etc/hostname"); name != vm.HostName+"\n" {
		a.t.Errorf("the host name is %q", name)
	}
	kernel := strings.TrimSpace(a.run(10*time.Second, "uname", "-n"))
	if (kernel == vm.HostName) != (a.root == "") {
		a.t.Errorf("the running system's host name is %q", kernel)
	}
	for path, want := range map[string]string{
		"/etc/sudoers.d/azure-init-user": "root 440", "/etc/ssh/sshd_config.d/50-azure-init.conf": "root 600",
		"/etc/shadow": "root 640", "/etc/passwd": "root 644", "/var/log/azure-init.log": "root 600",
	} {
		a.mode(a.root+path, want)
	}
}

func (a azureInitRun) checkAccount(vm emulator.VM, password string) {
	a.t.Helper()
	line := strings.TrimSpace(a.inside("getent", "passwd", vm.UserName))
	if want := vm.UserName + ":x:1000:1000:azure-init:/home/" + vm.UserName + ":/bin/sh"; line != want {
		a.t.Errorf("the account is %q, want %q", line, want)
	}
	if groups := strings.TrimSpace(a.inside("id", "-Gn", vm.UserName)); groups != vm.UserName+" adm users" {
		a.t.Errorf("the groups are %q", groups)
	}
	shadow := strings.Split(a.inside("getent", "shadow", vm.UserName), ":")
	if password == "" && !strings.HasPrefix(shadow[1], "!") {
		a.t.Errorf("the password is not locked: %q", shadow[1])
	}
	if password != "" {
		if !sha512crypt.Matches(shadow[1], []byte(password)) {
			a.t.Errorf("the hash %q is not the password's", shadow[1])
		}
		// The system's own library has to find so, too.
		if got := a.inside("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, shadow[1]); got != shadow[1] {
			a.t.Errorf("crypt(3) gives %q, want %q", got, shadow[1])
		}
	}
	home := a.root + "/home/" + vm.UserName
	keys := a.read(home + "/.ssh/authorized_keys")
	for _, key := range vm.SSHKeys {
		if !strings.Contains(keys, strings.TrimSpace(key.KeyData)) {
			a.t.Errorf("authorized_keys has no %q:\n%s", key, keys)
		}
	}
	for path, want := range map[string]string{"/.ssh": "1000:1000 700", "/.ssh/authorized_keys": "1000:1000 600", "/.profile": "1000:1000 644"} {
		if got := strings.TrimSpace(a.run(10*time.Second, "stat", "--format", "%u:%g %a", home+path)); got != want {
			a.t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	// Directories of its own users are missing in such a system; anything else is wrong.
	check := `export LC_ALL=C; { pwck -r; grpck -r; } 2>&1 | grep -v "^user '[a-z-]*': directory '/\(var\|run\)/.* does not exist$\|: no changes$\|^$"`
	if got := a.inside("sh", "-c", check+" || true"); got != "" {
		a.t.Errorf("pwck or grpck finds:\n%s", got)
	}
}

// snapshot is every file of the system that is set up: mode, owner, and digest or target.
func (a azureInitRun) snapshot() string {
	a.t.Helper()
	script := `cd "$1/" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
-o -path ./sysroot -o -path ./var/lib/dhcp -o -path ./var/log/azure-init.log \) -prune -o -printf '%p %y %m %U:%G %l\n' | LC_ALL=C sort
find etc home var/lib/azure-init root -xdev -type f ! -path 'etc/resolv.conf*' -exec sha256sum {} + | LC_ALL=C sort -k 2`
	return a.run(time.Minute, "sh", "-c", script, "sh", a.root)
}

func (a azureInitRun) checkAgain() {
	a.t.Helper()
	before := a.snapshot()
	if output := a.provision(); !strings.Contains(output, "done before") {
		a.t.Errorf("a second run does something:\n%s", output)
	}
	if diff := cmp.Diff(before, a.snapshot()); diff != "" {
		a.t.Errorf("a second run changes files (-before +after):\n%s", diff)
	}
	// Every step once more, and none finds anything to change.
	clean := []string{"clean"}
	if a.root != "" {
		clean = append(clean, "--root", a.root)
	}
	a.run(10*time.Second, "azure-init", clean...)
	if output := a.provision(); !strings.Contains(output, "was there") {
		a.t.Errorf("after clean nothing is done:\n%s", output)
	}
	if diff := cmp.Diff(before, a.snapshot()); diff != "" {
		a.t.Errorf("the steps change files when they are taken again (-before +after):\n%s", diff)
	}
}

func (a azureInitRun) checkOtherVM() {
	a.t.Helper()
	rule := a.root + "/etc/sudoers.d/azure-init-user"
	a.run(10*time.Second, "rm", rule)
	a.provision()
	if _, err := a.try(10*time.Second, "test", "-e", rule); err == nil {
		a.t.Error("the same VM was set up twice")
	}
	a.provision("--dmi", "/srv/sys")
	a.mode(rule, "root 440")
	a.mode(a.root+"/var/lib/azure-init/"+otherVM+".provisioned", "root 600")
}
