package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

// The exit codes. 78 is EX_CONFIG of sysexits.h, as the original has it.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// app is one run of the command.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	// system is where the running system is.
	system        string
	run           runner
	setKernelName func(string) error

	flags flags
}

type flags struct {
	config, root           string
	groups                 []string
	emulate                string
	imds, wireServer       string
	dmi, media             string
	timeout                time.Duration
	printConfig, printName bool
	logs                   bool
}

const long = `azure-init sets a VM on Azure up at its first boot: host name, user with groups and SSH
keys, password, sudo rule, sshd's PasswordAuthentication, custom data. Then it tells the
platform that the VM is ready, or why it is not. It does so once per VM.

It reads /etc/azure-init.toml, /etc/azure-init.d/*.toml and what --config names; what comes
later wins. With --root DIR it sets up the system in a directory: it edits files there, and
runs no program. Try it:

  azure-init --emulate --root "$(mktemp -d)"

Each step is a verb of its own. Without an argument it asks the platform, with one it asks
nobody; neither reports anything.

Exit codes: 0 done, 1 failed, 2 usage, 78 the configuration is wrong or names no user.`

func (a *app) main(ctx context.Context, args []string) int {
	root := a.command() //nolint:contextcheck // cobra hands ctx to the verb.
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var usage *usageError
	var typed *azprov.Error
	text, hint := azprov.OneLine(err.Error()), ""
	code := exitFailed
	switch {
	case errors.As(err, &usage):
		code, hint = exitUsage, usage.hint
	case errors.As(err, &typed):
		bare := *typed
		hint, bare.Hint = typed.Hint, ""
		text = bare.Error()
		if typed.Kind == azprov.KindNotAzure && typed.Status == 0 {
			hint = `to see it without a VM on Azure: azure-init --emulate --root "$(mktemp -d)"`
		}
		if reason, _ := azprov.ReasonOf(err); reason == reasonNoUser || bare.Op == opConfig {
			code = exitConfig
		}
	}
	fmt.Fprintln(a.err, "azure-init:", text)
	if hint != "" {
		fmt.Fprintln(a.err, "hint:", azprov.OneLine(hint))
	}
	return code
}

// usageError is a mistake on the command line.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

func usagef(hint, format string, args ...any) error {
	return &usageError{azprov.OneLine(fmt.Sprintf(format, args...)), hint}
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use: "azure-init", Short: "Set a VM on Azure up at its first boot", Long: long,
		SilenceErrors: true, SilenceUsage: true, Args: noVerb, Example: `  azure-init --emulate --root "$(mktemp -d)"`,
		RunE: func(command *cobra.Command, _ []string) error { return a.provision(command.Context()) },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usagef("see "+command.CommandPath()+" --help", "%v", err)
	})
	all := root.PersistentFlags()
	all.StringVar(&a.flags.config, "config", a.getenv("AZURE_INIT_CONFIG"), "`FILE|DIR` with configuration that wins over the system's")
	all.StringSliceVarP(&a.flags.groups, "groups", "g", splitList(a.getenv("AZURE_INIT_USER_GROUPS")), "`GROUPS` of the user, with commas between them")
	all.StringVar(&a.flags.root, "root", "", "`DIR` with the system to set up, in place of the running one; only files are changed")
	all.StringVar(&a.flags.emulate, "emulate", "", "ask an emulated platform, as a `SCENARIO` describes it; needs --root")
	all.Lookup("emulate").NoOptDefVal = emulator.DefaultScenario
	all.StringVar(&a.flags.imds, "imds", "", "base `URL` of IMDS")
	all.StringVar(&a.flags.wireServer, "wireserver", "", "base `URL` of the wire server")
	all.StringVar(&a.flags.dmi, "dmi", "/sys", "`DIR` with the firmware's tables, a tree like /sys")
	all.StringVar(&a.flags.media, "media", "", "the provisioning medium: a `DIR|DEVICE|IMAGE`; it is looked for without")
	all.DurationVar(&a.flags.timeout, "timeout", 0, "`TIME` for the whole command, like 90s or 5m")
	root.Flags().BoolVar(&a.flags.printConfig, "print-effective-config", false, "print the configuration, with the file of each value, and do nothing")
	root.Flags().BoolVarP(&a.flags.printName, "version", "V", false, "print the version")
	for _, step := range steps {
		root.AddCommand(a.stepCommand(step))
	}
	clean := &cobra.Command{
		Use: "clean", Short: "Forget that VMs were set up, for an image or another run", Args: noVerb,
		RunE: func(*cobra.Command, []string) error { return a.clean() },
	}
	clean.Flags().BoolVar(&a.flags.logs, "logs", false, "remove the log, too")
	ready := &cobra.Command{
		Use: "report-ready", Short: "Tell the platform that the VM is ready", Args: noVerb,
		RunE: func(command *cobra.Command, _ []string) error {
			return a.report(command.Context(), provision.Outcome{State: provision.ReportReady})
		},
	}
	failure := &cobra.Command{
		Use: "report-failure REASON", Short: "Tell the platform that the VM could not be set up", Args: oneArgument,
		RunE: func(command *cobra.Command, args []string) error {
			err := &azprov.Error{Op: "azure-init", Kind: azprov.KindInternal, Reason: azprov.OneLine(args[0])}
			return a.report(command.Context(), provision.Outcome{State: provision.ReportFailed, Err: err})
		},
	}
	root.AddCommand(clean, ready, failure)
	return root
}

