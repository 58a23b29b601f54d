package wireserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

const (
	// reportBudget is cloud-init's: the platform itself waits some 40 minutes.
	reportBudget = 20 * time.Minute
	// failureBudget is short: a machine that failed should say so and stop.
	failureBudget = 2 * time.Minute
)

// HealthFormat is one of the two ways to report.
type HealthFormat string

// The formats.
const (
	// HealthFormatXML posts to /machine?comp=health with the ids of a goal state
	// read just before. All agents but azure-init use it.
	HealthFormatXML HealthFormat = "xml"
	// HealthFormatJSON posts to /provisioning/health and needs no goal state.
	HealthFormatJSON HealthFormat = "json"
)

// PossibleHealthFormatValues returns all formats.
func PossibleHealthFormatValues() []HealthFormat {
	return []HealthFormat{HealthFormatXML, HealthFormatJSON}
}

// HealthReport is what a VM says of itself.
type HealthReport struct {
	State goalstate.HealthState
	// SubStatus must be empty with Ready.
	SubStatus goalstate.HealthSubStatus
	// Description is shortened where the encoded report would exceed 4,095 bytes;
	// the parts of a failure report that the platform needs survive.
	Description string
}

// ReportHealthOptions holds the optional parameters of [Client.ReportHealth].
type ReportHealthOptions struct {
	// Format to try first, [HealthFormatXML] if empty.
	Format HealthFormat
	// BeforePost, if set, is called once, just before the first report is posted, when
	// the goal state has been read: the host collects what Hyper-V KVP holds when it
	// sees the report.
	BeforePost func(context.Context)
}

// ReportHealthResponse is the answer to [Client.ReportHealth].
type ReportHealthResponse struct {
	// Format that was accepted.
	Format HealthFormat
	// Incarnation of the goal state that was reported for; empty with JSON.
	Incarnation string
}

// ReportHealth tells the platform that the VM is Ready, is being provisioned, or has
// failed. It reads the goal state, puts its ids into the report, and posts it: POST
// /machine?comp=health. A report refused as stale (410, InvalidContainerConfiguration)
// is built anew from a new goal state, after 1, 2, 4, 8, 8, … seconds. If the service definitely
// does not take one format (400, 404, 405, 501) the other is tried.
//
// Without a deadline in ctx the budget is 20 minutes for everything, 2 minutes for
// ProvisioningFailed; 30 s for one attempt. Retried: 408, 421 (3 attempts), 429 and 403
// that say so, 500, 502, 503, 504, 507, and failures of the connection (10 attempts
// without a route). A 2xx counts, whatever becomes of its body.
//
// Sending Ready twice is harmless; sending anything after it, or Ready after a
// failure, is not: package provision keeps count.
//
// Errors: Timeout, Canceled; NotReady (no RoleInstance); NotFound, Unauthenticated,
// Denied, Malformed, NotAzure, TooLarge, Network; Internal for a report that contradicts
// itself, and for a status like 505.
func (c *Client) ReportHealth(ctx context.Context, report HealthReport, options *ReportHealthOptions) (resp ReportHealthResponse, err error) {
	if options == nil {
		options = &ReportHealthOptions{}
	}
	format := options.Format
	if format == "" {
		format = HealthFormatXML
	}
	budget := reportBudget
	if report.SubStatus == goalstate.HealthSubStatusProvisioningFailed {
		budget = failureBudget
	}
	ctx, op := c.t.Start(ctx, "ReportHealth", budget)
	defer func() { op.End(err) }()
	var once sync.Once
	before := func(ctx context.Context) {
		if options.BeforePost != nil {
			once.Do(func() { options.BeforePost(ctx) })
		}
	}
	post, other := c.postXML, c.postJSON
	switch format {
	case HealthFormatXML:
	case HealthFormatJSON:
		post, other = other, post
	default:
		return resp, op.Fail(azprov.Error{Kind: azprov.KindInternal, Message: "unknown format " + azprov.OneLine(string(format))})
	}
	resp, err = post(ctx, op, report, before)
	if !refusesFormat(err) {
		return resp, err
	}
	resp, otherErr := other(ctx, op, report, before)
	if otherErr == nil {
		return resp, nil
	}
	if refusesFormat(otherErr) {
		return ReportHealthResponse{}, err // the first choice's story is the better one
	}
	return ReportHealthResponse{}, otherErr
}

// refusesFormat reports whether the service definitely does not take the request.
func refusesFormat(err error) bool {
	var e *azprov.Error
	return errors.As(err, &e) && e.Kind != azprov.KindStale && e.Kind != azprov.KindTimeout && e.Kind != azprov.KindCanceled &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, e.Status)
}

func (c *Client) postXML(ctx context.Context, op *transport.Operation, report HealthReport, before func(context.Context)) (ReportHealthResponse, error) {
	for pause := refetchPause; ; pause = min(2*pause, maxRefetchPause) {
		gs, err := c.goalState(ctx, op)
		if err != nil {
			return ReportHealthResponse{}, err
		}
		body, err := health(gs, report).EncodeXML()
		if err != nil {
			return ReportHealthResponse{}, op.Fail(azprov.Error{Kind: azprov.KindOf(err), Message: "the report cannot be sent", Last: err})
		}
		before(ctx)
		_, err = op.Do(ctx, transport.Call{
			Profile: retry.Health(), Method: http.MethodPost, URL: c.t.Endpoint() + "/machine?comp=health",
			Header: c.header(), Body: body, ContentType: goalstate.ContentTypeXML, StatusOnly: true,
		})
		switch {
		case err == nil:
			return ReportHealthResponse{Format: HealthFormatXML, Incarnation: gs.Incarnation}, nil
		case !errors.Is(err, azprov.ErrStale):
			return ReportHealthResponse{}, err
		}
		if err := op.Pause(ctx, pause, err); err != nil {
			return ReportHealthResponse{}, err
		}
	}
}

func (c *Client) postJSON(ctx context.Context, op *transport.Operation, report HealthReport, before func(context.Context)) (ReportHealthResponse, error) {
	body, err := health(goalstate.GoalState{}, report).EncodeJSON()
	if err != nil {
		return ReportHealthResponse{}, op.Fail(azprov.Error{Kind: azprov.KindOf(err), Message: "the report cannot be sent", Last: err})
	}
	h := http.Header{}
	h.Set(goalstate.HeaderGuestAgentName, c.agentName)
	before(ctx)
	_, err = op.Do(ctx, transport.Call{
		Profile: retry.Health(), Method: http.MethodPost, URL: c.t.Endpoint() + "/provisioning/health",
		Header: h, Body: body, ContentType: goalstate.ContentTypeJSON, StatusOnly: true,
	})
	if err != nil {
		return ReportHealthResponse{}, err
	}
	return ReportHealthResponse{Format: HealthFormatJSON}, nil
}

func health(gs goalstate.GoalState, report HealthReport) goalstate.Health {
	return goalstate.Health{
		Incarnation: gs.Incarnation, ContainerID: gs.ContainerID, InstanceID: gs.InstanceID,
		State: report.State, SubStatus: report.SubStatus, Description: report.Description,
	}
}
