package conformance

import (
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// ignitionProgram is where Debian has it: for an initramfs, not for PATH.
const ignitionProgram = "/usr/lib/dracut/modules.d/30ignition/ignition"

// ignitionConfig is user data with a thing of each kind that the files stage makes.
const ignitionConfig = `{
  "ignition": {"version": "3.3.0"},
  "passwd": {"users": [{"name": "pilot", "sshAuthorizedKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w pilot@example.test"]}]},
  "storage": {"files": [{"path": "/etc/harbour", "mode": 416, "contents": {"source": "data:,berth%2017%0A"}}]},
  "systemd": {"units": [{"name": "harbour.service", "enabled": true, "contents": "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"}]}
}
`

// ignitionMachine has a second system for the files stage, which wants to label it.
func ignitionMachine(s *sandbox) {
	s.Second = true
	s.Files["sysroot/etc/selinux/config"] = file{Text: "SELINUX=permissive\nSELINUXTYPE=targeted\n", Mode: 0o644}
	s.Files["sysroot/etc/selinux/targeted/contexts/files/file_contexts"] = file{Mode: 0o644}
	s.Files["usr/sbin/setfiles"] = file{Text: "#!/bin/sh\n", Mode: 0o755}
}

func ignitionRuns() []run {
	return []run{{
		agent: "ignition", scenario: "linux-vm", about: "the stages fetch and files, with a config in user data",
		change:  func(s *emulator.Scenario) { s.VM.UserData = azprov.NewSecret([]byte(ignitionConfig)) },
		machine: ignitionMachine, state: emulator.StateNone, // It never reports.
		drive: func(g *guest) {
			g.network()
			for _, stage := range []string{"fetch", "files"} {
				out := g.run(patience, ignitionProgram, "--platform=azure", "--stage="+stage, "--root=/sysroot",
					"--config-cache=/run/ignition.json", "--state-file=/run/ignition/state", "--log-to-stdout")
				if !strings.Contains(out, "Ignition finished successfully") {
					g.t.Errorf("stage %s: %s", stage, tail(out))
				}
			}
			g.must("/sysroot/etc/harbour", "berth 17\n")
			g.mode("/sysroot/etc/harbour", "root 640")
			g.must("/sysroot/home/pilot/.ssh/authorized_keys.d/ignition", "ssh-ed25519 ")
			g.run(10*time.Second, "grep", "^pilot:", "/sysroot/etc/passwd")
			g.must("/sysroot/etc/systemd/system/harbour.service", "ExecStart=/bin/true")
			g.must("/sysroot/etc/.ignition-result.json", `"userConfigProvided": true`)
		},
	}}
}
