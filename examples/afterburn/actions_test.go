package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/mediatest"
	"github.com/azprov/azprov/provision"
)

const linuxAttributes = "AFTERBURN_AZURE_IPV4_DYNAMIC=10.20.0.4\nAFTERBURN_AZURE_VMSIZE=Standard_D2ads_v5\n"

// TestReadme: the command that the README begins with does what it says there.
func TestReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(string(b)) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./examples/afterburn ")
		if !ok {
			continue
		}
		ran++
		got := elsewhere(t, strings.Fields(strings.ReplaceAll(args, "./fragments", t.TempDir()))...).want(t, 0)
		if ran == 1 && got.stdout != linuxAttributes+firstKey+"\n"+spareKey+"\nharbour-01\n" {
			t.Error(got.stdout)
		}
		for _, shown := range strings.SplitAfter(got.stdout, "\n") {
			if !strings.Contains(string(b), shown) {
				t.Errorf("the README does not show %q", shown)
			}
		}
	}
	if ran < 2 {
		t.Errorf("%d commands", ran)
	}
}

func TestFilesOfActions(t *testing.T) {
	t.Parallel()
	for _, multi := range []string{"", "multi"} {
		dir := filepath.Join(t.TempDir(), "run", "metadata")
		attributes, hostname := filepath.Join(dir, "afterburn"), filepath.Join(dir, "hostname")
		args := []string{"--provider", "azure", "--attributes", attributes, "--hostname", hostname}
		if multi != "" {
			args = append([]string{multi}, args...)
		}
		onVM(t, "linux-vm", nil, func(m *vm) {
			t := m.t

			m.run(args...).want(t, 0, "wrote "+attributes, "wrote "+hostname)
			wantFile(t, attributes, linuxAttributes, 0o644)
			wantFile(t, hostname, "harbour-01\n", 0o644)
			leftBehind(t, dir, "afterburn", "hostname")
			before, _ := os.Stat(hostname)
			m.run(args...).want(t, 0, attributes+" is as it should be", hostname+" is as it should be")
			if after, _ := os.Stat(hostname); !os.SameFile(before, after) {
				t.Error("written again")
			}
			if err := os.Chmod(hostname, 0o600); err != nil {
				t.Fatal(err)
			}
			m.run(args...).want(t, 0, "wrote "+hostname)
			wantFile(t, hostname, "harbour-01\n", 0o644)
			// Nobody but an action that needs it asks the wire server.
			for _, entry := range m.fabric.Journal() {
				if strings.Contains(entry.Path, "comp=versions") {
					t.Error(entry.Path)
				}
			}
		})
	}
}

func TestLinkIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, target := filepath.Join(dir, "hostname"), filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("harbour-01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		m.run("--provider", "azure", "--hostname", link).want(t, 0, "wrote ")
		wantFile(t, link, "harbour-01\n", 0o644)
		wantFile(t, target, "harbour-01\n", 0o600)
	})
}

// TestFileThatCannotBe: what fails comes before what would hide it.
func TestFileThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		m.run("--provider", "azure", "--hostname", dir, "--check-in").want(t, exitFailed, "cannot be used")
		if got := m.fabric.State(); got != emulator.StateNone {
			t.Error(got)
		}
	})
}

// TestServices: which service an action depends on, and that a failure ends the run
// within its time, without a report.
func TestServices(t *testing.T) {
	t.Parallel()
	noWireServer := func(s *emulator.Scenario) { s.WireServer.Absent = true }
	noIMDS := func(s *emulator.Scenario) { s.IMDS.Absent = true }
	denied := func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 403, Always: true}} }
	gone := func(s *emulator.Scenario) {
		s.WireServer.Faults = []emulator.Fault{{Path: "type=sharedConfig", Status: 410, Always: true}}
	}
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		args   string
		code   int
		within time.Duration
		words  []string
	}{
		{"the name needs no wire server", noWireServer, "--hostname -", 0, time.Second, []string{"harbour-01\n"}},
		{"attributes need it", noWireServer, "--attributes -", exitFailed, 6 * time.Minute, []string{"waiting: attempt 4:", "wireserver.Client.GetSharedConfig"}},
		{"check-in needs it", noWireServer, "--check-in", exitFailed, 21 * time.Minute, []string{"wireserver.Client.ReportHealth"}},
		{"check-in needs no IMDS", noIMDS, "--check-in", 0, time.Second, []string{"accepted"}},
		{"no IMDS", noIMDS, "--hostname - --check-in", exitFailed, 6 * time.Minute, []string{"imds.Client.GetInstance", "hint: "}},
		{"no IMDS, and little time", noIMDS, "--hostname - --check-in --timeout 3s", exitFailed, 3 * time.Second, []string{"imds.Client.GetInstance"}},
		{"IMDS refuses", denied, "--attributes - --check-in", exitFailed, time.Second, []string{"403"}},
		{"no shared configuration", gone, "--attributes - --check-in", exitFailed, 6 * time.Minute, []string{"410"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			onVM(t, "linux-vm", row.change, func(m *vm) {
				t := m.t

				start := time.Now()
				m.run(append(strings.Fields(row.args), "--provider", "azure")...).want(t, row.code, row.words...)
				if took := time.Since(start); took > row.within {
					t.Errorf("took %v", took)
				}
				if row.code != 0 && m.fabric.State() != emulator.StateNone {
					t.Error(m.fabric.State())
				}
			})
		})
	}
}

