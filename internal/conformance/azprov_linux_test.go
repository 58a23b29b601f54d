package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
)

// program builds the command of this SDK, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "azprov-conformance-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "azprov")
	command := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/azprov/azprov/examples/azprov")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// ourProgram puts the command into the machine.
func ourProgram(s *sandbox) {
	path, err := program()
	if err != nil {
		panic(err)
	}
	s.Programs["usr/bin/azprov"] = path
}

// ours is the agent that this SDK makes.
const ours = "azprov"

// ourRuns are the scenarios of all agents, with this SDK.
func ourRuns() []run {
	var runs []run
	for _, others := range [][]run{cloudInitRuns(), waagentRuns(), ignitionRuns()} {
		for _, other := range others {
			if slices.ContainsFunc(runs, func(r run) bool { return r.scenario == other.scenario }) {
				continue
			}
			state := other.state
			if state == emulator.StateNone { // of an agent that never reports
				state = emulator.StateReady
			}
			runs = append(runs, run{
				agent: ours, scenario: other.scenario, about: other.about, change: other.change, state: state,
				// Which versions there are is learnt by asking for one.
				verdicts: []string{"unsupported api-version 2023-11-15"},
				// One is enough: the program brings all of itself along.
				systems: []string{trixie}, machine: ourProgram, drive: (*guest).weProvision,
			})
		}
	}
	return runs
}

// weProvision runs the program, with the network as its own too.
func (g *guest) weProvision() {
	g.t.Helper()
	medium := "none"
	if _, ok := g.fabric.Medium(); ok {
		medium = "/dev/sr0" // The kernel's table of drives does not have it.
	}
	args := []string{"provision", "--network", "ephemeral", "--media", medium, "--output", "json", "--reveal"}
	if g.fabric.Scenario().Pool.Type == ovf.PreprovisionedVMTypeOSDisk {
		g.background(ours, args...)
		g.awaitPhase(emulator.PhaseStopped)
		return
	}
	var result struct {
		Machine *struct {
			HostName string `json:"hostname"`
			User     struct {
				Name    string   `json:"name"`
				SSHKeys []string `json:"sshKeys"`
			} `json:"user"`
		} `json:"machine"`
	}
	output, _ := g.try(patience, ours, args...) // The platform says how it went.
	begin := strings.Index(output, "\n{")
	if begin < 0 || json.NewDecoder(strings.NewReader(output[begin:])).Decode(&result) != nil {
		g.t.Fatalf("no object:\n%s", tail(output))
	}
	if result.Machine == nil {
		return
	}
	vm := g.fabric.Owner()
	if m := result.Machine; m.HostName != vm.HostName || m.User.Name != vm.UserName || len(m.User.SSHKeys) != len(vm.SSHKeys) {
		g.t.Errorf("the machine is %+v, want %s with %d keys of %s", m, vm.HostName, len(vm.SSHKeys), vm.UserName)
	}
}
