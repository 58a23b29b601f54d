package provision

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov/internal/wait"
)

// networkDownTimeout bounds the undoing of Network.Up: nothing waits for it but the
// end of the run.
const networkDownTimeout = 30 * time.Second

// networkUp is the network that the agent brings, on its way up. A nil one is there
// already.
type networkUp struct {
	done chan struct{}
	err  error // when done is closed
}

// startNetwork begins to bring the network up. The medium is read meanwhile, and keys
// are made.
func (p *Provisioner) startNetwork(ctx context.Context, t *timeline) *networkUp {
	if p.o.Network == nil {
		return nil
	}
	n := &networkUp{done: make(chan struct{})}
	go func() {
		defer close(n.done)
		n.err = t.step(ctx, StepNetwork, func(ctx context.Context) (string, error) { return "", p.o.Network.Up(ctx) })
	}()
	return n
}

// wait returns when the network is up, or not to be had.
func (n *networkUp) wait(ctx context.Context) error {
	if n == nil {
		return nil
	}
	select {
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return wait.Ended("provision.Collect", "while the network was brought up", ctx.Err())
	}
}

// networkDown undoes startNetwork, whatever came of it.
func (p *Provisioner) networkDown(ctx context.Context, n *networkUp) {
	if n == nil {
		return
	}
	err := wait.Within(context.WithoutCancel(ctx), "provision.Run", networkDownTimeout, func(ctx context.Context) error {
		select {
		case <-n.done: // an Up that is still under way would come after the Down
		case <-ctx.Done():
			return ctx.Err()
		}
		return p.o.Network.Down(ctx)
	})
	if err != nil {
		p.o.Logger.Warn("network", zap.Error(err))
	}
}
