package ephemeral

import "net"

// OperState is the operational state of a link, as in RFC 2863 and the kernel's
// /sys/class/net/NAME/operstate.
type OperState string

// The states.
const (
	OperStateUnknown        OperState = "unknown"
	OperStateNotPresent     OperState = "notpresent"
	OperStateDown           OperState = "down"
	OperStateLowerLayerDown OperState = "lowerlayerdown"
	OperStateTesting        OperState = "testing"
	OperStateDormant        OperState = "dormant"
	OperStateUp             OperState = "up"
)

// PossibleOperStateValues returns the states in the order of their numbers in the kernel.
func PossibleOperStateValues() []OperState {
	return []OperState{
		OperStateUnknown, OperStateNotPresent, OperStateDown, OperStateLowerLayerDown,
		OperStateTesting, OperStateDormant, OperStateUp,
	}
}

// Link is a network interface at the moment it was looked at.
type Link struct {
	// Index stays when the name changes. The kernel does not give it to another link
	// after this one has gone.
	Index int
	Name  string
	// MAC is nil for a link without hardware address.
	MAC net.HardwareAddr
	// Driver is the kernel's name of it, "hv_netvsc" for Azure's synthetic NIC. It is
	// empty if unknown.
	Driver string
	// Kind is the kernel's name for a kind of link made by software: "veth", "bond". It is
	// empty for devices.
	Kind string
	// Master is the index of the link that this one is a part of, or 0.
	Master int
	// MTU in octets.
	MTU int
	// State is the operational state; Carrier tells whether the driver sees the other
	// end; Up whether the link is set up, by whomever.
	State   OperState
	Carrier bool
	Up      bool
	// Loopback is true for "lo".
	Loopback bool
}
