package main

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
	"github.com/azprov/azprov/report"
)

// maxGuess is the longest text that is compared with every reason, in bytes; the longest
// reason has some 60.
const maxGuess = 256

// listReasons is what to do about a reason that is not in the catalogue.
const listReasons = "azprov explain --list shows the known ones"

// explanation is the JSON output.
type explanation struct {
	// Reason as it was given, or as the catalogue has it if its id was.
	Reason   string           `json:"reason"`
	Entry    *entryDocument   `json:"entry"`
	Report   *outcomeDocument `json:"report"`
	Warnings []string         `json:"warnings"`
	Error    *errorDocument   `json:"error,omitempty"`
}

// entryDocument is a reason of the catalogue.
type entryDocument struct {
	ID       string        `json:"id"`
	Text     string        `json:"text"`
	Source   report.Source `json:"source"`
	Cause    string        `json:"cause"`
	NextStep string        `json:"nextStep"`
	Kinds    []azprov.Kind `json:"kinds"`
}

func newEntryDocument(e report.Entry) *entryDocument {
	return &entryDocument{ID: e.ID, Text: e.Text, Source: e.Source, Cause: e.Cause, NextStep: e.NextStep, Kinds: e.Kinds}
}

// outcomeDocument is a report as it was read. What the agent did not know is empty.
type outcomeDocument struct {
	Result  report.Result `json:"result"`
	Reason  string        `json:"reason"`
	Agent   string        `json:"agent"`
	VMID    string        `json:"vmId"`
	PPSType string        `json:"ppsType"`
	// Timestamp is in RFC 3339, UTC.
	Timestamp        string          `json:"timestamp"`
	Supporting       []azprov.Detail `json:"supporting"`
	DocumentationURL string          `json:"documentationUrl"`
	// Traceback is that of the supporting data, decoded, the oldest call first.
	Traceback string `json:"traceback,omitempty"`
}

func newOutcomeDocument(r report.Report) *outcomeDocument {
	d := &outcomeDocument{
		Result: r.Result, Reason: r.Reason, Agent: r.Agent, VMID: r.VMID, PPSType: r.PPSType,
		Supporting: r.Supporting, DocumentationURL: r.DocumentationURL,
	}
	if !r.Timestamp.IsZero() {
		d.Timestamp = r.Timestamp.UTC().Format(time.RFC3339Nano)
	}
	for _, detail := range r.Supporting {
		if detail.Key == tracebackKey && d.Traceback == "" {
			d.Traceback = decodeTraceback(detail.Value)
		}
	}
	return d
}

func (a *app) explainCommand() *cobra.Command {
	var list bool
	command := &cobra.Command{
		Use: "explain REASON|REPORT", Short: "Say what a reason or a report means, and what to do",
		Long: `Says why provisioning has failed, and what to do next. The argument is the reason, its id in
the catalogue (docs/reasons.md), or the whole report, as cloud-init and azure-init write it:
copied out of the portal with the words or the JSON around it, or out of a pool. Several
arguments count as one text; - is standard input. A report has quotes and bars that a shell
would take for its own: put it into quotes, or use -.

Of a report its fields are shown too, and a traceback in it is decoded. A reason that is not
in the catalogue is the agent's own: the exit code is 3 then.`,
		Example: `  azprov explain connection timeout querying IMDS
  azprov explain imds-http-error
  azprov explain - < error-copied-from-the-portal.txt
  azprov explain --list`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case list && len(args) > 0:
				return usagef("--list shows all reasons", "stray argument %q", args[0])
			case !list && strings.TrimSpace(strings.Join(args, "")) == "":
				return usagef(listReasons, "the argument REASON is missing")
			default:
				return nil
			}
		},
		Annotations: map[string]string{annotationAction: "explain it"},
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				return a.runExplainList()
			}
			return a.runExplain(args)
		},
	}
	command.Flags().BoolVar(&list, "list", false, "list all reasons, by who writes them, with their ids")
	return command
}

