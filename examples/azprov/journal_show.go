package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

type journalShowFlags struct {
	entryFilter
	bodies       bool
	verdictsOnly bool
	transcript   bool
	byService    bool
	repeats      choice
}

func (a *app) journalShowCommand() *cobra.Command {
	f := &journalShowFlags{repeats: choice{value: string(emulator.RepeatsCounted), name: "HOW"}}
	for _, known := range emulator.PossibleRepeatsValues() {
		f.repeats.known = append(f.repeats.known, string(known))
	}
	command := &cobra.Command{
		Use: "show FILE", Short: "Show the entries of a journal",
		Long: `Shows a line for each entry: number, time, of several VMs its name, service, method, path, "->",
status, how long the answer took, fault; then the report in it, and what was wrong. "none" is a
status that was never sent: the connection was reset, or the client gave up. With --bodies the
lines of the request's headers and body begin with ">", those of the answer's with "<".

--transcript shows the conversation instead as it would be with any ids, at any time: a
golden file that diff compares. Ids are called by order of appearance, {container-1}, and
times, durations, versions and the services' addresses have no value. --repeats says what
becomes of equal requests in a row, as those of a poll: counted has "x3" at the line's end,
folded says nothing of how many there were, apart is a line each.

--output json is one object with entries, or with transcript, a text.`,
		Example: `  azprov journal show journal.jsonl --verdicts-only
  azprov journal show journal.jsonl --service wireserver --bodies
  azprov journal show journal.jsonl --transcript --repeats folded > testdata/agent.golden
  azprov journal show fleet.jsonl --vm harbour-01-7 --output json`,
		Args:        journalFiles("FILE"),
		Annotations: map[string]string{annotationAction: "show the journal"},
		RunE:        func(command *cobra.Command, args []string) error { return a.runJournalShow(command, f, args[0]) },
	}
	flags := command.Flags()
	f.register(flags)
	flags.BoolVar(&f.bodies, "bodies", false, "headers and bodies too")
	flags.BoolVar(&f.verdictsOnly, "verdicts-only", false, "only the entries that something is wrong about")
	flags.BoolVar(&f.transcript, "transcript", false, "the conversation without ids and times")
	flags.BoolVar(&f.byService, "by-service", false, "of a transcript: the requests for one service below each other")
	flags.Var(&f.repeats, "repeats", "of a transcript: what becomes of repeated requests: counted, folded or apart")
	return command
}

func (a *app) runJournalShow(command *cobra.Command, f *journalShowFlags, path string) error {
	if err := f.check(); err != nil {
		return err
	}
	if !f.transcript && (f.byService || command.Flags().Changed("repeats")) {
		return usagef("add --transcript", "--by-service and --repeats shape a transcript")
	}
	entries, err := a.readJournal(path)
	if err != nil {
		return err
	}
	if entries, err = f.choose(path, entries); err != nil {
		return err
	}
	if f.verdictsOnly {
		entries = slices.DeleteFunc(entries, func(e emulator.Entry) bool { return len(e.Verdicts) == 0 })
	}
	if f.transcript {
		text := emulator.TranscriptWith(entries, &emulator.TranscriptOptions{
			Repeats: emulator.Repeats(f.repeats.value), ByService: f.byService, Bodies: f.bodies,
		})
		return a.print(struct {
			Transcript string `json:"transcript"`
		}{text}, func(w io.Writer) { printIndented(w, "", text) })
	}
	if !f.bodies {
		for i := range entries {
			entries[i].Body, entries[i].Answer = nil, nil
		}
	}
	document := struct {
		Entries []emulator.Entry `json:"entries"`
	}{entries}
	return a.print(document, func(w io.Writer) {
		several := len(vmNames(entries)) > 1
		for i := range entries {
			printEntry(w, &entries[i], several, f.bodies)
		}
		a.remark("%s.", entrySummary(entries))
	})
}

// entrySummary counts what is shown.
func entrySummary(entries []emulator.Entry) string {
	wrong := 0
	for i := range entries {
		wrong += len(entries[i].Verdicts)
	}
	return plural(len(entries), "entry", "entries") + ", " + remarks(wrong)
}

func printEntry(w io.Writer, e *emulator.Entry, several, bodies bool) {
	words := []string{fmt.Sprintf("%4d  %s", e.Seq, e.Time.Format("15:04:05.000"))}
	if several {
		words = append(words, azprov.OneLine(e.VM))
	}
	words = append(words, fmt.Sprintf("%-10s", e.Service), fmt.Sprintf("%-4s", azprov.OneLine(e.Method)), azprov.OneLine(e.Path))
	if e.Service != emulator.ServiceKVP {
		status := "none"
		if e.Status != 0 {
			status = fmt.Sprint(e.Status)
		}
		words = append(words, "->", status, fmt.Sprintf("(%d ms)", e.DurationMs))
	}
	if e.Fault != "" {
		words = append(words, "fault:", azprov.OneLine(e.Fault))
	}
	_, _ = fmt.Fprintln(w, strings.Join(words, "  "))
	const indent = "                    "
	switch {
	case e.Report != nil:
		text := strings.TrimSpace(string(e.Report.State) + " " + e.Report.SubStatus + " " + e.Report.Description)
		_, _ = fmt.Fprintln(w, indent+"report: "+azprov.OneLine(text))
	case e.HostReport != nil:
		_, _ = fmt.Fprintln(w, indent+"report: "+azprov.OneLine(e.HostReport.Raw))
	}
	for _, verdict := range e.Verdicts {
		_, _ = fmt.Fprintln(w, indent+"wrong:  "+azprov.OneLine(verdict))
	}
	if !bodies {
		return
	}
	printMessage(w, indent+"> ", e.Headers, e.Body)
	if e.Answer != nil {
		printMessage(w, indent+"< ", e.Answer.Headers, e.Answer.Body)
	}
}

// printMessage writes headers and body, and what is missing of it.
func printMessage(w io.Writer, prefix string, headers map[string]string, body *emulator.Body) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		_, _ = fmt.Fprintln(w, prefix+http.CanonicalHeaderKey(azprov.OneLine(name))+": "+azprov.OneLine(headers[name]))
	}
	if body == nil {
		return
	}
	if len(headers) > 0 {
		_, _ = fmt.Fprintln(w, strings.TrimRight(prefix, " "))
	}
	printIndented(w, prefix, body.Text)
	if body.Left != emulator.LeftNone {
		_, _ = fmt.Fprintf(w, "%s(%s: it has %s)\n", prefix, azprov.OneLine(string(body.Left)), plural(body.Length, "byte", "bytes"))
	}
}
