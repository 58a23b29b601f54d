package ephemeral

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
)

func TestDump(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		interrupted int
		err         error // after that
		asked       int
		want        error
	}{
		{"whole", 0, nil, 1, nil},
		{"whole the third time", 2, nil, 3, nil},
		{"whole at last", dumpTries - 1, nil, dumpTries, nil},
		{"never whole", dumpTries, nil, dumpTries, netlink.ErrDumpInterrupted},
		{"another error", 0, syscall.EPERM, 1, syscall.EPERM},
	} {
		asked := 0
		list, err := dump(func() ([]int, error) {
			if asked++; asked <= row.interrupted {
				return nil, netlink.ErrDumpInterrupted
			}
			return []int{asked}, row.err
		})
		if asked != row.asked || !errors.Is(err, row.want) || (row.want == nil && !slices.Equal(list, []int{row.asked})) {
			t.Errorf("%s: %v, %v after %d", row.name, list, err, asked)
		}
	}
}

func TestDriverOf(t *testing.T) {
	t.Parallel()
	for uevent, want := range map[string]string{
		"DRIVER=hv_netvsc\nMODALIAS=vmbus:635161f83edfc546913ff2d2f965ed0e\n": "hv_netvsc",
		"PCI_ID=15B3:101A\nDRIVER=mlx5_core":                                  "mlx5_core",
		"DRIVERS=x\nOF_DRIVER=y\n":                                            "",
		"":                                                                    "",
	} {
		if got := driverOf(uevent); got != want {
			t.Errorf("%q: %q, want %q", uevent, got, want)
		}
	}
}

// TestOperStates: the library, the kernel and this package count in the same way.
func TestOperStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[netlink.LinkOperState]OperState{
		netlink.OperUnknown: OperStateUnknown, netlink.OperNotPresent: OperStateNotPresent, netlink.OperDown: OperStateDown,
		netlink.OperLowerLayerDown: OperStateLowerLayerDown, netlink.OperTesting: OperStateTesting,
		netlink.OperDormant: OperStateDormant, netlink.OperUp: OperStateUp, netlink.OperUp + 1: OperStateUnknown, 255: OperStateUnknown,
	} {
		if got := operState(state); got != want {
			t.Errorf("%v: %v, want %v", state, got, want)
		}
	}
}

