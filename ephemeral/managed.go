package ephemeral

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

const (
	// lookPause is the time between two looks at the machine's network, which cost a
	// fraction of a millisecond each.
	lookPause = 250 * time.Millisecond
	// settleTime is how long a default route alone must have been there, or an address,
	// before nothing better is expected: network managers add the routes of a lease one
	// after the other, and bring up NICs in any order.
	settleTime = 5 * time.Second
)

// ManagedOptions configures a [Managed]. The zero value is for a VM on Azure.
type ManagedOptions struct {
	// Logger is silent if nil.
	Logger *zap.Logger
}

// Managed is the network of a machine where systemd-networkd, NetworkManager or something
// else configures the interfaces. It changes nothing, and waits for what they do. It is
// safe for concurrent use.
//
// It goes by the kernel's addresses and routes, and not by those programs' lease files: the
// former are the same for all of them, and a lease that was written down but not
// configured is of no use.
type Managed struct {
	logger *zap.Logger
	open   func() (machine, error)

	mu        sync.Mutex
	triedOnce bool
	link      Link
	lease     Lease
	// known are the addresses at the end of the last Up or UpOn.
	known []stampedAddress
}

// machine shows the machine's IPv4 network.
type machine interface {
	look() (view, error)
	close()
}

// view is the network at one moment.
type view struct {
	links     []Link
	addresses []stampedAddress
	routes    []mainRoute
}

// stampedAddress is an address of a link. It is comparable.
type stampedAddress struct {
	index   int
	address netip.Prefix
	// stamp changes whenever somebody sets the address, be it the same one.
	stamp uint32
}

// mainRoute is a route of the main table.
type mainRoute struct {
	Route

	index int
	// metric is the lower the better.
	metric int
}

// NewManaged returns a Managed. Error: Internal on a system other than Linux.
func NewManaged(options *ManagedOptions) (*Managed, error) {
	open, err := viewer()
	if err != nil {
		return nil, err
	}
	m := &Managed{open: open, logger: zap.NewNop()}
	if options != nil && options.Logger != nil {
		m.logger = options.Logger
	}
	return m, nil
}

// Up waits until a link with an address has a route to the platform: to IMDS or to the wire
// server alone, or a default route that nothing better followed within 5 seconds. It waits
// for [FirstTimeout], in a later call for [NextTimeout], unless ctx has a deadline.
//
// Errors: Timeout and Canceled, Internal if the kernel does not tell.
func (m *Managed) Up(ctx context.Context) error {
	m.mu.Lock()
	timeout := FirstTimeout
	if m.triedOnce {
		timeout = NextTimeout
	}
	m.triedOnce = true
	m.mu.Unlock()
	var since time.Time // of a default route
	var last int
	return m.await(ctx, "ephemeral.Managed.Up", timeout, func(v view, now time.Time) (int, bool) {
		index, primary := v.toPlatform(0)
		if index != last {
			since, last = now, index
		}
		return index, index != 0 && (primary || now.Sub(since) >= settleTime)
	})
}

// UpOn waits until the link with that index has an address that was not there when Up or
// UpOn last returned, or that was set anew since: a pool VM may get the same one in another
// network. It waits for [FirstTimeout] unless ctx has a deadline.
//
// primary tells whether the link has, at once or within 5 seconds, a route to IMDS or the
// wire server alone.
//
// Errors: as for Up, and NotFound if there is no such link.
func (m *Managed) UpOn(ctx context.Context, index int) (primary bool, err error) {
	m.mu.Lock()
	known := slices.Clone(m.known)
	m.mu.Unlock()
	var since time.Time // of the address
	err = m.await(ctx, "ephemeral.Managed.UpOn", FirstTimeout, func(v view, now time.Time) (int, bool) {
		if _, ok := v.link(index); !ok {
			return 0, true
		}
		if _, ok := v.address(index, known); !ok {
			since = time.Time{}
			return index, false
		}
		if since.IsZero() {
			since = now
		}
		_, primary = v.toPlatform(index)
		return index, primary || now.Sub(since) >= settleTime
	})
	return primary && err == nil, err
}

// Down does nothing: what the machine's own programs have configured is theirs.
func (m *Managed) Down(context.Context) error { return nil }

// Index returns the index of the link that the last Up or UpOn has found, 0 if none has.
func (m *Managed) Index() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.Index
}

// Lease returns what the kernel tells of the lease: address, routes, gateway and MTU. ok is
// false before the first successful Up or UpOn.
func (m *Managed) Lease() (lease Lease, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lease.clone(), m.link.Index != 0
}

// await looks at the network until done, which returns the link that is found, 0 if there
// will be none.
func (m *Managed) await(ctx context.Context, op string, timeout time.Duration, done func(view, time.Time) (int, bool)) error {
	started := time.Now()
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	machine, err := m.open()
	if err != nil {
		return errConfigure(op, Link{}, err)
	}
	defer machine.close()
	for {
		v, err := machine.look()
		if err != nil {
			return errConfigure(op, Link{}, err)
		}
		if index, ok := done(v, time.Now()); ok {
			return m.found(op, v, index)
		}
		if err := wait.For(ctx, lookPause); err != nil {
			e := wait.Ended(op, "no network", err)
			e.Elapsed, e.Reason = time.Since(started), reasonLease
			e.Hint = "the network is left to the machine's own programs: see what they report"
			e.Details = []azprov.Detail{duration(e.Elapsed)}
			return e
		}
	}
}

// found keeps what was found.
func (m *Managed) found(op string, v view, index int) error {
	link, ok := v.link(index)
	if !ok {
		return errNoLink(op, index, errGone)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.link, m.lease, m.known = link, v.lease(link), v.addresses
	m.logger.Info("network", zap.String("op", op), zap.String("interface", link.Name),
		zap.Stringer("address", m.lease.Address), zap.Bool("primary", m.lease.Primary()))
	return nil
}
