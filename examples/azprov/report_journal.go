package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/unitfailure"
	"github.com/azprov/azprov/provision"
)

// journalFlags name a unit of systemd whose failure is to be reported.
type journalFlags struct {
	unit      string
	directory string
}

func (f *journalFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.unit, "from-journal", "", "report why `UNIT` of systemd has failed, by its journal; --reason replaces the reason")
	flags.StringVar(&f.directory, "journal-directory", "", "`DIR` with the journal, if it is not the running system's")
}

// failureOutcome makes the outcome of the flags, and of the journal if they name a unit.
func (a *app) failureOutcome(ctx context.Context, f *reportFlags) (provision.Outcome, error) {
	switch {
	case f.journal.unit == "" && f.journal.directory != "":
		return provision.Outcome{}, usagef("name the unit too: --from-journal UNIT", "--journal-directory without --from-journal")
	case f.journal.unit == "":
		return f.failure()
	}
	own, err := f.supporting()
	if err != nil {
		return provision.Outcome{}, err
	}
	// What hangs here must not use up the time for the report.
	failure, err := unitfailure.Read(ctx, f.journal.unit, &unitfailure.Options{
		Directory: f.journal.directory, Timeout: a.failureTime(), Getenv: a.getenv,
	})
	if err != nil {
		return provision.Outcome{}, unitError(err)
	}
	printWarnings(a.err, failure.Warnings)
	reason := strings.TrimSpace(f.reason)
	if err := refusal(failure); err != nil && reason == "" {
		return provision.Outcome{}, err
	}
	e := failure.Err()
	if reason != "" {
		e.Message, e.Reason = reason, azprov.OneLine(reason)
	}
	e.Details = append(e.Details, own...)
	return provision.Outcome{State: provision.ReportFailed, Err: e}, nil
}

// unitError makes a mistake of the command line of a name that no unit has.
func unitError(err error) error {
	var e *azprov.Error
	if !errors.As(err, &e) || e.Kind != azprov.KindMalformed {
		return err
	}
	return usagef(e.Hint, "--from-journal: %s", e.Message)
}

// refusal keeps a failure, which cannot be taken back, from being reported of a unit that
// has none.
func refusal(f *unitfailure.Failure) error {
	e := &azprov.Error{
		Op: "report failure", Target: f.Unit, Kind: azprov.KindNotFound,
		Hint: "nothing was reported; to report a failure all the same, add --reason",
	}
	switch f.State {
	case unitfailure.StateNotFailed:
		e.Message = "the unit has not failed"
		return e
	case unitfailure.StateMissing:
		e.Message = "there is no such unit, and no failure of it in the journal"
		return e
	case unitfailure.StateFailed, unitfailure.StateUnknown:
	}
	return nil
}
