package lease_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/lease"
)

// sound fails the test for a lease that no parser may return.
func sound(t *testing.T, l lease.Lease) {
	t.Helper()
	for _, a := range append([]netip.Addr{l.Server, l.WireServer, l.Router}, l.DNS...) {
		if a.IsValid() && !lease.IsHost(a) {
			t.Errorf("%v is no host's", a)
		}
	}
	if l.Address.IsValid() && !l.Address.Is4() {
		t.Errorf("%v is no IPv4", l.Address)
	}
	for _, r := range l.Routes {
		if !r.Destination.IsValid() || r.Destination != r.Destination.Masked() || (!r.Gateway.IsUnspecified() && !lease.IsHost(r.Gateway)) {
			t.Errorf("route %v", r)
		}
	}
	if l.MTU != 0 && l.MTU < 576 {
		t.Errorf("MTU %d", l.MTU)
	}
	for _, name := range []string{l.HostName, l.Domain} {
		if name != azprov.OneLine(name) || len(name) > 3*255 { // a byte that is no text becomes three
			t.Errorf("name %q", name)
		}
	}
	if len(l.Routes) > 256 || len(l.DNS) > 64 || len(l.Warnings) > 16 || l.Bits < 0 || l.Bits > 32 || l.Lifetime < 0 || l.RenewAfter < 0 {
		t.Errorf("%d routes, %d name servers, %d warnings, %d bits, lifetime %v", len(l.Routes), len(l.DNS), len(l.Warnings), l.Bits, l.Lifetime)
	}
	if len(l.Routes) > 0 && l.Router.IsValid() {
		t.Error("both routes and a router")
	}
	l.ReachesPlatform(netip.Addr{})
}

// soundFile parses within what it may cost. More than 1 MiB is not parsed.
func soundFile(t *testing.T, file []byte, parse func([]byte) []lease.Lease) {
	t.Helper()
	if len(file) > 1<<20 {
		return
	}
	var leases []lease.Lease
	boundtest.Check(t, func() { leases = parse(file) })
	for _, l := range leases {
		sound(t, l)
	}
}

// list makes a list of what a parser of one lease returns.
func list(l lease.Lease, _ error) []lease.Lease { return []lease.Lease{l} }

func parsePacket(b []byte) []lease.Lease   { return list(lease.ParsePacket(b)) }
func parseNetworkd(b []byte) []lease.Lease { return list(lease.ParseNetworkd(b)) }
func parseDhclient(b []byte) []lease.Lease { leases, _ := lease.ParseDhclient(b); return leases }

func parseNetworkManager(b []byte) []lease.Lease {
	l, _, err := lease.ParseNetworkManager(b)
	return list(l, err)
}

func FuzzParsePacket(f *testing.F) {
	f.Add(packet(option(53, "\x05") + option(121, routesOption) + option(245, "\xa8\x3f\x81\x10") + "\xff"))
	f.Add(packet("\x00" + option(52, "\x03") + option(249, routesOption[:7])))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) { soundFile(t, b, parsePacket) })
}

func FuzzParseOptions(f *testing.F) {
	f.Add([]byte(option(245, "\xa8\x3f\x81\x10") + "\xff"))
	f.Add([]byte(option(15, "harbour.example\x00") + option(51, "\x00\x00\x0e\x10") + option(58, "\x00\x00\x04\xb0")))
	f.Add([]byte(option(3, "\x7f\x00\x00\x01") + option(6, "\xa8\x3f\x81\x10\x00") + option(26, "\x02\x3f") + option(121, "\x00\xff\xff\xff\xff")))
	f.Add([]byte("\x00" + option(121, routesOption[:9]) + option(121, routesOption[9:]) + option(1, "\xff\xff\xff\x00") + "\xf5\x04\xa8"))
	f.Fuzz(func(t *testing.T, b []byte) {
		soundFile(t, b, func(b []byte) []lease.Lease {
			options, _ := lease.ParseOptions(b)
			return []lease.Lease{options.Lease()}
		})
	})
}

func FuzzParseDhclient(f *testing.F) {
	f.Add([]byte("# x\nlease {\n interface \"eth0\";\n fixed-address 10.0.0.4;\n option unknown-245 \"dH\\\"l\";\n expire 4 2026/03/01 13:00:00 UTC;\n}\nlease6 { x { } }\n"))
	f.Add([]byte("lease { option rfc3442-classless-static-routes 0,10,0,0,1; option unknown-121 0:a:0:0:1; expire epoch 1434473934; }"))
	f.Add([]byte("lease { option unknown-245 \"\\250?\\201\\020\"; option classless-static-routes 0.0.0.0/0 10.0.0.1; expire never"))
	f.Fuzz(func(t *testing.T, b []byte) { soundFile(t, b, parseDhclient) })
}

