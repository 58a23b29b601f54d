package emulator

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	// hostNameLimit is the longest host name that Linux takes.
	hostNameLimit = 64
	// azureReserved are the addresses of a subnet that Azure keeps for itself: the first
	// four and the last (Microsoft, "Azure Virtual Network FAQ").
	azureReserved      = 5
	azureReservedFirst = 4
	// smallSubnet is the size up to which a subnet is taken for one that is not Azure's.
	smallSubnet = 8
	ipv4Bits    = 32
	macBits     = 24 // Those that the manufacturer numbers.
	macDigits   = 6  // The same part in hexadecimal.
)

// numbered returns the scenario of a VM in a fleet: the template with what no two VMs have
// in common made anew from the number. All else is that of the template, and shared with it.
func (s *Scenario) numbered(number int) *Scenario {
	n := newNumbering(s, number)
	vm := *s
	vm.VM = n.vm(s.VM)
	if s.isPool() {
		vm.Pool.Owner = n.vm(s.Pool.Owner)
	}
	// Without ids of their own they are derived from the VM's.
	vm.WireServer.ContainerID, vm.WireServer.InstanceID = "", ""
	vm.WireServer.Extensions.ActivityID, vm.WireServer.Extensions.CorrelationID = "", ""
	return &vm
}

// numbering makes the identities of one number. What is the same in the template's VM and in
// its owner's stays the same, and what differs there differs between all VMs of all numbers.
type numbering struct {
	number int
	macs   []string       // of the template, without repetition
	nets   []netip.Prefix // of the template's addresses, each with its subnet's length
}

func newNumbering(s *Scenario, number int) *numbering {
	n := &numbering{number: number}
	for _, nic := range slices.Concat(s.VM.Interfaces, s.Pool.Owner.Interfaces) {
		if mac := strings.ToUpper(nic.MACAddress); !slices.Contains(n.macs, mac) {
			n.macs = append(n.macs, mac)
		}
		for _, prefix := range nic.Addresses {
			if !slices.Contains(n.nets, prefix) {
				n.nets = append(n.nets, prefix)
			}
		}
	}
	return n
}

func (n *numbering) vm(vm VM) VM {
	number := strconv.Itoa(n.number)
	vm.ID = derivedUUID(vm.ID, "fleet "+number)
	vm.Name = withNumber(vm.Name, number)
	vm.HostName = withNumber(vm.HostName, number)
	interfaces := make([]Interface, len(vm.Interfaces))
	for i, nic := range vm.Interfaces {
		interfaces[i] = Interface{MACAddress: n.mac(nic.MACAddress), Addresses: make([]netip.Prefix, len(nic.Addresses))}
		for j, prefix := range nic.Addresses {
			interfaces[i].Addresses[j] = n.address(prefix)
		}
	}
	vm.Interfaces = interfaces
	return vm
}

// withNumber is a name with the number behind it; the empty name stays empty.
func withNumber(name, number string) string {
	if name == "" {
		return ""
	}
	return name[:min(len(name), hostNameLimit-len(number)-1)] + "-" + number
}

// mac keeps the manufacturer of a MAC address. The rest counts on from the first address of
// the template.
func (n *numbering) mac(mac string) string {
	first, _ := strconv.ParseUint(n.macs[0][macDigits:], 16, macBits)
	at := slices.Index(n.macs, strings.ToUpper(mac))
	var low [4]byte
	binary.BigEndian.PutUint32(low[:], uint32(first)+uint32(n.number*len(n.macs)+at)) //nolint:gosec // Its lower 24 bits are used.
	return strings.ToUpper(mac[:macDigits] + hex.EncodeToString(low[1:]))
}

// address counts on from the first of the template's addresses in the same subnet, and goes
// on in the next subnet of the size where the first is full.
func (n *numbering) address(prefix netip.Prefix) netip.Prefix {
	var same []netip.Prefix
	for _, other := range n.nets {
		if other.Masked() == prefix.Masked() {
			same = append(same, other)
		}
	}
	first := slices.MinFunc(same, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }).Addr()
	step := uint64(n.number)*uint64(len(same)) + uint64(slices.Index(same, prefix)) //nolint:gosec // None is negative.
	if !prefix.Addr().Is4() {
		b := first.As16()
		binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+step)
		return netip.PrefixFrom(netip.AddrFrom16(b), prefix.Bits())
	}
	size := uint64(1) << (ipv4Bits - prefix.Bits())
	usable, begin := size, uint64(0)
	if size > smallSubnet {
		usable, begin = size-azureReserved, azureReservedFirst
	}
	subnet := prefix.Masked().Addr().As4()
	base, at := uint64(binary.BigEndian.Uint32(subnet[:])), first.As4()
	offset := uint64(binary.BigEndian.Uint32(at[:])) - base
	step += max(offset, begin) - begin
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(base+step/usable*size+begin+step%usable)) //nolint:gosec // Wraps around, as the space does.
	return netip.PrefixFrom(netip.AddrFrom4(b), prefix.Bits())
}
