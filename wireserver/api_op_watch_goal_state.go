package wireserver

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/wait"
)

// WatchInterval is the default pause of [Client.WatchGoalState]: WALinuxAgent's.
const WatchInterval = 6 * time.Second

// WatchGoalStateOptions holds the optional parameters of [Client.WatchGoalState].
type WatchGoalStateOptions struct {
	// Interval between two reads, [WatchInterval] if zero.
	Interval time.Duration
}

// WatchGoalState yields the goal state at once, and then each time that it changes:
// an id, the configuration's name, a URL or the incarnation; the incarnation alone
// would not do, because a resumed VM may keep it. It reads every 6 seconds, each
// read being a [Client.GetGoalState] with its budget and retries.
//
// A read that fails is yielded as an error and the watch goes on; the loop's body
// ends it by break. The end of ctx is yielded last, as Canceled or Timeout.
func (c *Client) WatchGoalState(ctx context.Context, options *WatchGoalStateOptions) iter.Seq2[GetGoalStateResponse, error] {
	interval := WatchInterval
	if options != nil && options.Interval > 0 {
		interval = options.Interval
	}
	return func(yield func(GetGoalStateResponse, error) bool) {
		var seen *goalstate.GoalState
		for {
			resp, err := c.GetGoalState(ctx, nil)
			changed := err != nil || seen == nil || seen.Changed(resp.GoalState)
			if err == nil {
				seen = &resp.GoalState
			}
			if changed && !yield(resp, err) {
				return
			}
			ended := wait.For(ctx, interval)
			if ended == nil {
				continue
			}
			if err == nil || !errors.Is(err, ended) { // unless it was yielded just now
				yield(GetGoalStateResponse{}, wait.Ended("wireserver.Client.WatchGoalState", "", ended))
			}
			return
		}
	}
}
