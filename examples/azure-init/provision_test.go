package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// TestReadmeCommand is the one command of the README.
func TestReadmeCommand(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	cli(t, "--emulate", "--root", root).want(t, exitDone, "set-hostname", "create-user", "Ready, the platform was told")
	wantFile(t, root, "etc/hostname", "harbour-01\n", 0o644)
	wantFile(t, root, "etc/passwd", "pilot:x:1000:1000:azure-init:/home/pilot:/bin/sh\n", 0o644)
	wantFile(t, root, "etc/sudoers.d/azure-init-user", "pilot ALL=(ALL) NOPASSWD: ALL\n", 0o440)
	wantFile(t, root, "etc/group", "pilot:x:1000:\n", 0o644)
	wantMode(t, root, "etc/shadow", 0o600)
	wantMode(t, root, "home/pilot/.ssh", 0o700)
	wantMode(t, root, "home/pilot/.ssh/authorized_keys", 0o600)
	wantMode(t, root, "var/log/azure-init.log", 0o600)
	if keys := readText(t, root, "home/pilot/.ssh/authorized_keys"); strings.Count(keys, "\n") != 2 {
		t.Errorf("the keys are %q, want two lines", keys)
	}
}

// TestScenarios provisions by the shipped scenarios that differ in what the machine is to be,
// or in the way to it. Those of services that are slow or away for a while are the clients'
// business, in virtual time.
func TestScenarios(t *testing.T) {
	t.Parallel()
	failures := map[string]string{"bad-ovf": "not well-formed", "imds-denied": "403", "ovf-duplicate": "HostName"}
	for _, scenario := range []string{
		"linux-vm", "no-imds", "no-ovf", "stack-hub", "imds-denied", "generation-1",
		"bad-ovf", "ovf-bom", "ovf-default-namespace", "ovf-duplicate", "ovf-no-platform", "ovf-prefixes",
		"custom-data", "fingerprint-keys", "key-crlf", "password-only", "password-switch-bool", "user-data-broken", "user-data-empty",
		"pps-recovery", "pps-running", "pps-savable", "health-answer-lost",
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			makeFiles(t, root, map[string]string{"etc/azure-init.toml": "imds.retry_interval_secs = 0.05\n"})
			got := cli(t, "--emulate="+scenario, "--root", root)
			if words, fails := failures[scenario]; fails {
				got.want(t, exitFailed, words, "failed; the platform was told")
				return
			}
			got.want(t, exitDone, "Ready, the platform was told")
		})
	}
}

// TestOnce: a VM is set up once, in either byte order of its id, until clean.
func TestOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emulated := func(more ...string) []string { return append([]string{"--emulate", "--root", root}, more...) }
	cli(t, emulated()...).want(t, exitDone, "Ready")
	before := snapshot(t, root)
	cli(t, emulated()...).want(t, exitDone, "done before: /var/lib/azure-init/2c1a7f04")
	if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
		t.Errorf("a second run changes files:\n%s", diff)
	}
	data := filepath.Join(root, "var/lib/azure-init")
	id, err := azprov.ParseVMID("2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(data, id.String()+marked), filepath.Join(data, id.Swapped().String()+marked)); err != nil {
		t.Fatal(err)
	}
	cli(t, emulated()...).want(t, exitDone, "done before")
	// The zero id, which the original writes where it finds none, is nobody's.
	makeFiles(t, data, map[string]string{"00000000-0000-0000-0000-000000000000" + marked: ""})
	cli(t, "clean", "--root", root).want(t, exitDone, "removed /var/lib/azure-init/"+id.Swapped().String())
	cli(t, emulated()...).want(t, exitDone, "pilot was there", "2 there", "Ready")
	log := readText(t, root, "var/log/azure-init.log")
	contains(t, log, `"msg":"create-user"`, `"name":"imds"`)
	cli(t, "clean", "--logs", "--root", root).want(t, exitDone, "removed /var/log/azure-init.log")
	if got := snapshot(t, root); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "azure-init.log") }) {
		t.Errorf("the log is there: %v", got)
	}
	cli(t, "clean", "--logs", "--root", root).want(t, exitDone)
}

