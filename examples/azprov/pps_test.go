package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov/emulator"
)

// poolPlatform serves a pool's scenario that is quick.
func poolPlatform(t *testing.T, name string) platform {
	t.Helper()
	return newPlatform(t, func(s *emulator.Scenario) {
		shipped, err := emulator.LookupScenario(name)
		if err != nil {
			t.Fatal(err)
		}
		*s = shipped
		s.Pool.SwitchAfter, s.Pool.Outage, s.Pool.DataAfter = 1, 1, 1
	})
}

func TestProvisionInAPool(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"pps-running":  {"Report → WaitSwitch (reported, Running)", "Poll → Done (data)", "jetty-21", "Running"},
		"pps-savable":  {"WaitDetach → WaitAttach (detached)", "Poll → Done (data)", "jetty-22", "Savable"},
		"pps-recovery": {"Start → Poll (recover): Reported", "jetty-24", "Unknown"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			got := cli(t, "provision", "--emulate="+scenario).want(t, exitDone)
			contains(t, got.stdout, append(want, "no remarks", "Ready: accepted at")...)
		})
	}
	t.Run("pps-osdisk", func(t *testing.T) {
		t.Parallel()
		got := cli(t, "provision", "--emulate=pps-osdisk", "--timeout", "2s").want(t, exitTimeout)
		contains(t, got.stdout, "Report → WaitShutdown (reported, PreprovisionedOSDisk)")
	})
}

func TestPPSType(t *testing.T) {
	t.Parallel()
	p := poolPlatform(t, "pps-savable")
	marker := filepath.Join(t.TempDir(), "pool.json")
	got := cli(t, p.flags("pps", "type", "--ovf", p.medium)...).want(t, exitDone)
	contains(t, got.stdout, "type    Savable", "marker  none", "medium  PreprovisionedVm on, PreprovisionedVMType Savable", "imds    Savable")
	object := oneObject(t, cli(t, p.flags("pps", "type", "--output", "json", "--marker", marker)...).want(t, exitDone).stdout)
	if at(t, object, "type") != "Savable" || at(t, object, "medium") != "absent" || at(t, object, "marker") != false {
		t.Errorf("%v", object)
	}
	writeFile(t, marker, `{"vmId":"`+p.fabric.VM().ID.String()+`","phase":"Reported","at":"2026-01-01T00:00:00Z"}`)
	contains(t, cli(t, p.flags("pps", "type", "--marker", marker)...).want(t, exitDone).stdout, "type    Unknown", "marker  of this VM")
	writeFile(t, marker, `{"vmId":"0b1d0f3e-2b8a-4a44-8c6f-9a7e5d3c2b10","phase":"Reported","at":"2026-01-01T00:00:00Z"}`)
	contains(t, cli(t, p.flags("pps", "type", "--marker", marker)...).want(t, exitDone).stdout, "type    Savable", "and was removed")
	if _, err := os.Stat(marker); err == nil {
		t.Error("another VM's marker is still there")
	}
	contains(t, cli(t, "pps", "type", "--dmi", notAzure(t)).want(t, exitNotFound).stderr, "no VM on Azure")
}

func TestPPSWait(t *testing.T) {
	t.Parallel()
	p := poolPlatform(t, "pps-running")
	dir := t.TempDir()
	to, marker := filepath.Join(dir, "ovf-env.xml"), filepath.Join(dir, "pool.json")
	got := cli(t, p.flags("pps", "wait", "--type", "Running", "--to", to, "--marker", marker, "--output", "json")...).want(t, exitDone)
	if object := oneObject(t, got.stdout); at(t, object, "to") != to || at(t, object, "type") != "Running" {
		t.Errorf("%v", object)
	}
	contains(t, got.stderr, "Start → Report (begin)", "→ Done")
	b, err := os.ReadFile(to)
	if err != nil || !strings.Contains(string(b), "jetty-21") {
		t.Errorf("%v, %s", err, b)
	}
	// The outcome is not reported yet: the next boot goes on from the marker.
	if b, err := os.ReadFile(marker); err != nil || !strings.Contains(string(b), "Reused") {
		t.Errorf("%v, %s", err, b)
	}
	got = cli(t, p.flags("pps", "wait", "--type", "Running", "--to", to, "--marker", marker)...).want(t, exitDone)
	contains(t, got.stderr, "Start → Poll (recover)")
	contains(t, got.stdout, "type          Unknown")
}

func TestPPSThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args, want string
	}{
		{"pps wait --to x", "--type TYPE is missing"},
		{"pps wait --type Running", "--to FILE is missing"},
		{"pps wait --type running --to x", "want Running or Savable"},
		{"pps wait --type None --to x", "want Running or Savable"},
		{"pps type stray", "stray argument"},
		{"provision --network theirs", "want system or managed or ephemeral"},
		{"provision --emulate --network ephemeral", "--emulate needs no --network"},
	} {
		contains(t, cli(t, strings.Fields(row.args)...).want(t, exitUsage).stderr, row.want)
	}
}
