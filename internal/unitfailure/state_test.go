package unitfailure_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/unitfailure"
)

// TestState: whether the unit has failed and how, by who knows of it.
func TestState(t *testing.T) {
	t.Parallel()
	const quiet = "LoadState=loaded\nActiveState=inactive\nResult=success\nExecMainCode=0\nExecMainStatus=0\nInvocationID=\n"
	monitor := func(result, code, status string) map[string]string {
		return map[string]string{
			"MONITOR_SERVICE_RESULT": result, "MONITOR_EXIT_CODE": code, "MONITOR_EXIT_STATUS": status,
			"MONITOR_INVOCATION_ID": thisRun, "MONITOR_UNIT": unit,
		}
	}
	stop := func(result, code, status string) map[string]string {
		return map[string]string{"SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status, "INVOCATION_ID": thisRun}
	}
	success := manager("7ad2d189f7e94e70a38c781354912448", unit+": Deactivated successfully.")
	started := manager("39f53479d3a045ac8e11786248231fbf", "Started "+unit, "JOB_RESULT", "done")
	for name, row := range map[string]struct {
		machine   machine
		variables map[string]string
		state     unitfailure.State
		result    string
		status    int
		signal    string
	}{
		"systemd says exit-code":                          {machine{show: failed("exit-code", "1", "3")}, nil, unitfailure.StateFailed, "exit-code", 3, ""},
		"systemd says signal":                             {machine{show: failed("signal", "2", "9")}, nil, unitfailure.StateFailed, "signal", 0, "KILL"},
		"systemd says core-dump":                          {machine{show: failed("core-dump", "3", "11")}, nil, unitfailure.StateFailed, "core-dump", 0, "SEGV"},
		"a signal without a name":                         {machine{show: failed("signal", "2", "34")}, nil, unitfailure.StateFailed, "signal", 0, "34"},
		"failed, and nothing else is known":               {machine{show: "LoadState=loaded\nActiveState=failed\nResult=success\n"}, nil, unitfailure.StateFailed, "", 0, ""},
		"a control process failed":                        {machine{show: failed("exit-code", "1", "0"), byUnit: []entry{processExit("exited", "7")}}, nil, unitfailure.StateFailed, "exit-code", 7, ""},
		"being restarted":                                 {machine{show: strings.Replace(failed("exit-code", "1", "3"), "=failed", "=activating", 1)}, nil, unitfailure.StateFailed, "exit-code", 3, ""},
		"its last run succeeded":                          {machine{show: quiet, byUnit: []entry{unitResult("exit-code")}}, nil, unitfailure.StateNotFailed, "success", 0, ""},
		"it runs":                                         {machine{show: strings.Replace(quiet, "=inactive", "=active", 1)}, nil, unitfailure.StateNotFailed, "success", 0, ""},
		"it runs, and its job failed once":                {machine{show: strings.Replace(quiet, "=inactive", "=active", 1), byUnit: []entry{jobFailed("dependency")}}, nil, unitfailure.StateNotFailed, "success", 0, ""},
		"a target, which has no result":                   {machine{show: "LoadState=loaded\nActiveState=active\n"}, nil, unitfailure.StateNotFailed, "", 0, ""},
		"what it requires failed":                         {machine{show: quiet, byUnit: []entry{jobFailed("dependency")}}, nil, unitfailure.StateFailed, "dependency", 0, ""},
		"no such unit":                                    {machine{show: "LoadState=not-found\nActiveState=inactive\nResult=success\n"}, nil, unitfailure.StateMissing, "", 0, ""},
		"forgotten by systemd":                            {machine{show: "LoadState=not-found\nActiveState=inactive\nResult=success\n", byUnit: []entry{unitResult("timeout")}}, nil, unitfailure.StateFailed, "timeout", 0, ""},
		"OnFailure=":                                      {machine{show: quiet}, monitor("exit-code", "exited", "203"), unitfailure.StateFailed, "exit-code", 203, ""},
		"OnFailure=, by a signal":                         {machine{show: quiet}, monitor("signal", "killed", "TERM"), unitfailure.StateFailed, "signal", 0, "TERM"},
		"OnFailure=, without systemctl":                   {machine{}, monitor("watchdog", "dumped", "SIGABRT"), unitfailure.StateFailed, "watchdog", 0, "ABRT"},
		"OnFailure=, what it requires":                    {machine{show: quiet, byUnit: []entry{jobFailed("dependency")}}, monitor("success", "exited", "0"), unitfailure.StateFailed, "dependency", 0, ""},
		"OnFailure=, what it requires, without systemctl": {machine{byUnit: []entry{jobFailed("dependency")}}, monitor("success", "exited", "0"), unitfailure.StateFailed, "dependency", 0, ""},
		"OnSuccess=":                                      {machine{show: quiet}, monitor("success", "exited", "0"), unitfailure.StateNotFailed, "success", 0, ""},
		"ExecStopPost=":                                   {machine{}, stop("oom-kill", "killed", "KILL"), unitfailure.StateFailed, "oom-kill", 0, "KILL"},
		"ExecStopPost= after a success":                   {machine{byUnit: []entry{unitResult("exit-code")}}, stop("success", "exited", "0"), unitfailure.StateNotFailed, "success", 0, ""},
		"the journal alone":                               {machine{byUnit: []entry{processExit("exited", "4"), unitResult("exit-code"), jobFailed("failed")}}, nil, unitfailure.StateFailed, "exit-code", 4, ""},
		"the journal, a success":                          {machine{byUnit: []entry{success}}, nil, unitfailure.StateNotFailed, "success", 0, ""},
		"the journal, started":                            {machine{byUnit: []entry{started}}, nil, unitfailure.StateNotFailed, "success", 0, ""},
		"the journal, a job alone":                        {machine{byUnit: []entry{jobFailed("failed")}}, nil, unitfailure.StateFailed, "failed", 0, ""},
		"the journal, another run": {
			machine{byUnit: []entry{unitResult("exit-code").with("INVOCATION_ID", lastRun), processExit("exited", "9").with("INVOCATION_ID", lastRun), unitResult("timeout")}},
			nil, unitfailure.StateFailed, "timeout", 0, "",
		},
		"the journal, another unit":         {machine{byUnit: []entry{unitResult("exit-code").with("UNIT", "tug.service")}}, nil, unitfailure.StateUnknown, "", 0, ""},
		"a program that plays systemd":      {machine{byUnit: []entry{unitResult("exit-code").with("_PID", "44")}}, nil, unitfailure.StateUnknown, "", 0, ""},
		"nobody knows":                      {machine{noJournal: true}, nil, unitfailure.StateUnknown, "", 0, ""},
		"a result that is no word":          {machine{show: failed("password=Keel-9\x1b[31m", "1", "1")}, nil, unitfailure.StateFailed, "password=[redacted]", 1, ""},
		"an exit status that cannot be one": {machine{show: failed("exit-code", "1", "256")}, nil, unitfailure.StateFailed, "exit-code", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := read(t, &row.machine, row.variables)
			if f.Unit != unit || f.State != row.state || f.Result != row.result || f.Status != row.status || f.Signal != row.signal {
				t.Errorf("got %q %s %q %d %q", f.Unit, f.State, f.Result, f.Status, f.Signal)
			}
		})
	}
}