// snapshot is every file with its mode, and the text of those that are not the log.
func snapshot(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(path, root) + " " + info.Mode().String()
		if info.Mode().IsRegular() {
			line += " " + readText(t, path)
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestIdempotent: every step taken again finds nothing to change.
func TestIdempotent(t *testing.T) {
	t.Parallel()
	root := debianRoot(t)
	run := func() []string {
		cli(t, "--emulate=custom-data", "--root", root, "-g", "adm").want(t, exitDone, "Ready")
		cli(t, "clean", "--logs", "--root", root).want(t, exitDone)
		return snapshot(t, root)
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("the second run changes files:\n%s", diff)
	}
}

// debianRoot has what the steps look at.
func debianRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	makeFiles(t, root, map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nkeeper:x:1004:1004::/home/keeper:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
		"etc/shadow": "root:*:19000:0:99999:7:::\nkeeper:!$6$x$y:19000:0:99999:7:::\n",
		"etc/group":  "root:x:0:\nadm:x:4:keeper\nsudo:x:27:\nkeeper:x:1004:\nharbour:x:1005:\n", "etc/gshadow": "adm:*::keeper\nsudo:*::\n",
		"etc/login.defs": "# comment\nUID_MIN\t1000\nHOME_MODE 0700\nUMASK 022\n", "etc/default/useradd": "SHELL=/bin/dash\n",
		"etc/skel/.profile": "# profile\n", "etc/skel/bin/tool": "x", "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
		"etc/ssh/sshd_config.d/": "",
	})
	return root
}

// TestWithPassword: all that the platform says, on a system with all files.
func TestWithPassword(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, func(s *emulator.Scenario) {
		s.VM.Password = azprov.NewSecret([]byte(testPassword))
		s.VM.DisablePasswordAuthentication = azprov.SwitchOff
		s.VM.CustomData = azprov.NewSecret([]byte(testCustomData))
	})
	root := debianRoot(t)
	got := cli(t, p.args("--root", root, "--groups", "adm,sudo")...).want(t, exitDone, "Ready")
	wantFile(t, root, "etc/sudoers.d/azure-init-user", "pilot ALL=(ALL) ALL\n", 0o440)
	wantFile(t, root, "etc/ssh/sshd_config.d/50-azure-init.conf", "PasswordAuthentication yes\n", 0o600)
	wantFile(t, root, "var/lib/azure-init/custom-data", testCustomData, 0o600)
	wantFile(t, root, "home/pilot/bin/tool", "x", 0o644)
	wantMode(t, root, "home/pilot", 0o700)
	wantMode(t, root, "etc/shadow", 0o644) // as it was
	contains(t, readText(t, root, "etc/passwd"), "pilot:x:1005:1006:azure-init:/home/pilot:/bin/dash\n")
	contains(t, readText(t, root, "etc/shadow"), "\npilot:$6$")
	wantFile(t, root, "etc/group", "root:x:0:\nadm:x:4:keeper,pilot\nsudo:x:27:pilot\nkeeper:x:1004:\nharbour:x:1005:\npilot:x:1006:\n", 0o644)
	wantFile(t, root, "etc/gshadow", "adm:*::keeper,pilot\nsudo:*::pilot\npilot:!::\n", 0o644)
	report := p.fabric.Reports()
	if len(report) != 1 || report[0].State != emulator.StateReady || report[0].Format != "json" {
		t.Errorf("the reports are %+v", report)
	}
	all := got.stdout + got.stderr + readText(t, root, "var/log/azure-init.log")
	for _, secret := range []string{testPassword, "barnacle"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in what was told:\n%s", secret, all)
		}
	}
}

