package imds

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

func TestHardwareAddr(t *testing.T) {
	t.Parallel()
	const want = "00:0d:3a:f8:06:ec"
	for _, row := range []struct{ text, want string }{
		{"000D3AF806EC", want},
		{"00:0d:3a:f8:06:ec", want},
		{"00-0D-3A-F8-06-EC", want},
		{" 000d.3af8.06ec\n", want},
		{"", ""},
		{"000D3AF806", ""},
		{"000D3AF806ECFF", ""},
		{"000D3AF806EG", ""},
		{"00:0d:3a:f8:06:ec:00:01", ""},
	} {
		mac, ok := NetworkInterface{MACAddress: row.text}.HardwareAddr()
		if mac.String() != row.want || ok != (row.want != "") {
			t.Errorf("%q: got %s, %v", row.text, mac, ok)
		}
	}
}

func TestByMAC(t *testing.T) {
	t.Parallel()
	network := Network{Interface: []NetworkInterface{
		{MACAddress: ""}, {MACAddress: "000D3A000001"}, {MACAddress: "00:0d:3a:00:00:02"},
	}}
	for text, want := range map[string]string{
		"00:0d:3a:00:00:01": "000D3A000001",
		"00:0d:3a:00:00:02": "00:0d:3a:00:00:02",
	} {
		mac, err := net.ParseMAC(text)
		if err != nil {
			t.Fatal(err)
		}
		if nic, ok := network.ByMAC(mac); !ok || nic.MACAddress != want {
			t.Errorf("%s: got %q, %v", text, nic.MACAddress, ok)
		}
	}
	if _, ok := network.ByMAC(net.HardwareAddr{0, 13, 58, 0, 0, 3}); ok {
		t.Error("found an interface that is not there")
	}
	if _, ok := network.ByMAC(nil); ok {
		t.Error("an interface without an address was found by none")
	}
}

