package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openTest(t *testing.T, dir string) *tree {
	t.Helper()
	root, err := openTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"pilot": true, "Pilot": true, "_pilot": true, "a": true, "pilot.2-x_y": true, strings.Repeat("a", 32): true,
		"": false, "ALL": false, "A_B": false, "Defaults": false, "User_Alias": false, "-pilot": false, "2pilot": false, ".pilot": false,
		"pi lot": false, "pi:lot": false, "pi\nlot": false, "pi/lot": false, "%sudo": false, "#0": false, "pilöt": false, "a=b": false,
		"a,b": false, "a!": false, "a\\": false, "a$": false, strings.Repeat("a", 33): false,
	} {
		if err := checkUserName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestHostNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"harbour": true, "HARBOUR-1": true, "a.b.c": true, "1": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "a..b": false, "a.": false, "a_b": false, "a b": false, "a\n": false, "ä": false,
		strings.Repeat("a", 64): false, strings.Repeat("a.", 32) + "a": false,
	} {
		if err := checkHostName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestNumbers: which number a new account gets.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, passwd, want string
	}{
		{"the first", "root:x:0:0::/:/\n", "1000"},
		{"above the highest", "a:x:1000:0::/:/\nb:x:1002:0::/:/\n", "1003"},
		{"a gap below the limit", "a:x:1000:0::/:/\nb:x:1004:0::/:/\n", "1001"},
		{"numbers above the limit do not count", "a:x:65534:0::/:/\n", "1000"},
		{"lines of NIS", "+::::::\n# a\n\n", "1000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			makeFiles(t, dir, map[string]string{"etc/passwd": row.passwd, "etc/login.defs": "UID_MAX 1004\n"})
			if err := (accountFiles{openTest(t, dir)}).create(t.Context(), "pilot", nil); err != nil {
				t.Fatal(err)
			}
			if got := readText(t, dir, "etc/passwd"); !strings.HasPrefix(got, row.passwd+"pilot:x:"+row.want+":") {
				t.Errorf("passwd is\n%s", got)
			}
		})
	}
}

// TestCutShort: a run that was cut short before passwd was written is done to its end.
func TestCutShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeFiles(t, dir, map[string]string{
		"etc/group": "pilot:x:1000:\n", "etc/shadow": "pilot:!:1:0:99999:7:::\n", "home/.azure-init-pilot/half": "", "etc/skel/.profile": "x", "etc/login.defs": "UMASK 077\n",
	})
	if err := (accountFiles{openTest(t, dir)}).create(t.Context(), "pilot", nil); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "etc/group", "pilot:x:1000:\n", 0o644)
	wantFile(t, dir, "etc/shadow", "pilot:!:1:0:99999:7:::\n", 0o644)
	wantFile(t, dir, "home/pilot/.profile", "x", 0o644)
	wantMode(t, dir, "home/pilot", 0o700)
	if entries, err := os.ReadDir(filepath.Join(dir, "home")); err != nil || len(entries) != 1 {
		t.Errorf("home has %v, %v", entries, err)
	}
}

// TestLock waits for a program that changes the accounts.
func TestLock(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to hold the lock")
	}
	dir := t.TempDir()
	makeFiles(t, dir, map[string]string{"etc/": ""})
	command := exec.CommandContext(t.Context(), python, "-c",
		"import fcntl,sys\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()", filepath.Join(dir, lockName))
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	to := accountFiles{openTest(t, dir)}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockPause)
	defer cancel()
	if err := to.create(ctx, "pilot", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an account is made while the files are locked: %v", err)
	}
	time.AfterFunc(lockPause, func() { _ = stdin.Close() })
	if err := to.create(t.Context(), "pilot", nil); err != nil {
		t.Error(err)
	}
	_ = command.Wait()
}

