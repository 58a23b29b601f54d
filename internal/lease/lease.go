// Package lease reads what DHCP clients keep of their leases: packets, options, and the
// files of systemd-networkd, NetworkManager, ISC dhclient and dhcpcd. On Azure a lease
// says where the wire server is (option 245), and by its routes which interface is the
// primary one.
//
// The parsers do no I/O; Read finds the files.
package lease

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/azprov/azprov"
)

const (
	// maxSize bounds a file or a packet. dhclient adds some 600 bytes at each renewal and
	// starts a new file when it starts, so that a file of years stays below it.
	maxSize = 1 << 20
	// maxLeases bounds the leases of one file; the last ones are kept, because clients add
	// at the end.
	maxLeases = 256
	// maxRoutes bounds the routes of one lease. Azure sends three.
	maxRoutes = 256
	// maxServers bounds the name servers of one lease. An option has room for 63.
	maxServers = 64
	// maxName bounds a name, in bytes: no option can be longer without being split.
	maxName = 255
	// minMTU, in bytes, is what every host must take (RFC 791); less is a mistake.
	minMTU = 576
	// maxWarnings bounds what is said of one lease, or of one search for leases.
	maxWarnings = 16
	// maxQuoted bounds, in bytes, how much of a text from outside is in a warning.
	maxQuoted = 80
)

// Forever is the lifetime of a lease that does not end: 2³²-1 seconds in option 51,
// which is what Azure sends.
const Forever time.Duration = math.MaxInt64

// The addresses that a platform's routes name (Microsoft, "What is IP address
// 168.63.129.16" and "Azure Instance Metadata Service").
var (
	// PublicWireServer is the wire server on public Azure.
	PublicWireServer = netip.AddrFrom4([4]byte{168, 63, 129, 16})
	metadataService  = netip.AddrFrom4([4]byte{169, 254, 169, 254})
)

// unreadable is the end of a lease whose end cannot be read: it counts as over.
var unreadable = time.Unix(0, 0).UTC()

// Route is a route that a lease brings.
type Route struct {
	// Destination has no bits set behind its prefix.
	Destination netip.Prefix
	// Gateway is 0.0.0.0 for a destination on the interface's own link.
	Gateway netip.Addr
}

// Lease is what a DHCP server gave an interface. Addresses that it does not name are
// the zero netip.Addr; all that are there are IPv4.
type Lease struct {
	// Interface is the interface's name, empty if the lease does not say.
	Interface string
	// Index is the interface's number, 0 if the lease does not say.
	Index   int
	Address netip.Addr
	// Bits is the length of the subnet's prefix, 0 if the lease does not say.
	Bits int
	// Server is the DHCP server, option 54. On Azure that is the public wire server's
	// address too, which says nothing about the wire server.
	Server netip.Addr
	// WireServer is option 245. It is never taken from anything else: WALinuxAgent once
	// took the name server for it, and custom DNS broke provisioning.
	WireServer netip.Addr
	// Routes are those of option 121; else those of option 249, Microsoft's older number
	// for the same.
	Routes []Route
	// Router is the first of option 3. With classless routes it is not there, because it
	// does not count (RFC 3442).
	Router netip.Addr
	// DNS is option 6.
	DNS []netip.Addr
	// HostName is option 12 and Domain option 15, in one line.
	HostName string
	Domain   string
	// MTU is in bytes, 0 if the lease does not say.
	MTU int
	// Lifetime counts from when the lease was given, which only some formats know. It is
	// 0 if the lease does not say, and [Forever] for one without end.
	Lifetime time.Duration
	// RenewAfter is option 58, from the same time: 0 if the lease does not say, [Forever]
	// for never.
	RenewAfter time.Duration
	// Expires is zero if the lease has no end, or nothing says when it is. If it cannot be
	// read it is 1970, and the lease counts as over.
	Expires time.Time
	// Source is the file, as a path below the root of [Read]; the parsers leave it empty.
	Source string
	// Updated is when the file was written; the parsers leave it zero.
	Updated time.Time
	// Warnings is what was odd, and how it was taken.
	Warnings []string
}

// Valid reports whether the lease has not ended.
func (l *Lease) Valid(now time.Time) bool { return l.Expires.IsZero() || now.Before(l.Expires) }

// ReachesPlatform reports whether the lease routes the platform's services, IMDS or the
// wire server, whose address may be zero for the lease's own or the public one. On Azure
// that tells the primary interface from the others (cloud-init's DataSourceAzure.py,
// _check_if_primary); to try to connect does not. A lease without routes is not of the
// primary interface; nor is one with a default route alone.
func (l *Lease) ReachesPlatform(wireServer netip.Addr) bool {
	if !wireServer.IsValid() {
		wireServer = l.WireServer
	}
	if !wireServer.IsValid() {
		wireServer = PublicWireServer
	}
	return slices.ContainsFunc(l.Routes, func(r Route) bool {
		network := r.Destination.Addr()
		return network == metadataService || network == wireServer.Unmap()
	})
}

func (l *Lease) warn(text string) { l.Warnings = addWarning(l.Warnings, text) }

// addWarning adds a text in one line, as long as there are not too many.
func addWarning(warnings []string, text string) []string {
	if len(warnings) >= maxWarnings {
		return warnings
	}
	return append(warnings, azprov.OneLine(text))
}

// malformed is the error of a parser.
func malformed(op, message string) error {
	return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: message}
}

// checkSize is the first thing that each parser does.
func checkSize(op string, b []byte) error {
	if len(b) <= maxSize {
		return nil
	}
	return &azprov.Error{Op: op, Kind: azprov.KindTooLarge, Message: "more than 1 MiB, which no lease has"}
}