func TestCheckIn(t *testing.T) {
	t.Parallel()
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		m.run("--provider", "azure", "--check-in").want(t, 0, "has accepted")
		m.run("--provider", "azure", "--check-in").want(t, 0, "knew already")
		reports := m.fabric.Reports()
		if len(reports) != 1 || m.fabric.State() != emulator.StateReady {
			t.Errorf("%+v", reports)
		}
	})
}

// TestCheckInAfterAFailure: another agent has told the platform of a failure in this boot.
func TestCheckInAfterAFailure(t *testing.T) {
	t.Parallel()
	onVM(t, "linux-vm", nil, func(m *vm) {
		t := m.t

		p, _, err := m.app.newPlatform(t.Context(), azure)
		if err != nil {
			t.Fatal(err)
		}
		reporter, err := p.reporter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reporter.Report(t.Context(), provision.Outcome{State: provision.ReportFailed, Err: os.ErrInvalid}); err != nil {
			t.Fatal(err)
		}
		m.run("--provider", "azure", "--check-in").want(t, exitFailed, "told otherwise")
		if got := m.fabric.State(); got != emulator.StateFailed {
			t.Error(got)
		}
	})
}

func TestHostName(t *testing.T) {
	t.Parallel()
	named := func(name, computer string) func(*emulator.Scenario) {
		return func(s *emulator.Scenario) { s.VM.Name, s.VM.HostName = name, computer }
	}
	for _, row := range []struct {
		name     string
		scenario string
		change   func(*emulator.Scenario)
		args     string
		want     string
	}{
		{"the resource's", "linux-vm", named("set_3", "quay-3"), "--provider azure", "set_3\n"},
		{"the computer's", "linux-vm", named("set_3", "quay-3"), "--provider azure --hostname-from computer-name", "quay-3\n"},
		{"none", "linux-vm", func(s *emulator.Scenario) { s.IMDS.Instance = []byte(`{"compute":{"name":""}}`) }, "--provider azure", ""},
		{"two lines", "linux-vm", func(s *emulator.Scenario) { s.IMDS.Instance = []byte(`{"compute":{"name":"a\nb"}}`) }, "--provider azure", ""},
		{"an old Azure Stack", "stack-hub", nil, "--provider azurestack", "lock-04\n"},
		{"an Azure Stack without IMDS", "no-imds", nil, "--provider azurestack", "quay-02\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			onVM(t, row.scenario, row.change, func(m *vm) {
				t := m.t

				if got := m.run(append(strings.Fields(row.args), "--hostname", "-")...).want(t, 0); got.stdout != row.want {
					t.Errorf("%q, want %q", got.stdout, row.want)
				}
			})
		})
	}
}

