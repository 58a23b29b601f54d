package ephemeral

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestCandidateNICs(t *testing.T) {
	t.Parallel()
	with := func(l Link, change func(*Link)) Link {
		change(&l)
		return l
	}
	kind := func(index int, name, kind string) Link {
		return with(nic(index, name), func(l *Link) { l.Kind, l.Driver = kind, "" })
	}
	state := func(index int, name string, s OperState) Link {
		return with(downed(nic(index, name)), func(l *Link) { l.State = s })
	}
	mac := net.HardwareAddr{0, 0x0d, 0x3a, 9, 9, 9}
	twin := func(index int, name, driver string) Link {
		return with(nic(index, name), func(l *Link) { l.MAC, l.Driver = mac, driver })
	}
	for _, row := range []struct {
		name  string
		links []Link
		want  string
	}{
		{"none", nil, ""},
		{"eth0 is first", []Link{nic(2, "ens1"), nic(3, "eth0")}, "eth0 ens1"},
		{"carrier is before the name", []Link{downed(nic(2, "eth0")), nic(3, "eth1")}, "eth1 eth0"},
		{"without carrier too eth0 is first", []Link{downed(nic(2, "ens1")), downed(nic(3, "eth0"))}, "eth0 ens1"},
		{"all four ranks", []Link{downed(nic(2, "a")), downed(nic(3, "eth0")), nic(4, "b")}, "b eth0 a"},
		{"natural order", []Link{nic(2, "eth10"), nic(3, "eth2"), nic(4, "eth1")}, "eth1 eth2 eth10"},
		{"natural order of several numbers", []Link{nic(2, "enP10s1"), nic(3, "enP2s12"), nic(4, "enP2s3")}, "enP2s3 enP2s12 enP10s1"},
		{"natural order with leading zeros", []Link{nic(2, "eth010"), nic(3, "eth9")}, "eth9 eth010"},
		{"leading zeros do not make a number larger", []Link{nic(2, "eth10"), nic(3, "eth009")}, "eth009 eth10"},
		{"the same number, written in two ways", []Link{nic(2, "eth1"), nic(3, "eth01")}, "eth01 eth1"},
		{"natural order, digits before letters", []Link{nic(2, "enx"), nic(3, "en1"), nic(4, "en")}, "en en1 enx"},
		{"numbers of any length", []Link{nic(2, "e99999999999999999999991"), nic(3, "e99999999999999999999990")}, "e99999999999999999999990 e99999999999999999999991"},
		{"operstate up is carrier", []Link{downed(nic(2, "eth0")), with(nic(3, "eth1"), func(l *Link) { l.Carrier = false })}, "eth1 eth0"},
		{"carrier in an unknown state", []Link{downed(nic(2, "eth0")), with(nic(3, "eth1"), func(l *Link) { l.State = OperStateUnknown })}, "eth1 eth0"},
		{"states without carrier", []Link{
			state(2, "dormant", OperStateDormant), state(3, "down", OperStateDown),
			state(4, "lower", OperStateLowerLayerDown), state(5, "unknown", OperStateUnknown),
			state(6, "absent", OperStateNotPresent), state(7, "test", OperStateTesting), state(8, "other", "else"),
		}, "dormant down lower unknown"},
		{"lo", []Link{with(nic(1, "lo"), func(l *Link) { l.Loopback = true })}, ""},
		{"lo by its name", []Link{nic(1, "lo")}, ""},
		{"loopback of another name", []Link{with(nic(1, "back"), func(l *Link) { l.Loopback = true })}, ""},
		{"veth by its name", []Link{nic(2, "veth12ab")}, ""},
		{"veth with a NIC's name", []Link{kind(2, "eth0", "veth")}, "eth0"},
		{"links of software", []Link{
			kind(2, "bond0", "bond"), kind(3, "br0", "bridge"), kind(4, "eth0.5", "vlan"), kind(5, "m0", "macvlan"),
			kind(6, "team0", "team"), kind(7, "tun0", "tun"), kind(8, "wg0", "wireguard"), kind(9, "dummy0", "dummy"),
		}, ""},
		{"a part of another", []Link{with(nic(2, "eth0"), func(l *Link) { l.Master = 3 }), nic(3, "eth1")}, "eth1"},
		{"no MAC", []Link{with(nic(2, "eth0"), func(l *Link) { l.MAC = nil })}, ""},
		{"a MAC of zeros", []Link{with(nic(2, "eth0"), func(l *Link) { l.MAC = make([]byte, 6) })}, ""},
		{"an InfiniBand address", []Link{with(nic(2, "ib0"), func(l *Link) { l.MAC = make([]byte, 20); l.MAC[3] = 1 })}, ""},
		{"the twin is the virtual function", []Link{twin(2, "eth0", "mlx5_core"), twin(3, "eth1", "hv_netvsc")}, "eth1"},
		{"twins of any driver", []Link{twin(2, "a", "mlx4_core"), twin(3, "b", "mana"), twin(4, "c", ""), twin(5, "eth1", "hv_netvsc")}, "eth1"},
		{"mana without a synthetic partner", []Link{twin(2, "eth0", "mana"), nic(3, "eth1")}, "eth0 eth1"},
		{"same address without a synthetic one", []Link{twin(2, "eth0", "virtio_net"), twin(3, "eth1", "virtio_net")}, "eth0 eth1"},
		{"the twin of one that is no candidate", []Link{twin(2, "eth0", "mlx5_core"), with(twin(3, "eth1", "hv_netvsc"), func(l *Link) { l.State, l.Carrier = OperStateNotPresent, false })}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			given := slices.Clone(row.links)
			if got := names(candidateNICs(given, nil)); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			slices.Reverse(given)
			if got := names(candidateNICs(given, nil)); got != row.want {
				t.Errorf("in reverse: %q, want %q", got, row.want)
			}
		})
	}
	usable := func(l Link) bool { return l.Driver == "mana" }
	if got := names(candidateNICs([]Link{nic(2, "eth0"), twin(3, "eth1", "mana")}, usable)); got != "eth1" {
		t.Errorf("%q", got)
	}
}

func names(links []Link) string {
	var all []string
	for _, l := range links {
		all = append(all, l.Name)
	}
	return strings.Join(all, " ")
}

func FuzzCompareNatural(f *testing.F) {
	f.Add("eth2", "eth10", "eth010")
	f.Add("", "0", "00")
	f.Add("eth01", "eth1", "eth001")
	f.Add("a1", "1a", "é1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if compareNatural(a, b) != -compareNatural(b, a) || (compareNatural(a, b) == 0) != (a == b) {
			t.Errorf("%q and %q have no order", a, b)
		}
		if compareNatural(a, b) <= 0 && compareNatural(b, c) <= 0 && compareNatural(a, c) > 0 {
			t.Errorf("%q, %q, %q are in a circle", a, b, c)
		}
	})
}
