package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

const verbProvision = "provision"

// The values of --config-order.
const (
	orderCustomData = "custom-data-first"
	orderUserData   = "user-data-first"
)

// failureShare and maxFailureTime say how much of --timeout is kept for reporting that
// time ran out: a quarter, and 10 s are enough.
const (
	failureShare   = 4
	maxFailureTime = 10 * time.Second
)

// failureTime is the part of --timeout for the report of a failure; 0 without one.
func (a *app) failureTime() time.Duration {
	return min(a.global.timeout/failureShare, maxFailureTime)
}

type provisionFlags struct {
	emulate      scenarioName
	ovf          string
	media        string
	eject        bool
	marker       string
	network      choice
	configOrder  choice
	allowMissing bool
	defaultUser  string
	agentName    agentName
	channels     channelFlags
}

func (a *app) provisionCommand() *cobra.Command {
	f := &provisionFlags{
		configOrder: choice{value: orderCustomData, name: "ORDER", known: []string{orderCustomData, orderUserData}},
		network:     choice{value: networkSystem, name: "WHOSE", known: []string{networkSystem, networkManaged, networkOwn}},
		channels:    newChannelFlags(),
	}
	command := &cobra.Command{
		Use:   verbProvision,
		Short: "Take a VM from first boot to Ready: collect, merge, report",
		Long: `Reads the provisioning medium and IMDS, merges them into one machine, shows it with
the source of each value, and reports Ready to the platform.

It changes nothing on this machine: no user is made, no key installed. On a real VM
the report still counts, and the platform then takes the VM for provisioned; try it
with --emulate first.

With --emulate the platform itself runs in this process, on free ports of the
loopback interface: IMDS, wire server, the firmware's tables and the provisioning
medium of a scenario. Write --emulate=NAME with the equals sign; "azprov emulate
--list" names the scenarios. --dmi replaces the scenario's tables, --ovf or --media its
medium. Assertions of the scenario that are not met are told at the end, in JSON as "unmet";
the exit code is that of the provisioning all the same (emulate --assert has one for them).

On a VM the medium is looked for, and waited for 30 seconds, in its optical drives and
on other small devices that are read-only or removable ("azprov media show" shows what
is found). With --imds or --wireserver there is none unless --ovf or --media names one.

A VM in a pre-provisioning pool reports to it and waits for its owner, for days if need
be (--emulate=pps-running); --marker lets it go on after a reboot.

The network is the operating system's. With --network ephemeral it is brought up here,
by DHCP, and taken down at the end; with --network managed the operating system's own
lease is waited for.

If a step fails the platform is told so, within 2 minutes. Of a --timeout a quarter, at
most 10 seconds, is kept for that. The host is told by Hyper-V KVP too, at once and
without a network, and gets each step as an event ("azprov kvp list" shows both). If
this program itself crashes or is killed, a second process reports that.

With --output json standard output is one object, on failure too: machine, pps,
report, timeline, and error where there is one. Steps go to standard error.`,
		Example: `  azprov provision --emulate
  azprov provision --emulate=slow-start --output json
  azprov provision --emulate=my-scenario.json --timeout 30s
  azprov provision --imds http://127.0.0.1:8001 --wireserver http://127.0.0.1:8002 --ovf /mnt
  azprov provision --media /dev/sr0`,
		Args:        provisionArguments,
		Annotations: map[string]string{annotationAction: "provision"},
		RunE:        func(command *cobra.Command, _ []string) error { return a.runProvision(command, f) },
	}
	a.provisionFlags(command.Flags(), f)
	return command
}

func (a *app) provisionFlags(flags *pflag.FlagSet, f *provisionFlags) {
	flags.Var(&f.emulate, "emulate", "provision against an emulated platform, as a scenario describes it")
	flags.Lookup("emulate").NoOptDefVal = emulator.DefaultScenario
	flags.StringVar(&f.ovf, "ovf", "", "the provisioning medium: `DIR|FILE`, where it is mounted, or its ovf-env.xml")
	flags.StringVar(&f.media, "media", "", "the provisioning medium: `DEVICE|IMAGE`, read without mounting it, or "+mediaNone+"; "+mediaFind+" looks for it, as is done on a VM")
	flags.BoolVar(&f.eject, "eject", false, "eject the medium before Ready is reported")
	flags.StringVar(&f.marker, "marker", "", "`FILE` that tells a later boot that this VM has reported to its pre-provisioning pool")
	flags.Var(&f.network, "network", "who brings the network up: "+networkSystem+" (it is up), "+networkManaged+" (it is waited for) or "+networkOwn+" (by DHCP, here; root)")
	flags.Var(&f.configOrder, "config-order", "which is the machine's config: "+orderCustomData+" or "+orderUserData)
	flags.BoolVar(&f.allowMissing, "allow-missing-custom-data", false, "go on if IMDS promises custom data and none was read")
	flags.StringVar(&f.defaultUser, "default-user", "", "`NAME` of the user if neither IMDS nor the medium names one")
	a.agentNameFlag(flags, &f.agentName)
	f.channels.register(flags)
}

