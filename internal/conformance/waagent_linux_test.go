package conformance

import (
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// waagentConf is waagent's configuration, that of Debian but for what a sandbox has not.
const waagentConf = `Extensions.Enabled=y
Extensions.GoalStatePeriod=2
Provisioning.Agent=waagent
Provisioning.DeleteRootPassword=y
Provisioning.RegenerateSshHostKeyPair=y
Provisioning.SshHostKeyPairType=ed25519
Provisioning.MonitorHostName=n
Provisioning.DecodeCustomData=y
Provisioning.ExecuteCustomData=y
ResourceDisk.Format=n
Logs.Verbose=y
Logs.Collect=n
OS.RootDeviceScsiTimeout=300
OS.OpensslPath=None
OS.SshDir=/etc/ssh
OS.EnableFirewall=n
AutoUpdate.Enabled=n
`

func waagent(s *sandbox) {
	s.Files["etc/waagent.conf"] = file{Text: waagentConf, Mode: 0o644}
	for _, name := range []string{"ifdown", "ifup"} {
		s.Files["usr/sbin/"+name] = file{Text: "#!/bin/sh\nexit 0\n", Mode: 0o755}
	}
	s.Remove = append(s.Remove, "etc/systemd/system/cloud-init.target.wants", "etc/systemd/system/multi-user.target.wants")
}

// waagentRounds is what its threads ask for once it has provisioned: the goal state again,
// the host's plugin, and what it tells of itself.
var waagentRounds = []string{
	"wireserver GET /machine/?comp=goalstate", "wireserver POST /HealthService", "wireserver POST /machine?comp=telemetrydata",
	"hostga GET /versions", "hostga GET /health", "hostga GET /vmSettings", "hostga PUT /status",
	"imds GET /metadata/instance/compute?", "imds GET /metadata/instance?",
}

func waagentRuns() []run {
	runs := []run{
		{
			scenario: "fingerprint-keys", about: "the daemon to Ready with certificates, and rounds of goal states",
			drive: func(g *guest) {
				g.waagentProvisions()
				g.must("/var/log/waagent.log", "Provisioning complete")
				for _, suffix := range []string{"crt", "prv", "pub"} {
					g.run(10*time.Second, "sh", "-c", "ls /var/lib/waagent/*."+suffix)
				}
			},
		},
		{
			scenario: "custom-data", about: "custom data from the medium, decoded",
			drive: func(g *guest) {
				g.waagentProvisions()
				if got, want := g.read("/var/lib/waagent/CustomData"), g.fabric.VM().CustomData.RevealString(); got != want {
					g.t.Errorf("custom data %q, want %q", got, want)
				}
			},
		},
	}
	for _, faulty := range []run{
		{scenario: "hostga-no-settings", about: "no vmSettings: the extensions configuration of the wire server"},
		{scenario: "hostga-trouble", about: "vmSettings fails twice"},
	} {
		faulty.drive = (*guest).waagentProvisions
		runs = append(runs, faulty)
	}
	for i := range runs {
		runs[i].agent, runs[i].machine, runs[i].until = "waagent", waagent, waagentRounds
		runs[i].change = func(s *emulator.Scenario) {
			// It takes only keys whose type begins with ssh-, and ends provisioning at others.
			s.VM.SSHKeys = slices.DeleteFunc(slices.Clone(s.VM.SSHKeys), func(key emulator.SSHKey) bool { return strings.HasPrefix(key.KeyData, "ecdsa-") })
			// Where the platform wants the agent's status. Nobody is there: it takes the way
			// through the host then.
			s.WireServer.Extensions.StatusUploadBlob.URL = azprov.NewSecret([]byte("https://status.invalid/vm.status?sig=c2lnbmVk"))
		}
	}
	return runs
}

// waagentProvisions runs the daemon until it has provisioned, and gone round once.
func (g *guest) waagentProvisions() {
	g.t.Helper()
	g.network()
	g.background("/usr/sbin/waagent", "-daemon")
	g.await(patience, "round of waagent", func(entries []emulator.Entry) bool {
		lines := strings.Split(emulator.Transcript(entries), "\n")
		return !slices.ContainsFunc(waagentRounds, func(want string) bool {
			return !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) })
		})
	})
	vm := g.fabric.VM()
	g.must("/etc/hostname", vm.HostName)
	g.run(10*time.Second, "id", vm.UserName)
	keys := "/home/" + vm.UserName + "/.ssh/authorized_keys"
	g.must(keys, "ssh-")
	g.mode(keys, vm.UserName+" 644")
	g.must("/etc/sudoers.d/waagent", vm.UserName)
	g.read("/var/lib/waagent/provisioned")
}
