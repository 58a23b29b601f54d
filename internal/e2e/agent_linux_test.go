package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
	"github.com/azprov/azprov/ephemeral"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

// agentDir in the environment makes the test binary be an agent, whose files are there.
const agentDir = "AZPROV_E2E_AGENT"

// agentStop is the beginning of the line at which the agent is to stop, until it is killed.
const agentStop = "AZPROV_E2E_STOP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(agentDir); dir != "" {
		os.Exit(agent(dir))
	}
	os.Exit(m.Run())
}

// The agent's files.
const (
	dmiDir      = "sys"
	mediumDir   = "medium"
	markerFile  = "pool.json"
	stateDir    = "state"
	appliedFile = "applied"
)

// agent provisions the machine that it runs on, brings its network up itself, and prints
// where it is, a line for each step and state.
func agent(dir string) int {
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		line := fmt.Sprintf(format, args...)
		fmt.Println(line)
		// What is to be killed here must not get any further: a report may be accepted and
		// its process killed before it knows, which is another test's business.
		if at := os.Getenv(agentStop); at != "" && strings.HasPrefix(line, at) {
			time.Sleep(time.Hour)
		}
	}
	network, err := ephemeral.New(&ephemeral.Options{
		Driver:    driver,
		OnAttempt: func(a ephemeral.Attempt) { say("dhcp %s %v %v", a.Link.Name, a.Lease.Address, a.Err) },
	})
	if err != nil {
		say("%v", err)
		return 1
	}
	options := &provision.Options{
		Sysfs: os.DirFS(filepath.Join(dir, dmiDir)), StateDir: filepath.Join(dir, stateDir), BootID: "boot-1",
		Medium: ejectable(filepath.Join(dir, mediumDir)), Network: network,
		Pool: provision.PoolOptions{
			Links: pps.SystemLinks(), Store: pps.FileStore(filepath.Join(dir, markerFile)),
			Candidate: func(l pps.Link) bool {
				l.Driver = driver(l.Name)
				return pps.DefaultCandidate(l)
			},
			OnState: func(t pps.Transition) { say("state %s", t.To) },
		},
		OnStep: func(e provision.StepEvent) {
			if e.Done {
				say("done %s %v", e.Step.Name, e.Step.Err)
			} else {
				say("step %s", e.Step.Name)
			}
		},
		Apply: func(_ context.Context, m *provision.Machine) error {
			return os.WriteFile(filepath.Join(dir, appliedFile), []byte(m.HostName), 0o600)
		},
	}
	result, err := provision.Run(context.Background(), options)
	if result.Machine != nil {
		for _, warning := range result.Machine.Warnings {
			say("warning %s", warning)
		}
	}
	say("end %v", err)
	if err != nil {
		return 1
	}
	return 0
}

// driver is what the lab's interfaces stand for: all are veth.
func driver(name string) string {
	if strings.HasPrefix(name, "enP") {
		return "mlx5_core"
	}
	return "hv_netvsc"
}

// ejectable is a medium in a directory that is not there any more when it is ejected.
type ejectable string

func (e ejectable) Read(context.Context, func()) (*ovf.Environment, error) {
	return ovf.ReadFS(os.DirFS(string(e)))
}

func (e ejectable) Eject(context.Context) error { return os.RemoveAll(string(e)) }

// guest is a VM in a lab with an agent's files.
type guest struct {
	t   *testing.T
	lab *lab.Lab
	dir string
}

func newGuest(t *testing.T, options *lab.Options) *guest {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it needs root: network namespaces and veth")
	}
	l, err := lab.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &guest{t: t, lab: l, dir: t.TempDir()}
	if err := l.Fabric().WriteDMI(filepath.Join(g.dir, dmiDir)); err != nil {
		t.Fatal(err)
	}
	if files, ok := l.Fabric().Medium(); ok {
		if err := os.CopyFS(filepath.Join(g.dir, mediumDir), files); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// recover puts the marker of an earlier boot there if the scenario is about one. The medium
// was ejected in that boot.
func (g *guest) recover(scenario string) {
	g.t.Helper()
	if scenario != "pps-recovery" {
		return
	}
	marker := pps.Marker{VMID: g.lab.Fabric().VM().ID, Phase: pps.PhaseReported, At: time.Now()}
	if err := pps.FileStore(filepath.Join(g.dir, markerFile)).Save(g.t.Context(), marker); err != nil {
		g.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(g.dir, mediumDir)); err != nil {
		g.t.Fatal(err)
	}
}

// run starts the agent and returns what it has printed when it ended by itself, or when
// it was killed: as soon as it has printed the line.
func (g *guest) run(ctx context.Context, killAt string) (lines []string, killed bool) {
	g.t.Helper()
	_, before := g.readies()
	restarted := before > 0
	self, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	reader, writer := io.Pipe()
	command := g.lab.Command(ctx, self)
	command.Env = append(os.Environ(), agentDir+"="+g.dir, agentStop+"="+killAt)
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		g.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- command.Wait()
		_ = writer.Close()
	}()
	for scanner := bufio.NewScanner(reader); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if killAt != "" && strings.HasPrefix(scanner.Text(), killAt) && !killed {
			killed = true
			_ = command.Process.Kill()
		}
	}
	// An agent that is started again when all is done and told finds no document any more.
	if err := <-ended; err != nil && !killed && !restarted {
		g.t.Errorf("the agent: %v\n%s", err, strings.Join(lines, "\n"))
	}
	return lines, killed
}

// applied is the machine that the agent has made of itself, empty if none.
func (g *guest) applied() string {
	g.t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, appliedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.t.Error(err)
	}
	return string(b)
}

// readies counts the reports of Ready that the fabric has accepted.
func (g *guest) readies() (pool, owner int) {
	for _, report := range g.lab.Fabric().Reports() {
		switch {
		case report.State != emulator.StateReady:
			g.t.Errorf("reported %+v", report)
		case report.Pool:
			pool++
		default:
			owner++
		}
	}
	return pool, owner
}
