package unitfailure

import (
	"cmp"
	"context"
	"strconv"
	"strings"
)

// Words of systemd.
const (
	resultSuccess    = "success"
	resultDependency = "dependency" // a job's: what the unit requires has failed
	activeFailed     = "failed"
	activeInactive   = "inactive"
	loadedNotFound   = "not-found"
)

// maxProperties bounds what systemctl may answer: a few lines.
const maxProperties = 64 << 10

// properties are what systemctl is asked for.
const properties = "LoadState,ActiveState,Result,ExecMainCode,ExecMainStatus,InvocationID"

// facts are what one source tells of the unit, each empty if it does not.
type facts struct {
	result     string
	code       string // how the process ended: exited, killed, dumped, or its number (CLD_EXITED, …)
	status     string // exit status, or the signal's name or number
	invocation string
	loaded     string
	active     string
}

// or fills in from b what is missing.
func (a facts) or(b facts) facts {
	if a.status == "" {
		a.code, a.status = b.code, b.status // they belong together
	}
	return facts{
		result: cmp.Or(a.result, b.result), code: a.code, status: a.status, invocation: cmp.Or(a.invocation, b.invocation),
		loaded: cmp.Or(a.loaded, b.loaded), active: cmp.Or(a.active, b.active),
	}
}

func (a facts) failed() bool {
	return a.active == activeFailed || a.result != "" && a.result != resultSuccess
}

// exited is facts about how a process ended. Success is none: where ExecStartPre= fails,
// or nothing was started, the main process has the status 0.
func exited(code, status string) facts {
	if code == "" || code == "0" || status == "" || status == "0" {
		return facts{}
	}
	return facts{code: code, status: status}
}

// ended tells exit status or signal.
func (a facts) ended() (status int, signal string) {
	n, err := strconv.Atoi(a.status)
	switch a.code {
	case "exited", "1": // CLD_EXITED
		if err == nil && n > 0 && n <= 255 {
			return n, ""
		}
	case "killed", "dumped", "2", "3": // CLD_KILLED, CLD_DUMPED
		if err == nil {
			return 0, signalName(n)
		}
		return 0, word(strings.TrimPrefix(a.status, "SIG"))
	}
	return 0, ""
}

// environment reads the variables that systemd sets (systemd.exec(5)): those of a unit
// that OnFailure= has started, or of a command of ExecStopPost= of the unit itself.
func (r *reader) environment() facts {
	get := r.o.Getenv
	if result := get("MONITOR_SERVICE_RESULT"); result != "" {
		if unit := get("MONITOR_UNIT"); unit != r.unit {
			r.warn("the variables of systemd are for " + unit + ", not for " + r.unit)
			return facts{}
		}
		f := exited(get("MONITOR_EXIT_CODE"), get("MONITOR_EXIT_STATUS"))
		f.result, f.invocation = result, invocation(get("MONITOR_INVOCATION_ID"))
		if result == resultSuccess {
			// It is passed too if the unit never ran, because its job has failed.
			f.result = ""
		}
		return f
	}
	if result := get("SERVICE_RESULT"); result != "" {
		f := exited(get("EXIT_CODE"), get("EXIT_STATUS"))
		f.result, f.invocation = result, invocation(get("INVOCATION_ID"))
		return f
	}
	return facts{}
}

// systemctl asks systemd.
func (r *reader) systemctl(ctx context.Context) facts {
	out, err := r.o.Run(ctx, maxProperties, "systemctl", "show", "--no-pager", "--property="+properties, "--", r.unit)
	if err != nil {
		r.warn("systemctl show: " + err.Error())
		return facts{}
	}
	return parseProperties(out)
}

// parseProperties reads lines of KEY=VALUE.
func parseProperties(out []byte) facts {
	values := map[string]string{}
	for text := range strings.Lines(string(out[:min(len(out), maxProperties)])) {
		if key, value, ok := strings.Cut(strings.TrimSpace(text), "="); ok {
			values[key] = value
		}
	}
	if values["LoadState"] == loadedNotFound {
		// A unit that systemd does not have still shows a success.
		return facts{loaded: loadedNotFound}
	}
	f := exited(values["ExecMainCode"], values["ExecMainStatus"])
	f.result, f.loaded, f.active = values["Result"], values["LoadState"], values["ActiveState"]
	f.invocation = invocation(values["InvocationID"])
	return f
}

// invocation is an id of 128 bits in hexadecimal digits, or empty: it becomes an argument.
func invocation(id string) string {
	unfit := func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }
	if len(id) != 32 || strings.ContainsFunc(id, unfit) || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

// signals are Linux's numbers on x86 and ARM (signal(7)).
var signals = [...]string{
	1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1", 11: "SEGV",
	12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
}

func signalName(n int) string {
	if n > 0 && n < len(signals) && signals[n] != "" {
		return signals[n]
	}
	return strconv.Itoa(n)
}