func FuzzParseNetworkd(f *testing.F) {
	f.Add([]byte("# x\nADDRESS=10.0.0.4\nNETMASK=255.255.255.0\nROUTES=0.0.0.0/0,10.0.0.1\nDNS=10.0.0.2 10.0.0.3\nLIFETIME=3600\nOPTION_245=a83f8110\n"))
	f.Add([]byte("CLASSLESS_ROUTES=0.0.0.0/0,10.0.0.1 x/y\nOPTION_249=000a000001\nMTU=x\n"))
	f.Fuzz(func(t *testing.T, b []byte) { soundFile(t, b, parseNetworkd) })
}

func FuzzParseNetworkManager(f *testing.F) {
	f.Add([]byte("[device]\nx=y\n[dhcp4]\nip_address=10.0.0.4\nexpiry=1434473934\nprivate_245=a8:3f:81:10\nrfc3442_classless_static_routes=0 10 0 0 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) { soundFile(t, b, parseNetworkManager) })
}

func FuzzParseWireServer(f *testing.F) {
	for _, text := range []string{"a8:3f:81:10", "4:3:2:1", "624c3620", "bL6 ", `dH\"l`, `"\250?\201\020"`, "168.63.129.16", "", `\`, `"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		soundFile(t, b, func(b []byte) []lease.Lease {
			a, err := lease.ParseWireServer(b)
			if a.IsValid() == (err != nil) {
				t.Errorf("%v, %v", a, err)
			}
			return []lease.Lease{{WireServer: a}}
		})
	})
}

// The largest of what costs most in each format.
func TestLargeFiles(t *testing.T) {
	fill := func(before, again, after string) []byte {
		n := (1<<20 - len(before) - len(after)) / len(again)
		return []byte(before + strings.Repeat(again, n) + after)
	}
	for _, row := range []struct {
		name  string
		file  []byte
		parse func([]byte) []lease.Lease
	}{
		{"dhclient: leases of nothing", fill("", "lease{}", ""), parseDhclient},
		{"dhclient: leases with a warning each", fill("", "lease{expire x;}", ""), parseDhclient},
		{"dhclient: leases with a route each", fill("", "lease{option unknown-121 0:a:0:0:1;}", ""), parseDhclient},
		{"dhclient: one with warnings", fill("lease{", "expire x;", "}"), parseDhclient},
		{"dhclient: blocks in blocks", fill("lease{", "{", ""), parseDhclient},
		{"dhclient: a text without an end", fill("lease{option unknown-245 \"", `\"`, ""), parseDhclient},
		{"dhclient: octal escapes", fill("lease{option unknown-245 \"", `\377`, "\";}"), parseDhclient},
		{"dhclient: octets", fill("lease{option unknown-245 ", "a8:", "a8;}"), parseDhclient},
		{"dhclient: routes in octets", fill("lease{option unknown-121 ", "0:a:0:0:1:", "0;}"), parseDhclient},
		{"dhclient: routes in numbers", fill("lease{option static_routes ", "0,1,2,3,4,", ";}"), parseDhclient},
		{"dhclient: routes in pairs", fill("lease{option static_routes ", "0.0.0.0/0 1.2.3.4 ", ";}"), parseDhclient},
		{"dhclient: name servers", fill("lease{option domain-name-servers ", "1.2.3.4,", ";}"), parseDhclient},
		{"dhclient: a host name", fill("lease{option host-name \"", "jetty", "\";}"), parseDhclient},
		{"dhclient: comments", fill("", "#\n", ""), parseDhclient},
		{"dhclient: semicolons", fill("lease{", ";", "}"), parseDhclient},
		{"dhclient: words of expire", fill("lease{expire ", "a ", ";}"), parseDhclient},
		{"networkd: routes", fill("ROUTES=", "0.0.0.0/0,1.2.3.4 ", ""), parseNetworkd},
		{"networkd: routes of option 249", fill("OPTION_249=", "0001020304", ""), parseNetworkd},
		{"networkd: lines", fill("", "MTU=x\n", ""), parseNetworkd},
		{"networkd: empty lines", fill("", "\n", ""), parseNetworkd},
		{"NetworkManager: lines", fill("[dhcp4]\n", "expiry=1\n", ""), parseNetworkManager},
		{"NetworkManager: sections", fill("", "[x]\n", ""), parseNetworkManager},
		{"a packet: routes", fill(string(packet("")), option(121, "\x00\x01\x02\x03\x04"), ""), parsePacket},
		{"a packet: empty options", fill(string(packet("")), "\x79\x00", ""), parsePacket},
		{"a packet: pads", fill(string(packet("")), "\x00", ""), parsePacket},
	} {
		t.Run(row.name, func(t *testing.T) { soundFile(t, row.file, row.parse) })
	}
}
