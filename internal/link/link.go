// Package link watches the network interfaces of a Linux system on rtnetlink, without a
// library: what there is, and every attach, detach and change, for as long as somebody
// asks.
//
// The watcher reads only when it is asked for the next event. Who asks too seldom makes
// the kernel's buffer overflow; the watcher then reads the whole list anew, delivers the
// differences, and says that changes may be missing between.
package link

import (
	"encoding/hex"
	"strconv"
)

// OperState is the operational state of an interface, RFC 2863's ifOperStatus with the
// numbers of linux/if.h.
type OperState uint8

// The states. Unknown is that of drivers that do not tell: such an interface is to be
// taken for usable (Documentation/networking/operstates.rst of the kernel).
const (
	Unknown        OperState = 0
	NotPresent     OperState = 1
	Down           OperState = 2
	LowerLayerDown OperState = 3
	Testing        OperState = 4
	Dormant        OperState = 5
	Up             OperState = 6
)

// operStates are the words in class/net/NAME/operstate of sysfs.
var operStates = [...]string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}

// String returns the word that sysfs has, or the number of a state that is not known.
func (s OperState) String() string {
	if int(s) < len(operStates) {
		return operStates[s]
	}
	return "operstate " + strconv.Itoa(int(s))
}

// Address is a hardware address, the bytes as they are: 6 for Ethernet, 20 for
// InfiniBand, none for a tunnel. It is a string so that it can be compared and be a key;
// net.HardwareAddr(a) converts it.
type Address string

// String returns the bytes in lower case hexadecimal, with colons between.
func (a Address) String() string {
	var text []byte
	for i := range len(a) {
		if i > 0 {
			text = append(text, ':')
		}
		text = hex.AppendEncode(text, []byte{a[i]})
	}
	return string(text)
}

// Link is an interface as it was at one moment. Two of them are the same with ==.
type Link struct {
	// Index stays with the interface until it is removed, through renames.
	Index int
	// Name of at most 15 bytes. Another program may change it at any time.
	Name string
	// Address may change too: bonding gives all members that of the first.
	Address   Address
	OperState OperState
	// Flags are IFF_… of linux/if.h.
	Flags uint32
	// Master is the index of the bond, bridge or synthetic interface that this one
	// belongs to, 0 for none. With accelerated networking the virtual function has that
	// of its hv_netvsc partner.
	Master int
	// Kind of a virtual interface (veth, bond, vlan, …), empty for a device's.
	Kind string
	// Driver of the device (hv_netvsc, mlx5_core, mana, …). It is empty without a
	// device, and where sysfs does not tell.
	Driver string
	// CarrierChanges counts how often the carrier came or went since the interface was
	// made. It moves although OperState is the same when the carrier went and came back
	// before anybody looked: the kernel makes one message of quick changes
	// (net/core/link_watch.c), and an overrun loses them. 0 before Linux 3.15.
	CarrierChanges uint32
}

// Flags of linux/if.h.
const (
	flagUp       = 1 << 0
	flagLoopback = 1 << 3
	flagRunning  = 1 << 6
	flagLowerUp  = 1 << 16
)

// AdminUp reports whether the interface has been set up.
func (l Link) AdminUp() bool { return l.Flags&flagUp != 0 }

// Loopback reports whether it is lo.
func (l Link) Loopback() bool { return l.Flags&flagLoopback != 0 }

// Carrier reports whether the driver sees a carrier. It is only told of an interface
// that is set up.
func (l Link) Carrier() bool { return l.Flags&flagLowerUp != 0 }

// Running reports whether packets can pass: set up, and in state Up or Unknown.
func (l Link) Running() bool { return l.Flags&flagRunning != 0 }

// EventKind says what happened.
type EventKind string

// The kinds.
const (
	// Attached: the interface is new.
	Attached EventKind = "attached"
	// Detached: it is gone, removed or moved to another network namespace.
	Detached EventKind = "detached"
	// Changed: something of it is different, were it only the name.
	Changed EventKind = "changed"
	// Resynced: the whole list has been read anew, and what was different has been
	// delivered before this event. It has no link.
	Resynced EventKind = "resynced"
)

// PossibleEventKindValues returns all kinds.
func PossibleEventKindValues() []EventKind {
	return []EventKind{Attached, Detached, Changed, Resynced}
}

// Event is one change.
type Event struct {
	Kind EventKind
	// Link is the interface after it; for Detached, as the kernel told it last.
	Link Link
	// Previous is the interface before it, zero for Attached.
	Previous Link
	// Lost is for Resynced: messages of the kernel were lost, and with them perhaps
	// transitions, such as down and up again. It is not set if the list was read on
	// demand and all messages came.
	Lost bool
}
