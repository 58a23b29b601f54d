package ephemeral

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

var byValue = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

var byPrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// TestParseLease has a row for each way in which what package lease reads is taken.
func TestParseLease(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	minimal := func(change func(*Lease)) Lease {
		l := Lease{Address: netip.MustParsePrefix("10.0.0.4/8"), Obtained: now}
		change(&l)
		return l
	}
	byDefault := func(gateway string) func(*Lease) {
		return func(l *Lease) {
			l.Routes, l.Gateway = []Route{via("0.0.0.0/0", gateway)}, netip.MustParseAddr(gateway)
		}
	}
	lasting := func(duration, renewAfter time.Duration) Lease {
		return minimal(func(l *Lease) { l.Duration, l.RenewAfter = duration, renewAfter })
	}
	for _, row := range []struct {
		name    string
		options map[byte]string
		want    Lease
	}{
		{"nothing: the mask is by class", nil, minimal(func(*Lease) {})},
		{"mask", map[byte]string{1: "\xff\xff\xff\x00"}, minimal(func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.4/24") })},
		{"host mask", map[byte]string{1: "\xff\xff\xff\xff"}, minimal(func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.4/32") })},
		{"mask of the world: by class, with the reader's warning", map[byte]string{1: "\x00\x00\x00\x00"}, minimal(func(l *Lease) {
			l.Warnings = []string{"option 1: it is no mask of a subnet"}
		})},
		{"router", map[byte]string{3: "\x0a\x00\x00\x01\x0a\x00\x00\x02"}, minimal(byDefault("10.0.0.1"))},
		{"classless routes hide the router", map[byte]string{
			3:   "\x0a\x00\x00\x09",
			121: "\x20\xa8\x3f\x81\x10\x0a\x00\x00\x01",
		}, minimal(func(l *Lease) { l.Routes = []Route{via("168.63.129.16/32", "10.0.0.1")} })},
		{"249", map[byte]string{3: "\x0a\x00\x00\x09", 249: "\x00\x0a\x00\x00\x02"}, minimal(byDefault("10.0.0.2"))},
		{"a route on the link", map[byte]string{121: "\x08\x0a\x00\x00\x00\x00" + "\x18\x0b\x02\x03\x0a\x00\x00\x01"}, minimal(func(l *Lease) {
			l.Routes = []Route{via("10.0.0.0/8", ""), via("11.2.3.0/24", "10.0.0.1")}
		})},
		{"the first default route's gateway", map[byte]string{121: "\x00\x00\x00\x00\x00" + "\x00\x0a\x00\x00\x01" + "\x00\x0a\x00\x00\x02"}, minimal(func(l *Lease) {
			l.Routes = []Route{via("0.0.0.0/0", ""), via("0.0.0.0/0", "10.0.0.1"), via("0.0.0.0/0", "10.0.0.2")}
			l.Gateway = netip.MustParseAddr("10.0.0.1")
		})},
		{"wire server, name servers, names, server, MTU", map[byte]string{
			6: "\x0a\x00\x00\x02\xa8\x3f\x81\x10", 12: "jetty-07", 15: "harbour\nexample\x00", 26: "\x05\x78", 54: "\x0a\x00\x00\x03", 245: "\xa8\x3f\x81\x10",
		}, minimal(func(l *Lease) {
			l.DNS = []netip.Addr{netip.MustParseAddr("10.0.0.2"), platform[1]}
			l.HostName, l.Domain, l.MTU = "jetty-07", "harbour example", 1400
			l.Server, l.WireServer = netip.MustParseAddr("10.0.0.3"), platform[1]
		})},
		{"time", map[byte]string{51: "\x00\x00\x0e\x10"}, lasting(time.Hour, 30*time.Minute)},
		{"time to renew", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x00\x3c"}, lasting(time.Hour, time.Minute)},
		{"time to renew just before the end", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x0e\x0f"}, lasting(time.Hour, time.Hour-time.Second)},
		{"time to renew at the end", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x0e\x10"}, lasting(time.Hour, 30*time.Minute)},
		{"time to renew never", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\xff\xff\xff\xff"}, lasting(time.Hour, 30*time.Minute)},
		{"time to renew at once", map[byte]string{51: "\x00\x00\x0e\x10", 58: "\x00\x00\x00\x00"}, lasting(time.Hour, 30*time.Minute)},
		{"a second", map[byte]string{51: "\x00\x00\x00\x01"}, lasting(time.Second, time.Second)},
		{"no time", map[byte]string{51: "\x00\x00\x00\x00", 58: "\x00\x00\x00\x3c"}, lasting(0, 0)},
		{"for ever", map[byte]string{51: "\xff\xff\xff\xff", 58: "\x00\x00\x00\x3c"}, lasting(0, 0)},
		{"for ever, and renewed never", map[byte]string{51: "\xff\xff\xff\xff", 58: "\xff\xff\xff\xff"}, lasting(0, 0)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			options := lease.Options{}
			for code, value := range row.options {
				options[code] = []byte(value)
			}
			got, err := parseLease(netip.MustParseAddr("10.0.0.4"), options, now)
			if diff := cmp.Diff(row.want, got, byValue, byPrefix); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestParseLeaseOfNoHost(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0", "127.0.0.1", "255.255.255.255", "::1", ""} {
		a, _ := netip.ParseAddr(address)
		if _, err := parseLease(a, nil, time.Now()); azprov.KindOf(err) != azprov.KindMalformed {
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
