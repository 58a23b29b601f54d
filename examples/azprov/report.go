package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
)

// stepsWriter is where steps are shown: standard output is for the object in JSON.
func (a *app) stepsWriter() io.Writer {
	if a.json() {
		return a.err
	}
	return a.out
}

type reportFlags struct {
	agentName   agentName
	reason      string
	details     []string
	journal     journalFlags
	description string
	force       bool
	network     choice
	channels    channelFlags
}

func (a *app) agentNameFlag(flags *pflag.FlagSet, name *agentName) {
	flags.Var(name, "agent-name", "`NAME` of the agent in requests and reports (default azprov/"+azprov.Version+")")
}

func (a *app) reportCommand() *cobra.Command {
	f := &reportFlags{
		network:  choice{value: networkSystem, name: "WHOSE", known: []string{networkSystem, networkManaged, networkOwn}},
		channels: newChannelFlags(),
	}
	ready := &cobra.Command{
		Use: "ready", Short: "Report that this VM is provisioned",
		Long: `Reports Ready: the platform takes the VM for provisioned and shows it as running.
A VM reports one outcome per boot; what the state directory remembers is not sent
again, and not contradicted.`,
		Example: `  azprov report ready
  azprov report ready --wireserver http://127.0.0.1:8002`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "report ready"},
		RunE: func(command *cobra.Command, _ []string) error {
			return a.runReport(command, f, provision.Outcome{State: provision.ReportReady})
		},
	}
	progressing := &cobra.Command{
		Use: "in-progress", Short: "Report that this VM is being provisioned",
		Long: `Reports that the VM is still being provisioned. It is no outcome, and may be repeated;
the same text is sent once a minute at most.`,
		Example: `  azprov report in-progress --description "installing packages"`,
		Args:    noArguments, Annotations: map[string]string{annotationAction: "report progress"},
		RunE: func(command *cobra.Command, _ []string) error {
			return a.runReport(command, f, provision.Outcome{State: provision.ReportInProgress, Description: f.description})
		},
	}
	progressing.Flags().StringVar(&f.description, "description", "", "`TEXT` for people (default Starting)")
	group := groupCommand("report", "Tell the platform how provisioning goes",
		`Reports through the wire server, with the ids of a goal state that was just read, and to
the host by Hyper-V KVP, a file on this machine. A failure is in the file first, because
there may be no network; a success just before the wire server is told.

What was told is remembered in the state directory, and not contradicted for the rest
of the boot.`, ready, a.reportFailureCommand(f), progressing)
	flags := group.PersistentFlags()
	a.agentNameFlag(flags, &f.agentName)
	f.channels.register(flags)
	flags.Var(&f.network, "network", "who brings the network up if the wire server is out of reach: "+networkSystem+" (nobody), "+networkManaged+" or "+networkOwn+" (by DHCP, here; root)")
	flags.BoolVar(&f.force, "force", false, "report even what contradicts an earlier report, or repeats it")
	return group
}

func (a *app) reportFailureCommand(f *reportFlags) *cobra.Command {
	failure := &cobra.Command{
		Use: "failure", Short: "Report that provisioning has failed",
		Long: `Reports that provisioning has failed: the deployment fails with the reason, which
Azure shows to its creator. It cannot be taken back. The report is one record of at
most 4,095 bytes; details are shortened first. Put no secret into it.

With --from-journal the report says why a unit of systemd has failed: its result and
the lines of its journal that tell the cause, without what looks like a secret. It is
for OnFailure= and ExecStopPost=; examples/systemd has units. A unit that has not
failed is not reported, unless --reason is given.`,
		Example: `  azprov report failure --reason "disk is full" --detail device=/dev/sda --detail free=0
  azprov report failure --from-journal ignition-fetch.service`,
		Args: noArguments, Annotations: map[string]string{annotationAction: "report the failure"},
		RunE: func(command *cobra.Command, _ []string) error {
			outcome, err := a.failureOutcome(command.Context(), f)
			if err != nil {
				return err
			}
			return a.runReport(command, f, outcome)
		},
	}
	failure.Flags().StringVar(&f.reason, "reason", "", "`TEXT` that says why (required without --from-journal)")
	failure.Flags().StringArrayVar(&f.details, "detail", nil, "supporting data, `KEY=VALUE`; may be repeated")
	f.journal.register(failure.Flags())
	return failure
}

// failure makes the outcome of the flags.
func (f *reportFlags) failure() (provision.Outcome, error) {
	if strings.TrimSpace(f.reason) == "" {
		return provision.Outcome{}, usagef(`say why, like --reason "disk is full"`, "--reason is missing")
	}
	details, err := f.supporting()
	if err != nil {
		return provision.Outcome{}, err
	}
	return provision.Outcome{State: provision.ReportFailed, Err: &azprov.Error{
		Op: "report failure", Kind: azprov.KindInternal, Message: f.reason, Reason: azprov.OneLine(f.reason), Details: details,
	}}, nil
}

