package ephemeral

import (
	"net"
	"net/netip"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

// minRenewal keeps a server with an absurd renewal time from being asked in a tight loop.
const minRenewal = time.Second

// parseLease makes a lease of an acknowledged address and its options. Only an address that
// no host can have is an error, of [azprov.KindMalformed]; other nonsense is left out
// with a warning.
func parseLease(address netip.Addr, options lease.Options, now time.Time) (Lease, error) {
	if !lease.IsHost(address) {
		return Lease{}, &azprov.Error{
			Op: "ephemeral.parseLease", Kind: azprov.KindMalformed,
			Message: "the DHCP server granted no usable address: " + address.String(),
		}
	}
	read := options.Lease()
	l := Lease{
		Address:    netip.PrefixFrom(address, prefixLength(address, read.Bits)),
		Routes:     routesOf(read),
		WireServer: read.WireServer,
		DNS:        read.DNS,
		Domain:     read.Domain,
		HostName:   read.HostName,
		MTU:        read.MTU,
		Server:     read.Server,
		Obtained:   now,
		Warnings:   read.Warnings,
	}
	l.Gateway = defaultGateway(l.Routes)
	l.Duration, l.RenewAfter = times(read.Lifetime, read.RenewAfter)
	return l, nil
}

// prefixLength is that of the subnet mask, else of the address's class (RFC 2132 does not
// make the option mandatory).
func prefixLength(address netip.Addr, bits int) int {
	if bits == 0 {
		bits, _ = net.IP(address.AsSlice()).DefaultMask().Size()
	}
	return bits
}

// routesOf are the classless routes; without any, the default route through the router.
func routesOf(read lease.Lease) []Route {
	if read.Router.IsValid() {
		return []Route{{Destination: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: read.Router}}
	}
	var routes []Route
	for _, r := range read.Routes {
		route := Route{Destination: r.Destination}
		if !r.Gateway.IsUnspecified() {
			route.Gateway = r.Gateway
		}
		routes = append(routes, route)
	}
	return routes
}

// times returns the duration of the lease and the time to its renewal. Without a duration,
// or with 0, the lease is taken for one without end: nobody could keep it otherwise.
func times(lifetime, renewal time.Duration) (duration, renewAfter time.Duration) {
	if lifetime == 0 || lifetime == lease.Forever {
		return 0, 0
	}
	if renewal == 0 || renewal >= lifetime {
		renewal = lifetime / 2 // RFC 2131, 4.4.5
	}
	return lifetime, max(renewal, minRenewal)
}
