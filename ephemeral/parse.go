package ephemeral

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/azprov/azprov"
)

// The DHCP options that are read: RFC 2132, RFC 3442 (121), Microsoft's copy of the latter
// (249), and Azure's own.
const (
	optionSubnetMask   = 1
	optionRouter       = 3
	optionDNS          = 6
	optionHostName     = 12
	optionDomain       = 15
	optionMTU          = 26
	optionLeaseTime    = 51
	optionServer       = 54
	optionRenewalTime  = 58
	optionRoutes       = 121
	optionWireServer   = 245
	optionRoutesLegacy = 249
)

const (
	// minMTU is what every IPv4 host must take (RFC 791); less is a mistake.
	minMTU = 576
	// minRenewal keeps a server with an absurd renewal time from being asked in a tight
	// loop.
	minRenewal = time.Second
	// infiniteLease is RFC 2131's "for ever", in seconds.
	infiniteLease = 0xffffffff
	// maxText bounds names: no option can be longer without being split.
	maxText = 255
)

// options gives the value of a DHCP option, nil if it is not there. Split values (RFC 3396)
// are already joined.
type options func(code byte) []byte

// parseLease makes a lease of an acknowledged address and its options. Only an address that
// no host can have is an error, of [azprov.KindMalformed]; other nonsense is left out
// with a warning. The result is no larger than the packet.
func parseLease(address netip.Addr, get options, now time.Time) (Lease, error) {
	if !isHost(address) {
		return Lease{}, &azprov.Error{
			Op: "ephemeral.parseLease", Kind: azprov.KindMalformed,
			Message: "the DHCP server granted no usable address: " + address.String(),
		}
	}
	p := leaseParser{get: get}
	l := Lease{
		Address:    netip.PrefixFrom(address, p.prefixLength(address)),
		WireServer: p.addr(optionWireServer),
		DNS:        p.addrs(optionDNS),
		Domain:     p.text(optionDomain),
		HostName:   p.text(optionHostName),
		MTU:        p.mtu(),
		Server:     p.addr(optionServer),
		Obtained:   now,
	}
	l.Routes = p.routes()
	for _, r := range l.Routes {
		if r.Destination.Bits() == 0 && !l.Gateway.IsValid() {
			l.Gateway = r.Gateway
		}
	}
	l.Duration, l.RenewAfter = p.times()
	l.Warnings = p.warnings
	return l, nil
}

type leaseParser struct {
	get      options
	warnings []string
}

func (p *leaseParser) warn(code byte, message string) {
	p.warnings = append(p.warnings, "DHCP option "+strconv.Itoa(int(code))+": "+message)
}

// isHost reports whether an interface can have the address.
func isHost(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a.As4()[0] < 240 && a.As4()[0] > 0
}

// prefixLength is that of the subnet mask, else of the address's class (RFC 2132 does not
// make the option mandatory).
func (p *leaseParser) prefixLength(address netip.Addr) int {
	classful, _ := net.IP(address.AsSlice()).DefaultMask().Size()
	mask := p.get(optionSubnetMask)
	if mask == nil {
		return classful
	}
	if len(mask) == net.IPv4len {
		// A mask with holes has the size 0, and so has one that puts the world on the link.
		if ones, _ := net.IPMask(mask).Size(); ones > 0 {
			return ones
		}
	}
	p.warn(optionSubnetMask, "not a mask; taken by class")
	return classful
}

// addr is an option of exactly one address of a host.
func (p *leaseParser) addr(code byte) netip.Addr {
	b := p.get(code)
	if b == nil {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok || !isHost(a) {
		p.warn(code, "not an address")
		return netip.Addr{}
	}
	return a
}

// addrs is an option of any number of addresses of hosts.
func (p *leaseParser) addrs(code byte) []netip.Addr {
	b := p.get(code)
	if len(b)%net.IPv4len != 0 {
		p.warn(code, "not a list of addresses")
	}
	var found []netip.Addr
	for ; len(b) >= net.IPv4len; b = b[net.IPv4len:] {
		if a := netip.AddrFrom4([4]byte(b)); isHost(a) {
			found = append(found, a)
		}
	}
	return found
}

func (p *leaseParser) text(code byte) string {
	b := p.get(code)
	if len(b) > maxText {
		p.warn(code, "too long")
		return ""
	}
	return azprov.OneLine(string(b))
}

func (p *leaseParser) mtu() int {
	b := p.get(optionMTU)
	if b == nil {
		return 0
	}
	if len(b) != 2 || binary.BigEndian.Uint16(b) < minMTU {
		p.warn(optionMTU, "not an MTU")
		return 0
	}
	return int(binary.BigEndian.Uint16(b))
}

// times returns the duration of the lease and the time to its renewal. Without a duration,
// or with 0, the lease is taken for one without end: nobody could keep it otherwise.
func (p *leaseParser) times() (duration, renewAfter time.Duration) {
	duration = p.seconds(optionLeaseTime)
	if duration == 0 {
		return 0, 0
	}
	renewAfter = p.seconds(optionRenewalTime)
	if renewAfter == 0 || renewAfter >= duration {
		renewAfter = duration / 2
	}
	return duration, max(renewAfter, minRenewal)
}

func (p *leaseParser) seconds(code byte) time.Duration {
	b := p.get(code)
	if b == nil {
		return 0
	}
	if len(b) != 4 {
		p.warn(code, "not a number of seconds")
		return 0
	}
	n := binary.BigEndian.Uint32(b)
	if n == infiniteLease {
		return 0
	}
	return time.Duration(n) * time.Second
}

// routes are the classless ones if there are any: then the routers are to be ignored
// (RFC 3442). Option 249 is the older copy of 121, with the same encoding.
func (p *leaseParser) routes() []Route {
	for _, code := range [...]byte{optionRoutes, optionRoutesLegacy} {
		if routes := p.classless(code); len(routes) > 0 {
			return routes
		}
	}
	if routers := p.addrs(optionRouter); len(routers) > 0 {
		return []Route{{Destination: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: routers[0]}}
	}
	return nil
}

// classless reads routes encoded as RFC 3442 has it: the prefix's length, as many octets of
// the destination as it needs, the gateway; 0.0.0.0 stands for the link. What follows
// a length that cannot be is not understood; the routes before it are kept.
func (p *leaseParser) classless(code byte) []Route {
	var routes []Route
	for b := p.get(code); len(b) > 0; {
		bits := int(b[0])
		octets := (bits + 7) / 8
		if bits > 32 || len(b) < 1+octets+net.IPv4len {
			p.warn(code, "cut short, or not routes")
			break
		}
		var network [4]byte
		copy(network[:], b[1:1+octets])
		gateway := netip.AddrFrom4([4]byte(b[1+octets:]))
		b = b[1+octets+net.IPv4len:]
		route := Route{Destination: netip.PrefixFrom(netip.AddrFrom4(network), bits).Masked()}
		switch {
		case isHost(gateway):
			route.Gateway = gateway
		case !gateway.IsUnspecified():
			p.warn(code, "the gateway is no host's address: "+gateway.String())
			continue
		}
		routes = append(routes, route)
	}
	return routes
}
