package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/report/kvp"
)

// TestReportChannels: which flags tell whom.
func TestReportChannels(t *testing.T) {
	t.Parallel()
	failure := []string{"failure", "--reason", "adrift"}
	for _, row := range []struct {
		name   string
		silent bool // no wire server
		args   []string
		pool   bool
		code   int
		// reports is what the wire server has accepted; record begins the host's.
		reports        int
		record         string
		stdout, stderr string
	}{
		{"both by default", false, failure, true, exitDone, 1, "result=error|reason=adrift|", "KVP: the host's record was written at", ""},
		{"no file of another platform's host", false, failure, false, exitDone, 1, "", "Failed: accepted at", ""},
		{"the wire server alone", false, append([]string{"--channel", "wireserver"}, failure...), true, exitDone, 1, "", "Failed: accepted at", ""},
		{"the host alone", true, append([]string{"--channel", "kvp"}, failure...), true, exitDone, 0, "result=error|reason=adrift|", "Failed: the host was told at", ""},
		{"ready for the host alone", true, []string{"--channel", "kvp", "ready"}, true, exitDone, 0, "result=success|", "Ready: the host was told at", ""},
		{"no wire server", true, append([]string{"--timeout", "2s"}, failure...), true, exitTimeout, 0, "result=error|reason=adrift|", "", "Failed: the host was told at"},
		{"kvp without a file", false, append([]string{"--channel", "kvp"}, failure...), false, exitUsage, 0, "", "", "--kvp-pool"},
		{"an unknown channel", false, append([]string{"--channel", "flags"}, failure...), true, exitUsage, 0, "", "", "wireserver or kvp or both"},
		{"an unknown network", false, append([]string{"--network", "nets"}, failure...), true, exitUsage, 0, "", "", "managed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, func(s *emulator.Scenario) { s.WireServer.Absent = row.silent })
			pool := filepath.Join(t.TempDir(), "pool")
			args := append([]string{"report"}, row.args...)
			if row.silent { // nothing listens there
				args = append(args, "--wireserver", "http://127.0.0.1:9", "--dmi", p.dmi)
			} else {
				args = p.flags(args...)
			}
			if row.pool {
				args = append(args, "--kvp-pool", pool)
			}
			got := cli(t, args...).want(t, row.code)
			contains(t, got.stdout, row.stdout)
			contains(t, got.stderr, row.stderr)
			if n := len(p.fabric.Reports()); n != row.reports {
				t.Errorf("%d reports, want %d", n, row.reports)
			}
			record := ""
			if records, err := kvp.Open(&kvp.Options{Path: pool}).List(t.Context()); err == nil && len(records) > 0 {
				record = records[len(records)-1].Value
			}
			if !strings.HasPrefix(record, row.record) || (record == "") != (row.record == "") {
				t.Errorf("record %q, want %q", record, row.record)
			}
		})
	}
}

// TestReportForce: what was told is not contradicted, but by force.
func TestReportForce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	state, pool := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "pool")
	told := func(args ...string) []string {
		return p.flags(append([]string{"report", "--state", state, "--kvp-pool", pool}, args...)...)
	}
	cli(t, told("failure", "--reason", "adrift")...).want(t, exitDone)
	refused := cli(t, told("ready")...).want(t, exitFailed)
	contains(t, refused.stderr, "has accepted Failed")
	object := oneObject(t, cli(t, told("ready", "--force", "--output", "json")...).want(t, exitDone).stdout)
	if at(t, object, "report", "state") != "Ready" || at(t, object, "report", "hostAt") == nil {
		t.Errorf("%v", object)
	}
	if n := len(p.fabric.Reports()); n != 2 {
		t.Errorf("%d reports, want 2", n)
	}
}

// TestKilledProvisionIsReported: nothing is left of the program but the process that
// watches it.
func TestKilledProvisionIsReported(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(s *emulator.Scenario) {
		s.IMDS.Faults = []emulator.Fault{{Kind: emulator.FaultHang, Always: true}}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pool := filepath.Join(t.TempDir(), "pool")
	command := exec.CommandContext(t.Context(), self, p.flags("provision", "--media", "none", "--kvp-pool", pool, "--state", t.TempDir())...)
	command.Env = append(os.Environ(), runMain+"=1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a request to IMDS", func() bool { return len(p.fabric.Journal()) > 0 || hostHas(t, pool, "|start|azprov/imds|") })
	if err := command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	waitFor(t, "the report", func() bool { return len(p.fabric.Reports()) == 1 })
	contains(t, p.fabric.Reports()[0].Description, "result=error|reason=provisioning agent crashed|", "killed")
	if !hostHas(t, pool, kvp.ReportKey) {
		t.Error("the host was not told")
	}
}

func hostHas(t *testing.T, path, key string) bool {
	t.Helper()
	records, _ := kvp.Open(&kvp.Options{Path: path, Create: true}).List(t.Context())
	for _, r := range records {
		if strings.Contains(r.Key, key) {
			return true
		}
	}
	return false
}

// waitFor gives another process ten seconds.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}