func (a *app) runExplainList() error {
	catalogue := report.Catalogue()
	entries := make([]*entryDocument, 0, len(catalogue))
	for _, e := range catalogue {
		entries = append(entries, newEntryDocument(e))
	}
	return a.print(object{{"reasons", view(entries, false)}}, func(w io.Writer) {
		facts := make([]fact, 0, len(entries))
		for _, e := range entries {
			facts = append(facts, fact{name: e.ID, from: string(e.Source), value: e.Text})
		}
		printFacts(w, "", facts)
	})
}

func (a *app) runExplain(args []string) error {
	text := strings.Join(args, " ")
	if text == "-" {
		b, err := a.readFile("-")
		if err != nil {
			return err
		}
		if text = string(b); strings.TrimSpace(text) == "" {
			return usagef(listReasons, "standard input is empty")
		}
	}
	x, err := explain(text)
	if x == nil {
		return err
	}
	x.Error = newErrorDocument(err)
	if printed := a.print(x, func(w io.Writer) { printExplanation(w, x) }); printed != nil {
		return printed
	}
	if err != nil && a.json() {
		return shownError{err}
	}
	return err
}

// explain finds out what a text means. With an error it may still have a report.
func explain(text string) (*explanation, error) {
	r, warnings, err := findReport(text)
	switch {
	case err == nil:
		return explainReport(r, warnings)
	case azprov.KindOf(err) == azprov.KindTooLarge:
		return nil, err
	default:
		return explainReason(azprov.OneLine(text))
	}
}

func explainReport(r report.Report, warnings []string) (*explanation, error) {
	x := &explanation{Reason: r.Reason, Report: newOutcomeDocument(r), Warnings: warnings}
	if r.Result == report.ResultSuccess {
		return x, nil
	}
	var err error
	x.Entry, err = lookup(r.Reason)
	return x, err
}

// explainReason takes an id, too. In a report none stands for a reason.
func explainReason(reason string) (*explanation, error) {
	for _, e := range report.Catalogue() {
		if strings.EqualFold(reason, e.ID) {
			return &explanation{Reason: e.Text, Entry: newEntryDocument(e)}, nil
		}
	}
	entry, err := lookup(reason)
	if err != nil {
		return nil, err
	}
	return &explanation{Reason: reason, Entry: entry}, nil
}

func lookup(reason string) (*entryDocument, error) {
	if e, ok := report.Lookup(reason); ok {
		return newEntryDocument(e), nil
	}
	return nil, unknownReason(reason)
}

// timedOut is the platform's error for a VM whose agent has told it nothing.
const timedOut = "OSProvisioningTimedOut"

func unknownReason(reason string) error {
	e := &azprov.Error{
		Op: "explain", Kind: azprov.KindNotFound,
		Message: "the catalogue does not have the reason " + strconv.Quote(clip(reason, maxGuess)),
		Hint:    "it is the agent's own: read the supporting data, and the log of the boot on the VM's serial console; " + listReasons,
	}
	switch {
	case reason == "":
		e.Message = "the report has no reason"
		e.Hint = "read the supporting data, and the log of the boot on the VM's serial console"
	case strings.Contains(reason, timedOut):
		e.Message = timedOut + " is no reason: the platform heard nothing of the VM's agent"
		e.Hint = "read the agent's log on the VM's serial console; azprov kvp list shows what it told the host"
	default:
		if meant := nearestReason(reason); meant != "" {
			e.Hint = "did you mean " + strconv.Quote(meant) + "? " + listReasons
		}
	}
	return e
}

// nearestReason is the text or id of the catalogue that is most like a reason, "" if none
// is.
func nearestReason(reason string) string {
	if len(reason) > maxGuess {
		return ""
	}
	var known []string
	for _, e := range report.Catalogue() {
		known = append(known, e.Text, e.ID)
	}
	return nearest.Word(reason, known)
}
