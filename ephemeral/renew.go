package ephemeral

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov/internal/wait"
)

const (
	opRenew = "ephemeral.renewal"
	// minRetry is the least time between two attempts to renew a lease (RFC 2131, 4.4.5).
	minRetry = time.Minute
)

// startRenewal renews the lease in the background until stopRenewal, if it has an end. ctx
// gives values only.
func (a *attachment) startRenewal(ctx context.Context, n *Network) {
	if _, ends := a.remaining(time.Now()); !ends {
		return
	}
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.stopped = make(chan struct{})
	go func() {
		defer close(a.stopped)
		a.keep(ctx, n)
	}()
}

// stopRenewal ends the renewal and waits for its end.
func (a *attachment) stopRenewal() {
	if a.stop == nil {
		return
	}
	a.stop()
	<-a.stopped
	a.stop = nil
}

// keep renews the lease when it is time. A failed attempt is repeated after half of what is
// left of the lease. When nothing is left the kernel has removed the address; then, as after
// a refusal, a new lease is asked for. It ends when the link has gone: whoever waits for
// its successor brings that up.
func (a *attachment) keep(ctx context.Context, n *Network) {
	pause, ends := a.remaining(time.Now())
	for number := 1; ends; number++ {
		if wait.For(ctx, pause) != nil {
			return
		}
		err := a.renew(ctx, n, number)
		switch {
		case ctx.Err() != nil, errors.Is(err, errGone), errors.Is(err, fs.ErrPermission):
			return
		case err != nil:
			pause = a.retryAfter(time.Now())
		default:
			pause, ends = a.remaining(time.Now())
		}
	}
}

// retryAfter is the pause after an attempt that failed at now.
func (a *attachment) retryAfter(now time.Time) time.Duration {
	left := a.grant.Obtained.Add(a.grant.Duration).Sub(now)
	if left <= 0 {
		return minRetry
	}
	// Not past the end, when something else is to be done.
	return min(max(left/2, minRetry), left)
}

// renew makes one attempt, tells of it, and configures the link anew.
func (a *attachment) renew(ctx context.Context, n *Network, number int) error {
	started := time.Now()
	t := Attempt{Op: opRenew, Number: number, Link: a.link, Renewal: true}
	g, err := a.exchange(ctx, n, &t.Link)
	t.Lease, t.Elapsed = g.Lease, time.Since(started)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.Err = errLease(opRenew, t, err)
	}
	n.report(t)
	return err
}

// exchange asks the server, and does what it says.
func (a *attachment) exchange(ctx context.Context, n *Network, link *Link) (grant, error) {
	sys, client, err := n.open()
	if err != nil {
		return grant{}, err
	}
	defer sys.close()
	if *link, err = sys.link(a.link.Index); err != nil {
		return grant{}, err
	}
	g, err := a.ask(ctx, client, *link)
	if err != nil {
		return grant{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := a.configure(sys, g); err != nil {
		return grant{}, err
	}
	return a.grant, nil
}

// ask renews the lease. One that is over, or that the server takes back, is replaced by a
// new one.
func (a *attachment) ask(ctx context.Context, client dhcp, link Link) (grant, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if end, _ := a.grant.expires(); time.Now().Before(end) {
		g, err := client.renew(ctx, link, a.grant)
		if !errors.Is(err, errNAK) {
			return g, err
		}
	}
	return client.acquire(ctx, link)
}

// report tells of an attempt.
func (n *Network) report(a Attempt) {
	fields := []zap.Field{
		zap.String("op", a.Op), zap.Int("attempt", a.Number), zap.String("interface", a.Link.Name),
		zap.Duration("elapsed", a.Elapsed),
	}
	switch {
	case a.Err != nil:
		n.o.Logger.Warn("network", append(fields, zap.Error(a.Err))...)
	default:
		n.o.Logger.Info("network", append(fields,
			zap.Stringer("address", a.Lease.Address), zap.Bool("primary", a.Lease.Primary()),
			zap.Strings("warnings", a.Lease.Warnings))...)
	}
	if n.o.OnAttempt != nil {
		n.o.OnAttempt(a)
	}
}
