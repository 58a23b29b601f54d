package imds

import (
	"context"

	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// GetVersionsOptions holds the optional parameters of [Client.GetVersions]: none yet.
type GetVersionsOptions struct{}

// GetVersionsResponse is the answer to [Client.GetVersions].
type GetVersionsResponse struct {
	// APIVersions is in the service's order, oldest first. It need not be complete:
	// hosts answer versions that they do not list.
	APIVersions []string
}

// GetVersions reads the api-versions that the service lists, GET /metadata/versions.
//
// Without a deadline in ctx the budget is 30 s. Retried: 408, 410, 421 (3 attempts),
// 429, 500, 502, 503, 504 and failures of the connection.
//
// Errors: NotFound, Timeout, Canceled, Unauthenticated, Denied, Malformed, NotAzure,
// TooLarge, Internal (501 and the like).
func (c *Client) GetVersions(ctx context.Context, _ *GetVersionsOptions) (resp GetVersionsResponse, err error) {
	ctx, op := c.t.Start(ctx, "GetVersions", plainBudget)
	defer func() { op.End(err) }()
	call := c.get(retry.IMDSPlain(), "/metadata/versions", nil)
	call.Check = func(r *transport.Response) error {
		versions, err := ParseVersions(r.Body)
		resp.APIVersions = versions
		return err
	}
	if _, err = op.Do(ctx, call); err != nil {
		return GetVersionsResponse{}, withReason(err)
	}
	return resp, nil
}
