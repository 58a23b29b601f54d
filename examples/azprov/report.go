package main

import (
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
	description string
}

func (a *app) agentNameFlag(flags *pflag.FlagSet, name *agentName) {
	flags.Var(name, "agent-name", "`NAME` of the agent in requests and reports (default azprov/"+azprov.Version+")")
}

func (a *app) reportCommand() *cobra.Command {
	f := &reportFlags{}
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
	failure := &cobra.Command{
		Use: "failure", Short: "Report that provisioning has failed",
		Long: `Reports that provisioning has failed: the deployment fails with the reason, which
Azure shows to its creator. It cannot be taken back. The report is one record of at
most 4,095 bytes; details are shortened first. Put no secret into it.`,
		Example: `  azprov report failure --reason "disk is full" --detail device=/dev/sda --detail free=0`,
		Args:    noArguments, Annotations: map[string]string{annotationAction: "report the failure"},
		RunE: func(command *cobra.Command, _ []string) error {
			outcome, err := f.failure()
			if err != nil {
				return err
			}
			return a.runReport(command, f, outcome)
		},
	}
	failure.Flags().StringVar(&f.reason, "reason", "", "`TEXT` that says why (required)")
	failure.Flags().StringArrayVar(&f.details, "detail", nil, "supporting data, `KEY=VALUE`; may be repeated")
	progressing := &cobra.Command{
		Use: "in-progress", Short: "Report that this VM is being provisioned",
		Long: `Reports that the VM is still being provisioned. It is no outcome: it may be repeated,
and is not remembered.`,
		Example: `  azprov report in-progress --description "installing packages"`,
		Args:    noArguments, Annotations: map[string]string{annotationAction: "report progress"},
		RunE: func(command *cobra.Command, _ []string) error {
			return a.runReport(command, f, provision.Outcome{State: provision.ReportInProgress, Description: f.description})
		},
	}
	progressing.Flags().StringVar(&f.description, "description", "", "`TEXT` for people (default Starting)")
	group := groupCommand("report", "Tell the platform how provisioning goes",
		"Reports through the wire server, with the ids of a goal state that was just read.", ready, failure, progressing)
	a.agentNameFlag(group.PersistentFlags(), &f.agentName)
	return group
}

// failure makes the outcome of the flags.
func (f *reportFlags) failure() (provision.Outcome, error) {
	if strings.TrimSpace(f.reason) == "" {
		return provision.Outcome{}, usagef(`say why, like --reason "disk is full"`, "--reason is missing")
	}
	// The keys of the record that the report itself has.
	own := []string{"result", "reason", "agent", "pps_type", "vm_id", "timestamp", "documentation_url"}
	var details []azprov.Detail
	for _, text := range f.details {
		key, value, ok := strings.Cut(text, "=")
		switch {
		case !ok || key == "":
			return provision.Outcome{}, usagef("want --detail KEY=VALUE", "--detail %q has no key", text)
		case slices.Contains(own, key):
			return provision.Outcome{}, usagef("choose another key", "--detail %s: the report has a field of that name", key)
		}
		details = append(details, azprov.Detail{Key: key, Value: value})
	}
	return provision.Outcome{State: provision.ReportFailed, Err: &azprov.Error{
		Op: "report failure", Kind: azprov.KindInternal, Message: f.reason, Reason: azprov.OneLine(f.reason), Details: details,
	}}, nil
}

func (a *app) runReport(command *cobra.Command, f *reportFlags, outcome provision.Outcome) error {
	ctx, cancel := a.context(command.Context())
	defer cancel()
	if err := a.requireAzure(a.global.wireServer); err != nil {
		return err
	}
	logger := a.logger(a.err)
	client, err := a.wireServerClient(logger, f.agentName.value, a.tellRetry)
	if err != nil {
		return err
	}
	p, err := provision.New(&provision.Options{
		WireServer: client, Sysfs: a.sysfs(), AgentName: f.agentName.value,
		StateDir: a.stateDir(command, false), Logger: logger,
	})
	if err != nil {
		return err
	}
	result, err := p.Report(ctx, outcome)
	if err != nil {
		return err
	}
	return a.print(struct {
		Report reportDocument `json:"report"`
	}{newReportDocument(result)}, func(w io.Writer) {
		printWarnings(w, result.Warnings)
		reporter := "the wire server"
		if a.global.wireServer.value != "" {
			reporter += " at " + a.global.wireServer.value
		}
		printReport(w, result, reporter)
	})
}

// reportDocument is a report in the JSON output.
type reportDocument struct {
	State string `json:"state"`
	// AcceptedAt is in RFC 3339, UTC; null if nothing was accepted.
	AcceptedAt  *string  `json:"acceptedAt"`
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
	if !r.AcceptedAt.IsZero() {
		at := r.AcceptedAt.UTC().Format(time.RFC3339Nano)
		d.AcceptedAt = &at
	}
	return d
}
