package ephemeral

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"time"
)

// attachment is a link in use: its lease, and what was added to the machine for it. It is
// changed by one goroutine at a time: the session that makes it, the renewal while that
// runs, and detach after it.
type attachment struct {
	link Link
	// grant is guarded by Network.mu once the attachment is in use.
	grant grant

	// address and routes are those that were added here, and are not there already by
	// somebody else's hand.
	address netip.Prefix
	routes  []kernelRoute
	// raised: the link was down before.
	raised bool

	stop    context.CancelFunc // ends the renewal; nil if there is none
	stopped chan struct{}
}

// configure gives the link what the lease says, and takes away what an older one said. It
// may be called again, with the same lease or another. What it has added is known even
// if it fails.
//
// A route that the kernel refuses is a warning of the lease, unless it leads to the
// platform.
func (a *attachment) configure(sys system, g grant) error {
	g.Lease = g.clone() // it gains warnings
	wanted := kernelRoutes(a.link, g.Lease)
	if err := a.drop(sys, g.Address, wanted); err != nil {
		return err
	}
	if err := a.setAddress(sys, g.Lease); err != nil {
		return err
	}
	for _, r := range wanted {
		err := sys.addRoute(r)
		switch {
		case err == nil && !slices.Contains(a.routes, r):
			a.routes = append(a.routes, r)
		case err == nil, errors.Is(err, errExists):
		case errors.Is(err, errGone), errors.Is(err, fs.ErrPermission), g.isPlatform(r.Destination):
			return err
		default:
			g.Warnings = append(g.Warnings, "route "+r.String()+": "+err.Error())
		}
	}
	a.grant = g
	return nil
}

// setAddress adds the address, or gives ours more time. It lives as long as the lease, so
// that it does not outlive a machine that dies before Down.
func (a *attachment) setAddress(sys system, l Lease) error {
	if a.address == l.Address {
		return sys.keepAddress(a.link.Index, l.Address, l.Duration)
	}
	err := sys.addAddress(a.link.Index, l.Address, l.Duration)
	if errors.Is(err, errExists) {
		return nil
	}
	if err != nil {
		return err
	}
	a.address = l.Address
	return nil
}

// drop removes what was added and is not wanted any more: routes first, which need the
// address.
func (a *attachment) drop(sys system, address netip.Prefix, routes []kernelRoute) error {
	for i, r := range slices.Backward(a.routes) {
		if slices.Contains(routes, r) {
			continue
		}
		if err := sys.removeRoute(r); err != nil && !errors.Is(err, errGone) {
			return err
		}
		a.routes = slices.Delete(a.routes, i, i+1)
	}
	if !a.address.IsValid() || a.address == address {
		return nil
	}
	if err := sys.removeAddress(a.link.Index, a.address); err != nil && !errors.Is(err, errGone) {
		return err
	}
	a.address = netip.Prefix{}
	return nil
}

// undo removes all that was added. It can be called again after an error.
func (a *attachment) undo(sys system) error {
	if err := a.drop(sys, netip.Prefix{}, nil); err != nil {
		return err
	}
	if !a.raised {
		return nil
	}
	if err := sys.setUp(a.link.Index, false); err != nil && !errors.Is(err, errGone) {
		return err
	}
	a.raised = false
	return nil
}

// kernelRoutes are the lease's routes for that link. The MTU goes into the routes: to
// change the link's makes hv_netvsc close and open its channels, which looks like a
// cable that was pulled.
func kernelRoutes(link Link, l Lease) []kernelRoute {
	mtu := 0
	if l.MTU < link.MTU {
		mtu = l.MTU
	}
	routes := make([]kernelRoute, 0, len(l.Routes))
	for _, r := range l.Routes {
		routes = append(routes, kernelRoute{
			index: link.Index, Route: r, source: l.Address.Addr(), mtu: mtu,
			onLink: r.Gateway.IsValid() && !l.Address.Contains(r.Gateway),
		})
	}
	slices.SortStableFunc(routes, func(x, y kernelRoute) int {
		// A gateway may itself be behind a route of the lease: those on the link first.
		return boolToInt(x.Gateway.IsValid()) - boolToInt(y.Gateway.IsValid())
	})
	return routes
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// remaining is the time until the lease is to be renewed for the first time; ok is false
// for one without end.
func (a *attachment) remaining(now time.Time) (time.Duration, bool) {
	if a.grant.Duration == 0 {
		return 0, false
	}
	return a.grant.Obtained.Add(a.grant.RenewAfter).Sub(now), true
}
