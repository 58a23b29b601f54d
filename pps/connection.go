package pps

import (
	"context"
	"sync"
	"time"
)

const (
	// connectTimeout bounds one try to get an address anew, as in cloud-init's poll.
	connectTimeout = 5 * time.Minute
	// probeTimeout bounds it on an attached interface (cloud-init: 20 minutes).
	probeTimeout = 20 * time.Minute
	// downTimeout bounds the removal of an address, which the new one waits for.
	downTimeout = 30 * time.Second
)

// attempt is one change of the network, on a goroutine of its own.
type attempt struct {
	cancel  context.CancelFunc
	started time.Time
	link    Link          // that is probed
	done    chan struct{} // closed when primary and err are there
	primary bool
	err     error
}

// connection changes the network, one change at a time. Without a network everything
// succeeds at once.
type connection struct {
	network Network
	attempt *attempt
}

// index is that of the interface in use, 0 if it is not known.
func (c *connection) index() int {
	if c.network == nil {
		return 0
	}
	return c.network.Index()
}

// renew takes the network down and gets an address on whichever interface there is.
func (c *connection) renew(ctx context.Context, running *sync.WaitGroup) {
	c.start(ctx, running, Link{}, func(ctx context.Context) (bool, error) {
		c.down(ctx)
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return true, c.network.Up(ctx)
	})
}

// probe takes the network down and gets an address on one interface, which it keeps if it
// is the primary one.
func (c *connection) probe(ctx context.Context, running *sync.WaitGroup, link Link) {
	c.start(ctx, running, link, func(ctx context.Context) (bool, error) {
		c.down(ctx)
		trying, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		primary, err := c.network.UpOn(trying, link.Index)
		if err != nil || !primary {
			c.down(ctx)
		}
		return primary, err
	})
}

// down never fails: the interface may be gone, and its address with it. What it leaves
// for want of time, the next change begins with.
func (c *connection) down(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	_ = c.network.Down(ctx)
}

func (c *connection) start(ctx context.Context, running *sync.WaitGroup, link Link, do func(context.Context) (bool, error)) {
	c.abandon()
	ctx, cancel := context.WithCancel(ctx)
	a := &attempt{cancel: cancel, started: time.Now(), link: link, done: make(chan struct{})}
	c.attempt = a
	if c.network == nil {
		a.primary = true
		close(a.done)
		return
	}
	running.Go(func() {
		defer close(a.done)
		a.primary, a.err = do(ctx)
	})
}

// abandon ends a change under way and waits for its end, so that the next one does not
// meet it.
func (c *connection) abandon() {
	if c.attempt == nil {
		return
	}
	c.attempt.cancel()
	<-c.attempt.done
	c.attempt = nil
}

// take returns a change that has ended.
func (c *connection) take() *attempt {
	a := c.attempt
	a.cancel()
	c.attempt = nil
	return a
}

// renewing: an address is being asked for on whichever interface there is.
func (c *connection) renewing() bool { return c.attempt != nil && c.attempt.link == Link{} }

// done is closed when the change under way has ended; nil without one.
func (c *connection) done() <-chan struct{} {
	if c.attempt == nil {
		return nil
	}
	return c.attempt.done
}
