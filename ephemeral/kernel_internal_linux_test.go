package ephemeral

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	mac := net.HardwareAddr{0, 0x0d, 0x3a, 0, 0, 1}
	k := &kernel{driver: func(name string) string { return "driver of " + name }}
	for _, row := range []struct {
		name string
		link netlink.Link
		want Link
	}{
		{
			"a device with carrier in an unknown state",
			&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, Name: "eth0", HardwareAddr: mac, MTU: 1500, RawFlags: lowerUp, Flags: net.FlagUp}},
			Link{Index: 2, Name: "eth0", MAC: mac, Driver: "driver of eth0", MTU: 1500, State: OperStateUnknown, Carrier: true, Up: true},
		},
		{
			"a part of a bond",
			&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 3, Name: "eth1", MasterIndex: 4, OperState: netlink.OperDown}},
			Link{Index: 3, Name: "eth1", Driver: "driver of eth1", Master: 4, State: OperStateDown},
		},
		{
			"a bond", &netlink.Bond{LinkAttrs: netlink.LinkAttrs{Name: "bond0", OperState: netlink.OperUp}},
			Link{Name: "bond0", Driver: "driver of bond0", Kind: "bond", State: OperStateUp},
		},
		{
			"a kind that the library does not know", &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: "x", OperState: netlink.OperDormant}, LinkType: "future"},
			Link{Name: "x", Driver: "driver of x", Kind: "future", State: OperStateDormant},
		},
		{
			"the loopback, in a state that is none", &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Flags: net.FlagLoopback, OperState: 99}},
			Link{Name: "lo", Driver: "driver of lo", Loopback: true, State: OperStateUnknown},
		},
	} {
		if diff := cmp.Diff(row.want, k.describe(row.link)); diff != "" {
			t.Errorf("%s:\n%s", row.name, diff)
		}
	}
	if driver := sysfsDriver("lo"); driver != "" {
		t.Errorf("lo has the driver %q", driver)
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err                           error
		gone, exists, denied, removed bool
	}{
		{err: nil, removed: true},
		{err: netlink.LinkNotFoundError{}, gone: true},
		{err: syscall.ENODEV, gone: true},
		{err: syscall.ENXIO, gone: true},
		{err: syscall.EEXIST, exists: true},
		{err: syscall.EPERM, denied: true},
		{err: syscall.EACCES, denied: true},
		{err: syscall.ESRCH, removed: true},
		{err: syscall.ENOENT, removed: true},
		{err: syscall.EADDRNOTAVAIL, removed: true},
		{err: syscall.ENETDOWN, removed: true},
		{err: syscall.ENETUNREACH, removed: true},
		{err: syscall.EINVAL},
	} {
		got := translate(row.err)
		if errors.Is(got, errGone) != row.gone || errors.Is(got, errExists) != row.exists || errors.Is(got, fs.ErrPermission) != row.denied {
			t.Errorf("%v: %v", row.err, got)
		}
		if row.err != nil && !errors.Is(got, row.err) {
			t.Errorf("%v is lost: %v", row.err, got)
		}
		if removed := missingIsFine(row.err) == nil; removed != row.removed {
			t.Errorf("%v: removed is %v", row.err, removed)
		}
	}
}

func TestMainRoute(t *testing.T) {
	t.Parallel()
	host := &net.IPNet{IP: net.IPv4(168, 63, 129, 16), Mask: net.CIDRMask(32, 32)}
	for _, row := range []struct {
		given netlink.Route
		want  mainRoute
		ok    bool
	}{
		{netlink.Route{LinkIndex: 2, Dst: host, Gw: net.IPv4(10, 0, 0, 1), Priority: 100}, mainRoute{Route: via("168.63.129.16/32", "10.0.0.1"), index: 2, metric: 100}, true},
		{netlink.Route{LinkIndex: 2, Dst: host}, mainRoute{Route: via("168.63.129.16/32", ""), index: 2}, true},
		{netlink.Route{LinkIndex: 2, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}, mainRoute{Route: via("0.0.0.0/0", ""), index: 2}, true},
		{netlink.Route{LinkIndex: 2}, mainRoute{}, false},
	} {
		if got, ok := mainRouteOf(row.given); got != row.want || ok != row.ok {
			t.Errorf("%v: %v, %v", row.given, got, ok)
		}
	}
	if got := ipNet(netip.MustParsePrefix("10.0.0.0/8")).String(); got != "10.0.0.0/8" {
		t.Error(got)
	}
}
