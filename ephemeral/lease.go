package ephemeral

import (
	"net/netip"
	"slices"
	"time"
)

// platform lists the addresses of IMDS and of the wire server unless option 245 names
// another (Microsoft, "What is IP address 168.63.129.16").
var platform = [...]netip.Addr{
	netip.AddrFrom4([4]byte{169, 254, 169, 254}),
	netip.AddrFrom4([4]byte{168, 63, 129, 16}),
}

// Lease is what a DHCP server has granted to a link. Addresses are IPv4.
type Lease struct {
	// Address has the length of the subnet's prefix.
	Address netip.Prefix
	// Routes are those of option 121, else 249, else the default route through the first
	// router, in the server's order.
	Routes []Route
	// Gateway is that of the default route; it is not valid if there is none.
	Gateway netip.Addr
	// WireServer is option 245; it is not valid if the server sent none, which means
	// [azprov.WireServerEndpoint].
	WireServer netip.Addr
	// DNS lists the name servers, and Domain is the domain to search. Nothing here uses
	// them: the platform's services are reached by address.
	DNS    []netip.Addr
	Domain string
	// HostName is option 12, in one line.
	HostName string
	// MTU in octets, or 0 if the server names none.
	MTU int
	// Server is the DHCP server's identifier.
	Server netip.Addr
	// Obtained is when the lease was granted or last renewed.
	Obtained time.Time
	// Duration of the lease; 0 is for ever.
	Duration time.Duration
	// RenewAfter is the time from Obtained to the renewal, half of Duration if the server
	// does not say; 0 is never.
	RenewAfter time.Duration
	// Warnings say what was left out because it makes no sense.
	Warnings []string
}

// Route is a way to a network.
type Route struct {
	// Destination is masked; 0.0.0.0/0 is the default route.
	Destination netip.Prefix
	// Gateway is not valid if the destination is on the link.
	Gateway netip.Addr
}

// Primary reports whether the lease has a route for IMDS or for the wire server alone,
// which on Azure only the primary NIC's has. A default route does not count. A probe of the
// services would be no better: it fails while they start (canonical/cloud-init, pull
// request 4465).
func (l Lease) Primary() bool {
	return slices.ContainsFunc(l.Routes, func(r Route) bool { return l.isPlatform(r.Destination) })
}

// isPlatform reports whether a network is one of the platform's addresses.
func (l Lease) isPlatform(network netip.Prefix) bool {
	return network.IsSingleIP() &&
		(slices.Contains(platform[:], network.Addr()) || network.Addr() == l.WireServer)
}

// defaultGateway is that of the first default route that has one.
func defaultGateway(routes []Route) netip.Addr {
	for _, r := range routes {
		if r.Destination.Bits() == 0 && r.Gateway.IsValid() {
			return r.Gateway
		}
	}
	return netip.Addr{}
}

// expires returns the end of the lease; ok is false if there is none.
func (l Lease) expires() (at time.Time, ok bool) {
	return l.Obtained.Add(l.Duration), l.Duration > 0
}

// clone keeps the caller of [Network.Lease] from changing what the network goes by.
func (l Lease) clone() Lease {
	l.Routes, l.DNS, l.Warnings = slices.Clone(l.Routes), slices.Clone(l.DNS), slices.Clone(l.Warnings)
	return l
}
