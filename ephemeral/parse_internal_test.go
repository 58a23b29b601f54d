package ephemeral

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

var byValue = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

var byPrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestParseLease(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	minimal := func(change func(*Lease)) Lease {
		l := Lease{Address: netip.MustParsePrefix("10.0.0.4/8"), Obtained: now}
		change(&l)
		return l
	}
	warned := func(l *Lease, warnings ...string) { l.Warnings = warnings }
	byDefault := func(gateway string) func(*Lease) {
		return func(l *Lease) {
			l.Routes, l.Gateway = []Route{via("0.0.0.0/0", gateway)}, netip.MustParseAddr(gateway)
		}
	}
	for _, row := range []struct {
		name    string
		options map[byte]string
		want    Lease
	}{
		{"nothing: the mask is by class", nil, minimal(func(*Lease) {})},
		{"mask", map[byte]string{1: "\xff\xff\xff\x00"}, minimal(func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.4/24") })},
		{"host mask", map[byte]string{1: "\xff\xff\xff\xff"}, minimal(func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.4/32") })},
		{"mask with a hole", map[byte]string{1: "\xff\x00\xff\x00"}, minimal(func(l *Lease) { warned(l, "DHCP option 1: not a mask; taken by class") })},
		{"mask of the world", map[byte]string{1: "\x00\x00\x00\x00"}, minimal(func(l *Lease) { warned(l, "DHCP option 1: not a mask; taken by class") })},
		{"mask cut short", map[byte]string{1: "\xff\xff"}, minimal(func(l *Lease) { warned(l, "DHCP option 1: not a mask; taken by class") })},
		{"router", map[byte]string{3: "\x0a\x00\x00\x01\x0a\x00\x00\x02"}, minimal(byDefault("10.0.0.1"))},
		{"classless routes hide the router", map[byte]string{
			3:   "\x0a\x00\x00\x09",
			121: "\x20\xa8\x3f\x81\x10\x0a\x00\x00\x01",
		}, minimal(func(l *Lease) { l.Routes = []Route{via("168.63.129.16/32", "10.0.0.1")} })},
		{"121 is before 249", map[byte]string{
			121: "\x00\x0a\x00\x00\x01", 249: "\x00\x0a\x00\x00\x02",
		}, minimal(byDefault("10.0.0.1"))},
		{"249", map[byte]string{3: "\x0a\x00\x00\x09", 249: "\x00\x0a\x00\x00\x02"}, minimal(byDefault("10.0.0.2"))},
		{"an empty 121 is none", map[byte]string{121: "", 249: "\x00\x0a\x00\x00\x02"}, minimal(byDefault("10.0.0.2"))},
		{"the lengths of destinations", map[byte]string{
			121: "\x08\x0a\x00\x00\x00\x00" + "\x09\x0b\x80\x0a\x00\x00\x01" + "\x11\x0a\x01\x80\x0a\x00\x00\x01" + "\x18\x0a\x02\x03\x0a\x00\x00\x01",
		}, minimal(func(l *Lease) {
			l.Routes = []Route{via("10.0.0.0/8", ""), via("11.128.0.0/9", "10.0.0.1"), via("10.1.128.0/17", "10.0.0.1"), via("10.2.3.0/24", "10.0.0.1")}
		})},
		{"bits of the host are cleared", map[byte]string{121: "\x04\xff\x0a\x00\x00\x01"}, minimal(func(l *Lease) { l.Routes = []Route{via("240.0.0.0/4", "10.0.0.1")} })},
		{"routes cut short", map[byte]string{121: "\x00\x0a\x00\x00\x01\x20\xa8\x3f"}, minimal(func(l *Lease) {
			byDefault("10.0.0.1")(l)
			warned(l, "DHCP option 121: cut short, or not routes")
		})},
		{"a prefix that cannot be", map[byte]string{121: "\x21\xa8\x3f\x81\x10\x00\x0a\x00\x00\x01"}, minimal(func(l *Lease) { warned(l, "DHCP option 121: cut short, or not routes") })},
		{"a gateway that cannot be", map[byte]string{121: "\x00\xff\xff\xff\xff" + "\x08\x0a\x0a\x00\x00\x01"}, minimal(func(l *Lease) {
			l.Routes = []Route{via("10.0.0.0/8", "10.0.0.1")}
			warned(l, "DHCP option 121: the gateway is no host's address: 255.255.255.255")
		})},
		{"the first default route's gateway", map[byte]string{121: "\x00\x0a\x00\x00\x01\x00\x0a\x00\x00\x02"}, minimal(func(l *Lease) {
			l.Routes = []Route{via("0.0.0.0/0", "10.0.0.1"), via("0.0.0.0/0", "10.0.0.2")}
			l.Gateway = netip.MustParseAddr("10.0.0.1")
		})},
		{"wire server", map[byte]string{245: "\xa8\x3f\x81\x10"}, minimal(func(l *Lease) { l.WireServer = platform[1] })},
		{"wire server of another length", map[byte]string{245: "\xa8\x3f\x81"}, minimal(func(l *Lease) { warned(l, "DHCP option 245: not an address") })},
		{"wire server nowhere", map[byte]string{245: "\x00\x00\x00\x00"}, minimal(func(l *Lease) { warned(l, "DHCP option 245: not an address") })},
		{"wire server in sixteen octets", map[byte]string{245: strings.Repeat("\x20", 16)}, minimal(func(l *Lease) { warned(l, "DHCP option 245: not an address") })},
		{"names and servers", map[byte]string{
			6: "\xa8\x3f\x81\x10\x0a\x00\x00\x02", 12: "jetty-07", 15: "harbour\nexample\x00", 54: "\xa8\x3f\x81\x10",
		}, minimal(func(l *Lease) {
			l.DNS = []netip.Addr{platform[1], netip.MustParseAddr("10.0.0.2")}
			l.HostName, l.Domain, l.Server = "jetty-07", "harbour example", platform[1]
		})},
		{"name servers cut short", map[byte]string{6: "\xa8\x3f\x81\x10\x0a"}, minimal(func(l *Lease) {
			l.DNS = []netip.Addr{platform[1]}
			warned(l, "DHCP option 6: not a list of addresses")
		})},
		{"a name beyond any", map[byte]string{15: strings.Repeat("a", 256)}, minimal(func(l *Lease) { warned(l, "DHCP option 15: too long") })},
		{"MTU", map[byte]string{26: "\x05\x78"}, minimal(func(l *Lease) { l.MTU = 1400 })},
		{"the least MTU", map[byte]string{26: "\x02\x40"}, minimal(func(l *Lease) { l.MTU = 576 })},
		{"less", map[byte]string{26: "\x02\x3f"}, minimal(func(l *Lease) { warned(l, "DHCP option 26: not an MTU") })},
		{"MTU of one octet", map[byte]string{26: "\x05"}, minimal(func(l *Lease) { warned(l, "DHCP option 26: not an MTU") })},
		{"time", map[byte]string{51: "\x00\x00\x0e\x10"}, minimal(func(l *Lease) { l.Duration, l.RenewAfter = time.Hour, 30*time.Minute })},
		{"time to renew", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x00\x3c"}, minimal(func(l *Lease) { l.Duration, l.RenewAfter = time.Hour, time.Minute })},
		{"time to renew after the end", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x0e\x10"}, minimal(func(l *Lease) { l.Duration, l.RenewAfter = time.Hour, 30*time.Minute })},
		{"time to renew at once", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x00\x00"}, minimal(func(l *Lease) { l.Duration, l.RenewAfter = time.Hour, 30*time.Minute })},
		{"a second", map[byte]string{51: "\x00\x00\x00\x01"}, minimal(func(l *Lease) { l.Duration, l.RenewAfter = time.Second, time.Second })},
		{"for ever", map[byte]string{51: "\xff\xff\xff\xff", 58: "\x00\x00\x00\x3c"}, minimal(func(*Lease) {})},
		{"time of another length", map[byte]string{51: "\x0e\x10"}, minimal(func(l *Lease) { warned(l, "DHCP option 51: not a number of seconds") })},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			get := func(code byte) []byte {
				if v, ok := row.options[code]; ok {
					return []byte(v)
				}
				return nil
			}
			got, err := parseLease(netip.MustParseAddr("10.0.0.4"), get, now)
			if diff := cmp.Diff(row.want, got, byValue, byPrefix); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestParseLeaseOfNoHost(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::ffff:10.0.0.4", ""} {
		a, _ := netip.ParseAddr(address)
		if _, err := parseLease(a, func(byte) []byte { return nil }, time.Now()); azprov.KindOf(err) != azprov.KindMalformed {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestPrimary(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		wireServer string
		routes     []Route
		want       bool
	}{
		{"no routes", "", nil, false},
		{"a default route", "", []Route{via("0.0.0.0/0", "10.0.0.1")}, false},
		{"IMDS", "", []Route{via("169.254.169.254/32", "10.0.0.1")}, true},
		{"the wire server, as on Azure Stack", "", []Route{via("0.0.0.0/0", "10.0.0.1"), via("168.63.129.16/32", "10.0.0.1")}, true},
		{"on the link", "", []Route{via("168.63.129.16/32", "")}, true},
		{"a network around it", "", []Route{via("168.63.0.0/16", "10.0.0.1"), via("169.254.0.0/16", "")}, false},
		{"a network that begins with it", "", []Route{via("168.63.129.16/28", "10.0.0.1")}, false},
		{"the wire server of option 245", "10.62.144.140", []Route{via("10.62.144.140/32", "10.0.0.1")}, true},
		{"the usual one beside it", "10.62.144.140", []Route{via("168.63.129.16/32", "10.0.0.1")}, true},
		{"another host", "10.62.144.140", []Route{via("10.62.144.141/32", "10.0.0.1")}, false},
	} {
		l := Lease{Routes: row.routes}
		l.WireServer, _ = netip.ParseAddr(row.wireServer)
		if got := l.Primary(); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}
