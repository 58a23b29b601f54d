package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const exitCodes = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found or not on Azure, 4 out of time."

// showHelp writes a command's help. cobra's own template speaks of commands where
// this program has verbs, and cannot write --emulate[=NAME].
func showHelp(command *cobra.Command, _ []string) {
	w := command.OutOrStdout()
	_, _ = fmt.Fprintln(w, strings.TrimSpace(command.Long))
	use := command.CommandPath()
	if command.HasAvailableSubCommands() {
		use += " VERB"
	} else {
		use = strings.TrimSuffix(command.UseLine(), " [flags]")
	}
	_, _ = fmt.Fprintf(w, "\nUsage:\n  %s [flags]\n", use)
	if command.Example != "" {
		_, _ = fmt.Fprintf(w, "\nExamples:\n%s\n", command.Example)
	}
	if command.HasAvailableSubCommands() {
		_, _ = fmt.Fprintln(w, "\nVerbs:")
		var verbs []fact
		for _, verb := range command.Commands() {
			if verb.IsAvailableCommand() {
				verbs = append(verbs, fact{name: verb.Name(), value: verb.Short})
			}
		}
		printFacts(w, "  ", verbs)
	}
	showFlags(w, "Flags", command.LocalFlags())
	showFlags(w, "Flags of every verb", command.InheritedFlags())
	if !command.HasParent() {
		_, _ = fmt.Fprintf(w, "\n%s VERB --help says more about a verb.\n", command.Name())
		return
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", exitCodes)
}

func showFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	var facts []fact
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		placeholder, usage := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		switch {
		case f.Value.Type() == "bool":
		case f.NoOptDefVal != "":
			name += "[=" + placeholder + "]"
			usage += " (" + f.NoOptDefVal + " if none is named)"
		default:
			name += " " + placeholder
		}
		if f.DefValue != "" && f.Value.Type() != "bool" && f.DefValue != "[]" {
			usage += " (default " + f.DefValue + ")"
		}
		facts = append(facts, fact{name: name, value: usage})
	})
	_, _ = fmt.Fprintf(w, "\n%s:\n", title)
	printFacts(w, "  ", facts)
}

// helpCommand is "azprov help VERB", which people try first.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB]", Short: "Show the help of a verb", Long: "Shows what VERB --help shows.",
		Annotations: map[string]string{annotationAction: "show the help"},
		RunE: func(_ *cobra.Command, args []string) error {
			command, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("azprov --help lists the verbs", "unknown verb %q", strings.Join(args, " "))
			}
			command.InitDefaultHelpFlag() // or --help would not be among the flags
			return command.Help()
		},
	}
}
