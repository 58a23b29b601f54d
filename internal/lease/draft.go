package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/azprov/azprov"
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
	errMask   = errors.New("it is no mask of a subnet")
	errMTU    = fmt.Errorf("every host takes packets of %d bytes", minMTU)
	errName   = fmt.Errorf("a name has %d bytes at most", maxName)
	errNumber = errors.New("the number has another length")
)

func (d *draft) setMask(value []byte) error {
	bits, ok := maskBits(value)
	if !ok || bits == 0 { // which would put the world on the link
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

func (d *draft) setRouter(value []byte) error {
	list, err := hosts(value)
	if len(list) > 0 {
		d.Router = list[0]
	}
	return err
}

func (d *draft) setDNS(value []byte) (err error) {
	d.DNS, err = hosts(value)
	return err
}

func (d *draft) setHostName(value []byte) (err error) {
	d.HostName, err = name(value)
	return err
}

func (d *draft) setDomain(value []byte) (err error) {
	d.Domain, err = name(value)
	return err
}

// name reads a name, which may end with a zero byte (RFC 2132, section 2), in one line.
func name(value []byte) (string, error) {
	if len(value) > maxName {
		return "", errName
	}
	return azprov.OneLine(string(value)), nil
}

func (d *draft) setMTU(value []byte) error {
	if len(value) != 2 {
		return errNumber
	}
	mtu := int(binary.BigEndian.Uint16(value))
	if mtu < minMTU {
		return errMTU
	}
	d.MTU = mtu
	return nil
}

func (d *draft) setLifetime(value []byte) (err error) {
	d.Lifetime, err = duration(value)
	return err
}

func (d *draft) setRenewAfter(value []byte) (err error) {
	d.RenewAfter, err = duration(value)
	return err
}

func duration(value []byte) (time.Duration, error) {
	if len(value) != 4 {
		return 0, errNumber
	}
	return seconds(binary.BigEndian.Uint32(value)), nil
}

func seconds(n uint32) time.Duration {
	if n == ^uint32(0) {
		return Forever
	}
	return time.Duration(n) * time.Second
}

func (d *draft) setServer(value []byte) (err error) {
	d.Server, err = host(value)
	return err
}

func (d *draft) setWireServer(value []byte) (err error) {
	d.WireServer, err = host(value)
	return err
}

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
// before what is wrong; of one whose gateway is no host's address, with the others.
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
		gateway := netip.AddrFrom4([4]byte(value[size:]))
		value = value[size+4:]
		if !gateway.IsUnspecified() && !IsHost(gateway) {
			err = fmt.Errorf("the gateway %w", errNoHost(gateway))
			continue
		}
		routes = append(routes, Route{
			// Bits behind the prefix do not count (RFC 3442).
			Destination: netip.PrefixFrom(netip.AddrFrom4(destination), bits).Masked(),
			Gateway:     gateway,
		})
	}
	return routes, err
}
