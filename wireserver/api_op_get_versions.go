package wireserver

import (
	"context"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// GetVersionsOptions holds the optional parameters of [Client.GetVersions]: none yet.
type GetVersionsOptions struct{}

// GetVersionsResponse is the answer to [Client.GetVersions].
type GetVersionsResponse struct {
	goalstate.Versions
}

// GetVersions reads the protocol versions, GET /?comp=versions. Nothing else in this
// package depends on them; WALinuxAgent and Afterburn ask to see whether what
// answers is a wire server.
//
// Without a deadline in ctx the budget is 30 s. Retried: 408, 421 (3 attempts), 429 and
// 403 that say so, 500–504, 507, failures of the connection, and a damaged document
// (6 attempts). The document has at most 1 MiB.
//
// Errors: Timeout, Canceled, NotFound, Unauthenticated, Denied, Malformed, NotAzure,
// TooLarge, Network (no route).
func (c *Client) GetVersions(ctx context.Context, _ *GetVersionsOptions) (resp GetVersionsResponse, err error) {
	ctx, op := c.t.Start(ctx, "GetVersions", plainBudget)
	defer func() { op.End(err) }()
	call := c.get(retry.WireServer(), c.t.Endpoint()+"/?comp=versions")
	call.Check = func(r *transport.Response) error {
		versions, err := goalstate.ParseVersions(r.Body)
		resp.Versions = versions
		return err
	}
	if _, err = op.Do(ctx, call); err != nil {
		return GetVersionsResponse{}, err
	}
	return resp, nil
}
