package emulator

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNumberedAddresses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		addresses string // of the template's NIC
		number    int
		want      string
	}{
		{"the first is the template's", "10.1.0.4/24 fd00::4/64", 0, "10.1.0.4/24 fd00::4/64"},
		{"one on", "10.1.0.4/24 fd00::4/64", 1, "10.1.0.5/24 fd00::5/64"},
		{"the last of the subnet", "10.1.0.4/24", 250, "10.1.0.254/24"},
		{"the next subnet, without what Azure keeps", "10.1.0.4/24", 251, "10.1.1.4/24"},
		{"two in a subnet take turns", "10.1.0.4/24 10.1.0.5/24", 3, "10.1.0.10/24 10.1.0.11/24"},
		{"two in a subnet, the higher one first", "10.1.0.9/24 10.1.0.5/24", 1, "10.1.0.7/24 10.1.0.8/24"},
		{"below what Azure gives out", "10.1.0.1/24", 0, "10.1.0.4/24"},
		{"a single address", "192.0.2.1/32", 2, "192.0.2.3/32"},
		{"a pair", "192.0.2.0/31", 3, "192.0.2.3/31"},
		{"thousands", "10.20.0.4/24", 4999, "10.20.19.234/24"},
		{"IPv6, into the upper bytes", "fd00::fff0/64", 0x20, "fd00::1:10/64"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var nic Interface
			for text := range strings.FieldsSeq(row.addresses) {
				nic.Addresses = append(nic.Addresses, netip.MustParsePrefix(text))
			}
			s := &Scenario{VM: VM{Interfaces: []Interface{nic}}}
			n := newNumbering(s, row.number)
			var got []string
			for _, prefix := range nic.Addresses {
				got = append(got, n.address(prefix).String())
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestNumberedMACs(t *testing.T) {
	t.Parallel()
	s := &Scenario{
		VM:   VM{Interfaces: []Interface{{MACAddress: "000D3AFFFFFE"}, {MACAddress: "000d3a000009"}}},
		Pool: Pool{Owner: VM{Interfaces: []Interface{{MACAddress: "000D3AFFFFFE"}, {MACAddress: "002248000001"}}}},
	}
	for number, want := range []string{
		"000D3AFFFFFE 000D3AFFFFFF 000D3AFFFFFE 002248000000",
		"000D3A000001 000D3A000002 000D3A000001 002248000003",
	} {
		n := newNumbering(s, number)
		var got []string
		for _, vm := range []VM{s.VM, s.Pool.Owner} {
			for _, nic := range vm.Interfaces {
				got = append(got, n.mac(nic.MACAddress))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("number %d: %s, want %s", number, got, want)
		}
	}
}

func TestWithNumber(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70)
	for _, row := range [][2]string{{"", ""}, {"tug", "tug-17"}, {long, long[:61] + "-17"}} {
		if got := withNumber(row[0], "17"); got != row[1] {
			t.Errorf("%q becomes %q, want %q", row[0], got, row[1])
		}
	}
}

// A fleet's VMs have nothing of one another, and everything of the template.
func TestNumberedScenario(t *testing.T) {
	t.Parallel()
	for _, template := range Scenarios() {
		s := template.withDefaults()
		s.WireServer.ContainerID, s.WireServer.InstanceID = "the template's", "the template's._vm"
		s.WireServer.Extensions.ActivityID, s.WireServer.Extensions.CorrelationID = "the template's", "the template's"
		before := s
		one, two := s.numbered(1), s.numbered(2)
		if one.VM.ID == two.VM.ID || one.VM.ID == s.VM.ID || one.VM.Name == two.VM.Name {
			t.Errorf("%s: %s and %s", s.Name, one.VM.Name, two.VM.Name)
		}
		if newWireIDs(*one, one.VM).containerID == newWireIDs(*two, two.VM).containerID {
			t.Errorf("%s: both are in one container", s.Name)
		}
		if e := one.WireServer.Extensions; e.ActivityID != "" || e.CorrelationID != "" {
			t.Errorf("%s: the extensions' ids are %s and %s", s.Name, e.ActivityID, e.CorrelationID)
		}
		if s.isPool() && (s.Pool.Owner.ID == s.VM.ID) != (one.Pool.Owner.ID == one.VM.ID) {
			t.Errorf("%s: the owner's id is %s", s.Name, one.Pool.Owner.ID)
		}
		if s.VM.Interfaces != nil && s.VM.Interfaces[0].MACAddress != before.VM.Interfaces[0].MACAddress {
			t.Errorf("%s: the template was changed", s.Name)
		}
		if err := one.validate(); err != nil {
			t.Error(err)
		}
		if again := s.numbered(1); again.VM.ID != one.VM.ID || again.VM.Interfaces == nil && one.VM.Interfaces != nil {
			t.Errorf("%s: another VM the second time", s.Name)
		}
	}
}

// Ports meet only at one address.
func TestPortRanges(t *testing.T) {
	t.Parallel()
	ranges, err := newPortRanges(Addresses{IMDS: "127.0.0.1:80", WireServer: "127.0.0.2:80", HostGA: "127.0.0.2:83"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ranges.of(2), (Addresses{IMDS: "127.0.0.1:82", WireServer: "127.0.0.2:82", HostGA: "127.0.0.2:85"}); got != want {
		t.Errorf("the last VM is at %+v, want %+v", got, want)
	}
}

// The table says what a search for every text says.
func TestSecretTable(t *testing.T) {
	t.Parallel()
	texts := []string{"longer secret", "secret", "s3cr", "\x00\xff\x00\xff", "ssss"}
	table := newSecretTable(texts)
	for _, s := range []string{
		"", "s", "sec", "secre", "secret", "a secret here", "at the end s3cr", "sssecret", "longer secre", "longer secret",
		"\x00\xff\x00", "x\x00\xff\x00\xff", "sss", "sssss", "sesecsecr", strings.Repeat("se", 50),
	} {
		want := false
		for _, text := range texts {
			want = want || strings.Contains(s, text)
		}
		if got := table.within(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
