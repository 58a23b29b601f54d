package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/user"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/nearest"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/provision"
)

// app is one run of the command, and what of the machine it touches beside the files that
// its flags name.
type app struct {
	out, err  io.Writer
	proc, sys fs.FS
	// system is the machine whose drives are looked at; nil is this one.
	system media.System
	// account finds a user of the machine.
	account func(name string) (*user.User, error)
	// journal is the socket of journald.
	journal string
	// host is the way to the host beside the wire server.
	host provision.HostChannel
	// state is the directory that remembers what was reported; empty for the SDK's own.
	state string
	// transport is the way to the services; nil is the network.
	transport policy.Transporter

	flags flags
}

type flags struct {
	provider     string
	cmdline      bool
	hostnameFrom string

	imds, wireServer, media, emulate string
	timeout                          time.Duration

	attributes, hostname, sshKeys string
	checkIn                       bool

	dir                string
	noHostname, noUser bool
}

// The exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake on the command line.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

func usagef(hint, format string, args ...any) error {
	return &usageError{azprov.OneLine(fmt.Sprintf(format, args...)), hint}
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(twoDashes(args))
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	var typed *azprov.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		if usage.hint == "" {
			usage.hint = "see afterburn --help"
		}
		a.note("afterburn: %s\nhint: %s", usage.message, usage.hint)
		return exitUsage
	case errors.As(err, &typed) && typed.Hint != "":
		bare := *typed
		bare.Hint = ""
		a.note("afterburn: %s\nhint: %s", bare.Error(), azprov.OneLine(typed.Hint))
	default:
		a.note("afterburn: %s", azprov.OneLine(err.Error()))
	}
	return exitFailed
}

// twoDashes is the command line with the flags of old units, -provider, as they are now.
func twoDashes(args []string) []string {
	var modern []string
	for _, arg := range args {
		if len(arg) > 2 && arg[0] == '-' && arg[1] >= 'a' && arg[1] <= 'z' {
			arg = "-" + arg
		}
		modern = append(modern, arg)
	}
	return modern
}

// note tells people something, on standard error.
func (a *app) note(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format+"\n", args...) }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "afterburn",
		Short: "Apply what Azure or Azure Stack says of this machine",
		Long: `Asks the platform about this machine and does the actions that the flags name, in this
order: --attributes, --ssh-keys, --hostname, --check-in. The first one that fails ends it,
so that a machine without its keys does not report Ready.

Files are written whole or not at all, and only if they change. FILE may be "-", for
standard output.

Without an Azure VM at hand, start here; it needs neither root nor a network, and changes
nothing:

  afterburn --provider azure --emulate --attributes - --ssh-keys core --hostname - --check-in

Exit codes: 0 done, 1 failed, 2 usage.`,
		Example: `  afterburn --cmdline --attributes /run/metadata/afterburn
  afterburn --provider azure --ssh-keys core
  afterburn --provider azurestack --hostname /sysroot/etc/hostname
  afterburn --cmdline --check-in
  afterburn render-ignition --provider azure --render-ignition-dir /etc/ignition/base.platform.d/azure`,
		Args: noArguments, RunE: a.runActions, SilenceErrors: true, SilenceUsage: true, Version: azprov.Version,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	f, shared := &a.flags, root.PersistentFlags()
	shared.SortFlags = false
	shared.StringVar(&f.provider, "provider", "", "`NAME` of the platform: azure or azurestack")
	shared.BoolVar(&f.cmdline, "cmdline", false, "take the platform from ignition.platform.id= of the kernel's command line")
	shared.StringVar(&f.hostnameFrom, "hostname-from", fromVMName, "`WHICH` name: "+fromVMName+" (the resource's, as in Afterburn) or "+fromComputerName+" (as in other agents)")
	shared.StringVar(&f.emulate, "emulate", "", "run against an emulated platform in this process, in that `SCENARIO`; SSH keys are then printed, not installed")
	shared.Lookup("emulate").NoOptDefVal = emulator.DefaultScenario
	shared.StringVar(&f.imds, "imds", "", "base `URL` of IMDS (default "+azprov.IMDSEndpoint+")")
	shared.StringVar(&f.wireServer, "wireserver", "", "base `URL` of the wire server (default "+azprov.WireServerEndpoint+"; azurestack: by DHCP option 245)")
	shared.StringVar(&f.media, "media", "", "`DEVICE|IMAGE` with the provisioning medium, in place of looking for it")
	shared.DurationVar(&f.timeout, "timeout", 0, "`TIME` for the whole run, like 2m; without it each request has a limit of its own, of 20 minutes at most")
	a.addActions(root.Flags())
	multi := &cobra.Command{
		Use: "multi", Short: "Do the actions that the flags name, as without this word", Long: root.Long,
		Args: noArguments, RunE: a.runActions,
	}
	a.addActions(multi.Flags())
	root.AddCommand(multi, a.renderCommand())
	return root
}

func (a *app) addActions(flags *pflag.FlagSet) {
	f := &a.flags
	flags.SortFlags = false
	flags.StringVar(&f.attributes, "attributes", "", "write AFTERBURN_AZURE_… lines to `FILE`, for EnvironmentFile= (azurestack has none)")
	flags.StringVar(&f.sshKeys, "ssh-keys", "", "write the administrator's SSH keys to ~/.ssh/authorized_keys.d/afterburn of `USER`")
	flags.StringVar(&f.hostname, "hostname", "", "write the host name to `FILE`")
	flags.BoolVar(&f.checkIn, "check-in", false, "report to the platform that the machine is Ready")
}

func (a *app) renderCommand() *cobra.Command {
	render := &cobra.Command{
		Use:   "render-ignition",
		Short: "Write fragments of an Ignition configuration: host name and user",
		Long: `Writes two fragments of Ignition configurations, of spec ` + ignitionVersion + `, that Ignition merges
below the user's own configuration, which wins wherever both say something:

  hostname.ign   /etc/hostname
  user.ign       the administrator with SSH keys and the hash of the password, which comes
                 with the provisioning medium; mode 0600 if there is a hash

What the platform does not say is not written.`,
		Example: `  afterburn render-ignition --provider azure --emulate --render-ignition-dir ./fragments`,
		Args:    noArguments, RunE: a.runRender,
	}
	f, flags := &a.flags, render.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.dir, "render-ignition-dir", "", "write the fragments into `DIR`")
	flags.BoolVar(&f.noHostname, "disable-hostname-fragment", false, "write no hostname.ign")
	flags.BoolVar(&f.noUser, "disable-user-fragment", false, "write no user.ign")
	return render
}

// noArguments refuses positional arguments, and says which command may be meant.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	switch meant := nearest.Word(args[0], []string{"multi", "render-ignition"}); {
	case meant != "" && !command.HasParent():
		hint = "did you mean " + meant + "?"
	case command.Flags().Changed("emulate"):
		hint = "did you mean --emulate=" + args[0] + "?"
	}
	return usagef(hint, "stray argument %q", args[0])
}

// flagError suggests the flag that was meant.
func flagError(command *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return usagef("", "%v", err)
	}
	for _, other := range command.Commands() {
		if other.Flags().Lookup(name) != nil {
			return usagef("it is a flag of "+other.Name()+", and comes after that word", "--%s is no flag here", name)
		}
	}
	var known []string
	command.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if meant := nearest.Word(name, known); meant != "" {
		return usagef("did you mean --"+meant+"?", "unknown flag --%s", name)
	}
	return usagef("", "unknown flag --%s", name)
}