// TestNothingLeadsOut: links in the tree do not reach files outside.
func TestNothingLeadsOut(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	dir, outside := t.TempDir(), t.TempDir()
	makeFiles(t, dir, map[string]string{"etc/passwd": "pilot:x:1000:1000::/home/pilot:/bin/sh\n", "home/pilot/": "", "etc/sudoers.d/": ""})
	makeFiles(t, outside, map[string]string{"file": "old"})
	for name, target := range map[string]string{
		"home/pilot/.ssh": outside, "etc/sudoers.d/azure-init-user": filepath.Join(outside, "file"), "etc/hostname": filepath.Join(outside, "file"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t)
	m.stdin = "ssh-ed25519 AAAAC3\n"
	m.cli(t.Context(), "install-keys", "pilot", "--root", dir).want(t, exitFailed, "escapes")
	m.cli(t.Context(), "set-hostname", "pier", "--root", dir).want(t, exitDone)
	wantFile(t, dir, "etc/hostname", "pier\n", 0o644)
	wantFile(t, outside, "file", "old", 0o644)
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	const one, two = "ssh-rsa AAAAB3one a", "ssh-ed25519 AAAAC3two"
	for _, row := range []struct {
		name, old string
		keys      []string
		want      string
		added     int
	}{
		{"a new file", "", []string{one, two}, one + "\n" + two + "\n", 2},
		{"what is there stays", "# mine\nssh-rsa AAAAB3mine me\n", []string{one}, "# mine\nssh-rsa AAAAB3mine me\n" + one + "\n", 1},
		{"without an end of line", one, []string{two}, one + "\n" + two + "\n", 1},
		{"there with options", "no-pty,from=\"10.0.0.1\" ssh-rsa AAAAB3one b\n", []string{one}, "no-pty,from=\"10.0.0.1\" ssh-rsa AAAAB3one b\n", 0},
		{"the same twice", "", []string{one, one}, one + "\n", 1},
		{"none", one + "\n", nil, one + "\n", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got, added := withKeys(row.old, row.keys); got != row.want || added != row.added {
				t.Errorf("got %q, %d; want %q, %d", got, added, row.want, row.added)
			}
		})
	}
}

// TestKeysPath: where sshd looks is where keys are put.
func TestKeysPath(t *testing.T) {
	t.Parallel()
	a := account{owner{1000, 1000}, "pilot", "/home/pilot", "!"}
	for _, row := range []struct {
		name, sshd, config, want string
		query, inHome            bool
	}{
		{"sshd says nothing", "UsePAM yes\n", ".ssh/keys", ".ssh/keys", true, true},
		{"nobody says anything", "", "", ".ssh/authorized_keys", true, true},
		{"sshd is not asked", "AuthorizedKeysFile .ssh/other\n", ".ssh/keys", ".ssh/keys", false, true},
		{"the first of several", "authorizedkeysfile .ssh/a .ssh/b\nAuthorizedKeysFile .ssh/c\n", ".ssh/keys", ".ssh/a", true, true},
		{"an equals sign and quotes", "AuthorizedKeysFile=\".ssh/a\"\n", ".ssh/keys", ".ssh/a", true, true},
		{"in the home by its name", "AuthorizedKeysFile %h/.ssh/a\n", ".ssh/keys", ".ssh/a", true, true},
		{"elsewhere", "AuthorizedKeysFile /etc/ssh/keys/%u-%U%%\n", ".ssh/keys", "etc/ssh/keys/pilot-1000%", true, false},
		{"none", "AuthorizedKeysFile none\n", ".ssh/keys", ".ssh/keys", true, true},
		{"after Match", "Match User root\nAuthorizedKeysFile .ssh/root\n", ".ssh/keys", ".ssh/keys", true, true},
		{"in a drop-in", "Include sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/late\n", ".ssh/keys", ".ssh/dropped", true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			makeFiles(t, dir, map[string]string{sshdConfig: row.sshd, "etc/ssh/sshd_config.d/1.conf": "Match all\nX y\n", "etc/ssh/sshd_config.d/2.conf": "AuthorizedKeysFile .ssh/dropped\n"})
			c := &config{}
			c.SSH.AuthorizedKeysPath, c.SSH.QuerySSHDConfig = row.config, row.query
			got, inHome, err := openTest(t, dir).keysPath(c, a)
			if got != row.want || inHome != row.inHome || err != nil {
				t.Errorf("got %q, %v, %v; want %q", got, inHome, err, row.want)
			}
		})
	}
}

func TestKeysElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeFiles(t, dir, map[string]string{sshdConfig: "AuthorizedKeysFile /etc/ssh/keys/%u\n", "home/pilot/": ""})
	a := account{owner{os.Getuid(), os.Getgid()}, "pilot", "/home/pilot", "!"}
	if _, err := openTest(t, dir).mergeKeys(defaultConfig(), a, []string{"ssh-rsa AAAAB3"}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "etc/ssh/keys/pilot", "ssh-rsa AAAAB3\n", 0o600)
	wantMode(t, dir, "etc/ssh/keys", 0o755)
}

func TestSSHD(t *testing.T) {
	t.Parallel()
	const include = "Include /etc/ssh/sshd_config.d/*.conf\n"
	for _, row := range []struct {
		name  string
		files map[string]string
		on    bool
		note  string
		want  map[string]string
	}{
		{"a drop-in", map[string]string{sshdConfig: include}, true, "PasswordAuthentication yes", map[string]string{sshdDropIn: "PasswordAuthentication yes\n", sshdConfig: include}},
		{"no drop-ins are read", map[string]string{sshdConfig: "PasswordAuthentication yes\n", "etc/ssh/sshd_config.d/": ""}, false, "PasswordAuthentication no", map[string]string{
			sshdConfig: blockBegin + "PasswordAuthentication no\nKbdInteractiveAuthentication no\n" + blockEnd + "PasswordAuthentication yes\n",
		}},
		{"a block of an earlier run", map[string]string{sshdConfig: blockBegin + "PasswordAuthentication no\n" + blockEnd + "Port 22\n"}, true, "PasswordAuthentication yes", map[string]string{
			sshdConfig: blockBegin + "PasswordAuthentication yes\n" + blockEnd + "Port 22\n",
		}},
		{"another file is first", map[string]string{sshdConfig: include, "etc/ssh/sshd_config.d/10-x.conf": "PasswordAuthentication yes\n"}, false, "but /etc/ssh/sshd_config.d/10-x.conf comes first and says yes", nil},
		{"the include is for some users", map[string]string{sshdConfig: "Match User x\n" + include}, true, "PasswordAuthentication yes", map[string]string{
			sshdConfig: blockBegin + "PasswordAuthentication yes\n" + blockEnd + "Match User x\n" + include,
		}},
		{"a file that includes itself", map[string]string{sshdConfig: "Include sshd_config\n"}, true, "PasswordAuthentication yes", nil},
		{"no sshd", nil, true, "there is no /etc/ssh/sshd_config", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			makeFiles(t, dir, row.files)
			note, err := openTest(t, dir).setPasswordAuthentication(row.on)
			if err != nil || !strings.HasSuffix(note, row.note) {
				t.Errorf("got %q, %v; want %q", note, err, row.note)
			}
			for name, text := range row.want {
				if got := readText(t, dir, name); got != text {
					t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(text, got))
				}
			}
		})
	}
}

// TestConfiguredOff: the switch is left alone where the configuration or the platform says
// nothing of it.
func TestConfiguredOff(t *testing.T) {
	t.Parallel()
	root := debianRoot(t)
	config := filepath.Join(t.TempDir(), "x.toml")
	makeFiles(t, filepath.Dir(config), map[string]string{"x.toml": "ssh.configure_sshd_password_authentication = false\n"})
	cli(t, "configure-sshd", "yes", "--root", root, "--config", config).want(t, exitDone, "left alone, as configured")
	if _, err := os.Stat(filepath.Join(root, sshdDropIn)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the drop-in is there: %v", err)
	}
}

// TestWrite keeps what others have open, and says whether anything changed.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := openTest(t, dir)
	own := owner{os.Getuid(), os.Getgid()}
	for _, row := range []struct {
		text    string
		mode    fs.FileMode
		changed bool
	}{{"a", 0o600, true}, {"a", 0o600, false}, {"a", 0o640, runtime.GOOS != "windows"}, {"b", 0o640, true}} {
		if changed, err := to.write("f", []byte(row.text), row.mode, own); changed != row.changed || err != nil {
			t.Errorf("%v: %v, %v", row, changed, err)
		}
	}
	if _, err := to.write("../f", nil, 0o600, own); err == nil {
		t.Error("a name leads out of the tree")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("there is %v", entries)
	}
}
