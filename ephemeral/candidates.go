package ephemeral

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const (
	// primaryName is the first NIC's on nearly all images; cloud-init prefers it too.
	primaryName = "eth0"
	// syntheticDriver is that of the NIC which Hyper-V emulates. With accelerated
	// networking a second device has its MAC address, the virtual function, whose packets
	// the kernel joins to it; the address belongs on the synthetic one.
	syntheticDriver = "hv_netvsc"
	// macOctets is the length of an Ethernet address. InfiniBand's are longer, and what
	// has another or none gets no lease from Azure.
	macOctets = 6
)

// waitingStates are those of a link without carrier that may get one. The rules here are
// cloud-init's (cloudinit/net/__init__.py, find_candidate_nics_on_linux).
var waitingStates = []OperState{
	OperStateDormant, OperStateDown, OperStateLowerLayerDown, OperStateUnknown,
}

// candidateNICs returns the links that may be given a lease, the likeliest first: eth0 with
// carrier, others with carrier, eth0 without, others without; the others in natural
// order. Links that usable refuses are left out; a nil one refuses none.
func candidateNICs(links []Link, usable func(Link) bool) []Link {
	var found []Link
	for _, l := range links {
		if isNIC(l) && !isTwin(l, links) && (usable == nil || usable(l)) {
			found = append(found, l)
		}
	}
	slices.SortStableFunc(found, func(a, b Link) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), compareNatural(a.Name, b.Name))
	})
	return found
}

// isNIC reports whether a link is, or stands for, hardware of its own. Bonds, bridges,
// VLANs and other links made by software have a kind; of these only veth is taken, which
// is what containers and tests have for a NIC, unless it still has the name that the
// kernel gives to the host's end. A part of another link has its address there.
func isNIC(l Link) bool {
	switch {
	case l.Loopback, l.Name == "lo", l.Master != 0, strings.HasPrefix(l.Name, "veth"):
		return false
	case l.Kind != "" && l.Kind != "veth":
		return false
	case len(l.MAC) != macOctets, !slices.ContainsFunc(l.MAC, func(b byte) bool { return b != 0 }):
		return false
	default:
		return hasCarrier(l) || slices.Contains(waitingStates, l.State)
	}
}

// isTwin reports whether a link is the virtual function of a synthetic NIC. It is known by
// the MAC address and not by its driver, because there are NICs with the same drivers (mana)
// that have no synthetic partner. Before the kernel has joined the two, the twin looks like
// any NIC (canonical/cloud-init #3660).
func isTwin(l Link, links []Link) bool {
	return l.Driver != syntheticDriver && slices.ContainsFunc(links, func(other Link) bool {
		return other.Driver == syntheticDriver && bytes.Equal(other.MAC, l.MAC)
	})
}

func hasCarrier(l Link) bool { return l.Carrier || l.State == OperStateUp }

// rank is the lower the likelier the link.
func rank(l Link) int {
	r := 0
	if !hasCarrier(l) {
		r += 2
	}
	if l.Name != primaryName {
		r++
	}
	return r
}

// compareNatural compares names as people do: runs of digits by their value, eth2 before
// eth10.
func compareNatural(a, b string) int {
	rest, other := a, b
	for rest != "" && other != "" {
		x, y := leading(rest), leading(other)
		if c := compareRuns(x, y); c != 0 {
			return c
		}
		rest, other = rest[len(x):], other[len(y):]
	}
	return cmp.Or(cmp.Compare(len(rest), len(other)), strings.Compare(a, b))
}

// compareRuns compares two runs of digits by value, without a limit to their length, and
// anything else as text.
func compareRuns(x, y string) int {
	if !isDigit(x[0]) || !isDigit(y[0]) {
		return strings.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

// leading is the run of digits, or of anything else, that s begins with.
func leading(s string) string {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
