package wireserver

import (
	"context"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// GetGoalStateOptions holds the optional parameters of [Client.GetGoalState]: none yet.
type GetGoalStateOptions struct{}

// GetGoalStateResponse is the answer to [Client.GetGoalState].
type GetGoalStateResponse struct {
	goalstate.GoalState
}

// GetGoalState reads the goal state, GET /machine/?comp=goalstate: the ids that a
// health report must carry and the URLs of the configurations. Do not keep it: ids
// change on live migration, resume and reuse, even with the same incarnation.
//
// Without a deadline in ctx the budget is 5 minutes, 30 s for one attempt. Retried:
// 205, 206, 408, 410, 421 (3 attempts), 429 and 403 that say so, 500–504, 507, failures of the
// connection (10 attempts without a route), a damaged document (6 attempts), and one
// without RoleInstance (6 attempts, half a second apart). At most 1 MiB.
//
// Errors: NotReady (no RoleInstance yet), Timeout, Canceled, Stale
// (InvalidContainerConfiguration), NotFound, Unauthenticated, Denied, Malformed,
// NotAzure, TooLarge, Network, Internal (505 and the like).
func (c *Client) GetGoalState(ctx context.Context, _ *GetGoalStateOptions) (resp GetGoalStateResponse, err error) {
	ctx, op := c.t.Start(ctx, "GetGoalState", readBudget)
	defer func() { op.End(err) }()
	gs, err := c.goalState(ctx, op)
	return GetGoalStateResponse{GoalState: gs}, err
}

// goalState is the read that other operations begin with.
func (c *Client) goalState(ctx context.Context, op *transport.Operation) (goalstate.GoalState, error) {
	var gs goalstate.GoalState
	call := c.get(retry.GoalState(), c.t.Endpoint()+"/machine/?comp=goalstate")
	call.Check = func(r *transport.Response) error {
		parsed, err := goalstate.ParseGoalState(r.Body)
		gs = parsed
		return err
	}
	if _, err := op.Do(ctx, call); err != nil {
		return goalstate.GoalState{}, err
	}
	return gs, nil
}
