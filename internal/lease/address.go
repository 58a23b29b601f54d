package lease

import (
	"errors"
	"fmt"
	"net/netip"
)

var errAddress = errors.New("an address has 4 bytes")

func errNoHost(a netip.Addr) error { return fmt.Errorf("%s is the address of no host", a) }

// IsHost reports whether an interface can have the address: one of IPv4, and neither of
// this network nor a loopback (RFC 1122, section 3.2.1.3), nor of a group, nor reserved.
func IsHost(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// address reads an address of exactly 4 bytes.
func address(value []byte) (netip.Addr, bool) {
	if len(value) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(value)), true
}

// host reads the address of a host.
func host(value []byte) (netip.Addr, error) {
	a, ok := address(value)
	if !ok {
		return netip.Addr{}, errAddress
	}
	if !IsHost(a) {
		return netip.Addr{}, errNoHost(a)
	}
	return a, nil
}

// hosts reads a list of addresses of hosts. An error comes with those that can be used.
func hosts(value []byte) (list []netip.Addr, err error) {
	if len(value) == 0 || len(value)%4 != 0 {
		err = errAddress
	}
	for ; len(value) >= 4 && len(list) < maxServers; value = value[4:] {
		a, wrong := host(value[:4])
		if wrong != nil {
			err = wrong
			continue
		}
		list = append(list, a)
	}
	return list, err
}
