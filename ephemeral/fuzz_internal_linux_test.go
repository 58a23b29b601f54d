package ephemeral

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/lease"
)

// FuzzLease reads acknowledgements of anybody: no panic, within bounds, and nothing in the
// lease that an interface cannot have.
func FuzzLease(f *testing.F) {
	ack, err := dhcpv4.New(
		dhcpv4.WithHwAddr(net.HardwareAddr{0, 0x0d, 0x3a, 0, 0, 1}), dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 4)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithLeaseTime(3600),
		dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 10, 0, 0, 1, 32, 168, 63, 129, 16, 10, 0, 0, 1}),
		dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(lease.OptionWireServer), []byte{168, 63, 129, 16}),
		dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{5, 220}))
	if err != nil {
		f.Fatal(err)
	}
	b := ack.ToBytes()
	f.Add(b)
	f.Add(b[:len(b)-9])
	f.Add(append(slices.Clone(b[:240]), 121, 9, 33, 1, 2, 3, 4, 10, 0, 0, 1, 255))
	f.Fuzz(func(t *testing.T, b []byte) {
		boundtest.Check(t, func() {
			m, err := dhcpv4.FromBytes(b)
			if err != nil {
				return
			}
			l, err := leaseOf(m, time.Unix(0, 0))
			if err != nil {
				return
			}
			if !lease.IsHost(l.Address.Addr()) || l.Address.Bits() < 1 || len(l.Routes) > len(b) || len(l.Warnings) > len(b) {
				t.Errorf("%+v", l)
			}
			if l.RenewAfter < 0 || l.Duration < 0 || (l.Duration > 0) != (l.RenewAfter >= minRenewal) || l.RenewAfter > l.Duration {
				t.Errorf("%+v", l)
			}
			for _, r := range l.Routes {
				if r.Destination != r.Destination.Masked() || !r.Destination.IsValid() || (r.Gateway.IsValid() && !lease.IsHost(r.Gateway)) {
					t.Errorf("%v", r)
				}
			}
		})
	})
}

func TestLeaseOfAnAcknowledgement(t *testing.T) {
	t.Parallel()
	ack, err := dhcpv4.New(dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 4)), dhcpv4.WithNetmask(net.CIDRMask(25, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := leaseOf(ack, time.Now()); err != nil || l.Address != netip.MustParsePrefix("10.0.0.4/25") {
		t.Errorf("%+v, %v", l, err)
	}
}

// FuzzAddresses reads the kernel's list of addresses, or anything.
func FuzzAddresses(f *testing.F) {
	b, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_INET)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	// Attributes of 8, 8 and 33 bytes, the last without its padding.
	f.Add([]byte("I\x00\x00\x00\x14\x00000000000000000000\b\x00000000\b\x00\x02\x000000!\x000000000000000000000000000000000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		boundtest.Check(t, func() {
			found, err := parseAddresses(b)
			if err != nil && found != nil {
				t.Error("addresses beside an error")
			}
			for _, a := range found {
				if !a.address.IsValid() {
					t.Errorf("%+v", a)
				}
			}
		})
	})
}
