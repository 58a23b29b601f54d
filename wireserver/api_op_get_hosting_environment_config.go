package wireserver

import (
	"context"

	"github.com/azprov/azprov/goalstate"
)

// GetHostingEnvironmentConfigOptions holds the optional parameters of [Client.GetHostingEnvironmentConfig].
type GetHostingEnvironmentConfigOptions struct {
	// GoalState saves a request if a fresh one is at hand. If its URL is refused as
	// stale, a new goal state is read all the same.
	GoalState *goalstate.GoalState
}

// GetHostingEnvironmentConfigResponse is the answer to [Client.GetHostingEnvironmentConfig].
type GetHostingEnvironmentConfigResponse struct {
	goalstate.HostingEnvironmentConfig
}

// GetHostingEnvironmentConfig reads the hosting environment configuration, whose
// StoredCertificates name the VM's certificates: GET of the URL in the goal state,
// byte for byte.
//
// Without a deadline in ctx the budget is 5 minutes for everything. Retried: what
// [Client.GetGoalState] retries; after 410, 404, or 400 InvalidContainerConfiguration
// the goal state is read again: 3 attempts in all. The document has at most 1 MiB.
//
// Errors: NotFound (the goal state has no such URL), Stale, and those of
// GetGoalState.
func (c *Client) GetHostingEnvironmentConfig(ctx context.Context, options *GetHostingEnvironmentConfigOptions) (resp GetHostingEnvironmentConfigResponse, err error) {
	if options == nil {
		options = &GetHostingEnvironmentConfigOptions{}
	}
	ctx, op := c.t.Start(ctx, "GetHostingEnvironmentConfig", readBudget)
	defer func() { op.End(err) }()
	err = c.read(ctx, op, options.GoalState, config{
		name: "HostingEnvironmentConfig",
		url:  func(gs goalstate.GoalState) string { return gs.HostingEnvironmentConfigURL },
		parse: func(b []byte) error {
			parsed, err := goalstate.ParseHostingEnvironmentConfig(b)
			resp.HostingEnvironmentConfig = parsed
			return err
		},
	})
	if err != nil {
		return GetHostingEnvironmentConfigResponse{}, err
	}
	return resp, nil
}