// TestWarnings: what cannot be asked is told, and costs nothing else.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		machine   machine
		variables map[string]string
		want      string
	}{
		"no systemctl":       {machine{}, nil, `systemctl show: exec: "systemctl": executable file not found`},
		"no journalctl":      {machine{show: failed("timeout", "", ""), noJournal: true}, nil, `journalctl: exec: "journalctl"`},
		"no JSON":            {machine{show: failed("timeout", "", ""), raw: "-- No entries --\n{\"MESSAGE\":\"adrift\",\"_PID\":\"4\"}\n"}, nil, "journalctl: entries that are cut or no JSON: 1"},
		"variables of other": {machine{show: failed("timeout", "", "")}, map[string]string{"MONITOR_SERVICE_RESULT": "signal", "MONITOR_UNIT": "tug.service"}, "the variables of systemd are for tug.service, not for pilot.service"},
		"none":               {machine{show: failed("timeout", "", "")}, nil, ""},
	} {
		f := read(t, &row.machine, row.variables)
		if got := strings.Join(f.Warnings, "\n"); row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: %q", name, f.Warnings)
		}
		if len(f.Warnings) > 1 {
			t.Errorf("%s: told more than once: %q", name, f.Warnings)
		}
		if f.Result != "timeout" && row.machine.show != "" {
			t.Errorf("%s: result %q", name, f.Result)
		}
		if name == "no JSON" {
			wantLines(t, f, "adrift")
		}
	}
}

