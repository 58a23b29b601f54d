package provision

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov/internal/wait"
)

const (
	// networkDownTimeout bounds the undoing of Network.Up: nothing waits for it but the
	// end of the run.
	networkDownTimeout = 30 * time.Second
	// networkGrace is what an Up that listens to its context needs to end with it.
	networkGrace = 2 * time.Second
)

// networkUp is the network that the agent brings, on its way up. A nil one is there
// already.
type networkUp struct {
	done   chan struct{}
	failed chan struct{} // closed before done, if at all
	err    error         // when done is closed
}

// startNetwork begins to bring the network up. The medium is read meanwhile, and keys
// are made.
func (p *Provisioner) startNetwork(ctx context.Context, t *timeline) *networkUp {
	if p.o.Network == nil {
		return nil
	}
	n := &networkUp{done: make(chan struct{}), failed: make(chan struct{})}
	go func() {
		defer close(n.done)
		n.err = t.step(ctx, StepNetwork, func(ctx context.Context) (string, error) { return "", p.o.Network.Up(ctx) })
		if n.err != nil {
			close(n.failed)
		}
	}()
	return n
}

// failure is closed when the network is not to be had.
func (n *networkUp) failure() <-chan struct{} {
	if n == nil {
		return nil
	}
	return n.failed
}

// hasFailed reports whether the network is not to be had.
func (n *networkUp) hasFailed() bool {
	select {
	case <-n.failure():
		return true
	default:
		return false
	}
}

// isUp reports whether the agent has brought it up.
func (n *networkUp) isUp() bool {
	if n == nil {
		return false
	}
	select {
	case <-n.done:
		return n.err == nil
	default:
		return false
	}
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

// settle returns when the network is up or not to be had, or soon after the end of ctx:
// what has failed is reported over it, its step belongs into the timeline, and whoever
// takes the network down must not be overtaken.
func (n *networkUp) settle(ctx context.Context) {
	if n == nil {
		return
	}
	select {
	case <-n.done:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(networkGrace)
	defer grace.Stop()
	select {
	case <-n.done:
	case <-grace.C:
	}
}

// networkDown undoes startNetwork, whatever came of it: an Up that does not end is waited
// for half of the time.
func (p *Provisioner) networkDown(ctx context.Context, n *networkUp) {
	if n == nil {
		return
	}
	err := wait.Within(context.WithoutCancel(ctx), "provision.Run", networkDownTimeout, func(ctx context.Context) error {
		half := time.NewTimer(networkDownTimeout / 2)
		defer half.Stop()
		select {
		case <-n.done:
		case <-half.C:
		}
		return p.o.Network.Down(ctx)
	})
	if err != nil {
		p.o.Logger.Warn("network", zap.Error(err))
	}
}
