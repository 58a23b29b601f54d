package lab

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// The platform's addresses.
var (
	imdsAddress       = netip.MustParseAddr(strings.TrimPrefix(azprov.IMDSEndpoint, "http://"))
	wireServerAddress = netip.MustParseAddr(strings.TrimPrefix(azprov.WireServerEndpoint, "http://"))
)

// platformAddresses are where the services listen.
func platformAddresses() emulator.Addresses {
	return emulator.Addresses{
		IMDS:       imdsAddress.String() + ":80",
		WireServer: wireServerAddress.String() + ":80",
		HostGA:     strings.TrimPrefix(azprov.HostGAEndpoint, "http://"),
	}
}

// plan is what the guest's network looks like, before and after the VM gets its owner.
type plan struct {
	first, owner []nicPlan
	leaseTime    time.Duration
	noDHCP       bool
	noIMDS       bool // There is no IMDS to have a route to.
	name         string
}

// nicPlan is one interface of the guest.
type nicPlan struct {
	// name is the interface's; eth, not veth: cloud-init takes no interface whose name
	// begins with veth.
	name string
	// mac is its address.
	mac net.HardwareAddr
	// role says what is behind it.
	role role
	// address is what its lease gives, invalid if nothing answers.
	address netip.Prefix
}

// role is what is behind an interface.
type role int

const (
	rolePrimary role = iota // the platform
	roleSecondary
	roleTwin
)

// Where a scenario says nothing. The first three bytes of the address are Microsoft's.
var (
	defaultMAC       = net.HardwareAddr{0x00, 0x0d, 0x3a, 0x00, 0x00, 0x01}
	secondaryMAC     = net.HardwareAddr{0x00, 0x0d, 0x3a, 0xff, 0x00, 0x01}
	ownerMAC         = net.HardwareAddr{0x00, 0x0d, 0x3a, 0xff, 0x00, 0x02}
	defaultAddress   = netip.MustParsePrefix("10.0.0.4/24")
	secondaryAddress = netip.MustParsePrefix("10.99.0.4/24")
)

// planOf makes the plan for a scenario with its defaults filled in.
func planOf(s emulator.Scenario, o Options) plan {
	p := plan{first: nicsOf(s.VM, o, secondaryMAC), leaseTime: o.LeaseTime, noDHCP: o.NoDHCP, noIMDS: s.IMDS.Absent, name: o.Name}
	p.owner = p.first
	if s.Pool.Type != "" {
		p.owner = nicsOf(s.Pool.Owner, o, ownerMAC)
	}
	if s.Pool.Switched {
		p.first = p.owner
	}
	return p
}

func nicsOf(vm emulator.VM, o Options, second net.HardwareAddr) []nicPlan {
	primary := nicPlan{name: "eth0", mac: defaultMAC, role: rolePrimary, address: defaultAddress}
	if len(vm.Interfaces) > 0 {
		if mac, err := hex.DecodeString(vm.Interfaces[0].MACAddress); err == nil && len(mac) == len(defaultMAC) {
			primary.mac = mac
		}
		for _, prefix := range vm.Interfaces[0].Addresses {
			if prefix.Addr().Is4() {
				primary.address = prefix
				break
			}
		}
	}
	nics := []nicPlan{primary}
	if o.Secondary {
		nics[0].name = "eth1"
		nics = append([]nicPlan{{name: "eth0", mac: second, role: roleSecondary, address: secondaryAddress}}, nics...)
	}
	if o.Twin {
		// The name that systemd gives to a virtual function on Azure.
		nics = append(nics, nicPlan{name: "enP1s1", mac: primary.mac, role: roleTwin})
	}
	return nics
}

// gateway is the first address of the subnet, as on Azure, or the second for a guest
// that has the first.
func (n nicPlan) gateway() netip.Addr {
	first := n.address.Masked().Addr().Next()
	if first == n.address.Addr() {
		return first.Next()
	}
	return first
}

// lease is what DHCP gives to the interface.
func (n nicPlan) lease(p plan) lease {
	return lease{mac: n.mac, address: n.address, gateway: n.gateway(), platform: n.role == rolePrimary, noIMDS: p.noIMDS, time: p.leaseTime}
}