// TestSystem goes by the system's programs.
func TestSystem(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, func(s *emulator.Scenario) { s.VM.Password = azprov.NewSecret([]byte(testPassword)) })
	m := newMachine(t)
	makeFiles(t, m.system, map[string]string{"etc/ssh/sshd_config": "UsePAM yes\n"})
	m.cli(t.Context(), p.args("--groups=adm")...).want(t, exitDone, "Ready")
	for i, call := range m.calls {
		if strings.HasPrefix(call, "chpasswd -e <pilot:$6$") {
			m.calls[i] = "chpasswd"
		}
	}
	want := []string{
		"hostnamectl set-hostname harbour-01", "getent passwd pilot",
		"useradd pilot --comment azure-init -d /home/pilot -m --groups adm",
		"getent passwd pilot", "chpasswd", "getent passwd pilot", "getent passwd pilot",
	}
	if diff := cmp.Diff(want, m.calls); diff != "" {
		t.Errorf("the programs (-want +got):\n%s", diff)
	}
	// Without Include= a drop-in would be read by nobody.
	wantFile(t, m.system, "etc/ssh/sshd_config",
		blockBegin+"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"+blockEnd+"UsePAM yes\n", 0o644)
	// A user who is there joins the groups; a password that there is none of is locked.
	m.calls = nil
	m.cli(t.Context(), "create-user", "pilot", "-g", "adm,sudo").want(t, exitDone, "pilot was there")
	makeFiles(t, m.system, map[string]string{"etc/shadow": "pilot:$6$x$y:19000:0:99999:7:::\n"})
	m.cli(t.Context(), "set-password", "pilot").want(t, exitDone, "locked")
	if want := []string{"getent passwd pilot", "usermod -aG adm,sudo pilot", "getent passwd pilot", "passwd -l pilot"}; !slices.Equal(m.calls, want) {
		t.Errorf("the programs are %q, want %q", m.calls, want)
	}
}

// TestBackends: the next one is tried where one fails.
func TestBackends(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.fail["hostnamectl"], m.fail["useradd"], m.fail["getent"] = exited(1), exited(1), exited(127)
	makeFiles(t, m.system, map[string]string{"etc/azure-init.toml": `
hostname_provisioners.backends = ["hostnamectl", "sethostname"]
user_provisioners.backends = ["useradd", "files"]
password_provisioners.backends = ["files"]
`})
	m.cli(t.Context(), "set-hostname", "jetty").want(t, exitDone)
	wantFile(t, m.system, "etc/hostname", "jetty\n", 0o644)
	if m.name != "jetty" {
		t.Errorf("the kernel was told %q", m.name)
	}
	m.cli(t.Context(), "create-user", "pilot").want(t, exitDone, "pilot made")
	m.stdin = testPassword + "\n"
	m.cli(t.Context(), "set-password", "pilot").want(t, exitDone, "set")
	m.cli(t.Context(), "set-password", "pilot").want(t, exitDone, "the same as before")
	contains(t, readText(t, m.system, "etc/shadow"), "pilot:$6$")
	m.fail["sethostname"] = errors.New("no permission")
	m.cli(t.Context(), "set-hostname", "pier").want(t, exitFailed, "hostnamectl: exit status", "sethostname: no permission")
}

