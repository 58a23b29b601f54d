package main

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
	"github.com/azprov/azprov/provision"
)

// labFlags are those of emulate --lab.
type labFlags struct {
	wanted    bool
	name      string
	secondary bool
	twin      bool
}

func (f *labFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.wanted, "lab", false, "serve at the real addresses, in network namespaces")
	flags.StringVar(&f.name, "lab-name", "", "`NAME` of the lab's namespaces for ip netns; without one nothing can be left behind")
	flags.BoolVar(&f.secondary, "lab-secondary", false, "give the VM a secondary interface before the primary one")
	flags.BoolVar(&f.twin, "lab-twin", false, "give the VM an interface with the primary one's address, as accelerated networking does")
}

// check refuses flags that belong to the other way of serving.
func (f *labFlags) check(flags *pflag.FlagSet) error {
	if f.wanted && (flags.Changed("listen-imds") || flags.Changed("listen-wireserver") || flags.Changed("listen-hostga")) {
		return usagef("leave --listen-imds, --listen-wireserver and --listen-hostga out", "--lab has the real addresses and ports")
	}
	if !f.wanted && (f.name != "" || f.secondary || f.twin) {
		return usagef("add --lab", "--lab-name, --lab-secondary and --lab-twin describe a lab")
	}
	return nil
}

func (f *labFlags) options(scenario emulator.Scenario, journal io.Writer, bodies emulator.Bodies, kvpPool string) *lab.Options {
	return &lab.Options{Scenario: scenario, Journal: journal, Bodies: bodies, KVPPool: kvpPool, Name: f.name, Secondary: f.secondary, Twin: f.twin}
}

// explainLab tells people how to go on in a second shell.
func (a *app) explainLab(l *lab.Lab, f *emulateFlags) {
	scenario := l.Fabric().Scenario()
	enter := "nsenter --net=" + quote(l.Namespace())
	if f.lab.name != "" {
		enter = "ip netns exec " + quote(filepath.Base(l.Namespace()))
	}
	a.remark("%s\nBe the VM in a second shell, whose interfaces are down and wait for DHCP:\n\n  %s ip link\n", title(&scenario), enter)
	if f.dmi != "" {
		// What this machine told its own platform, and tells its own host, is none of the
		// lab's business.
		command := []string{enter, a.program, "provision", "--network", networkOwn, "--state=", "--dmi", quote(f.dmi)}
		switch {
		case f.medium != "":
			command = append(command, "--ovf", quote(f.medium))
		case f.media != "":
			command = append(command, "--media", quote(f.media))
		}
		if f.kvpPool != "" {
			command = append(command, "--kvp-pool", quote(f.kvpPool))
		} else {
			command = append(command, "--channel", string(provision.ChannelWireServer))
		}
		a.remark("  %s\n", strings.Join(command, " "))
	}
	if f.dmi == "" {
		a.remark("--dmi DIR writes the firmware's tables, and --medium or --media the provisioning medium.")
	}
	a.remark("%s", f.assert.ending())
}
