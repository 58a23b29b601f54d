package wireserver

import (
	"context"

	"github.com/azprov/azprov/goalstate"
)

// GetSharedConfigOptions holds the optional parameters of [Client.GetSharedConfig].
type GetSharedConfigOptions struct {
	// GoalState saves a request if a fresh one is at hand. If its URL is refused as
	// stale, a new goal state is read all the same.
	GoalState *goalstate.GoalState
}

// GetSharedConfigResponse is the answer to [Client.GetSharedConfig].
type GetSharedConfigResponse struct {
	goalstate.SharedConfig
}

// GetSharedConfig reads the shared configuration, whose Instances hold the VM's
// fabric-side address: GET of the URL in the goal state, byte for byte.
//
// Without a deadline in ctx the budget is 5 minutes for everything. Retried: what
// [Client.GetGoalState] retries; after 410, 404, or 400 InvalidContainerConfiguration
// the goal state is read again: 3 attempts in all. The document has at most 1 MiB.
//
// Errors: NotFound (the goal state has no such URL), Stale, and those of
// GetGoalState.
func (c *Client) GetSharedConfig(ctx context.Context, options *GetSharedConfigOptions) (resp GetSharedConfigResponse, err error) {
	if options == nil {
		options = &GetSharedConfigOptions{}
	}
	ctx, op := c.t.Start(ctx, "GetSharedConfig", readBudget)
	defer func() { op.End(err) }()
	err = c.read(ctx, op, options.GoalState, config{
		name: "SharedConfig",
		url:  func(gs goalstate.GoalState) string { return gs.SharedConfigURL },
		parse: func(b []byte) error {
			parsed, err := goalstate.ParseSharedConfig(b)
			resp.SharedConfig = parsed
			return err
		},
	})
	if err != nil {
		return GetSharedConfigResponse{}, err
	}
	return resp, nil
}
