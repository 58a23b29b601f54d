package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
)

// annotationAction holds what a verb does, to follow "cannot" in messages.
const annotationAction = "action"

const rootLong = `azprov takes a VM on Azure from its first boot to Ready, and lets you do each
step of it by itself.

Without an Azure VM at hand, start here; it needs neither root nor a network:

  azprov provision --emulate

Secrets (passwords, custom data, user data, tokens) are printed as "[redacted]"
unless you give --reveal.

A VM tells the platform one outcome per boot. The state directory (--state) holds
what the real platform was told, so that a later process cannot contradict it. It is
` + provision.DefaultStateDir + `; with --wireserver or --emulate there is none unless you name one, because
what an emulator was told does not bind this machine.

Exit codes:
  0  done
  1  failed; also: interrupted; journal diff: the journals differ
  2  usage: an unknown verb or flag, a stray argument, a bad value, or a scenario
     that cannot be read; journal diff: a journal that cannot be read
  3  not found, or this machine is not on Azure
  4  out of time`

func (a *app) rootCommand() *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:           "azprov",
		Short:         "Provision a VM on Azure, step by step or as a whole",
		Long:          rootLong,
		Args:          unknownVerb,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(command *cobra.Command, _ []string) error {
			if showVersion {
				return a.runVersion()
			}
			return command.Help()
		},
		PersistentPreRunE: func(command *cobra.Command, _ []string) error { return a.checkGlobals(command) },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(showHelp)
	root.SetHelpCommand(helpCommand(root))
	root.Flags().BoolVar(&showVersion, "version", false, "print the version, as the verb does")
	a.globalFlags(root)
	root.AddCommand(
		a.provisionCommand(), a.emulateCommand(), a.journalCommand(), a.imdsCommand(), a.wireServerCommand(), a.goalStateCommand(),
		a.certsCommand(), a.ovfCommand(), a.mediaCommand(), a.ppsCommand(), a.reportCommand(), a.explainCommand(), a.kvpCommand(),
		a.vmIDCommand(), a.versionCommand(),
	)
	return root
}

func (a *app) globalFlags(root *cobra.Command) {
	g := &a.global
	g.output = choice{value: outputText, name: "FORMAT", known: []string{outputText, outputJSON}}
	g.logLevel = choice{value: "warn", name: "LEVEL", known: []string{"debug", "info", "warn", "error"}}
	flags := root.PersistentFlags()
	flags.Var(&g.imds, "imds", "base `URL` of IMDS (default "+azprov.IMDSEndpoint+")")
	flags.Var(&g.wireServer, "wireserver", "base `URL` of the wire server (default "+azprov.WireServerEndpoint+")")
	flags.StringVar(&g.dmi, "dmi", "/sys", "`DIR` with the firmware's tables, a tree like /sys")
	flags.StringVar(&g.state, "state", "",
		"`DIR` that remembers the outcome across processes; empty for none (default "+provision.DefaultStateDir+", see azprov --help)")
	flags.Var(patience{&g.timeout}, "timeout", "time for the whole command; 0: each operation has its own")
	flags.Var(&g.output, "output", "what to print on standard output: text or json")
	flags.Var(&g.logLevel, "log-level", "what to log on standard error: debug, info, warn or error")
	flags.BoolVar(&g.reveal, "reveal", false, "print secrets (in JSON, what is no text as {\"base64\": …})")
}

// checkGlobals looks at the flags' values before the verb starts.
func (a *app) checkGlobals(command *cobra.Command) error {
	if f := command.Flags().Lookup("dmi"); f.Changed && command.Name() != verbEmulate {
		if info, err := os.Stat(a.global.dmi); err != nil || !info.IsDir() {
			return usagef("want a directory like /sys, or one that emulate --dmi has written", "--dmi %s is no directory", a.global.dmi)
		}
	}
	return nil
}

// stateDir is where the latch is kept, empty for memory alone.
func (a *app) stateDir(command *cobra.Command, emulated bool) string {
	switch {
	case command.Flags().Changed("state") && a.global.state == "":
		return provision.NoStateDir
	case command.Flags().Changed("state"):
		return a.global.state
	case emulated || a.global.wireServer.value != "":
		return provision.NoStateDir
	default:
		return provision.DefaultStateDir
	}
}

// groupCommand holds verbs that share their first word.
func groupCommand(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Long: long, Args: unknownVerb,
		Annotations: map[string]string{annotationAction: ""},
		RunE:        func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	group.AddCommand(verbs...)
	return group
}

// unknownVerb refuses any argument of a command that only has verbs.
func unknownVerb(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	command.SuggestionsMinimumDistance = 2
	hint := ""
	if meant := command.SuggestionsFor(args[0]); len(meant) > 0 {
		hint = "did you mean " + strings.Join(meant, " or ") + "?"
	}
	return usagef(hint, "unknown verb %q", args[0])
}