// supporting is the data of --detail.
func (f *reportFlags) supporting() ([]azprov.Detail, error) {
	// The keys of the record that the report itself has.
	own := []string{"result", "reason", "agent", "pps_type", "vm_id", "timestamp", "documentation_url"}
	var details []azprov.Detail
	for _, text := range f.details {
		key, value, ok := strings.Cut(text, "=")
		switch {
		case !ok || key == "":
			return nil, usagef("want --detail KEY=VALUE", "--detail %q has no key", text)
		case slices.Contains(own, key):
			return nil, usagef("choose another key", "--detail %s: the report has a field of that name", key)
		}
		details = append(details, azprov.Detail{Key: key, Value: value})
	}
	return details, nil
}

func (a *app) runReport(command *cobra.Command, f *reportFlags, outcome provision.Outcome) error {
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if err := f.channels.check(a.global.wireServer.value != ""); err != nil {
		return err
	}
	if f.channels.channel.value != string(provision.ChannelKVP) {
		if err := a.requireAzure(a.global.wireServer); err != nil {
			return err
		}
	}
	network, err := newNetwork(f.network.value, a.logger(a.err))
	if err != nil {
		return err
	}
	reporter, err := a.reporter(command, &f.channels, f.agentName, network)
	if err != nil {
		return err
	}
	outcome.Force = f.force
	result, err := reporter.Report(ctx, outcome)
	if err != nil {
		a.tellHeard(result, err)
		if f.channels.channel.value == string(provision.ChannelKVP) {
			return withHint(err, channelHints[azprov.KindOf(err)])
		}
		return err
	}
	return a.print(struct {
		Report reportDocument `json:"report"`
	}{newReportDocument(result)}, func(w io.Writer) {
		printWarnings(w, result.Warnings)
		who := "the wire server"
		if a.global.wireServer.value != "" {
			who += " at " + a.global.wireServer.value
		}
		printReport(w, result, who)
	})
}

// channelHints say what to do about the host's file, where the report goes there alone.
var channelHints = map[azprov.Kind]string{
	azprov.KindNotFound: "hv_kvp_daemon makes it when it starts (package hyperv-daemons, on Ubuntu linux-cloud-tools); --kvp-pool FILE names another, and makes it",
	azprov.KindDenied:   "run it as root, or name a file of your own with --kvp-pool FILE",
	azprov.KindTimeout:  poolHints[azprov.KindTimeout],
}

// tellHeard says on standard error who was told, where the wire server was not.
func (a *app) tellHeard(result provision.ReportResult, err error) {
	printWarnings(a.err, result.Warnings)
	if !result.HostAt.IsZero() && !errors.Is(err, provision.ErrContradiction) {
		printReport(a.err, result, "the wire server")
	}
}

// reporter makes what reports of the outcome go through.
func (a *app) reporter(command *cobra.Command, channels *channelFlags, name agentName, network provision.Network) (*provision.Reporter, error) {
	logger := a.logger(a.err)
	client, err := a.wireServerClient(logger, name.value, a.tellRetry)
	if err != nil {
		return nil, err
	}
	return provision.NewReporter(&provision.ReporterOptions{
		WireServer: client, Host: channels.host(a.global.wireServer.value != ""), Channel: provision.Channel(channels.channel.value),
		Network: network, Sysfs: a.sysfs(), AgentName: name.value, StateDir: a.stateDir(command, false), Logger: logger,
	})
}

// reportDocument is a report in the JSON output.
type reportDocument struct {
	State string `json:"state"`
	// AcceptedAt is in RFC 3339, UTC; null if nothing was accepted.
	AcceptedAt *string `json:"acceptedAt"`
	// HostAt is when the host's record was written, by Hyper-V KVP; null if it was not.
	HostAt      *string  `json:"hostAt"`
	Repeated    bool     `json:"repeated,omitempty"`
	Format      string   `json:"format,omitempty"`
	Incarnation string   `json:"incarnation,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
}

func newReportDocument(r provision.ReportResult) reportDocument {
	d := reportDocument{
		State: string(r.State), Repeated: r.Repeated, Format: string(r.Format), Incarnation: r.Incarnation, Warnings: r.Warnings,
	}
	if d.State == "" {
		d.State = string(provision.ReportNone)
	}
	d.AcceptedAt, d.HostAt = moment(r.AcceptedAt), moment(r.HostAt)
	return d
}

// moment is a time in RFC 3339, UTC; nil for none.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339Nano)
	return &text
}
