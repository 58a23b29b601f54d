package conformance

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov/emulator"
)

// cloudInit is a configuration as Azure's images have it, without what needs a real disk,
// an archive of packages or locales, and with one host key only for the sake of time.
func cloudInit(s *sandbox) {
	s.Files["etc/cloud/cloud.cfg.d/90-azure.cfg"] = file{Mode: 0o644, Text: `datasource_list: [Azure]
datasource: {Azure: {apply_network_config: false}}
network: {config: disabled}
ssh_genkeytypes: [ed25519]
locale: false
resize_rootfs: false
growpart: {mode: "off"}
apt: {preserve_sources_list: true}
`}
}

func cloudInitRuns() []run {
	runs := []run{
		{
			scenario: "linux-vm", about: "the whole boot: user, keys, host name, user data",
			drive: func(g *guest) {
				g.cloudInitBoots()
				g.cloudInitMade()
				g.run(10*time.Second, "test", "-e", "/run/harbour-user-data")
				g.must("/run/cloud-init/result.json", `"errors": []`)
				// Its exit status is 2 if there was a warning: no systemd is one.
				if status, _ := g.try(10*time.Second, "cloud-init", "status"); !strings.Contains(status, "done") {
					g.t.Errorf("cloud-init status: %s", status)
				}
			},
		},
		{
			scenario: "custom-data", about: "password and custom data from the medium; the custom data is run",
			drive: func(g *guest) {
				g.cloudInitBoots()
				g.cloudInitMade()
				g.run(10*time.Second, "test", "-e", "/run/jetty-custom-data")
				g.must("/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes")
				g.must("/etc/shadow", g.fabric.VM().UserName+":$6$")
			},
		},
		{scenario: "no-ovf", about: "no medium", drive: (*guest).cloudInitProvisions},
		{
			scenario: "slow-start", about: "both services fail at first",
			// Who is refused in the first second is a matter of the machine's speed.
			change: func(s *emulator.Scenario) {
				s.IMDS.Faults = slices.DeleteFunc(slices.Clone(s.IMDS.Faults), func(f emulator.Fault) bool { return f.Refuse > 0 })
			},
			drive: (*guest).cloudInitProvisions,
		},
		{scenario: "imds-flaky", about: "IMDS fails two times of three", drive: (*guest).cloudInitProvisions},
		{scenario: "no-imds", about: "no IMDS, and no route to it", drive: (*guest).cloudInitProvisions},
		{scenario: "fingerprint-keys", about: "keys by fingerprint, from the wire server", drive: (*guest).cloudInitProvisions},
		{
			scenario: "stack-hub", about: "old api-versions", drive: (*guest).cloudInitProvisions,
			verdicts: []string{"unsupported api-version 2021-08-01"},
		},
		{scenario: "pps-running", about: "the network changes under the pool's VM", drive: (*guest).cloudInitProvisions},
		{
			scenario: "pps-savable", about: "the network interface is exchanged",
			// IMDS that is stale for a moment is a trap of its own, which the later of the
			// two falls into.
			change: func(s *emulator.Scenario) { s.Pool.StaleReads = 0 },
			drive:  (*guest).cloudInitProvisions,
		},
		{
			scenario: "pps-osdisk", about: "the pool's VM waits until it is stopped",
			drive: (*guest).cloudInitWaits,
		},
		{
			scenario: "imds-denied", about: "neither IMDS nor medium: a failure, and reported",
			drive: (*guest).cloudInitFails, state: emulator.StateFailed,
		},
	}
	for i := range runs {
		runs[i].agent = "cloud-init"
		runs[i].machine = cloudInit
	}
	return runs
}

// cloudInitLocal runs the two stages in which cloud-init provisions: the first finds the
// source and reports, the second applies.
func (g *guest) cloudInitLocal() {
	g.t.Helper()
	g.run(patience, "cloud-init", "init", "--local")
	g.run(patience, "cloud-init", "init")
}

// cloudInitBoots runs all four stages of a boot.
func (g *guest) cloudInitBoots() {
	g.t.Helper()
	g.cloudInitLocal()
	g.run(patience, "cloud-init", "modules", "--mode", "config")
	g.run(patience, "cloud-init", "modules", "--mode", "final")
}

func (g *guest) cloudInitProvisions() {
	g.t.Helper()
	g.cloudInitLocal()
	g.cloudInitMade()
}

// cloudInitMade looks at what the second stage has made of the owner's VM.
func (g *guest) cloudInitMade() {
	g.t.Helper()
	vm := g.fabric.Owner()
	g.must("/etc/hostname", vm.HostName)
	var status struct {
		V1 map[string]json.RawMessage `json:"v1"`
	}
	if err := json.Unmarshal([]byte(g.read("/run/cloud-init/status.json")), &status); err != nil {
		g.t.Fatal(err)
	}
	for _, stage := range []string{"init-local", "init"} {
		if !strings.Contains(string(status.V1[stage]), `"errors": []`) {
			g.t.Errorf("cloud-init's stage %s: %s", stage, status.V1[stage])
		}
	}
	g.run(10*time.Second, "id", vm.UserName)
	keys := "/home/" + vm.UserName + "/.ssh/authorized_keys"
	for _, key := range vm.SSHKeys {
		if key.KeyData != "" {
			g.must(keys, strings.TrimSpace(key.KeyData))
		}
	}
	if len(vm.SSHKeys) > 0 {
		g.mode(keys, vm.UserName+" 600")
	}
	g.must("/etc/sudoers.d/90-cloud-init-users", vm.UserName+" ALL=(ALL) NOPASSWD:ALL")
}

// cloudInitFails runs the first stage, which leaves the machine without a source.
func (g *guest) cloudInitFails() {
	g.t.Helper()
	_, _ = g.try(patience, "cloud-init", "init", "--local") // Its status says nothing of it.
	g.must("/run/cloud-init/status.json", `"datasource": null`)
}

// cloudInitWaits runs the first stage until the platform would stop the machine.
func (g *guest) cloudInitWaits() {
	g.t.Helper()
	g.background("cloud-init", "init", "--local")
	g.awaitPhase(emulator.PhaseStopped)
	g.must("/var/log/cloud-init.log", "Azure endpoint")
}
