package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// draft is a lease in the making: which routes count is known at its end.
type draft struct {
	Lease
	routes          []Route // option 121
	microsoftRoutes []Route // option 249
}

// finish decides between the two forms of classless routes: option 121 goes first. With
// either, the router does not count (RFC 3442); with one that cannot be read, it does.
func (d *draft) finish() Lease {
	l := d.Lease
	l.Routes = d.routes
	if len(l.Routes) == 0 {
		l.Routes = d.microsoftRoutes
	}
	if len(l.Routes) > 0 {
		l.Router = netip.Addr{}
	}
	return l
}

var (
	errAddress = errors.New("an address has 4 bytes")
	errMask    = errors.New("it is no mask of a subnet")
	errNumber  = errors.New("the number has another length")
)

// address reads an address of exactly 4 bytes.
func address(value []byte) (netip.Addr, bool) {
	if len(value) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(value)), true
}

// firstAddress reads a list of addresses and returns the first.
func firstAddress(value []byte) (netip.Addr, error) {
	if len(value) == 0 || len(value)%4 != 0 {
		return netip.Addr{}, errAddress
	}
	return netip.AddrFrom4([4]byte(value)), nil
}

func (d *draft) setMask(value []byte) error {
	bits, ok := maskBits(value)
	if !ok {
		return errMask
	}
	d.Bits = bits
	return nil
}

// maskBits counts the ones of a mask, which must be its first bits.
func maskBits(value []byte) (int, bool) {
	if len(value) != 4 {
		return 0, false
	}
	mask := binary.BigEndian.Uint32(value)
	for bits := range 33 {
		if mask == ^uint32(0)<<(32-bits) {
			return bits, true
		}
	}
	return 0, false
}

func (d *draft) setRouter(value []byte) (err error) {
	d.Router, err = firstAddress(value)
	return err
}

func (d *draft) setDNS(value []byte) error {
	if len(value) == 0 || len(value)%4 != 0 {
		return errAddress
	}
	d.DNS = nil
	for ; len(value) > 0 && len(d.DNS) < maxServers; value = value[4:] {
		d.DNS = append(d.DNS, netip.AddrFrom4([4]byte(value)))
	}
	return nil
}

// setHostName takes a name that may end with a zero byte, as RFC 2132 allows.
func (d *draft) setHostName(value []byte) error {
	d.HostName = strings.TrimRight(string(value), "\x00")
	return nil
}

func (d *draft) setMTU(value []byte) error {
	if len(value) != 2 {
		return errNumber
	}
	d.MTU = int(binary.BigEndian.Uint16(value))
	return nil
}

func (d *draft) setLifetime(value []byte) error {
	if len(value) != 4 {
		return errNumber
	}
	d.Lifetime = seconds(binary.BigEndian.Uint32(value))
	return nil
}

func seconds(n uint32) time.Duration {
	if n == ^uint32(0) {
		return Forever
	}
	return time.Duration(n) * time.Second
}

func (d *draft) setServer(value []byte) error {
	a, ok := address(value)
	if !ok {
		return errAddress
	}
	d.Server = a
	return nil
}

func (d *draft) setWireServer(value []byte) error {
	a, ok := address(value)
	if !ok {
		return errAddress
	}
	if err := checkWireServer(a); err != nil {
		return err
	}
	d.WireServer = a
	return nil
}

// checkWireServer says why an address cannot be the wire server's.
func checkWireServer(a netip.Addr) error {
	if !a.Is4() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a == broadcast {
		return fmt.Errorf("%s is the address of no host", a)
	}
	return nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func (d *draft) setRoutes(value []byte) (err error) {
	d.routes, err = classlessRoutes(value)
	return err
}

func (d *draft) setMicrosoftRoutes(value []byte) (err error) {
	d.microsoftRoutes, err = classlessRoutes(value)
	return err
}

var errTooManyRoutes = fmt.Errorf("only the first %d routes count", maxRoutes)

// classlessRoutes reads routes as RFC 3442 has them: the length of the prefix, as many
// bytes of the destination as have bits in it, the gateway. An error comes with the routes
// before what is wrong.
func classlessRoutes(value []byte) (routes []Route, err error) {
	for len(value) > 0 {
		bits := int(value[0])
		size := 1 + (bits+7)/8
		switch {
		case bits > 32:
			return routes, fmt.Errorf("a prefix of %d bits", bits)
		case len(value) < size+4:
			return routes, errors.New("a route is cut off")
		case len(routes) == maxRoutes:
			return routes, errTooManyRoutes
		}
		var destination [4]byte
		copy(destination[:], value[1:size])
		routes = append(routes, Route{
			// Bits behind the prefix do not count (RFC 3442).
			Destination: netip.PrefixFrom(netip.AddrFrom4(destination), bits).Masked(),
			Gateway:     netip.AddrFrom4([4]byte(value[size:])),
		})
		value = value[size+4:]
	}
	return routes, nil
}