// provisionArguments explains the one stray argument that is likely.
func provisionArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 && command.Flags().Changed("emulate") {
		return usagef("write --emulate="+args[0], "stray argument %q", args[0])
	}
	return noArguments(command, args)
}

func (a *app) runProvision(command *cobra.Command, f *provisionFlags) error {
	named := command.Flags().Changed("emulate") || a.global.imds.value != "" || a.global.wireServer.value != ""
	if err := f.channels.check(named && !command.Flags().Changed("emulate")); err != nil {
		return err
	}
	if !command.Flags().Changed("emulate") {
		defer a.watch(func() (*provision.Reporter, error) { return a.reporter(command, &f.channels, f.agentName, nil) })()
	}
	// The failure report has a time of its own, beyond this context's.
	ctx, cancel := bounded(command.Context(), a.global.timeout-a.failureTime())
	defer cancel()
	stage, err := a.newStage(ctx, command, f)
	if err != nil {
		return err
	}
	defer stage.close()
	w := a.stepsWriter()
	columns, live := terminal(w, a.getenv)
	steps := newProgress(w, live, columns)
	options, err := a.provisionOptions(command, f, stage, steps)
	if err != nil {
		steps.close()
		return err
	}
	result, err := provision.Run(ctx, options)
	steps.close()
	err = suggestEmulator(err)
	if !a.json() {
		printResult(a.out, &result, stage, a.global.reveal)
		return err
	}
	if printed := writeJSON(a.out, stage.document(&result, err), a.global.reveal); printed != nil {
		return printed
	}
	if err != nil {
		return shownError{err}
	}
	return nil
}

// suggestEmulator adds to the error of a machine that is none of Azure's what a
// newcomer wants to know.
func suggestEmulator(err error) error {
	var typed *azprov.Error
	if !errors.As(err, &typed) || typed.Kind != azprov.KindNotAzure || typed.Status != 0 {
		return err
	}
	told := *typed
	told.Hint = "to see it without a VM on Azure: azprov provision --emulate; for other endpoints: --imds and --wireserver"
	return &told
}

func (a *app) provisionOptions(command *cobra.Command, f *provisionFlags, s *stage, steps *progress) (*provision.Options, error) {
	var err error
	logger := a.logger(steps.beside(a.err))
	options := &provision.Options{
		AssumeAzure: s.explicit, Sysfs: s.sysfs, Medium: s.medium,
		ConfigOrder: provision.CustomDataFirst, DefaultUser: f.defaultUser, AllowMissingCustomData: f.allowMissing,
		AgentName: f.agentName.value, StateDir: a.stateDir(command, s.fabric != nil),
		Logger: logger, OnStep: steps.onStep,
	}
	if f.configOrder.value == orderUserData {
		options.ConfigOrder = provision.UserDataFirst
	}
	if options.Network, err = newNetwork(f.network.value, logger); err != nil {
		return nil, err
	}
	options.Host, options.Channel = s.host, provision.Channel(f.channels.channel.value)
	options.Pool = s.pool
	options.Pool.OnState = steps.onTransition
	options.FailureTimeout = a.failureTime()
	if options.IMDS, err = a.imdsClient(logger, steps.onRetry); err != nil {
		return nil, err
	}
	options.WireServer, err = a.wireServerClient(logger, f.agentName.value, steps.onRetry)
	return options, err
}

// provisionDocument is the JSON output.
type provisionDocument struct {
	Machine *provision.Machine `json:"machine"`
	PPS     ppsDocument        `json:"pps"`
	Report  reportDocument     `json:"report"`
	// ReportError is why the platform did not take the report of a failure.
	ReportError *errorDocument   `json:"reportError,omitempty"`
	Timeline    []provision.Step `json:"timeline"`
	Error       *errorDocument   `json:"error,omitempty"`
	// Unmet are the assertions of the emulated scenario that do not hold.
	Unmet []emulator.Unmet `json:"unmet,omitempty"`
}

// document is the JSON output of a run on this stage.
func (s *stage) document(result *provision.Result, err error) *provisionDocument {
	d := newProvisionDocument(result, err)
	if s.fabric != nil {
		d.Unmet = s.fabric.Check()
	}
	return d
}

type ppsDocument struct {
	Type string `json:"type"`
}

func newProvisionDocument(result *provision.Result, err error) *provisionDocument {
	if result == nil {
		result = &provision.Result{}
	}
	d := &provisionDocument{
		Machine: result.Machine, PPS: ppsDocument{Type: "None"},
		Report: newReportDocument(result.Report), ReportError: newErrorDocument(result.ReportErr),
		Timeline: result.Timeline, Error: newErrorDocument(err),
	}
	if result.Machine != nil && result.Machine.PPSType != "" {
		d.PPS.Type = string(result.Machine.PPSType)
	}
	return d
}