func TestShortened(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	p := &platform{app: &app{err: &strings.Builder{}}}
	if got := p.shortened(" quay\n"); got != "quay" {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{
		"": "", "quay": "quay", "quay.example.test": "quay.example.test",
		long + "b": long + "b", long + "bc": long + "b", long + ".example": long,
		"quay." + long: "quay", "quay\nroot": "", "hafen-ö": "",
	} {
		if got := p.shortened(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestAttributesOfAzureStack: there are none, and a unit's EnvironmentFile= is there.
func TestAttributesOfAzureStack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "afterburn")
	onVM(t, "stack-hub", nil, func(m *vm) {
		t := m.t

		m.run("--provider", "azurestack", "--attributes", file).want(t, 0)
		wantFile(t, file, "", 0o644)
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	endpoint := func(balancer string) goalstate.InputEndpoint {
		return goalstate.InputEndpoint{Address: "10.0.0.4:22", LoadBalancedPublicAddress: balancer}
	}
	for name, row := range map[string]struct {
		own              goalstate.Instance
		dynamic, virtual string
	}{
		"both":               {goalstate.Instance{ID: "i", Address: "10.0.0.4", InputEndpoints: []goalstate.InputEndpoint{endpoint("203.0.113.7:22")}}, "10.0.0.4", "203.0.113.7"},
		"the first":          {goalstate.Instance{ID: "i", InputEndpoints: []goalstate.InputEndpoint{endpoint(""), endpoint("[2001:db8::1]:22"), endpoint("203.0.113.7:22")}}, "", "2001:db8::1"},
		"no balancer":        {goalstate.Instance{ID: "i", Address: "10.0.0.4", InputEndpoints: []goalstate.InputEndpoint{endpoint("")}}, "10.0.0.4", ""},
		"no addresses":       {goalstate.Instance{ID: "i", Address: "vm"}, "", ""},
		"another's instance": {goalstate.Instance{ID: "j", Address: "10.0.0.4"}, "", ""},
	} {
		config := goalstate.SharedConfig{Incarnation: goalstate.RoleIncarnation{Instance: "i"}, Instances: []goalstate.Instance{
			{ID: "other", Address: "10.0.0.9", InputEndpoints: []goalstate.InputEndpoint{endpoint("203.0.113.99:22")}}, row.own,
		}}
		if dynamic, virtual := addresses(config); dynamic != row.dynamic || virtual != row.virtual {
			t.Errorf("%s: %q, %q", name, dynamic, virtual)
		}
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"Standard_D2ads_v5": "Standard_D2ads_v5", "a b\nLD_PRELOAD=x": "abLD_PRELOADx", "é\"'$`\\": ""} {
		if got := quoted(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestCmdline(t *testing.T) {
	t.Parallel()
	for cmdline, row := range map[string]struct {
		code int
		word string
	}{
		"root=/dev/sda1 ignition.platform.id=azure quiet\n":            {0, "harbour-01"},
		"ignition.platform.id= ignition.platform.id=azure\n":           {0, "harbour-01"},
		"ignition.platform.id=azure ignition.platform.id=azurestack\n": {0, "harbour-01"},
		"ignition.platform.id=azurestack\n":                            {0, "harbour-01"},
		"ignition.platform.id=aws\n":                                   {exitUsage, "ignition.platform.id: unknown platform \"aws\""},
		"xignition.platform.id=azure\n":                                {exitUsage, "has no ignition.platform.id="},
		"":                                                             {exitUsage, "has no ignition.platform.id="},
	} {
		onVM(t, "linux-vm", nil, func(m *vm) {
			t := m.t

			m.app.proc = fstest.MapFS{"cmdline": {Data: []byte(cmdline)}}
			m.run("--cmdline", "--hostname", "-").want(t, row.code, row.word)
		})
	}
	elsewhere(t, "--cmdline", "--hostname", "-").want(t, exitFailed, "/proc/cmdline")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args  string
		code  int
		words []string
	}{
		{"", exitUsage, []string{"nothing to do", "--attributes, --ssh-keys, --hostname or --check-in"}},
		{"--provider azure", exitUsage, []string{"nothing to do"}},
		{"--provider azure --emulate linux-vm --check-in", exitUsage, []string{`stray argument "linux-vm"`, "did you mean --emulate=linux-vm?"}},
		{"--check-in", exitUsage, []string{"the platform is missing", "--provider azure"}},
		{"--provider azure --cmdline --check-in", exitUsage, []string{"exclude each other"}},
		{"--provider azur --check-in", exitUsage, []string{"did you mean azure?"}},
		{"--provider gcp --check-in", exitUsage, []string{`unknown platform "gcp"`, "Afterburn itself"}},
		{"--provider azure --hostname=", exitUsage, []string{"--hostname is empty"}},
		{"--provider azure --hostname", exitUsage, []string{"flag needs an argument"}},
		{"--provider azure --hostname - --hostname-from dns", exitUsage, []string{`--hostname-from: "dns"`, "vm-name or computer-name"}},
		{"--provider azure --chek-in", exitUsage, []string{"unknown flag --chek-in", "did you mean --check-in?"}},
		{"--provider azure --xyzzy", exitUsage, []string{"unknown flag --xyzzy", "hint: see afterburn --help"}},
		{"--provider azure --check-in --timeout -1s", exitUsage, []string{"--timeout is negative"}},
		{"--provider azure --check-in --timeout soon", exitUsage, []string{"invalid argument"}},
		{"--provider azure --check-in --emulate=harbour", exitUsage, []string{`no scenario "harbour"`, "--list"}},
		{"--provider azure --check-in --emulate --imds http://127.0.0.1:1", exitUsage, []string{"services of its own"}},
		{"--provider azure --check-in --imds 127.0.0.1", exitUsage, []string{"--imds"}},
		{"--provider azure --check-in --wireserver nowhere", exitFailed, []string{"wireserver"}},
		{"--provider azure --check-in", exitFailed, []string{"no VM on Azure", "hint: to try the command here, give it --emulate"}},
		{"--provider azure --render-ignition-dir x", exitUsage, []string{"it is a flag of render-ignition"}},
		{"-provider azur -check-in", exitUsage, []string{"did you mean azure?"}},
		{"-provider azure -emulate -hostname - -check-in", 0, []string{"harbour-01\n", "has accepted"}},
		{"--version", 0, []string{azprov.Version}},
		{"help render-ignition", 0, []string{"--render-ignition-dir"}},
		{"render-ignitio --provider azure", exitUsage, []string{"did you mean render-ignition?"}},
		{"render-ignition --provider azure", exitUsage, []string{"--render-ignition-dir is missing"}},
		{"render-ignition --provider azure --check-in", exitUsage, []string{"unknown flag --check-in"}},
		{"render-ignition now --provider azure", exitUsage, []string{`stray argument "now"`}},
		{"render-ignition --provider azurestack --emulate --render-ignition-dir x", exitUsage, []string{"for azure alone"}},
		{"multi --provider azure", exitUsage, []string{"nothing to do"}},
	} {
		elsewhere(t, strings.Fields(row.args)...).want(t, row.code, row.words...)
	}
}

// TestHelp: each flag is told of, in the help and in the README.
func TestHelp(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for command, flags := range map[string]string{
		"":                "--provider --cmdline --hostname-from --emulate --imds --wireserver --media --timeout --attributes --ssh-keys --hostname --check-in",
		"multi":           "--attributes --ssh-keys --hostname --check-in",
		"render-ignition": "--render-ignition-dir --disable-hostname-fragment --disable-user-fragment --provider",
	} {
		got := elsewhere(t, append(strings.Fields(command), "--help")...).want(t, 0, strings.Fields(flags)...)
		for flag := range strings.FieldsSeq(flags) {
			if !strings.Contains(string(readme), "`"+flag) {
				t.Errorf("the README does not have %s", flag)
			}
		}
		if got.stderr != "" || !strings.Contains(got.stdout, "Usage:") {
			t.Errorf("%q: %s", command, got.stderr)
		}
	}
}

// TestNamedServices: the platform of --imds and --wireserver is another machine's, whose
// medium must be named, and what it is told is not this machine's to remember.
func TestNamedServices(t *testing.T) {
	t.Parallel()
	scenario, err := emulator.LookupScenario("stack-hub")
	if err != nil {
		t.Fatal(err)
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := fabric.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	dir := t.TempDir()
	image, err := os.Create(filepath.Join(dir, "disc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fabric.WriteMediumImage(image, emulator.ImageFormatBridge); err != nil {
		t.Fatal(err)
	}
	if err := image.Close(); err != nil {
		t.Fatal(err)
	}
	named := []string{"--imds", server.IMDSURL(), "--wireserver", server.WireServerURL()}
	on := func(args string) []string { return append(strings.Fields(args), named...) }
	for range 2 {
		elsewhere(t, on("--provider azure --check-in")...).want(t, 0, "has accepted")
	}
	render := "render-ignition --provider azure --render-ignition-dir " + dir
	disc, err := os.ReadFile(image.Name())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{proc: fstest.MapFS{}, sys: fstest.MapFS{}, host: provision.NoHost(), system: &mediatest.CDROM{Image: disc}}
	a.inProcess(t, on(render)...).want(t, 0, "no provisioning medium", "no user.ign")
	a = &app{proc: fstest.MapFS{}, sys: fstest.MapFS{}, host: provision.NoHost()}
	a.inProcess(t, on(render+" --media "+image.Name())...).want(t, 0, "wrote "+filepath.Join(dir, "user.ign"))
	a = &app{proc: fstest.MapFS{}, sys: fstest.MapFS{}, host: provision.NoHost()}
	a.inProcess(t, on(render+" --media "+filepath.Join(dir, "none"))...).want(t, exitUsage, "--media: there is no ")
}
