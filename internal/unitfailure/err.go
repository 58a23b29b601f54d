package unitfailure

import (
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
)

// Results of systemd that have a reason of their own.
const (
	resultTimeout  = "timeout"
	resultWatchdog = "watchdog"
	resultCoreDump = "core-dump"
	resultOOM      = "oom-kill"
)

// faults are signals that a program gets for a mistake of its own.
var faults = []string{"ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS"}

// Err is the failure for the platform: an error with a reason of the catalogue and the
// details unit, unit_result, status or signal, error, and log, those that are known.
func (f *Failure) Err() *azprov.Error {
	e := &azprov.Error{
		Op: "unitfailure.Read", Target: f.Unit, Kind: azprov.KindInternal, Message: "the unit has failed", Details: f.details(),
	}
	if f.Error != "" {
		e.Message += ": " + f.Error
	}
	switch {
	case f.Result == resultOOM:
		e.Reason = "provisioning program " + f.Unit + " ran out of memory"
	case f.crashed():
		e.Reason = "provisioning agent crashed"
	case f.Result == resultTimeout:
		e.Kind, e.Reason = azprov.KindTimeout, "provisioning program "+f.Unit+" timed out"
	default:
		e.Reason = "provisioning program " + f.Unit + " failed"
	}
	return e
}

// crashed reports whether the program ended by its own mistake. One that the watchdog
// ended did too: it hung.
func (f *Failure) crashed() bool {
	return f.Panic != "" || f.Result == resultCoreDump || f.Result == resultWatchdog || slices.Contains(faults, f.Signal)
}

func (f *Failure) details() []azprov.Detail {
	status := ""
	if f.Status != 0 {
		status = strconv.Itoa(f.Status)
	}
	details := []azprov.Detail{
		{Key: "unit", Value: f.Unit},
		{Key: "unit_result", Value: f.Result}, // "result" is the report's own
		{Key: "status", Value: status},
		{Key: "signal", Value: f.Signal},
		{Key: "error", Value: f.Error},
		{Key: "log", Value: f.log()},
	}
	return slices.DeleteFunc(details, func(d azprov.Detail) bool { return d.Value == "" })
}

// log is the lines without those that the error has already.
func (f *Failure) log() string {
	var rest []string
	for _, text := range f.Lines {
		if text != f.Error && (f.Panic == "" || !strings.HasPrefix(f.Panic, text)) {
			rest = append(rest, text)
		}
	}
	return strings.Join(rest, " / ")
}