func (a *app) stepCommand(step step) *cobra.Command {
	return &cobra.Command{
		Use: strings.TrimSpace(step.verb + " " + step.argument), Short: step.short,
		Args: func(command *cobra.Command, args []string) error {
			if step.given == nil {
				return noVerb(command, args)
			}
			if len(args) > 1 {
				return usagef("see "+command.CommandPath()+" --help", "stray argument %q", args[1])
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error { return a.step(command.Context(), step, args) },
	}
}

// noVerb refuses arguments. The root's are verbs that there are not.
func noVerb(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see " + command.CommandPath() + " --help"
	if command.HasParent() {
		return usagef(hint, "stray argument %q", args[0])
	}
	command.SuggestionsMinimumDistance = 2
	if meant := command.SuggestionsFor(args[0]); len(meant) > 0 {
		hint = "did you mean " + strings.Join(meant, " or ") + "?"
	}
	if _, err := emulator.LookupScenario(args[0]); err == nil {
		hint = "write --emulate=" + args[0]
	}
	return usagef(hint, "unknown verb %q", args[0])
}

func oneArgument(command *cobra.Command, args []string) error {
	if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
		return usagef("see "+command.CommandPath()+" --help", "want one reason, in quotes if it has blanks")
	}
	return nil
}

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// rootDir is the system to set up.
func (a *app) rootDir() string {
	if a.flags.root != "" {
		return a.flags.root
	}
	return a.system
}

// readText is the whole standard input, for the verbs that take something secret or long.
func (a *app) readText() (string, error) {
	const limit = 1 << 20
	b, err := io.ReadAll(io.LimitReader(a.in, limit+1))
	if err == nil && len(b) > limit {
		err = errors.New("the standard input is over 1 MiB")
	}
	return string(b), err
}

// open reads the configuration and opens the system.
func (a *app) open() (*setup, error) {
	if info, err := os.Stat(a.rootDir()); err != nil || !info.IsDir() {
		return nil, usagef("make it first: a directory, empty or with a system", "--root %s is no directory", a.flags.root)
	}
	t, err := openTree(a.rootDir())
	if err != nil {
		return nil, err
	}
	c, err := loadConfig(os.DirFS(a.rootDir()), a.flags.config)
	s := &setup{
		config: c, tree: t, rooted: a.flags.root != "", groups: a.flags.groups,
		run: a.run, setKernelName: a.setKernelName,
		say: func(verb, note string) { fmt.Fprintf(a.out, "%-17s %s\n", verb, note) },
	}
	if len(s.groups) == 0 {
		s.groups = c.Users.Groups
	}
	return s, err
}
