package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

type journalDiffFlags struct {
	entryFilter
	other   string
	ignore  []string
	answers bool
}

func (a *app) journalDiffCommand() *cobra.Command {
	f := &journalDiffFlags{}
	command := &cobra.Command{
		Use: "diff A B", Short: "Compare the conversations of two journals, ignoring ids and times",
		Long: `Aligns the requests of two journals, in their order, and shows what differs. Ids, times,
durations, versions of agents and the services' addresses do not count, nor does it count
whether a path has percent-escapes that it does not need. Lines begin with

  two blanks  a request of both; long rows are shortened
  -           a request that A alone has
  +           a request that B alone has
  !           a request of both, with another status, report, body, header, fault or verdict:
              both values stand below it

Bodies of requests are compared if both journals have them. Answers are the emulator's, and
compared with --answers alone. --ignore User-Agent leaves a header out, and --ignore verdict
what was wrong: a replay checks nothing, so its journal differs there from the recording.

The exit code is 0 if the conversations are the same, 1 if they differ, and 2 in case of
trouble.`,
		Example: `  azprov journal diff cloud-init.jsonl my-agent.jsonl
  azprov journal diff before.jsonl after.jsonl --service wireserver --ignore User-Agent
  azprov journal diff fleet.jsonl fleet.jsonl --vm harbour-01-1 --vm-b harbour-01-2 --output json`,
		Args:        journalFiles("A", "B"),
		Annotations: map[string]string{annotationAction: "compare the journals"},
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := a.diffJournals(f, args[0], args[1])
			if err != nil {
				return troubleError{err}
			}
			if err := a.printDiff(d, args); err != nil {
				return troubleError{err}
			}
			if err := a.out.failure(); err != nil {
				return troubleError{err}
			}
			if !d.Same() {
				return errDifferent
			}
			return nil
		},
	}
	f.register(command.Flags())
	command.Flags().StringVar(&f.other, "vm-b", "", "of B the VM with that `NAME`, if it is another one than A's")
	command.Flags().StringArrayVar(&f.ignore, "ignore", nil, "a `HEADER` of requests that is not compared, or verdict, fault, report, body; may be repeated")
	command.Flags().BoolVar(&f.answers, "answers", false, "compare headers and bodies of answers too")
	return command
}

func (a *app) diffJournals(f *journalDiffFlags, pathA, pathB string) (emulator.ConversationDiff, error) {
	if err := f.check(); err != nil {
		return emulator.ConversationDiff{}, err
	}
	var sides [2][]emulator.Entry
	filters := [2]entryFilter{f.entryFilter, {service: f.service, vm: cmp.Or(f.other, f.vm)}}
	for i, path := range []string{pathA, pathB} {
		entries, err := a.readJournal(path)
		if err != nil {
			return emulator.ConversationDiff{}, err
		}
		if sides[i], err = filters[i].choose(path, entries); err != nil {
			return emulator.ConversationDiff{}, err
		}
	}
	return emulator.DiffConversations(sides[0], sides[1], &emulator.DiffOptions{Ignore: f.ignore, Answers: f.answers}), nil
}

func (a *app) printDiff(d emulator.ConversationDiff, names []string) error {
	same, changed := d.Count(emulator.DiffSame), d.Count(emulator.DiffChanged)
	onlyA, onlyB := d.Count(emulator.DiffOnlyA), d.Count(emulator.DiffOnlyB)
	document := struct {
		Same  bool                `json:"same"`
		Steps []emulator.DiffStep `json:"steps"`
	}{d.Same(), d.Steps}
	return a.print(document, func(w io.Writer) {
		if d.Same() {
			_, _ = fmt.Fprintf(w, "The conversations are the same: %s.\n", plural(same, "request", "requests"))
			return
		}
		_, _ = fmt.Fprintf(w, "A  %s\nB  %s\n\n", azprov.OneLine(names[0]), azprov.OneLine(names[1]))
		printIndented(w, "", d.String())
		_, _ = fmt.Fprintf(w, "\n%s the same, %d changed, %d only in A, %d only in B.\n", plural(same, "request is", "requests are"), changed, onlyA, onlyB)
		if onlyVerdicts(d) {
			_, _ = fmt.Fprintln(w, "Only verdicts differ; a replay finds nothing wrong. --ignore verdict leaves them out.")
		}
	})
}

// onlyVerdicts reports whether nothing else differs.
func onlyVerdicts(d emulator.ConversationDiff) bool {
	return !slices.ContainsFunc(d.Steps, func(s emulator.DiffStep) bool {
		return s.Kind == emulator.DiffOnlyA || s.Kind == emulator.DiffOnlyB ||
			slices.ContainsFunc(s.Changes, func(c emulator.DiffChange) bool { return c.What != "verdict" })
	})
}
