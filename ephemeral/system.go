package ephemeral

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// What a system's error may be; the rest of the package knows no errno. What is forbidden
// is an fs.ErrPermission.
var (
	// errGone: there is no such link any more.
	errGone = errors.New("the network interface has gone")
	// errExists: the address or route is there already, and somebody else's.
	errExists = errors.New("it is there already")
	// errNAK: the server has refused the request, or takes the lease back.
	errNAK = errors.New("the DHCP server refused the request (DHCPNAK)")
)

// system is what a Network does to the machine: the kernel, in system_linux.go.
type system interface {
	// links lists all links.
	links() ([]Link, error)
	// link looks one up. Error: errGone.
	link(index int) (Link, error)
	// setUp sets a link up or down. Error: errGone.
	setUp(index int, up bool) error
	// sweep removes from a link what addAddress and addRoute have added in a process that
	// was killed before it removed it. Error: errGone.
	sweep(index int) error
	// addAddress adds an address that the kernel removes after valid, never if that is 0.
	// Errors: errGone, errExists.
	addAddress(index int, address netip.Prefix, valid time.Duration) error
	// keepAddress is addAddress for one that may be there and is given a new time.
	keepAddress(index int, address netip.Prefix, valid time.Duration) error
	// removeAddress removes an address; one that is not there is fine.
	removeAddress(index int, address netip.Prefix) error
	// addRoute adds a route. Errors: errGone, errExists.
	addRoute(r kernelRoute) error
	// removeRoute removes a route; one that is not there is fine.
	removeRoute(r kernelRoute) error
	close()
}

// kernelRoute is a route as the kernel is told it. It is comparable.
type kernelRoute struct {
	index int
	Route
	// source is the address to send from.
	source netip.Addr
	// onLink: the gateway is reached directly although it is outside of the subnet.
	onLink bool
	// mtu in octets; 0 is the link's.
	mtu int
}

// dhcp is a DHCPv4 client. Its methods return soon after their context ends, with any
// error.
type dhcp interface {
	// acquire gets a new lease for the link.
	acquire(ctx context.Context, link Link) (grant, error)
	// renew prolongs a lease. Error: errNAK if it is void.
	renew(ctx context.Context, link Link, old grant) (grant, error)
}

// grant is a lease and what the client needs to renew it.
type grant struct {
	Lease
	token any
}