// TestFailures: each step's failure reaches the platform with azure-init's reason.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		files  map[string]string // of the root
		args   []string
		code   int
		report []string // parts of what the platform is told
	}{
		{"a host name", func(s *emulator.Scenario) { s.VM.HostName = "har_bour" }, nil, nil, exitFailed, []string{"reason=failed to provision hostname", "har_bour"}},
		{"its file is a directory", nil, map[string]string{"etc/hostname/x": ""}, nil, exitFailed, []string{"reason=failed to provision hostname"}},
		{"a user name", func(s *emulator.Scenario) { s.VM.UserName = "ALL" }, nil, nil, exitFailed, []string{"reason=failed to provision user", "user (ALL): cannot be used"}},
		{"the system's user", func(s *emulator.Scenario) { s.VM.UserName = "daemon" }, map[string]string{"etc/passwd": "daemon:x:1:1::/:/bin/false\n"}, nil, exitFailed, []string{"reason=failed to provision user", "system's own"}},
		{"the system's group", func(s *emulator.Scenario) { s.VM.UserName = "staff" }, map[string]string{"etc/group": "staff:x:50:\n"}, nil, exitFailed, []string{"reason=failed to provision user", "group staff of the system"}},
		{"a group that is not there", nil, nil, []string{"-g", "wheel"}, exitFailed, []string{"reason=failed to provision user", "there is no group wheel"}},
		{"no number is free", nil, map[string]string{"etc/login.defs": "UID_MIN 1000\nUID_MAX 999\n"}, nil, exitFailed, []string{"no number from 1000 to 999"}},
		{"a damaged passwd", nil, map[string]string{"etc/passwd": "pilot:x:1:1\n"}, nil, exitFailed, []string{"reason=failed to provision user", "4 fields"}},
		{"nobody is named", func(s *emulator.Scenario) {
			s.VM.UserName = ""
			s.IMDS.Instance = []byte(`{"compute":{"osProfile":{"adminUsername":""}}}`)
		}, nil, nil, exitConfig, []string{"reason=failed to determine username"}},
		{"a damaged shadow", nil, map[string]string{"etc/passwd": "pilot:x:1000:1000::/home/pilot:/bin/sh\n", "etc/shadow": "pilot:\n"}, nil, exitFailed, []string{"reason=failed to provision password"}},
		{"sudoers.d is a file", nil, map[string]string{"etc/sudoers.d": ""}, nil, exitFailed, []string{"reason=failed to provision user"}},
		{"sshd's file is a directory", nil, map[string]string{"etc/ssh/sshd_config/x": ""}, nil, exitFailed, []string{"reason=failed to update sshd config"}},
		{"no home", nil, map[string]string{"etc/passwd": "pilot:x:1000:1000::/nowhere:/bin/sh\n", "etc/shadow": "pilot:!:1:0:9:7:::\n"}, nil, exitFailed, []string{"reason=I/O error", "nowhere"}},
		{"the keys are a directory", nil, map[string]string{"etc/skel/.ssh/authorized_keys/x": ""}, nil, exitFailed, []string{"reason=I/O error"}},
		{"custom data has no place", func(s *emulator.Scenario) { s.VM.CustomData = azprov.NewSecret([]byte("x")) }, map[string]string{"var/lib/azure-init/custom-data/x": ""}, nil, exitFailed, []string{"reason=I/O error"}},
		{"an unknown key", nil, map[string]string{"etc/azure-init.toml": "[ssh]\nquery_sshd = true\n"}, nil, exitConfig, []string{"reason=unhandled error", "unknown key ssh.query_sshd", "/etc/azure-init.toml"}},
		{"cloud-init's word where it has one", func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 403, Always: true}} }, nil, nil, exitFailed, []string{"reason=http error 403 querying IMDS"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newTestPlatform(t, row.change)
			root := t.TempDir()
			makeFiles(t, root, row.files)
			cli(t, p.args(append([]string{"--root", root}, row.args...)...)...).want(t, row.code, "azure-init: ")
			reports := p.fabric.Reports()
			if len(reports) != 1 || reports[0].State != emulator.StateFailed {
				t.Fatalf("the reports are %+v, want one of a failure", reports)
			}
			contains(t, reports[0].Description, append(row.report, "result=error", "agent=azure-init-go/", "pps_type=None")...)
			if files, _ := filepath.Glob(filepath.Join(root, "var/lib/azure-init/*"+marked)); len(files) > 0 {
				t.Errorf("a VM that failed is done: %v", files)
			}
		})
	}
}

