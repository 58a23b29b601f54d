package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

// rootsVariable names the directory of the systems.
const rootsVariable = "AZPROV_ROOTS"

// The systems: two generations of each agent.
const (
	bookworm = "bookworm"
	trixie   = "trixie"
)

// guest is a running machine.
type guest struct {
	t      *testing.T
	lab    *lab.Lab
	fabric *emulator.Fabric
	pid    int
	ended  context.Context //nolint:containedctx // It ends with the machine.
}

// needSystem skips what cannot be done here, and returns the system's directory.
func needSystem(t *testing.T, system string) string {
	t.Helper()
	roots := os.Getenv(rootsVariable)
	switch {
	case os.Geteuid() != 0:
		t.Skip("needs root: namespaces, mounts, loop devices")
	case roots == "":
		t.Skip(rootsVariable + " is not set: it names a directory with Debian's systems, see doc.go")
	}
	base := filepath.Join(roots, system)
	if _, err := os.Stat(filepath.Join(base, "etc/debian_version")); err != nil {
		t.Fatalf("%s has no system: %v", rootsVariable, err)
	}
	return base
}

// boot starts the machine of a scenario with a system of Debian's, changed by machine,
// which may be nil. Nothing runs on it.
func boot(t *testing.T, system string, scenario emulator.Scenario, change func(*sandbox)) *guest {
	t.Helper()
	base := needSystem(t, system)
	l, err := lab.New(t.Context(), &lab.Options{Scenario: scenario})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	spec := sandbox{
		Base: base, Dir: filepath.Join(dir, "machine"), DMI: filepath.Join(dir, "sys"), Disc: insert(t, l.Fabric()),
		Files:    map[string]file{"usr/bin/systemd-detect-virt": {Text: detectVirt, Mode: 0o755}},
		Programs: map[string]string{"usr/sbin/" + mountHelper: self},
	}
	if err := errors.Join(os.Mkdir(spec.Dir, 0o755), l.Fabric().WriteDMI(spec.DMI)); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&spec)
	}
	g := &guest{t: t, lab: l, fabric: l.Fabric()}
	g.start(spec)
	return g
}

// detectVirt is systemd-detect-virt(1) of a machine: agents that ask the real one learn that
// they are in a PID namespace, take that for a container, and do not look at the firmware.
const detectVirt = `#!/bin/sh
for argument; do
	[ "$argument" != --container ] || exit 1
done
echo microsoft
`

// start runs the first process, and waits until the machine stands.
func (g *guest) start(spec sandbox) {
	g.t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		g.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.t.Context()))
	g.ended = ctx
	command := g.lab.Command(ctx, self)
	command.Env = []string{sandboxSpec + "=" + string(text)}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	stdin, err := command.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	var trouble strings.Builder
	command.Stderr = &trouble
	if err := command.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.pid = command.Process.Pid
	g.t.Cleanup(func() {
		_ = stdin.Close()
		cancel()
		_ = command.Wait() // It was killed.
	})
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != ready+"\n" {
		cancel()
		_ = command.Wait()
		g.t.Fatalf("the machine does not stand: %s", trouble.String())
	}
}

// command is a program on the machine.
func (g *guest) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(g.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", name}
	command := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	command.WaitDelay = time.Second
	return command
}

// try runs a program on the machine to its end.
func (g *guest) try(patience time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(g.ended, patience)
	defer cancel()
	output, err := g.command(ctx, name, args...).CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(output), err
}

// run is try for what must succeed.
func (g *guest) run(patience time.Duration, name string, args ...string) string {
	g.t.Helper()
	output, err := g.try(patience, name, args...)
	if err != nil {
		g.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(output))
	}
	return output
}

// read returns a file of the machine.
func (g *guest) read(path string) string {
	g.t.Helper()
	return g.run(10*time.Second, "cat", path)
}

// network brings the interface up as an operating system does, for agents that leave that
// to it.
func (g *guest) network() {
	g.t.Helper()
	g.run(time.Minute, "dhclient", "-1", "eth0")
}

// must asserts that a file of the machine holds all of the texts.
func (g *guest) must(path string, texts ...string) {
	g.t.Helper()
	content := g.read(path)
	for _, text := range texts {
		if !strings.Contains(content, text) {
			g.t.Errorf("%s has no %q:\n%s", path, text, tail(content))
		}
	}
}

// mode asserts a file's owner and permissions, "root 640".
func (g *guest) mode(path, want string) {
	g.t.Helper()
	if got := strings.TrimSpace(g.run(10*time.Second, "stat", "--format", "%U %a", path)); got != want {
		g.t.Errorf("%s is of %s, want %s", path, got, want)
	}
}

// await waits until the journal is as wanted.
func (g *guest) await(patience time.Duration, what string, done func([]emulator.Entry) bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !done(g.fabric.Journal()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("no %s in %s", what, patience)
		}
	}
}

// awaitPhase waits until the VM is where the platform moves it.
func (g *guest) awaitPhase(phase emulator.Phase) {
	g.t.Helper()
	g.await(patience, "phase "+string(phase), func([]emulator.Entry) bool { return g.fabric.Phase() == phase })
}

// background starts a program that is killed when the test ends.
func (g *guest) background(name string, args ...string) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.ended)
	command := g.command(ctx, name, args...)
	if err := command.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		cancel()
		_ = command.Wait() // It was killed.
	})
}

// version is that of an agent's package; of this SDK's program its own.
func (g *guest) version(agent string) string {
	g.t.Helper()
	if agent == ours {
		return strings.TrimPrefix(strings.Fields(g.run(10*time.Second, ours, "version"))[1], "v")
	}
	return g.run(10*time.Second, "dpkg-query", "--show", "--showformat", "${Version}", agent)
}

// tail is what people want to see of a long text.
func tail(text string) string {
	const enough = 6000
	return text[max(0, len(text)-enough):]
}
