package lab

import (
	"bytes"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"time"
)

// The server is written by hand rather than with the library that package ephemeral asks
// with: a fault of that library would be on both sides, and not be seen.

// Message types (RFC 2132, 9.6).
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpAck      = 5
	dhcpNak      = 6
	dhcpInform   = 8
)

// Options (RFC 2132; 121: RFC 3442; 245: Azure's own).
const (
	optPad         = 0
	optMask        = 1
	optRouter      = 3
	optDNS         = 6
	optRequested   = 50
	optLeaseTime   = 51
	optType        = 53
	optServer      = 54
	optRoutes      = 121
	optWireServer  = 245
	optEnd         = 255
	dhcpHeader     = 240  // Up to the options, with the cookie.
	dhcpMinimum    = 300  // What BOOTP relays and old clients want at least (RFC 1542, 2.1).
	dhcpMaximum    = 1500 // One frame; requests are below 600 bytes.
	dhcpServerPort = 67
	dhcpClientPort = 68
)

var dhcpCookie = []byte{99, 130, 83, 99}

// lease is what the server gives to one interface.
type lease struct {
	mac      net.HardwareAddr
	address  netip.Prefix
	gateway  netip.Addr
	platform bool          // With routes to the platform.
	noIMDS   bool          // But none to IMDS.
	time     time.Duration // 0 is infinite.
}

// dhcpMessage is what the server looks at.
type dhcpMessage struct {
	header    []byte // The first 240 bytes.
	kind      byte
	mac       net.HardwareAddr
	client    netip.Addr // The address that the client has, 0.0.0.0 for none.
	requested netip.Addr
	server    netip.Addr
}

// parseDHCP reads a client's message; ok is false if it is none. Options that are cut off
// end the list.
func parseDHCP(b []byte) (m dhcpMessage, ok bool) {
	const request, ethernet = 1, 1
	if len(b) < dhcpHeader || b[0] != request || b[1] != ethernet || b[2] != 6 || !bytes.Equal(b[236:dhcpHeader], dhcpCookie) {
		return m, false
	}
	m.header = b[:dhcpHeader]
	m.mac = net.HardwareAddr(b[28:34])
	m.client = netip.AddrFrom4([4]byte(b[12:16]))
	for options := b[dhcpHeader:]; len(options) > 0 && options[0] != optEnd; {
		if options[0] == optPad {
			options = options[1:]
			continue
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			break
		}
		value := options[2 : 2+int(options[1])]
		switch {
		case options[0] == optType && len(value) == 1:
			m.kind = value[0]
		case options[0] == optRequested && len(value) == 4:
			m.requested = netip.AddrFrom4([4]byte(value))
		case options[0] == optServer && len(value) == 4:
			m.server = netip.AddrFrom4([4]byte(value))
		}
		options = options[2+len(value):]
	}
	return m, m.kind != 0
}

// answer returns the reply to m for the interface with the lease, nil if there is none
// to give, and whether it goes to the address that the client has.
func (m dhcpMessage) answer(l lease) (reply []byte, unicast bool) {
	if !bytes.Equal(m.mac, l.mac) || m.server.IsValid() && m.server != wireServerAddress {
		return nil, false
	}
	wanted := m.requested
	if !wanted.IsValid() {
		wanted = m.client
	}
	unicast = !m.client.IsUnspecified()
	switch {
	case m.kind == dhcpDiscover:
		return m.reply(dhcpOffer, l), false
	case m.kind == dhcpRequest && wanted == l.address.Addr():
		return m.reply(dhcpAck, l), unicast
	case m.kind == dhcpRequest:
		// It is told so by broadcast: the address is not its own (RFC 2131, 4.1).
		return m.reply(dhcpNak, l), false
	case m.kind == dhcpInform:
		return m.reply(dhcpAck, l), unicast
	}
	return nil, false
}

// reply builds an answer. 245 is there unasked, as on Azure: no client lists it.
func (m dhcpMessage) reply(kind byte, l lease) []byte {
	b := bytes.Clone(m.header)
	clear(b[12:28]) // ciaddr, yiaddr, siaddr, giaddr
	clear(b[44:236])
	b[0], b[3] = 2, 0
	server := wireServerAddress.AsSlice()
	add := func(option byte, value []byte) {
		b = append(append(b, option, byte(len(value))), value...) //nolint:gosec // The longest is routes, 23 bytes.
	}
	add(optType, []byte{kind})
	add(optServer, server)
	if kind != dhcpNak {
		if m.kind == dhcpInform || kind == dhcpAck && !m.client.IsUnspecified() {
			copy(b[12:16], m.client.AsSlice())
		}
		if m.kind != dhcpInform {
			copy(b[16:20], l.address.Addr().AsSlice())
			add(optLeaseTime, binary.BigEndian.AppendUint32(nil, l.seconds()))
		}
		add(optMask, net.CIDRMask(l.address.Bits(), 32))
		add(optRouter, l.gateway.AsSlice())
		add(optDNS, server)
		if l.platform {
			add(optRoutes, l.routes())
			add(optWireServer, server)
		}
	}
	b = append(b, optEnd)
	return append(b, make([]byte, max(0, dhcpMinimum-len(b)))...)
}

// source is where the answers come from: Azure's DHCP server has the wire server's
// address, which is not to be found behind a secondary interface.
func (l lease) source() netip.Addr {
	if l.platform {
		return wireServerAddress
	}
	return l.gateway
}

// routes are those of an Azure lease: the default one, and the platform's addresses
// (RFC 3442 writes only the octets of a destination that its length needs). Where there is
// no IMDS there is no route to it either, and agents take that as a sign to stop asking
// (cloud-init after eleven connections that failed).
func (l lease) routes() []byte {
	gateway := l.gateway.AsSlice()
	routes := append([]byte{0}, gateway...)
	addresses := []netip.Addr{wireServerAddress, imdsAddress}
	if l.noIMDS {
		addresses = addresses[:1]
	}
	for _, address := range addresses {
		routes = append(append(append(routes, 32), address.AsSlice()...), gateway...)
	}
	return routes
}

func (l lease) seconds() uint32 {
	if l.time == 0 || l.time/time.Second > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(max(1, l.time/time.Second)) //nolint:gosec // Bounded above.
}
