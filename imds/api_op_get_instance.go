package imds

import (
	"context"
	"net/url"
	"time"

	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// GetInstanceOptions holds the optional parameters of [Client.GetInstance].
type GetInstanceOptions struct {
	// SilentAttempts and SilentTime end the operation early if nothing ever
	// answered: after so many attempts or so long, whichever is first. Zero is no
	// limit. Azure Stack has fabrics without IMDS, where waiting out the whole
	// budget would cost the boot five minutes.
	SilentAttempts int
	SilentTime     time.Duration
	// SilentWhile says whether the two hold at the moment; nil is "always". It is
	// called from the goroutine that calls GetInstance.
	SilentWhile func() bool
}

// GetInstanceResponse is the answer to [Client.GetInstance].
type GetInstanceResponse struct {
	Instance
	// APIVersion is the version that was agreed upon.
	APIVersion string
	// IsExtended reports whether the request was marked as a provisioning agent's
	// (extended=true), for which the service gives everything or fails.
	IsExtended bool
}

// GetInstance reads the whole instance document, GET
// /metadata/instance?api-version=2023-11-15&extended=true, the read that
// provisioning depends on.
//
// On 400 it negotiates: the highest version of the answer's newest-versions that
// the SDK knows, else 2021-08-01, else 2019-06-01 (without extended). A pinned
// ClientOptions.APIVersion is asked for alone.
//
// Without a deadline in ctx the budget is 5 minutes, 30 s for one attempt. Retried:
// 404, 408, 410, 421 (3 attempts), 429, 500, 502, 503, 504, failures of the
// connection, and a 200 whose document is damaged or says nothing of compute. The
// document has at most 1 MiB.
//
// Errors, all *azprov.Error: Timeout or Canceled; UnsupportedVersion; Unauthenticated
// (401), Denied (403), Malformed (400), NotAzure (a redirect), TooLarge, Internal (501
// and the like); Network, if a silent limit ended it. [azprov.ErrNoAnswer] is in the
// tree if nothing ever answered. Reason is one that Azure's support pages know.
func (c *Client) GetInstance(ctx context.Context, options *GetInstanceOptions) (resp GetInstanceResponse, err error) {
	if options == nil {
		options = &GetInstanceOptions{}
	}
	ctx, op := c.t.Start(ctx, "GetInstance", provisioningBudget)
	defer func() { op.End(err) }()
	limits := retry.Limits{SilentAttempts: options.SilentAttempts, SilentTime: options.SilentTime, While: options.SilentWhile}
	if c.apiVersion != "" {
		resp, err = c.instance(ctx, op, c.apiVersion, limits)
		return resp, withReason(pinned(c.apiVersion, err))
	}
	var n negotiation
	for version := n.next(); version != ""; version = n.next() {
		resp, err = c.instance(ctx, op, version, limits)
		if err == nil {
			return resp, nil
		}
		if !n.refused(err) {
			return resp, withReason(err)
		}
	}
	return resp, withReason(n.unsupported(err))
}

func (c *Client) instance(ctx context.Context, op *transport.Operation, version string, limits retry.Limits) (GetInstanceResponse, error) {
	query := url.Values{"api-version": {version}}
	extended := version >= extendedSince
	if extended {
		query.Set("extended", "true")
	}
	call := c.get(retry.IMDSProvisioning(), "/metadata/instance", query)
	call.Limits = limits
	var instance Instance
	call.Check = func(r *transport.Response) error {
		parsed, err := ParseInstance(r.Body)
		if err != nil {
			return err
		}
		instance = parsed
		return parsed.Complete()
	}
	if _, err := op.Do(ctx, call); err != nil {
		return GetInstanceResponse{}, err
	}
	return GetInstanceResponse{Instance: instance, APIVersion: version, IsExtended: extended}, nil
}
