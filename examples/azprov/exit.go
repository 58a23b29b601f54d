package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// The exit codes. rootLong and exitCodes describe them to users.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitTimeout  = 4
)

// usageError is a mistake on the command line.
type usageError struct {
	message string
	hint    string
}

func (e *usageError) Error() string { return e.message }

func usagef(hint, format string, args ...any) error {
	return &usageError{message: azprov.OneLine(fmt.Sprintf(format, args...)), hint: hint}
}

// kindUsage stands in the error of the JSON output for a mistake on the command
// line, which never reached the SDK and so has none of its kinds.
const kindUsage = "Usage"

// shownError is an error whose JSON object has been printed already.
type shownError struct{ error }

func (e shownError) Unwrap() error { return e.error }

// errDifferent is the result of a comparison, which has been printed.
var errDifferent = errors.New("they differ")

// troubleError is why nothing could be compared: to be told from a difference, as diff(1)
// does it.
type troubleError struct{ error }

func (e troubleError) Unwrap() error { return e.error }

// exitCode is the process's exit code for err.
func exitCode(err error) int {
	var usage *usageError
	var trouble troubleError
	var typed *azprov.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &trouble):
		return exitUsage
	case !errors.As(err, &typed):
		if errors.Is(err, context.DeadlineExceeded) {
			return exitTimeout
		}
		return exitFailed
	}
	switch typed.Kind {
	case azprov.KindNotFound, azprov.KindNotAzure:
		return exitNotFound
	case azprov.KindTimeout:
		return exitTimeout
	default:
		return exitFailed
	}
}

// fail shows an error and returns the exit code.
func (a *app) fail(command *cobra.Command, args []string, err error) int {
	if jsonWanted(args) || a.json() {
		var shown shownError
		if !errors.As(err, &shown) {
			if printed := a.failDocument(command, err); printed != nil {
				_, _ = fmt.Fprintln(a.err, "azprov: cannot write the result:", printed)
			}
		}
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.hint == "" {
		usage.hint = "see " + helpFor(command)
	}
	text, hint := describe(err)
	var unmet *unmetError
	if doing := action(command); doing != "" && !errors.As(err, &unmet) {
		text = "cannot " + doing + ": " + text
	}
	_, _ = fmt.Fprintf(a.err, "azprov: %s\n", text)
	if hint != "" {
		_, _ = fmt.Fprintf(a.err, "hint: %s\n", hint)
	}
	return exitCode(err)
}

// failDocument writes an error as JSON: one line for a verb whose output is lines.
func (a *app) failDocument(command *cobra.Command, err error) error {
	document := struct {
		Error *errorDocument   `json:"error"`
		Unmet []emulator.Unmet `json:"unmet,omitempty"`
	}{Error: newErrorDocument(err)}
	var unmet *unmetError
	if errors.As(err, &unmet) {
		document.Unmet = unmet.unmet
	}
	switch {
	case command != nil && command.Name() == verbProvision:
		return writeJSON(a.out, newProvisionDocument(nil, err), false)
	case command != nil && (command.Name() == verbEmulate || command.Name() == verbReplay):
		line, err := encodeJSON(document)
		if err == nil {
			_, err = fmt.Fprintf(a.out, "%s\n", line)
		}
		return err
	default:
		return writeJSON(a.out, document, false)
	}
}

// describe splits an error into its one line and its hint.
func describe(err error) (text, hint string) {
	var usage *usageError
	var typed *azprov.Error
	switch {
	case errors.As(err, &usage):
		return usage.message, usage.hint
	case errors.As(err, &typed):
		bare := *typed
		bare.Hint = ""
		return bare.Error(), azprov.OneLine(typed.Hint)
	default:
		return azprov.OneLine(err.Error()), ""
	}
}

// action is what a command does, to follow "cannot"; empty for one that only has
// verbs.
func action(command *cobra.Command) string {
	if command == nil {
		return ""
	}
	return command.Annotations[annotationAction]
}

func helpFor(command *cobra.Command) string {
	if command == nil {
		return "azprov --help"
	}
	return command.CommandPath() + " --help"
}

// jsonWanted looks for --output json in the raw arguments: after a mistake among
// them the flags have not all been read.
func jsonWanted(args []string) bool {
	wanted := false
	for i, arg := range args {
		switch {
		case arg == "--":
			return wanted
		case arg == "--output" && i+1 < len(args):
			wanted = args[i+1] == outputJSON
		case strings.HasPrefix(arg, "--output="):
			wanted = arg == "--output="+outputJSON
		}
	}
	return wanted
}

// errorDocument is an error in the JSON output.
type errorDocument struct {
	Kind   string `json:"kind"`
	Op     string `json:"op"`
	Reason string `json:"reason"`
	// Message is one line without operation, target and hint.
	Message  string  `json:"message"`
	Hint     string  `json:"hint,omitempty"`
	Target   string  `json:"target,omitempty"`
	Status   int     `json:"status,omitempty"`
	Attempts int     `json:"attempts,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
}

func newErrorDocument(err error) *errorDocument {
	if err == nil {
		return nil
	}
	var usage *usageError
	var typed *azprov.Error
	switch {
	case errors.As(err, &usage):
		return &errorDocument{Kind: kindUsage, Op: "azprov", Message: usage.message, Hint: usage.hint}
	case !errors.As(err, &typed):
		return &errorDocument{Kind: string(azprov.KindInternal), Op: "azprov", Message: azprov.OneLine(err.Error())}
	}
	reason, _ := azprov.ReasonOf(err)
	bare := *typed
	bare.Op, bare.Target, bare.Hint = "", "", ""
	return &errorDocument{
		Kind: string(typed.Kind), Op: typed.Op, Reason: reason,
		Message: strings.TrimPrefix(bare.Error(), ": "), Hint: azprov.OneLine(typed.Hint),
		Target: typed.Target, Status: typed.Status, Attempts: typed.Attempts, Seconds: typed.Elapsed.Seconds(),
	}
}