func ips(addresses ...string) []IPAddress {
	var list []IPAddress
	for _, address := range addresses {
		list = append(list, IPAddress{PrivateIPAddress: address})
	}
	return list
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		nic  NetworkInterface
		want []string
	}{
		"the subnet's length":             {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", "26"}}}}, []string{"10.0.0.4/26"}},
		"24 without a subnet":             {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4")}}, []string{"10.0.0.4/24"}},
		"24 with an empty length":         {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", ""}}}}, []string{"10.0.0.4/24"}},
		"24 with a length over 32":        {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", "33"}}}}, []string{"10.0.0.4/24"}},
		"24 with a length of 0":           {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", "0"}}}}, []string{"10.0.0.4/24"}},
		"24 with a subnet of IPv6":        {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.0.0.4"), Subnet: []AddressPrefix{{"fd00::", "20"}}}}, []string{"10.0.0.4/24"}},
		"the subnet that holds it":        {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.1.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", "26"}, {"10.1.0.0", "22"}}}}, []string{"10.1.0.4/22"}},
		"the first subnet if none does":   {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("10.2.0.4"), Subnet: []AddressPrefix{{"10.0.0.0", "26"}, {"10.1.0.0", "22"}}}}, []string{"10.2.0.4/26"}},
		"128 for IPv6":                    {NetworkInterface{IPv6: IPConfiguration{IPAddress: ips("fd00::4", "fd00::5")}}, []string{"fd00::4/128", "fd00::5/128"}},
		"a subnet for IPv6, if ever sent": {NetworkInterface{IPv6: IPConfiguration{IPAddress: ips("fd00::4"), Subnet: []AddressPrefix{{"fd00::", "64"}}}}, []string{"fd00::4/64"}},
		"brackets and blanks":             {NetworkInterface{IPv6: IPConfiguration{IPAddress: ips(" [fd00::4] ")}}, []string{"fd00::4/128"}},
		"a zone is dropped":               {NetworkInterface{IPv6: IPConfiguration{IPAddress: ips("fe80::4%eth0")}}, []string{"fe80::4/128"}},
		"the wrong family is left out":    {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("fd00::4", "10.0.0.4")}, IPv6: IPConfiguration{IPAddress: ips("10.0.0.5")}}, []string{"10.0.0.4/24"}},
		"a mapped address is IPv4":        {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("::ffff:10.0.0.4")}, IPv6: IPConfiguration{IPAddress: ips("::ffff:10.0.0.5")}}, []string{"10.0.0.4/24"}},
		"what is no address is left out":  {NetworkInterface{IPv4: IPConfiguration{IPAddress: ips("", "10.0.0", "010.0.0.1", "host", "[")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, prefix := range append(row.nic.IPv4Prefixes(), row.nic.IPv6Prefixes()...) {
				got = append(got, prefix.String())
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAddressesHaveNoZone(t *testing.T) {
	t.Parallel()
	nic := NetworkInterface{IPv6: IPConfiguration{IPAddress: ips("fe80::4%eth0")}}
	if addrs := nic.IPv6Addresses(); len(addrs) != 1 || addrs[0].Zone() != "" {
		t.Errorf("got %v", addrs)
	}
}

func TestPublicAddressesAndBlocks(t *testing.T) {
	t.Parallel()
	instance, err := ParseInstance(readFile(t, "testdata", "instance.json"))
	if err != nil {
		t.Fatal(err)
	}
	nic := instance.Network.Interface[1]
	comparePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	compareAddr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	blocks := []netip.Prefix{netip.MustParsePrefix("10.9.0.16/28"), netip.MustParsePrefix("fd00:9:1::/80")}
	if diff := cmp.Diff(blocks, nic.AddressBlocks(), comparePrefix); diff != "" {
		t.Errorf("blocks (-want +got)\n%s", diff)
	}
	public := []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}
	if diff := cmp.Diff(public, nic.PublicAddresses(), compareAddr); diff != "" {
		t.Errorf("public addresses (-want +got)\n%s", diff)
	}
}

func TestParseInterfaces(t *testing.T) {
	t.Parallel()
	interfaces, warnings, err := ParseInterfaces([]byte(`[{"macAddress":"000D3A000001","ipv4":[]},5]`))
	if err != nil || len(interfaces) != 1 {
		t.Fatal(interfaces, err)
	}
	want := []string{"[0].ipv4 is an array, want an object: left out", "[1] is a number, want an object: left out"}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, _, err := ParseInterfaces([]byte(`{"interface":[]}`)); !errors.Is(err, azprov.ErrMalformed) {
		t.Errorf("an object: %v", err)
	}
	if _, _, err := ParseCompute([]byte(`[]`)); !errors.Is(err, azprov.ErrMalformed) {
		t.Errorf("an array as compute: %v", err)
	}
}

func describeLoadBalancer(lb LoadBalancer) []string {
	var lines []string
	for i, a := range append(slices.Clone(lb.PublicIPAddresses), lb.OutboundRules...) {
		kind := "public"
		if i >= len(lb.PublicIPAddresses) {
			kind = "out"
		}
		frontend, _ := a.Frontend()
		private, _ := a.Private()
		lines = append(lines, fmt.Sprint(kind, " ", frontend, " ", private))
	}
	for _, r := range lb.InboundRules {
		frontend, _ := r.Frontend()
		private, _ := r.Private()
		lines = append(lines, fmt.Sprint("in ", r.Protocol.Canonical(), " ", frontend, " ", r.FrontendPort, " ", private, " ", r.BackendPort))
	}
	return lines
}

func TestParseLoadBalancer(t *testing.T) {
	t.Parallel()
	lb, err := ParseLoadBalancer(readFile(t, "testdata", "loadbalancer.json"))
	if err != nil || lb.Warnings != nil {
		t.Fatal(lb.Warnings, err)
	}
	want := []string{
		"public 2001:db8::80 fd00:9::4", "public 203.0.113.80 10.9.0.4", "out 203.0.113.81 10.9.0.4",
		"in Tcp 203.0.113.80 443 10.9.0.4 8443",
	}
	if diff := cmp.Diff(want, describeLoadBalancer(lb)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := ParseLoadBalancer([]byte(`{"loadbalancer":{}}`)); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	lb, err = ParseLoadBalancer([]byte(`{"loadbalancer":{"inboundRules":[{"frontendPort":"x","backendPort":[80]}]}}`))
	if err != nil || len(lb.Warnings) != 2 || len(lb.InboundRules) != 1 {
		t.Errorf("ports of a wrong shape: %+v, %v", lb, err)
	}
	for _, document := range []string{`{}`, `{"loadbalancer":null}`, `{"loadbalancer":[]}`, `{"error":"x"}`, `[]`, ``} {
		if _, err := ParseLoadBalancer([]byte(document)); !errors.Is(err, azprov.ErrMalformed) {
			t.Errorf("%q: %v", document, err)
		}
	}
}
