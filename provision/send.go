package provision

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/report/kvp"
	"github.com/azprov/azprov/wireserver"
)

// networkTrial is how long the wire server is tried before the network is brought up for a
// report: it answers within milliseconds where there is one.
const networkTrial = 5 * time.Second

// sending is one report on its way.
type sending struct {
	r        *Reporter
	outcome  Outcome
	health   wireserver.HealthReport
	known    latched // what was told before, and then what is told now
	warnings []string
}

func (s *sending) warn(texts ...string) { s.warnings = append(s.warnings, texts...) }

// told is the result by what the latch knows.
func (s *sending) told() ReportResult {
	result := ReportResult{State: ReportNone, Warnings: s.warnings}
	if !s.known.latest().IsZero() {
		result.State, result.AcceptedAt, result.HostAt = s.known.State, s.known.AcceptedAt, s.known.HostAt
	}
	return result
}

// keep writes the latch.
func (s *sending) keep() {
	s.known.VMID = s.outcome.VMID
	if err := s.r.latch.store(s.known); err != nil {
		s.warn(err.Error())
	}
}

// send tells the platform by each channel, in the order that Report promises, and keeps
// what was told.
func (s *sending) send(ctx context.Context) (ReportResult, error) {
	// Of a failure, what was told of it before is kept.
	if s.known.State != s.outcome.State || s.outcome.State == ReportInProgress || s.outcome.Force {
		s.known = latched{State: s.outcome.State, Text: progressText(s)}
	}
	switch s.outcome.State {
	case ReportFailed:
		s.keep() // before anybody hears it, so that nobody hears the contrary
		if err := s.failHost(ctx); err != nil {
			return s.told(), err
		}
	case ReportInProgress:
		s.r.event(kvp.Event{Type: kvp.EventDiagnostic, Name: "azprov/in-progress", Message: s.health.Description})
	case ReportReady, ReportNone:
	}
	var resp wireserver.ReportHealthResponse
	var err error
	if s.r.usesWireServer() {
		resp, err = s.overNetwork(ctx)
	} else {
		err = s.hostAlone(ctx)
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	s.keep()
	result := s.told()
	result.Format, result.Incarnation = resp.Format, resp.Incarnation
	return result, nil
}

// progressText is what a repeated InProgress report is recognized by.
func progressText(s *sending) string {
	if s.outcome.State == ReportInProgress {
		return s.health.Description
	}
	return ""
}

// failHost writes the record of a failure; the host keeps the first. The error is one that
// ends the report.
func (s *sending) failHost(ctx context.Context) error {
	if !s.r.usesHost() || !s.known.HostAt.IsZero() {
		return nil
	}
	err := s.r.tellHost(ctx, s.health.Description)
	if err == nil {
		s.known.HostAt = time.Now().UTC()
		s.keep()
		return nil
	}
	if !s.r.usesWireServer() {
		return err
	}
	s.warn(s.r.hostWarning(err)...)
	return nil
}

// hostAlone is the rest of a report where the wire server is left out.
func (s *sending) hostAlone(ctx context.Context) error {
	switch s.outcome.State {
	case ReportReady:
		if err := s.r.tellHost(ctx, s.r.record(s.outcome)); err != nil {
			return err
		}
	case ReportInProgress:
		events, ok := s.r.o.Host.(EventChannel)
		if !ok {
			return &azprov.Error{Op: "provision.Report", Kind: azprov.KindInternal, Message: "the host channel takes outcomes only"}
		}
		if err := wait.Within(ctx, "provision.Report", hostTimeout, events.FlushEvents); err != nil {
			return err
		}
	case ReportFailed, ReportNone: // the host has it
		return nil
	}
	s.known.HostAt = time.Now().UTC()
	return nil
}

// overNetwork posts the report; that of a success is on the host by then.
func (s *sending) overNetwork(ctx context.Context) (wireserver.ReportHealthResponse, error) {
	options := &wireserver.ReportHealthOptions{Format: s.r.o.HealthFormat}
	if s.outcome.State == ReportReady && s.r.usesHost() {
		options.BeforePost = func(ctx context.Context) {
			if err := s.r.tellHost(ctx, s.r.record(s.outcome)); err != nil {
				s.warn(s.r.hostWarning(err)...)
				return
			}
			s.known.HostAt = time.Now().UTC()
		}
	}
	resp, err := s.post(ctx, options)
	if err == nil {
		s.known.AcceptedAt = time.Now().UTC()
	}
	return resp, err
}

// post also brings the network up, if it has to and may.
func (s *sending) post(ctx context.Context, options *wireserver.ReportHealthOptions) (resp wireserver.ReportHealthResponse, err error) {
	post := func(ctx context.Context) error {
		resp, err = s.r.o.WireServer.ReportHealth(ctx, s.health, options)
		return err
	}
	if s.r.o.Network == nil || s.outcome.networkUp || s.outcome.State == ReportInProgress {
		return resp, post(ctx)
	}
	trial, cancel := context.WithTimeout(ctx, networkTrial)
	_ = post(trial)
	cancel()
	late := errors.Is(err, azprov.ErrTimeout)
	switch {
	case err == nil, ctx.Err() != nil, !late && !errors.Is(err, azprov.ErrNetwork):
		return resp, err
	case answered(err): // it is there, and needs more time
		return resp, post(ctx)
	}
	defer s.r.networkDown(ctx)
	if upErr := s.r.networkUp(ctx); upErr != nil {
		return resp, &azprov.Error{
			Op: "provision.Report", Kind: endedOr(upErr), Last: upErr,
			Message: "the wire server is out of reach, and the network for the report did not come up",
		}
	}
	return resp, post(ctx)
}

// endedOr is the kind of an error that a Network returns: it may be a context's as it is.
func endedOr(err error) azprov.Kind {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return azprov.KindTimeout
	case errors.Is(err, context.Canceled):
		return azprov.KindCanceled
	}
	return azprov.KindOf(err)
}

// answered reports whether somebody has answered a request.
func answered(err error) bool {
	var e *azprov.Error
	return errors.As(err, &e) && e.Status != 0
}

// networkUp leaves a quarter of the time to the report.
func (r *Reporter) networkUp(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/4*3)
		defer cancel()
	}
	return r.o.Network.Up(ctx)
}

func (r *Reporter) networkDown(ctx context.Context) {
	err := wait.Within(context.WithoutCancel(ctx), "provision.Report", networkDownTimeout, r.o.Network.Down)
	if err != nil {
		r.o.Logger.Warn("network", zap.Error(err))
	}
}

// failed is the end of a report that the wire server did not take. A success that it
// definitely refuses is a failure, for the host too.
func (s *sending) failed(ctx context.Context, err error) (ReportResult, error) {
	if s.outcome.State != ReportReady || !s.r.usesWireServer() || !refused(err) {
		if s.outcome.State != ReportFailed {
			s.known = latched{} // nobody was told for certain
		}
		return s.told(), err
	}
	s.known = latched{}
	if s.r.usesHost() {
		s.outcome.State, s.outcome.Err = ReportFailed, err
		s.known.State = ReportFailed
		s.keep()
		if hostErr := s.r.tellHost(ctx, s.r.record(s.outcome)); hostErr != nil {
			s.warn(s.r.hostWarning(hostErr)...)
		} else {
			s.known.HostAt = time.Now().UTC()
			s.keep()
		}
	}
	return s.told(), err
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
