package ephemeral

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov/internal/wait"
)

// Network brings up one network interface, and takes it down. It is safe for concurrent
// use; one operation waits for another, only Down interrupts.
type Network struct {
	o Options
	// open returns the machine for one operation, and a DHCP client.
	open func() (system, dhcp, error)
	// turn holds a token while an operation is under way.
	turn chan struct{}

	// mu guards what follows, and is never held while something waits.
	mu        sync.Mutex
	interrupt context.CancelFunc // ends the operation under way
	used      *attachment        // nil while nothing is up
	triedOnce bool
}

// New returns a Network. It touches nothing yet. Error: Internal on a system other than
// Linux.
func New(options *Options) (*Network, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	open, err := opener(&o)
	if err != nil {
		return nil, err
	}
	return newNetwork(o, open), nil
}

func newNetwork(o Options, open func() (system, dhcp, error)) *Network {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Network{o: o, open: open, turn: make(chan struct{}, 1)}
}

// Up chooses a network interface, sets it up, gets a lease and configures its address and
// routes. What an earlier Up has left is taken down first.
//
// Candidates are looked at anew for every attempt, with a second between two attempts. The
// first whose lease routes to the platform is used. If every one has answered, or after
// three rounds, one with a default route is good enough.
//
// It tries for [FirstTimeout], in a later call for [NextTimeout], unless ctx has a deadline.
// When it fails it leaves nothing behind.
//
// Errors: Timeout and Canceled with the last failure, which has the reason for the
// platform; Denied at once for a process that may not configure networks.
func (n *Network) Up(ctx context.Context) error {
	return n.operate(ctx, "ephemeral.Network.Up", n.upTimeout, func(ctx context.Context, s *session) error {
		return s.any(ctx)
	})
}

// UpOn brings up the link with that index, one that was attached to the running VM. It sets
// it up, gives it 10 seconds to find its carrier, and gets a lease within [FirstTimeout]
// unless ctx has a deadline. What was up before is taken down first.
//
// primary tells whether the lease routes to the platform. If not, the link is as it was
// before, and the next one may be tried.
//
// Errors: as for Up, and NotFound at once if there is no such link.
func (n *Network) UpOn(ctx context.Context, index int) (primary bool, err error) {
	first := func() time.Duration { return FirstTimeout }
	err = n.operate(ctx, "ephemeral.Network.UpOn", first, func(ctx context.Context, s *session) (err error) {
		primary, err = s.only(ctx, index)
		return err
	})
	return primary && err == nil, err
}

// Down removes what Up or UpOn has added: routes, address, and the state of the link. It
// ends an Up that is under way, and the renewal of the lease. A link that has gone is fine,
// and so is a second call, which tries again what could not be removed.
//
// Errors: Denied and Internal for what could not be removed, Timeout and Canceled if
// another operation did not end before ctx.
func (n *Network) Down(ctx context.Context) error {
	const op = "ephemeral.Network.Down"
	n.mu.Lock()
	if n.interrupt != nil {
		n.interrupt()
	}
	n.mu.Unlock()
	if err := n.take(ctx, op); err != nil {
		return err
	}
	defer n.leave()
	return n.detach(op)
}

// Index returns the index of the link in use, 0 if there is none.
func (n *Network) Index() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.used == nil {
		return 0
	}
	return n.used.link.Index
}

// Lease returns the lease of the link in use as it was granted or last renewed; ok is
// false if there is none.
func (n *Network) Lease() (lease Lease, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.used == nil {
		return Lease{}, false
	}
	return n.used.grant.clone(), true
}

// upTimeout is the default for Up, the first time and later.
func (n *Network) upTimeout() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.triedOnce {
		return NextTimeout
	}
	n.triedOnce = true
	return FirstTimeout
}

// operate runs one operation: alone, interruptible, from nothing, and to nothing if it
// fails.
func (n *Network) operate(ctx context.Context, op string, timeout func() time.Duration, do func(context.Context, *session) error) error {
	if err := n.take(ctx, op); err != nil {
		return err
	}
	defer n.leave()
	ctx, cancel := bounded(ctx, timeout())
	defer cancel()
	n.setInterrupt(cancel)
	defer n.setInterrupt(nil)

	if err := n.detach(op); err != nil {
		return err
	}
	s := &session{n: n, op: op, started: time.Now()}
	var err error
	if s.sys, s.dhcp, err = n.open(); err != nil {
		return s.final(ctx, err)
	}
	defer s.sys.close()
	err = do(ctx, s)
	s.settle()
	return err
}

// bounded gives ctx a deadline if it has none, and a way to cancel it.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// take waits for the end of another operation. It does not look at ctx if there is none, so
// that Down works with one that is over.
func (n *Network) take(ctx context.Context, op string) error {
	select {
	case n.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case n.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return wait.Ended(op, "another operation is under way", ctx.Err())
	}
}

func (n *Network) leave() { <-n.turn }

func (n *Network) setInterrupt(cancel context.CancelFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.interrupt = cancel
}

// attach begins to use a configured link.
func (n *Network) attach(a *attachment) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.used = a
}

// detach takes the link that is in use down, if there is one. What cannot be removed is
// left for the next call.
func (n *Network) detach(op string) error {
	n.mu.Lock()
	a := n.used
	n.mu.Unlock()
	if a == nil {
		return nil
	}
	a.stopRenewal()
	sys, _, err := n.open()
	if err != nil {
		return errConfigure(op, a.link, err)
	}
	defer sys.close()
	if err := a.undo(sys); err != nil {
		return errConfigure(op, a.link, err)
	}
	n.attach(nil)
	n.o.Logger.Info("network is down", zap.String("op", op), zap.String("interface", a.link.Name))
	return nil
}
