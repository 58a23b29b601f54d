package provision

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// ErrContradiction is in the tree of the error that refuses a terminal report
// because another one was accepted before it.
var ErrContradiction = errors.New("provision: the platform was told otherwise before")

// hostTimeout bounds the host channel, a file on this machine: it must not cost the
// report that goes over the network.
const hostTimeout = 10 * time.Second

// Outcome is what to tell the platform.
type Outcome struct {
	// State is Ready, Failed or InProgress.
	State ReportState
	// Err is why it Failed: its reason and details go into the report.
	Err error
	// Description replaces the text of an InProgress report, "Starting" if empty.
	Description string
	// VMID and PPSType are as Collect found them; a zero VMID is read from DMI.
	VMID    azprov.VMID
	PPSType imds.PPSType
}

// ReportResult is what came of a report.
type ReportResult struct {
	// State the platform has accepted, ReportNone if none.
	State ReportState
	// AcceptedAt is when it did, zero if it did not.
	AcceptedAt time.Time
	// Repeated: the same was accepted earlier in this boot, and nothing was sent.
	Repeated bool
	// Format and Incarnation are as the wire server's client has them.
	Format      wireserver.HealthFormat
	Incarnation string
	// Warnings is what went wrong beside the report, without secrets.
	Warnings []string
}

// Report tells the platform the outcome, once per VM and boot: Ready that was
// accepted before is not sent again, and a report that contradicts an accepted one
// is refused with [ErrContradiction]. InProgress is never latched.
//
// With a HostChannel, the record of a success is written just before the report is
// posted, because the host collects it then, and is replaced by a failure if the
// wire server definitely refuses; a failure's record is written first.
//
// Reports of several goroutines and processes that share a state directory are made
// one after the other. Without a deadline in ctx the budget is the wire server
// client's: 20 minutes, and Options.FailureTimeout for a failure; waiting for another
// report counts.
//
// Errors: those of [wireserver.Client.ReportHealth]; Internal for a contradiction.
func (p *Provisioner) Report(ctx context.Context, outcome Outcome) (ReportResult, error) {
	none := ReportResult{State: ReportNone}
	health, ok := p.health(&outcome)
	if !ok {
		return none, &azprov.Error{
			Op: "provision.Report", Kind: azprov.KindInternal,
			Message: "unknown state " + azprov.OneLine(string(outcome.State)),
		}
	}
	if _, has := ctx.Deadline(); !has && outcome.State == ReportFailed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.o.FailureTimeout)
		defer cancel()
	}
	unlock, warning, err := p.latch.lock(ctx)
	if err != nil {
		return none, wait.Ended("provision.Report", "another report is being made", err)
	}
	defer unlock()
	var warnings []string
	if warning != "" {
		warnings = append(warnings, warning)
	}
	known, err := p.latch.load(outcome.VMID)
	if err != nil {
		warnings = append(warnings, err.Error()) // a report matters more than its latch
	}
	switch known.State {
	case outcome.State:
		return ReportResult{State: known.State, AcceptedAt: known.AcceptedAt, Repeated: true, Warnings: warnings}, nil
	case ReportReady, ReportFailed:
		return ReportResult{State: known.State, AcceptedAt: known.AcceptedAt, Warnings: warnings}, &azprov.Error{
			Op: "provision.Report", Kind: azprov.KindInternal, Last: ErrContradiction,
			Message: "not sent: the platform has accepted " + string(known.State) + " at " + known.AcceptedAt.UTC().Format(time.RFC3339),
			Hint:    "a machine reports one outcome per boot",
		}
	case ReportNone, ReportInProgress:
	}
	return p.send(ctx, outcome, health, warnings)
}

// send posts a report, with the host channel around a terminal one and the latch after.
func (p *Provisioner) send(ctx context.Context, outcome Outcome, health wireserver.HealthReport, warnings []string) (ReportResult, error) {
	options := &wireserver.ReportHealthOptions{Format: p.o.HealthFormat}
	switch outcome.State {
	case ReportReady: // at the last moment: the host collects it when it sees the report
		options.BeforePost = func(ctx context.Context) { warnings = p.tellHost(ctx, p.record(outcome), warnings) }
	case ReportFailed: // first: there may be no network
		warnings = p.tellHost(ctx, health.Description, warnings)
	case ReportNone, ReportInProgress:
	}
	resp, err := p.o.WireServer.ReportHealth(ctx, health, options)
	if err != nil {
		if outcome.State == ReportReady && refused(err) {
			outcome.State, outcome.Err = ReportFailed, err
			warnings = p.tellHost(ctx, p.record(outcome), warnings)
		}
		return ReportResult{State: ReportNone, Warnings: warnings}, err
	}
	result := accepted(outcome.State, resp, warnings)
	if outcome.State == ReportInProgress {
		return result, nil
	}
	if err := p.latch.store(outcome.VMID, result.State, result.AcceptedAt); err != nil {
		result.Warnings = append(result.Warnings, err.Error())
	}
	if warning := p.forgetPool(ctx); warning != "" {
		result.Warnings = append(result.Warnings, warning)
	}
	return result, nil
}

func accepted(state ReportState, resp wireserver.ReportHealthResponse, warnings []string) ReportResult {
	return ReportResult{
		State: state, AcceptedAt: time.Now().UTC(), Format: resp.Format, Incarnation: resp.Incarnation, Warnings: warnings,
	}
}

// refused reports whether the wire server definitely does not take the report, now or
// later.
func refused(err error) bool {
	var e *azprov.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case azprov.KindDenied, azprov.KindUnauthenticated, azprov.KindNotFound, azprov.KindNotAzure:
		return true
	case azprov.KindMalformed:
		return e.Status >= http.StatusBadRequest
	default:
		return false
	}
}

func (p *Provisioner) tellHost(ctx context.Context, text string, warnings []string) []string {
	if p.o.Host == nil {
		return warnings
	}
	if err := wait.Within(ctx, "provision.Report", hostTimeout, func(ctx context.Context) error { return p.o.Host.WriteReport(ctx, text) }); err != nil {
		warnings = append(warnings, "the host channel: "+err.Error())
	}
	return warnings
}

// health is the wire server's view of an outcome. It fills in the VM id.
func (p *Provisioner) health(outcome *Outcome) (wireserver.HealthReport, bool) {
	if outcome.VMID.IsZero() {
		if dmi, err := azprov.ReadDMI(p.o.Sysfs); err == nil {
			outcome.VMID, _ = dmi.VMID()
		}
	}
	switch outcome.State {
	case ReportReady:
		return wireserver.HealthReport{State: goalstate.HealthStateReady}, true
	case ReportInProgress:
		text := outcome.Description
		if text == "" {
			text = "Starting" // WALinuxAgent's text
		}
		return wireserver.HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioning, Description: azprov.OneLine(text),
		}, true
	case ReportFailed:
		return wireserver.HealthReport{
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: p.record(*outcome),
		}, true
	case ReportNone:
	}
	return wireserver.HealthReport{}, false
}

// record is the one-line report in cloud-init's dialect and order.
func (p *Provisioner) record(outcome Outcome) string {
	r := report.Report{Result: report.ResultSuccess}
	if outcome.State == ReportFailed {
		_, r = report.For(outcome.Err)
		r.PPSType = string(outcome.PPSType)
	}
	r.Agent, r.VMID, r.Timestamp = p.o.AgentName, "unknown", time.Now()
	if !outcome.VMID.IsZero() {
		r.VMID = outcome.VMID.String()
	}
	return r.Encode(report.DialectCloudInit)
}
