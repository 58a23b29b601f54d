package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/programtest"
)

const (
	journalSecret = "Keel-Hauled-In-Fog-7"
	failedUnit    = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainCode=1\nExecMainStatus=1\n"
	wellUnit      = "LoadState=loaded\nActiveState=active\nResult=success\nExecMainCode=1\nExecMainStatus=0\n"
	ignitionLog   = `{"_PID":"44","PRIORITY":"2","MESSAGE":"Ignition failed: failed to fetch config: https://u:` + journalSecret + `@harbour-01/c?sig=` + journalSecret + ` is not there"}
{"_PID":"44","PRIORITY":"6","MESSAGE":"Stage: fetch, password=` + journalSecret + `"}
`
)

// programs writes programs that print what systemctl and journalctl would, into a
// directory for PATH. An empty text is no program, "hang" one that does not end.
func programs(t *testing.T, systemctl, journalctl string) string {
	t.Helper()
	programtest.Need(t, "sh")
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"systemctl": systemctl, "journalctl": journalctl} {
		script := fmt.Sprintf("#!/bin/sh\ncat <<'END'\n%sEND\n", text)
		switch text {
		case "":
			continue
		case "hang":
			script = "#!/bin/sh\nexec sleep 60\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// The scripts need these two, and nothing of the system's systemd is to be found.
	for _, name := range []string{"cat", "sleep"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// process runs the command in a process of its own, with programs and variables.
func process(t *testing.T, path string, env []string, args ...string) outcome {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, self, args...)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = append([]string{"PATH=" + path, runMain + "=1"}, env...)
	_ = command.Run() // the exit code tells
	return outcome{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestReportFromJournal: what arrives at the platform, and what does not.
func TestReportFromJournal(t *testing.T) {
	t.Parallel()
	monitor := []string{"MONITOR_SERVICE_RESULT=signal", "MONITOR_EXIT_CODE=killed", "MONITOR_EXIT_STATUS=SEGV", "MONITOR_UNIT=pilot.service"}
	for name, row := range map[string]struct {
		systemctl, journalctl string
		env, args             []string
		code                  int
		report                string   // what its description begins with; empty: none is sent
		has                   []string // of the description
		stderr                []string
	}{
		"a stage of Ignition": {
			failedUnit, ignitionLog, nil,
			[]string{"ignition-fetch.service"},
			exitDone,
			"result=error|reason=provisioning program ignition-fetch.service failed|agent=azprov/",
			[]string{
				"|unit=ignition-fetch.service|unit_result=exit-code|status=1|error=Ignition failed: failed to fetch config: https://[redacted]@harbour-01/c?[redacted] is not there|",
			},
			nil,
		},
		"a reason and details of one's own": {
			failedUnit, ignitionLog, nil,
			[]string{"pilot", "--reason", "ran aground", "--detail", "depth=2"},
			exitDone,
			"result=error|reason=ran aground|",
			[]string{"|unit=pilot.service|", "|error=Ignition failed: ", "|depth=2|"},
			nil,
		},
		"after OnFailure=, without programs": {
			"", "", monitor,
			[]string{"pilot.service"},
			exitDone,
			"result=error|reason=provisioning agent crashed|",
			[]string{"|unit=pilot.service|unit_result=signal|signal=SEGV|vm_id="},
			[]string{"warning: systemctl show: ", "warning: journalctl: "},
		},
		"in ExecStopPost=": {
			"", ignitionLog,
			[]string{"SERVICE_RESULT=timeout"},
			[]string{"pilot.service"},
			exitDone,
			"result=error|reason=provisioning program pilot.service timed out|",
			[]string{"|unit_result=timeout|"},
			nil,
		},
		"nobody knows anything": {
			"", "", nil,
			[]string{"pilot.service"},
			exitDone,
			"result=error|reason=provisioning program pilot.service failed|",
			[]string{"|unit=pilot.service|vm_id="},
			[]string{"warning: journalctl: "},
		},
		"journalctl hangs": {
			failedUnit, "hang", nil,
			[]string{"pilot.service", "--timeout", "8s"},
			exitDone,
			"result=error|reason=provisioning program pilot.service failed|",
			[]string{"|status=1|"},
			[]string{"warning: journalctl: no answer in time"},
		},
		"it has not failed": {
			wellUnit, ignitionLog, nil,
			[]string{"pilot.service"},
			exitNotFound, "", nil,
			[]string{"azprov: cannot report the failure: report failure (pilot.service): the unit has not failed\n", "hint: nothing was reported; "},
		},
		"it has not failed, and a reason": {
			wellUnit, ignitionLog, nil,
			[]string{"pilot.service", "--reason", "ran aground"},
			exitDone,
			"result=error|reason=ran aground|",
			[]string{"|unit_result=success|"},
			nil,
		},
		"no such unit": {
			"LoadState=not-found\n", "\n", nil, []string{"pilot.service"}, exitNotFound, "", nil, []string{"there is no such unit"},
		},
		"no name of a unit": {failedUnit, ignitionLog, nil, []string{"--help*"}, exitUsage, "", nil, []string{"--from-journal: no unit can have the name"}},
		"a detail without a key": {
			failedUnit, ignitionLog, nil, []string{"pilot", "--detail", "x"}, exitUsage, "", nil, []string{"want --detail KEY=VALUE"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, nil)
			args := slices.Concat(p.flags("report", "failure", "--log-level", "debug"), []string{"--from-journal"}, row.args)
			started := time.Now()
			got := process(t, programs(t, row.systemctl, row.journalctl), row.env, args...).want(t, row.code)
			contains(t, got.stderr, row.stderr...)
			// A quarter of --timeout, not the 10 s that it is without one.
			if took := time.Since(started); took > 8*time.Second {
				t.Errorf("took %v", took)
			}
			reports := p.fabric.Reports()
			if row.report == "" {
				if len(reports) != 0 {
					t.Errorf("reported: %v", reports)
				}
				return
			}
			if len(reports) != 1 || reports[0].State != emulator.StateFailed || !strings.HasPrefix(reports[0].Description, row.report) {
				t.Fatalf("reports: %v", reports)
			}
			contains(t, reports[0].Description, row.has...)
			if all := reports[0].Description + got.stdout + got.stderr; strings.Contains(all, journalSecret) {
				t.Errorf("the secret got out:\n%s", all)
			}
		})
	}
}

func TestReportFromJournalUsage(t *testing.T) {
	t.Parallel()
	contains(t, cli(t, "report", "failure", "--journal-directory", "/hold").want(t, exitUsage).stderr, "hint: name the unit too: --from-journal UNIT")
	contains(t, cli(t, "report", "failure", "--from-journal", "").want(t, exitUsage).stderr, "--reason is missing")
	contains(t, cli(t, "report", "failure", "--help").want(t, exitDone).stdout, "--from-journal UNIT", "--journal-directory DIR")
}
