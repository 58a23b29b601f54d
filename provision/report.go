package provision

import (
	"context"
	"errors"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

// ErrContradiction is in the tree of the error that refuses a report because the platform
// was told otherwise before it.
var ErrContradiction = errors.New("provision: the platform was told otherwise before")

// progressPause is how often the same InProgress report is sent: one that is repeated in a
// loop says nothing new.
const progressPause = time.Minute

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
	// Force sends the report whatever was told before. It is for people who know better
	// than the latch.
	Force bool

	// networkUp: the network was brought up for the run.
	networkUp bool
}

// ReportResult is what came of a report.
type ReportResult struct {
	// State that the platform was told, by one channel at least; ReportNone if by none.
	State ReportState
	// AcceptedAt is when the wire server accepted it, zero if it did not.
	AcceptedAt time.Time
	// HostAt is when the host channel took its record, zero if it did not.
	HostAt time.Time
	// Repeated: the same was told earlier in this boot, and nothing was sent.
	Repeated bool
	// Format and Incarnation are as the wire server's client has them.
	Format      wireserver.HealthFormat
	Incarnation string
	// Warnings is what went wrong beside the report, without secrets.
	Warnings []string
}

// Report tells the platform the outcome, once per VM and boot: what the wire server has
// accepted is not sent again, and a report that contradicts an earlier one is refused with
// [ErrContradiction]. A failure is final as soon as it was begun to report it: an answer
// that never came may have been an acceptance. InProgress is never final; the same
// text is sent once a minute at most.
//
// The record of a failure is written to the host channel first, because there may be no
// network. That of a success is written just before the report is posted, because the host
// collects it then, and is replaced by a failure if the wire server definitely refuses;
// that failure is final too. Events are flushed before either. An InProgress report is a
// diagnostic event there.
//
// If ReporterOptions.Network is set and the wire server does not answer within 5 s, the
// network is brought up for the report of an outcome, and taken down again.
//
// Reports of several goroutines and processes that share a state directory are made
// one after the other. Without a deadline in ctx the budget is the wire server
// client's: 20 minutes, and ReporterOptions.FailureTimeout for a failure; waiting for
// another report counts. The host channel has 10 s of it at most.
//
// Errors: those of [wireserver.Client.ReportHealth], even if the host channel has the
// report, see [ReportResult]; with [ChannelKVP] those of the host channel; Internal for a
// contradiction.
func (r *Reporter) Report(ctx context.Context, outcome Outcome) (ReportResult, error) {
	none := ReportResult{State: ReportNone}
	if outcome.VMID.IsZero() {
		outcome.VMID = r.id()
	}
	health, ok := r.health(outcome)
	if !ok {
		return none, &azprov.Error{
			Op: "provision.Report", Kind: azprov.KindInternal,
			Message: "unknown state " + azprov.OneLine(string(outcome.State)),
		}
	}
	if _, has := ctx.Deadline(); !has && outcome.State == ReportFailed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.o.FailureTimeout)
		defer cancel()
	}
	unlock, warning, err := r.latch.lock(ctx)
	if err != nil {
		return none, wait.Ended("provision.Report", "another report is being made", err)
	}
	defer unlock()
	s := &sending{r: r, outcome: outcome, health: health}
	if warning != "" {
		s.warn(warning)
	}
	if s.known, err = r.latch.load(outcome.VMID); err != nil {
		s.warn(err.Error()) // a report matters more than its latch
	}
	switch r.verdict(s.known, outcome, health.Description) {
	case verdictRepeated:
		result := s.told()
		result.Repeated = true
		return result, nil
	case verdictContradicts:
		return s.told(), contradiction(s.known)
	case verdictSend:
	}
	return s.send(ctx)
}

// ReportFailure is Report for callers that know an error only, like package crash: it tells
// the platform that provisioning has Failed. That the platform was told of an outcome before is
// no error: then there is nothing to report.
func (r *Reporter) ReportFailure(ctx context.Context, err error) error {
	_, err = r.Report(ctx, Outcome{State: ReportFailed, Err: err})
	if errors.Is(err, ErrContradiction) {
		return nil
	}
	return err
}

// verdict is what the latch makes of a report.
type verdict int

const (
	verdictSend verdict = iota
	verdictRepeated
	verdictContradicts
)

func (r *Reporter) verdict(known latched, outcome Outcome, text string) verdict {
	switch {
	case outcome.Force, known.State == ReportNone:
		return verdictSend
	case known.State == ReportInProgress:
		if outcome.State == ReportInProgress && known.Text == text && time.Since(known.latest()) < progressPause {
			return verdictRepeated
		}
		return verdictSend
	case known.State != outcome.State:
		return verdictContradicts
	case !known.AcceptedAt.IsZero(), !r.usesWireServer() && !known.HostAt.IsZero():
		return verdictRepeated
	}
	return verdictSend // nobody may have heard it
}

func contradiction(known latched) error {
	state := string(known.State)
	message := "it was begun to report " + state + ", which the platform may have heard"
	switch {
	case !known.AcceptedAt.IsZero():
		message = "the platform has accepted " + state + " at " + known.AcceptedAt.UTC().Format(time.RFC3339)
	case !known.HostAt.IsZero():
		message = "the host was told " + state + " at " + known.HostAt.UTC().Format(time.RFC3339)
	}
	return &azprov.Error{
		Op: "provision.Report", Kind: azprov.KindInternal, Last: ErrContradiction,
		Message: "not sent: " + message, Hint: "a machine reports one outcome per boot",
	}
}

// health is the wire server's view of an outcome.
func (r *Reporter) health(outcome Outcome) (wireserver.HealthReport, bool) {
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
			State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed, Description: r.record(outcome),
		}, true
	case ReportNone:
	}
	return wireserver.HealthReport{}, false
}

// record is the one-line report.
func (r *Reporter) record(outcome Outcome) string {
	record := report.Report{Result: report.ResultSuccess}
	if outcome.State == ReportFailed {
		_, record = report.For(outcome.Err)
		record.PPSType = string(outcome.PPSType)
	}
	record.Agent, record.VMID, record.Timestamp = r.o.AgentName, "unknown", time.Now()
	if !outcome.VMID.IsZero() {
		record.VMID = outcome.VMID.String()
	}
	return record.Encode(r.o.Dialect)
}