// TestQuestions: what the programs are asked.
func TestQuestions(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		machine machine
		options unitfailure.Options
		want    []string
	}{
		"by invocation": {
			machine{show: failed("exit-code", "1", "1"), byRun: prints("adrift")},
			unitfailure.Options{},
			[]string{"systemctl show", "journalctl --sync", "--lines=200 _SYSTEMD_INVOCATION_ID=" + thisRun + " + INVOCATION_ID=" + thisRun},
		},
		"then by unit": {
			machine{show: failed("exit-code", "1", "1"), byRun: []entry{unitResult("exit-code")}},
			unitfailure.Options{Lines: 7},
			[]string{"systemctl show", "journalctl --sync", "--lines=7 _SYSTEMD_INVOCATION_ID=", "--lines=7 --unit=pilot.service"},
		},
		"an invocation that is none": {
			machine{show: "LoadState=loaded\nInvocationID=--vacuum-size=1aaaaaaaaaaaaaaaaa\n"},
			unitfailure.Options{Lines: 1 << 20},
			[]string{"systemctl show", "journalctl --sync", "--lines=2000 --unit=pilot.service"},
		},
		"another journal": {
			machine{show: failed("exit-code", "1", "1")},
			unitfailure.Options{Directory: "/hold"},
			[]string{"--lines=200 --directory=/hold --unit=pilot.service"},
		},
	} {
		row.options.Run = row.machine.run
		if _, err := unitfailure.Read(t.Context(), "pilot", &row.options); err != nil {
			t.Error(err)
		}
		if len(row.machine.calls) != len(row.want) {
			t.Errorf("%s: %q", name, row.machine.calls)
			continue
		}
		for i, call := range row.machine.calls {
			if !strings.Contains(strings.Join(call, " "), row.want[i]) {
				t.Errorf("%s: %q, want %q", name, call, row.want[i])
			}
			if call[0] == "systemctl" && !slices.Equal(call[len(call)-2:], []string{"--", unit}) {
				t.Errorf("%s: %q", name, call)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"pilot": unit, unit: unit, "tug@hull.service": "tug@hull.service", `dev-disk-by\x2dlabel-x.device`: `dev-disk-by\x2dlabel-x.device`,
		"a.b": "a.b.service", "": "", ".service": "", "pilot*": "", "pi lot": "", "pilot\n": "", "../pilot": "",
		strings.Repeat("p", 247): strings.Repeat("p", 247) + ".service", strings.Repeat("p", 248): "",
	} {
		m := &machine{}
		f, err := unitfailure.Read(t.Context(), name, &unitfailure.Options{Run: m.run})
		switch {
		case want == "" && (!errors.Is(err, azprov.ErrMalformed) || len(m.calls) > 0):
			t.Errorf("%q: %v", name, err)
		case want != "" && (err != nil || f.Unit != want):
			t.Errorf("%q: %+v, %v", name, f, err)
		}
	}
}
