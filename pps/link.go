package pps

import (
	"context"
	"slices"
	"strings"
)

// OperState is a link's operational state (RFC 2863, linux/if.h), as the kernel calls it
// in sysfs.
type OperState string

// The states. Azure's interfaces show unknown, down and up.
const (
	OperUnknown        OperState = "unknown"
	OperNotPresent     OperState = "notpresent"
	OperDown           OperState = "down"
	OperLowerLayerDown OperState = "lowerlayerdown"
	OperTesting        OperState = "testing"
	OperDormant        OperState = "dormant"
	OperUp             OperState = "up"
)

// PossibleOperStateValues returns all states.
func PossibleOperStateValues() []OperState {
	return []OperState{
		OperUnknown, OperNotPresent, OperDown, OperLowerLayerDown, OperTesting, OperDormant, OperUp,
	}
}

// Link is a network interface as the kernel shows it.
type Link struct {
	// Index identifies the link for as long as it exists.
	Index int
	// Name may change while the link exists.
	Name string
	// Address is the MAC address in lower case with colons, empty without one.
	Address string
	// OperState and Carrier (IFF_LOWER_UP) tell whether it can carry packets.
	OperState OperState
	Carrier   bool
	// AdminDown: the guest itself has not set it up (IFF_UP). Its state says nothing of
	// the host then.
	AdminDown bool
	// Driver is the kernel's driver, empty if unknown.
	Driver string
	// Kind is the kind of a virtual link ("bridge", "vlan", "veth"), empty for a device.
	Kind string
	// Loopback marks lo.
	Loopback bool
	// Master is the index of the link that this one is enslaved to, 0 for none.
	Master int
}

// Up reports whether the link carries packets: its state is up, or not known by a driver
// that does not say, with a carrier.
func (l Link) Up() bool {
	return l.OperState == OperUp || (l.OperState == OperUnknown && l.Carrier)
}

// down reports whether the host has cut the link. The other states, those in between, say
// nothing (cloud-init: helpers/netlink.py, wait_for_media_disconnect_connect).
func (l Link) down() bool { return l.OperState == OperDown && !l.AdminDown }

// LinkEventKind is what happened to a link.
type LinkEventKind string

// The kinds.
const (
	// LinkAttached: it was not there before.
	LinkAttached LinkEventKind = "attached"
	// LinkDetached: it is gone; Link is what it was.
	LinkDetached LinkEventKind = "detached"
	// LinkChanged: its name, address or state is another.
	LinkChanged LinkEventKind = "changed"
	// LinkResynced: events were lost, and the watcher has read all links anew. What
	// differs was told by the other kinds; what went and came back meanwhile, was not.
	LinkResynced LinkEventKind = "resynced"
)

// PossibleLinkEventKindValues returns all kinds.
func PossibleLinkEventKindValues() []LinkEventKind {
	return []LinkEventKind{LinkAttached, LinkDetached, LinkChanged, LinkResynced}
}

// LinkEvent is one change.
type LinkEvent struct {
	Kind LinkEventKind
	// Link is the link after the change; zero for LinkResynced.
	Link Link
	// Previous is the link before a LinkChanged.
	Previous Link
}

// Links are the network interfaces of the machine.
type Links interface {
	// Watch begins to listen: every change after it returns is an event.
	Watch(ctx context.Context) (LinkWatcher, error)
}

// LinkWatcher tells of changes, in their order. Its methods may be called from two
// goroutines.
type LinkWatcher interface {
	// Links returns the links that there are, as far as events have been read.
	Links() []Link
	// Next waits for the next event, or for the end of ctx. An error that is not the
	// context's ends the watcher.
	Next(ctx context.Context) (LinkEvent, error)
	// Close ends it. Next, if it waits, returns.
	Close() error
}

// nicDrivers are those of Azure's primary interfaces: the synthetic one of Hyper-V, and
// MANA, which is to work without it. The other drivers are of virtual functions.
var nicDrivers = []string{"", "hv_netvsc", "mana"}

// stackedKinds are virtual links that the guest makes on top of others, or for itself.
var stackedKinds = []string{
	"bond", "bridge", "dummy", "gre", "gretap", "ifb", "ipip", "ipvlan", "ipvtap", "macsec",
	"macvlan", "macvtap", "sit", "team", "tun", "vcan", "vlan", "vrf", "vti", "vxlan", "wireguard",
}

// DefaultCandidate reports whether a link may be an interface that the host has attached:
// it has an address, is on its own, and its driver is hv_netvsc, mana, or not known. lo
// and what is called veth… are not (cloud-init: net/__init__.py); a link of kind veth with
// another name may stand for an interface in a network namespace.
func DefaultCandidate(l Link) bool {
	return l.Address != "" && l.Address != "00:00:00:00:00:00" &&
		!l.Loopback && l.Name != "lo" && !strings.HasPrefix(l.Name, "veth") && l.Master == 0 &&
		slices.Contains(nicDrivers, l.Driver) && !slices.Contains(stackedKinds, l.Kind)
}
