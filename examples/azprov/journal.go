package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

const journalLong = `Reads journals of the emulator, the files that azprov emulate --journal writes: an entry for
each request, with what was wrong about it. Journals of before bodies were kept can be shown
and compared too. A FILE of - is standard input.

A conversation as Go's tests have it in golden files is journal show --transcript.`

func (a *app) journalCommand() *cobra.Command {
	return groupCommand(
		"journal", "Show, compare and replay what agents said to an emulated platform", journalLong,
		a.journalShowCommand(), a.journalDiffCommand(), a.journalReplayCommand(),
	)
}

// entryFilter chooses entries of a journal.
type entryFilter struct {
	service string
	vm      string
}

func (f *entryFilter) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.service, "service", "", "only the entries of that `SERVICE`: "+strings.Join(serviceNames(), ", "))
	flags.StringVar(&f.vm, "vm", "", "only the entries of the VM with that `NAME`, in a journal of several")
}

func serviceNames() []string {
	var names []string
	for _, service := range emulator.PossibleServiceValues() {
		names = append(names, string(service))
	}
	return names
}

func (f *entryFilter) check() error {
	if f.service != "" && !slices.Contains(serviceNames(), f.service) {
		return usagef("", "--service: want one of %s", strings.Join(serviceNames(), ", "))
	}
	return nil
}

// choose returns the entries that are wanted; a VM that has none is a mistake.
func (f *entryFilter) choose(path string, entries []emulator.Entry) ([]emulator.Entry, error) {
	names := vmNames(entries)
	if f.vm != "" && !slices.Contains(names, f.vm) {
		hint := "it is the journal of one VM without a name: leave --vm out"
		if len(names) > 1 || names[0] != "" {
			hint = "it has " + firstFew(names)
		}
		return nil, &azprov.Error{Op: opReadJournal, Target: path, Kind: azprov.KindNotFound, Message: "there is no VM " + f.vm + " in it", Hint: hint}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e emulator.Entry) bool {
		return f.vm != "" && e.VM != f.vm || f.service != "" && string(e.Service) != f.service
	}), nil
}

// vmNames are the names of the VMs in a journal, in order.
func vmNames(entries []emulator.Entry) []string {
	var names []string
	seen := map[string]bool{}
	for i := range entries {
		if name := entries[i].VM; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// firstFew is a list of names that need not be short.
func firstFew(names []string) string {
	const few = 5
	if len(names) > few {
		return strings.Join(names[:few], ", ") + " and " + plural(len(names)-few, "other", "others")
	}
	return strings.Join(names, ", ")
}

const opReadJournal = "read"

// readJournal reads the entries of a journal, of which there must be some.
func (a *app) readJournal(path string) ([]emulator.Entry, error) {
	in, target := a.in, "standard input"
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fileError(opReadJournal, path, err)
		}
		defer func() { _ = file.Close() }()
		target = filepath.Clean(path)
		if info, err := file.Stat(); err == nil && info.IsDir() {
			return nil, &azprov.Error{
				Op: opReadJournal, Target: target, Kind: azprov.KindMalformed, Message: "it is a directory",
				Hint: "want a file that azprov emulate --journal has written",
			}
		}
		in = file
	}
	entries, err := emulator.ParseJournal(in)
	var typed *azprov.Error
	switch {
	case err != nil && len(entries) > 0:
		_, _ = fmt.Fprintf(a.err, "azprov: going on without the last line of %s, which is cut short\n", printable(target))
		return entries, nil
	case errors.As(err, &typed):
		named := *typed
		named.Op, named.Target = opReadJournal, target
		return nil, &named
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, &azprov.Error{
			Op: opReadJournal, Target: target, Kind: azprov.KindMalformed, Message: "the journal is empty",
			Hint: "nothing was asked while it was written; or it is no journal",
		}
	}
	return entries, nil
}

// journalFiles wants that many files, of which one may be standard input.
func journalFiles(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("", "the argument %s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef("", "stray argument %q", args[len(names)])
		}
		for i, arg := range args {
			if arg == "" {
				return usagef("", "the argument %s is empty", names[i])
			}
			if arg == "-" && slices.Contains(args[:i], "-") {
				return usagef("", "only one of the journals can be standard input")
			}
		}
		return nil
	}
}

// printable keeps a text from a file from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// printIndented writes the lines of a text from a file, each behind prefix.
func printIndented(w io.Writer, prefix, text string) {
	for line := range strings.Lines(text) {
		_, _ = io.WriteString(w, prefix+printable(strings.TrimRight(line, "\r\n"))+"\n")
	}
}
