package ephemeral

import (
	"cmp"
	"slices"

	"github.com/azprov/azprov/internal/lease"
)

// link returns the link with that index.
func (v view) link(index int) (Link, bool) {
	i := slices.IndexFunc(v.links, func(l Link) bool { return l.Index == index })
	if i < 0 {
		return Link{}, false
	}
	return v.links[i], true
}

// address returns the first usable address of a link that is not among known. One that the
// machine gave itself, because no server answered, is none.
func (v view) address(index int, known []stampedAddress) (stampedAddress, bool) {
	i := slices.IndexFunc(v.addresses, func(a stampedAddress) bool {
		return a.index == index && lease.IsHost(a.address.Addr()) && !a.address.Addr().IsLinkLocalUnicast() &&
			!slices.Contains(known, a)
	})
	if i < 0 {
		return stampedAddress{}, false
	}
	return v.addresses[i], true
}

// toPlatform returns the index of the link, or whether it is the one, whose route leads to
// the platform: primary if the route is for IMDS or the wire server alone. Else it is a
// default route; the lowest metric wins. Without a route the index is 0. A link without
// address or carrier does not count.
func (v view) toPlatform(only int) (index int, primary bool) {
	routes := slices.Clone(v.routes)
	slices.SortStableFunc(routes, func(a, b mainRoute) int { return cmp.Compare(a.metric, b.metric) })
	for _, r := range routes {
		l, ok := v.link(r.index)
		if _, addressed := v.address(r.index, nil); !ok || !addressed || !hasCarrier(l) || (only != 0 && r.index != only) {
			continue
		}
		if (Lease{}).isPlatform(r.Destination) {
			return r.index, true
		}
		if index == 0 && r.Destination.Bits() == 0 {
			index = r.index
		}
	}
	return index, false
}

// lease is what the kernel tells of a link's lease.
func (v view) lease(link Link) Lease {
	l := Lease{MTU: link.MTU}
	if a, ok := v.address(link.Index, nil); ok {
		l.Address = a.address
	}
	for _, r := range v.routes {
		if r.index == link.Index {
			l.Routes = append(l.Routes, r.Route)
		}
	}
	l.Gateway = defaultGateway(l.Routes)
	return l
}