func TestLibraryRoute(t *testing.T) {
	t.Parallel()
	source, gateway := netip.MustParseAddr("10.0.0.4"), net.IP{10, 0, 0, 1}
	wireServer := &net.IPNet{IP: net.IP{168, 63, 129, 16}, Mask: net.CIDRMask(32, 32)}
	route := func(change func(*netlink.Route)) netlink.Route {
		r := netlink.Route{
			LinkIndex: 2, Dst: wireServer, Src: source.AsSlice(), Gw: gateway, Protocol: routeProtocol, Scope: netlink.SCOPE_UNIVERSE,
		}
		change(&r)
		return r
	}
	for _, row := range []struct {
		name  string
		route kernelRoute
		want  netlink.Route
	}{
		{"by a gateway", kernelRoute{index: 2, Route: via("168.63.129.16/32", "10.0.0.1"), source: source}, route(func(*netlink.Route) {})},
		{"its MTU", kernelRoute{index: 2, Route: via("168.63.129.16/32", "10.0.0.1"), source: source, mtu: 1400}, route(func(r *netlink.Route) { r.MTU = 1400 })},
		{"a gateway outside", kernelRoute{index: 2, Route: via("168.63.129.16/32", "10.0.0.1"), source: source, onLink: true}, route(func(r *netlink.Route) {
			r.Flags = int(netlink.FLAG_ONLINK)
		})},
		{"on the link", kernelRoute{index: 2, Route: via("168.63.129.16/32", ""), source: source}, route(func(r *netlink.Route) {
			r.Gw, r.Scope = nil, netlink.SCOPE_LINK
		})},
		{"the default route", kernelRoute{index: 2, Route: via("0.0.0.0/0", "10.0.0.1"), source: source}, route(func(r *netlink.Route) {
			r.Dst = &net.IPNet{IP: net.IP{0, 0, 0, 0}, Mask: net.CIDRMask(0, 32)}
		})},
	} {
		if got := libraryRoute(row.route); !got.Equal(row.want) || got.Scope != row.want.Scope {
			t.Errorf("%s:\n%+v, want\n%+v", row.name, *got, row.want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	header := []byte{syscall.AF_INET, 22, 0, 0}
	header = binary.NativeEndian.AppendUint32(header, 7)
	attribute := func(code uint16, value ...byte) syscall.NetlinkRouteAttr {
		return syscall.NetlinkRouteAttr{Attr: syscall.RtAttr{Type: code}, Value: value}
	}
	times := []byte{}
	for _, n := range []uint32{1, 2, 3, 4} { // preferred, valid, made, set
		times = binary.NativeEndian.AppendUint32(times, n)
	}
	local := attribute(syscall.IFA_LOCAL, 10, 0, 0, 4)
	for _, row := range []struct {
		name       string
		attributes []syscall.NetlinkRouteAttr
		want       stampedAddress
		ok         bool
	}{
		{"the time it was set", []syscall.NetlinkRouteAttr{local, attribute(attrCacheInfo, times...)}, addressed(7, "10.0.0.4/22", 4), true},
		{"the other end of a tunnel", []syscall.NetlinkRouteAttr{attribute(syscall.IFA_ADDRESS, 10, 9, 9, 9), local}, addressed(7, "10.0.0.4/22", 0), true},
		{"no address", []syscall.NetlinkRouteAttr{attribute(attrCacheInfo, times...)}, stampedAddress{index: 7, stamp: 4}, false},
		{"an address of IPv6", []syscall.NetlinkRouteAttr{attribute(syscall.IFA_LOCAL, make([]byte, 16)...)}, stampedAddress{index: 7}, false},
		{"times cut short", []syscall.NetlinkRouteAttr{local, attribute(attrCacheInfo, times[:15]...)}, addressed(7, "10.0.0.4/22", 0), true},
	} {
		if got, ok := parseAddress(header, row.attributes); got != row.want || ok != row.ok {
			t.Errorf("%s: %+v, %v", row.name, got, ok)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	failed := func(cause error) context.Context {
		ctx, fail := context.WithCancelCause(t.Context())
		fail(cause)
		return ctx
	}
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	noAnswer := errors.New("no answer")
	nak := &nclient4.ErrNak{Offer: &dhcpv4.DHCPv4{}, Nak: &dhcpv4.DHCPv4{}}
	for _, row := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // Each row has its own.
		err  error
		want error
	}{
		{"a refusal", t.Context(), nak, errNAK},
		{"silence", t.Context(), noAnswer, noAnswer},
		{"the NIC has gone when it sends", t.Context(), syscall.ENODEV, errGone},
		{"the NIC has gone when it waits", failed(syscall.ENODEV), noAnswer, errGone},
		{"the NIC is down", failed(syscall.ENETDOWN), noAnswer, syscall.ENETDOWN},
		{"no time", over, noAnswer, context.DeadlineExceeded},
	} {
		if got := explain(row.ctx, row.err); !errors.Is(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// deadConn is a socket that cannot be read any more.
type deadConn struct {
	net.PacketConn

	err error
}

func (c deadConn) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, c.err }

func TestWatchedConn(t *testing.T) {
	t.Parallel()
	for err, text := range map[syscall.Errno]string{syscall.ENETDOWN: "the network interface went down", syscall.EBADF: ""} {
		ctx, fail := context.WithCancelCause(t.Context())
		_, _, got := (&watchedConn{PacketConn: deadConn{err: os.NewSyscallError("recvfrom", err)}, fail: fail}).ReadFrom(nil)
		if cause := context.Cause(ctx); !errors.Is(got, err) || !errors.Is(cause, err) || !strings.HasPrefix(cause.Error(), text) {
			t.Errorf("%v: %v, %v", err, got, cause)
		}
	}
}

func TestExchangeWithoutLink(t *testing.T) {
	t.Parallel()
	link := Link{Index: 1 << 30, MAC: net.HardwareAddr{0, 0x0d, 0x3a, 0, 0, 1}}
	if _, err := (nclient{}).renew(t.Context(), link, grant{token: "ack"}); err == nil || !strings.Contains(err.Error(), "not granted by this client") {
		t.Errorf("%v", err)
	}
	if _, err := (nclient{}).acquire(t.Context(), link); errors.Is(err, os.ErrPermission) {
		t.Skip("only root may open a packet socket")
	} else if !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
	k, err := openKernel(sysfsDriver)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	if _, err := k.link(link.Index); !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
}
