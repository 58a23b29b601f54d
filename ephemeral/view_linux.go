package ephemeral

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
)

const (
	// attrCacheInfo is IFA_CACHEINFO, which package syscall has, of four 32-bit numbers:
	// preferred and valid time, when the address was made, and when it was last set
	// (struct ifa_cacheinfo, linux/if_addr.h).
	attrCacheInfo = syscall.IFA_CACHEINFO
	cacheInfoSize = 16
	stampOffset   = 12
)

func viewer() (func() (machine, error), error) {
	return func() (machine, error) { return openKernel(sysfsDriver) }, nil
}

// look lists links, addresses and routes. They are three lists of slightly different
// moments, which does no harm to who looks again.
func (k *kernel) look() (view, error) {
	links, err := k.links()
	if err != nil {
		return view{}, err
	}
	addresses, err := listAddresses()
	if err != nil {
		return view{}, err
	}
	routes, err := dump(func() ([]netlink.Route, error) { return k.handle.RouteList(nil, syscall.AF_INET) })
	if err != nil {
		return view{}, err
	}
	v := view{links: links, addresses: addresses}
	for _, r := range routes {
		if route, ok := mainRouteOf(r); ok {
			v.routes = append(v.routes, route)
		}
	}
	return v, nil
}

func mainRouteOf(r netlink.Route) (mainRoute, bool) {
	if r.Dst == nil {
		return mainRoute{}, false
	}
	network, ok := netip.AddrFromSlice(r.Dst.IP)
	if !ok {
		return mainRoute{}, false
	}
	bits, _ := r.Dst.Mask.Size()
	route := mainRoute{index: r.LinkIndex, metric: r.Priority}
	route.Destination = netip.PrefixFrom(network.Unmap(), bits)
	if gateway, ok := netip.AddrFromSlice(r.Gw); ok {
		route.Gateway = gateway.Unmap()
	}
	return route, true
}

// listAddresses lists the IPv4 addresses with the time they were last set, which the
// netlink library leaves out.
func listAddresses() ([]stampedAddress, error) {
	b, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_INET)
	if err != nil {
		return nil, err
	}
	return parseAddresses(b)
}

// parseAddresses reads the kernel's list of addresses.
func parseAddresses(b []byte) ([]stampedAddress, error) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, errors.Join(errors.New("the kernel's list of addresses"), err)
	}
	var found []stampedAddress
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		// The parser steps over the padding of the last attribute, and panics if that is
		// not there.
		m.Data = append(slices.Clip(m.Data), make([]byte, -len(m.Data)&(syscall.RTA_ALIGNTO-1))...)
		attributes, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return nil, err
		}
		if a, ok := parseAddress(m.Data, attributes); ok {
			found = append(found, a)
		}
	}
	return found, nil
}

// parseAddress reads one address: family, prefix length, flags, scope and a 32-bit index
// (struct ifaddrmsg), then attributes.
func parseAddress(header []byte, attributes []syscall.NetlinkRouteAttr) (stampedAddress, bool) {
	a := stampedAddress{index: int(binary.NativeEndian.Uint32(header[4:]))}
	for _, attribute := range attributes {
		switch {
		case attribute.Attr.Type == syscall.IFA_LOCAL && len(attribute.Value) == net.IPv4len:
			a.address = netip.PrefixFrom(netip.AddrFrom4([4]byte(attribute.Value)), int(header[1]))
		case attribute.Attr.Type == attrCacheInfo && len(attribute.Value) >= cacheInfoSize:
			a.stamp = binary.NativeEndian.Uint32(attribute.Value[stampOffset:])
		}
	}
	return a, a.address.IsValid()
}
