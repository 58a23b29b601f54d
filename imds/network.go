package imds

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
)

// Network is /metadata/instance/network.
type Network struct {
	// Interface lists the network interfaces, InfiniBand ones excepted. The order
	// is not guaranteed: find an interface with [Network.ByMAC]. The primary one
	// is the one whose DHCP lease routes to IMDS.
	Interface []NetworkInterface `json:"interface"`
}

// NetworkInterface is one network interface of the VM.
type NetworkInterface struct {
	IPv4 IPConfiguration `json:"ipv4"`
	IPv6 IPConfiguration `json:"ipv6"`
	// InterfaceCompartmentID: 2025-07-24; with InterfaceCompartmentVersion for
	// container networking, neither is documented.
	InterfaceCompartmentID      string `json:"interfaceCompartmentID"`
	InterfaceCompartmentVersion string `json:"interfaceCompartmentVersion"`
	// MACAddress is upper-case hex without separators. With accelerated
	// networking two devices in the VM bear it, the synthetic and the virtual
	// function.
	MACAddress string `json:"macAddress"`
}

// IPConfiguration is what an interface has of one address family.
type IPConfiguration struct {
	// IPAddress lists the addresses. DHCP hands out the first IPv4 address; the
	// others have to be configured statically.
	IPAddress []IPAddress `json:"ipAddress"`
	// IPAddressBlock lists delegated prefixes. Not documented; seen with 2025-04-07.
	IPAddressBlock []AddressPrefix `json:"ipAddressBlock"`
	// Subnet lists the subnet's prefixes, usually one. The service sends none for
	// IPv6.
	Subnet []AddressPrefix `json:"subnet"`
}

// IPAddress pairs a private address with the public one that is translated to it.
type IPAddress struct {
	PrivateIPAddress string `json:"privateIpAddress"`
	// PublicIPAddress is empty without one, and often with one of the Standard
	// SKU: those are in [LoadBalancer].
	PublicIPAddress string `json:"publicIpAddress"`
}

// AddressPrefix is a network: its address and the length of its prefix.
type AddressPrefix struct {
	Address string `json:"address"`
	Prefix  Int    `json:"prefix"`
}

// ParseInterfaces reads the array of /metadata/instance/network/interface, as
// tolerantly as [ParseInstance] and with the same errors. The warnings name what
// was left out.
func ParseInterfaces(b []byte) (interfaces []NetworkInterface, warnings []string, err error) {
	warnings, err = parseDocument("imds.ParseInterfaces", b, '[', &interfaces)
	if err != nil {
		return nil, nil, err
	}
	return interfaces, warnings, nil
}

// ByMAC returns the interface with that hardware address.
func (n Network) ByMAC(mac net.HardwareAddr) (NetworkInterface, bool) {
	for _, nic := range n.Interface {
		if addr, ok := nic.HardwareAddr(); ok && bytes.Equal(addr, mac) {
			return nic, true
		}
	}
	return NetworkInterface{}, false
}

// macSeparators are the ones that systems write hardware addresses with.
var macSeparators = strings.NewReplacer(":", "", "-", "", ".", "")

// HardwareAddr returns the MAC address. Case, blanks around it and separators
// (":", "-", ".") do not matter; ok is false if that is not 48 bits of hex.
func (n NetworkInterface) HardwareAddr() (mac net.HardwareAddr, ok bool) {
	mac, err := hex.DecodeString(macSeparators.Replace(strings.TrimSpace(n.MACAddress)))
	if err != nil || len(mac) != 6 {
		return nil, false
	}
	return mac, true
}

// IPv4Addresses returns the private IPv4 addresses in the order sent. What is no
// IPv4 address is left out, so the first need not be the primary one if the
// document is faulty.
func (n NetworkInterface) IPv4Addresses() []netip.Addr { return n.IPv4.private(netip.Addr.Is4) }

// IPv6Addresses returns the private IPv6 addresses in the order sent.
func (n NetworkInterface) IPv6Addresses() []netip.Addr { return n.IPv6.private(netip.Addr.Is6) }

// The prefix lengths that cloud-init takes where the document has none
// (cloudinit/sources/DataSourceAzure.py).
const (
	defaultIPv4Bits = 24
	defaultIPv6Bits = 128
)

// IPv4Prefixes returns [NetworkInterface.IPv4Addresses] with the prefix length of
// the listed subnet they lie in, else of the first one, else 24.
func (n NetworkInterface) IPv4Prefixes() []netip.Prefix {
	return n.IPv4.prefixes(n.IPv4Addresses(), defaultIPv4Bits)
}

// IPv6Prefixes returns [NetworkInterface.IPv6Addresses] in the same way; without
// a subnet, which is how the service sends it, the length is 128.
func (n NetworkInterface) IPv6Prefixes() []netip.Prefix {
	return n.IPv6.prefixes(n.IPv6Addresses(), defaultIPv6Bits)
}

// PublicAddresses returns the public addresses of both families, IPv4 first.
// Addresses of the Standard SKU are often missing; see [LoadBalancer].
func (n NetworkInterface) PublicAddresses() []netip.Addr {
	var addrs []netip.Addr
	for _, family := range []IPConfiguration{n.IPv4, n.IPv6} {
		for _, ip := range family.IPAddress {
			if addr, ok := parseAddr(ip.PublicIPAddress); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

// AddressBlocks returns the delegated prefixes of both families, IPv4 first.
func (n NetworkInterface) AddressBlocks() []netip.Prefix {
	return append(parsePrefixes(n.IPv4.IPAddressBlock), parsePrefixes(n.IPv6.IPAddressBlock)...)
}

func (c IPConfiguration) private(inFamily func(netip.Addr) bool) []netip.Addr {
	var addrs []netip.Addr
	for _, ip := range c.IPAddress {
		if addr, ok := parseAddr(ip.PrivateIPAddress); ok && inFamily(addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// prefixes gives each address its length. cloud-init takes the first subnet's for
// all; a subnet may have several prefixes, and then the one that holds the
// address is right.
func (c IPConfiguration) prefixes(addrs []netip.Addr, defaultBits int) []netip.Prefix {
	subnets := parsePrefixes(c.Subnet)
	var prefixes []netip.Prefix
	for _, addr := range addrs {
		bits := defaultBits
		for i, subnet := range subnets {
			if i == 0 && subnet.Addr().BitLen() == addr.BitLen() {
				bits = subnet.Bits()
			}
			if subnet.Contains(addr) {
				bits = subnet.Bits()
				break
			}
		}
		prefixes = append(prefixes, netip.PrefixFrom(addr, bits))
	}
	return prefixes
}

// Netip returns the network as a masked prefix. ok is false if the address or the
// length cannot be parsed, or do not fit each other; nor is a length of 0 taken,
// which would put the whole world on the link.
func (p AddressPrefix) Netip() (prefix netip.Prefix, ok bool) {
	addr, ok := parseAddr(p.Address)
	bits, isNumber := p.Prefix.Value()
	if !ok || !isNumber || bits < 1 || bits > int64(addr.BitLen()) {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, int(bits)).Masked(), true
}

func parsePrefixes(texts []AddressPrefix) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range texts {
		if prefix, ok := text.Netip(); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parseAddr reads an address without blanks and the brackets that real hosts put
// around IPv6 addresses. IPv4 addresses mapped into IPv6 come out as IPv4, and a
// zone is dropped: it would name an interface of the host.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}
