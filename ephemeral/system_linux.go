package ephemeral

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	// routeProtocol and labelSuffix mark routes and addresses as ours, for whoever has to
	// clean up after a process that was killed. From 128 on the protocols are anybody's
	// (linux/rtnetlink.h); a label is at most 15 bytes, and follows a rename.
	routeProtocol = 165
	labelSuffix   = ":azp"
	maxLabel      = 15
	// lowerUp is IFF_LOWER_UP: the driver has a carrier (linux/if.h).
	lowerUp = 0x10000
	// dumpTries: a list that changed while the kernel sent it is asked for again.
	dumpTries = 5
)

// kernel is the machine's own network, in the namespace of the thread that opened it.
type kernel struct {
	handle *netlink.Handle
	driver func(name string) string
}

// opener opens the kernel. It does so for each operation: a socket that was open for days
// would have missed nothing, but would be one more thing to lose.
func opener(o *Options) (func() (system, dhcp, error), error) {
	driver := o.Driver
	if driver == nil {
		driver = sysfsDriver
	}
	return func() (system, dhcp, error) {
		k, err := openKernel(driver)
		if err != nil {
			return nil, nil, err
		}
		return k, nclient{}, nil
	}, nil
}

func openKernel(driver func(string) string) (*kernel, error) {
	// Only this family: a small kernel may lack the others, which the library would open.
	handle, err := netlink.NewHandle(syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &kernel{handle: handle, driver: driver}, nil
}

func (k *kernel) close() { k.handle.Close() }

// sysfsDriver reads the name of a device's driver, which the driver core writes into every
// device's uevent. It is empty for a link without a device.
func sysfsDriver(name string) string {
	b, err := os.ReadFile("/sys/class/net/" + name + "/device/uevent")
	if err != nil {
		return ""
	}
	return driverOf(string(b))
}

// driverOf finds the driver in a uevent: lines of NAME=VALUE.
func driverOf(uevent string) string {
	for line := range strings.Lines(uevent) {
		if driver, ok := strings.CutPrefix(line, "DRIVER="); ok {
			return strings.TrimSpace(driver)
		}
	}
	return ""
}

func (k *kernel) links() ([]Link, error) {
	found, err := dump(k.handle.LinkList)
	if err != nil {
		return nil, err
	}
	links := make([]Link, 0, len(found))
	for _, l := range found {
		links = append(links, k.describe(l))
	}
	return links, nil
}

// dump asks for a list until it is whole.
func dump[T any](ask func() ([]T, error)) (list []T, err error) {
	for range dumpTries {
		if list, err = ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return list, err
}

func (k *kernel) link(index int) (Link, error) {
	l, err := k.handle.LinkByIndex(index)
	if err != nil {
		return Link{}, translate(err)
	}
	return k.describe(l), nil
}

func (k *kernel) describe(l netlink.Link) Link {
	a := l.Attrs()
	kind := l.Type()
	if kind == "device" { // the library's name for a link without a kind
		kind = ""
	}
	return Link{
		Index: a.Index, Name: a.Name, MAC: slices.Clone(a.HardwareAddr), Driver: k.driver(a.Name), Kind: kind,
		Master: a.MasterIndex, MTU: a.MTU, State: operState(a.OperState),
		Carrier: a.RawFlags&lowerUp != 0, Up: a.Flags&net.FlagUp != 0, Loopback: a.Flags&net.FlagLoopback != 0,
	}
}

// operState names a state; the kernel counts them in the same order.
func operState(s netlink.LinkOperState) OperState {
	states := PossibleOperStateValues()
	if int(s) < len(states) {
		return states[s]
	}
	return OperStateUnknown
}

func (k *kernel) setUp(index int, up bool) error {
	l := byIndex(index)
	if up {
		return translate(k.handle.LinkSetUp(l))
	}
	return translate(k.handle.LinkSetDown(l))
}

// byIndex names a link to the library, which otherwise would go by its name.
func byIndex(index int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
}

// sweep goes by the marks. Addresses take their routes with them, but not those of other
// addresses.
func (k *kernel) sweep(index int) error {
	left := &netlink.Route{LinkIndex: index, Protocol: routeProtocol}
	routes, err := dump(func() ([]netlink.Route, error) {
		return k.handle.RouteListFiltered(netlink.FAMILY_V4, left, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
	})
	if err != nil {
		return translate(err)
	}
	for i := range routes {
		if err := missingIsFine(k.handle.RouteDel(&routes[i])); err != nil {
			return err
		}
	}
	addresses, err := dump(func() ([]netlink.Addr, error) { return k.handle.AddrList(byIndex(index), netlink.FAMILY_V4) })
	if err != nil {
		return translate(err)
	}
	for i := range addresses {
		if !strings.HasSuffix(addresses[i].Label, labelSuffix) {
			continue
		}
		if err := missingIsFine(k.handle.AddrDel(byIndex(index), &addresses[i])); err != nil {
			return err
		}
	}
	return nil
}

func (k *kernel) addAddress(index int, address netip.Prefix, valid time.Duration) error {
	return translate(k.handle.AddrAdd(byIndex(index), k.labeled(index, kernelAddress(address, valid))))
}

func (k *kernel) keepAddress(index int, address netip.Prefix, valid time.Duration) error {
	return translate(k.handle.AddrReplace(byIndex(index), k.labeled(index, kernelAddress(address, valid))))
}

// labeled marks an address, unless the interface's name leaves no room.
func (k *kernel) labeled(index int, address *netlink.Addr) *netlink.Addr {
	l, err := k.handle.LinkByIndex(index)
	if err == nil && len(l.Attrs().Name)+len(labelSuffix) <= maxLabel {
		address.Label = l.Attrs().Name + labelSuffix
	}
	return address
}

func (k *kernel) removeAddress(index int, address netip.Prefix) error {
	return missingIsFine(k.handle.AddrDel(byIndex(index), kernelAddress(address, 0)))
}

// kernelAddress gives the address its time in seconds; for the library 0 is for ever, and
// so it is for a Lease.
func kernelAddress(p netip.Prefix, valid time.Duration) *netlink.Addr {
	seconds := int(valid / time.Second)
	return &netlink.Addr{IPNet: ipNet(p), ValidLft: seconds, PreferedLft: seconds}
}

func (k *kernel) addRoute(r kernelRoute) error {
	return translate(k.handle.RouteAdd(libraryRoute(r)))
}

func (k *kernel) removeRoute(r kernelRoute) error {
	return missingIsFine(k.handle.RouteDel(libraryRoute(r)))
}

func libraryRoute(r kernelRoute) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: r.index, Dst: ipNet(r.Destination), Src: r.source.AsSlice(), MTU: r.mtu,
		Protocol: routeProtocol, Scope: netlink.SCOPE_UNIVERSE,
	}
	if !r.Gateway.IsValid() {
		route.Scope = netlink.SCOPE_LINK
		return route
	}
	route.Gw = r.Gateway.AsSlice()
	if r.onLink {
		route.SetFlag(netlink.FLAG_ONLINK)
	}
	return route
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// translate gives the kernel's errors the names that the package knows. A link that is
// down takes no routes and sends nothing: somebody else has set it down, or it is on its
// way out.
func translate(err error) error {
	var none netlink.LinkNotFoundError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &none), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return errors.Join(errGone, err)
	case errors.Is(err, syscall.EEXIST):
		return errors.Join(errExists, err)
	default:
		return err
	}
}

// missingIsFine is translate for what is to be removed: the kernel has taken it away, with
// the link or with the address.
func missingIsFine(err error) error {
	for _, gone := range [...]error{syscall.ESRCH, syscall.ENOENT, syscall.EADDRNOTAVAIL, syscall.ENETDOWN, syscall.ENETUNREACH} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return translate(err)
}