// TestProgramFails: what a program said is in the report, and which it was.
func TestProgramFails(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, nil)
	m := newMachine(t)
	m.fail["useradd"] = &azprov.Error{
		Op: "useradd", Kind: azprov.KindInternal, Message: "the program failed: cannot lock /etc/passwd", Reason: reasonSubprocess,
		Details: []azprov.Detail{{Key: "command", Value: "useradd pilot"}, {Key: "exit_status", Value: "10"}},
	}
	m.cli(t.Context(), p.args()...).want(t, exitFailed, "cannot lock /etc/passwd")
	contains(t, p.fabric.Reports()[0].Description, "reason=failed to provision user", "command=useradd pilot", "exit_status=10")
}

func TestRunProgram(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no shell")
	}
	out, err := runProgram(t.Context(), "pier\n", "/bin/sh", "-c", "cat")
	if err != nil || out != "pier\n" {
		t.Errorf("got %q, %v", out, err)
	}
	_, err = runProgram(t.Context(), testPassword, "/bin/sh", "-c", "echo the reason >&2; exit 7")
	if reason, details := azprov.ReasonOf(err); reason != reasonSubprocess || details[1].Value != "7" || exitStatus(err) != 7 {
		t.Errorf("reason %q, details %v", reason, details)
	}
	if !strings.Contains(err.Error(), "the reason") || strings.Contains(err.Error(), testPassword) {
		t.Errorf("error %v", err)
	}
	if _, err := runProgram(t.Context(), "", "/nowhere/program"); err == nil || exitStatus(err) != -1 {
		t.Errorf("error %v", err)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	p := newTestPlatform(t, nil)
	cli(t, p.args("report-ready", "--root", t.TempDir())...).want(t, exitDone, "Ready, the platform was told")
	cli(t, p.args("report-failure", "the crane is stuck", "--root", t.TempDir())...).want(t, exitDone, "Failed, the platform was told")
	reports := p.fabric.Reports()
	if len(reports) != 2 || reports[0].State != emulator.StateReady {
		t.Fatalf("the reports are %+v", reports)
	}
	contains(t, reports[1].Description, "reason=the crane is stuck")
}

// TestCustomData: saved, run, or warned of.
func TestCustomData(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, action, data string
		rooted             bool
		fail               error
		code               int
		want               string
		mode               fs.FileMode // 0: there is no file
		ran                bool
	}{
		{"saved", actionSave, testCustomData, false, nil, exitDone, "bytes saved as /var/lib/azure-init/custom-data\n", 0o600, false},
		{"run", actionExecute, testCustomData, false, nil, exitDone, "and run", 0o700, true},
		{"no script is run", actionExecute, "#cloud-config\n", false, nil, exitDone, "custom-data\n", 0o600, false},
		{"nothing is run below --root", actionExecute, testCustomData, true, nil, exitDone, "custom-data\n", 0o700, false},
		{"warned of", actionWarn, testCustomData, false, nil, exitDone, "which nobody takes", 0, false},
		{"a script that fails", actionExecute, testCustomData, false, exited(3), exitFailed, "status 3", 0o700, true},
		{"none", actionSave, "", false, nil, exitDone, "there is none", 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newTestPlatform(t, func(s *emulator.Scenario) {
				if row.data != "" {
					s.VM.CustomData = azprov.NewSecret([]byte(row.data))
				}
			})
			m := newMachine(t)
			m.fail["/var/lib/azure-init/custom-data"] = row.fail
			args := p.args("take-custom-data")
			if row.rooted {
				args = append(args, "--root", m.system)
			}
			makeFiles(t, m.system, map[string]string{"etc/azure-init.d/10-x.toml": "custom_data.action = '" + row.action + "'\n"})
			m.cli(t.Context(), args...).want(t, row.code, row.want)
			if row.mode != 0 {
				wantFile(t, m.system, "var/lib/azure-init/custom-data", row.data, row.mode)
			} else if _, err := os.Stat(filepath.Join(m.system, "var/lib/azure-init/custom-data")); err == nil {
				t.Error("it is saved")
			}
			if (len(m.calls) > 0) != row.ran {
				t.Errorf("the programs are %q", m.calls)
			}
			if len(p.fabric.Reports()) != 0 {
				t.Error("a verb has reported")
			}
		})
	}
}
