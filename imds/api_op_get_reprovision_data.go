package imds

import (
	"bytes"
	"context"
	"net/url"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// reprovisionVersion is what every agent that can be pre-provisioned asks for.
const reprovisionVersion = "2019-06-01"

// GetReprovisionDataOptions holds the optional parameters of
// [Client.GetReprovisionData].
type GetReprovisionDataOptions struct {
	// SingleAttempt makes one request and returns what came of it, for a caller who paces
	// every request itself: nothing is retried, and the error's RetryAfter is what the
	// service asks for. Only a waiter for the guest proxy agent still gets its second one.
	SingleAttempt bool
}

// GetReprovisionDataResponse is the answer to [Client.GetReprovisionData].
type GetReprovisionDataResponse struct {
	// Document is the owner's ovf-env.xml, as it came.
	Document azprov.Secret
}

// GetReprovisionData asks once whether a pre-provisioned VM has been given to an
// owner, GET /metadata/reprovisiondata?api-version=2019-06-01. "Not yet" (404, 410,
// an empty 200) is an error of [azprov.KindNotReady] at once: polling, with its
// pauses, is the caller's.
//
// Without a deadline in ctx the budget is 30 s. Retried within it: 408, 421
// (3 attempts), 429, 500, 502, 503, 504 and failures of the connection. The document
// has at most 1 MiB.
//
// Errors: NotReady; with SingleAttempt also Throttled and Network; Timeout, Canceled; UnsupportedVersion, Unauthenticated, Denied,
// Malformed, NotAzure, TooLarge, Internal (501 and the like).
func (c *Client) GetReprovisionData(ctx context.Context, options *GetReprovisionDataOptions) (resp GetReprovisionDataResponse, err error) {
	ctx, op := c.t.Start(ctx, "GetReprovisionData", plainBudget)
	defer func() { op.End(err) }()
	call := c.get(retry.IMDSReprovision(), "/metadata/reprovisiondata", url.Values{"api-version": {c.version(reprovisionVersion)}})
	if options != nil && options.SingleAttempt {
		call.Limits.Attempts = 1
	}
	call.Check = func(r *transport.Response) error {
		if len(bytes.TrimSpace(r.Body)) == 0 {
			// cloud-init took it for data and asked 5,000 times a second.
			return &azprov.Error{Op: op.Name(), Kind: azprov.KindNotReady, Message: "the document is empty"}
		}
		return nil
	}
	r, err := op.Do(ctx, call)
	if err != nil {
		return resp, withReason(pinned(c.version(reprovisionVersion), err))
	}
	return GetReprovisionDataResponse{Document: azprov.NewSecret(r.Body)}, nil
}
