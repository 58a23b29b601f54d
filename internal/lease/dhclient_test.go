package lease_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

func TestParseDhclient(t *testing.T) {
	t.Parallel()
	const comment = "# a comment; with { braces }\n"
	const harbour = comment + `
default-duid "\000\001;{";
lease {
  interface "eth0";
  fixed-address 10.0.0.4;
  filename "lease {";
  option subnet-mask 255.255.255.0;
  option routers 10.0.0.1;
  option dhcp-lease-time 3600;
  option dhcp-renewal-time 1200;
  option dhcp-server-identifier 168.63.129.16;
  option domain-name-servers 168.63.129.16,10.0.0.2;
  option host-name "jetty-07";
  option domain-name "harbour.example";
  option interface-mtu 1400;
  option unknown-245 a8:3f:81:10;
  renew 4 2026/03/01 12:00:00;
  expire 4 2026/03/01 13:00:00;
}
`
	addr := netip.MustParseAddr
	lease1 := lease.Lease{
		Interface: "eth0", Address: addr("10.0.0.4"), Bits: 24, Router: gateway, Lifetime: time.Hour, Server: wire,
		DNS: []netip.Addr{wire, addr("10.0.0.2")}, HostName: "jetty-07", Domain: "harbour.example", MTU: 1400, WireServer: wire,
		RenewAfter: 20 * time.Minute,
		Expires:    time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC),
	}
	over := lease.Lease{Expires: time.Unix(0, 0).UTC()}
	cut := lease1
	cut.Expires = over.Expires
	for _, row := range []struct {
		name     string
		file     string
		want     []lease.Lease
		warnings []string // of the last lease
	}{
		{"nothing", "", nil, nil},
		{"a lease", harbour, []lease.Lease{lease1}, nil},
		{"lines with carriage returns", strings.ReplaceAll(harbour, "\n", "\r\n"), []lease.Lease{lease1}, nil},
		{"all in one line", strings.ReplaceAll(strings.TrimPrefix(harbour, comment), "\n", " "), []lease.Lease{lease1}, nil},
		{"two leases, in their order", harbour + "lease { expire never; }", []lease.Lease{lease1, {}}, nil},
		{"no end", "lease { option unknown-246 x; }", []lease.Lease{over}, nil},
		{"a lease of IPv6", "lease6 { interface \"eth0\"; ia-na 00:01 { iaaddr 2001:db8::4 { expire never; } } } lease { expire never; }", []lease.Lease{{}}, nil},
		{"a block in a lease", "lease { key { expire 1; option unknown-245 4:3:2:1; } expire never; }", []lease.Lease{{}}, nil},
		{"a block in a block in a lease", "lease { key { x { y; } expire 1; } expire never; }", []lease.Lease{{}}, nil},
		{"no semicolon before the brace", "lease { expire never }", []lease.Lease{{}}, nil},
		{"an interface without quotes", "lease { interface eth0; expire never; }", []lease.Lease{{Interface: "eth0"}}, nil},
		{"an address of IPv6", "lease { fixed-address 2001:db8::4; expire never; }", []lease.Lease{{}}, nil},
		{"no address", "lease { fixed-address jetty; expire never; }", []lease.Lease{{}}, nil},
		{"name servers that are none", "lease { option domain-name-servers invalid; expire never; }", []lease.Lease{{}}, []string{`domain-name-servers is "invalid"`}},
		{"numbers that are none", "lease { option interface-mtu many; option dhcp-lease-time -1; expire never; }", []lease.Lease{{}}, []string{`interface-mtu is "many"`, `dhcp-lease-time is "-1"`}},
		{"numbers that are too large", "lease { option interface-mtu 65536; option dhcp-lease-time 4294967296; expire never; }", []lease.Lease{{}}, []string{"interface-mtu", "dhcp-lease-time"}},
		{"a lifetime without end", "lease { option dhcp-lease-time 4294967295; expire never; }", []lease.Lease{{Lifetime: lease.Forever}}, nil},
		{"one that was being written", strings.TrimSuffix(harbour, "}\n"), []lease.Lease{cut}, []string{"the lease is cut off"}},
		{"one that was being written, in a statement", strings.TrimSuffix(harbour, ";\n}\n"), []lease.Lease{cut}, []string{"the lease is cut off"}},
		{"one that was being written, in quotes", "lease { expire never; interface \"eth", []lease.Lease{over}, []string{"the lease is cut off"}},
		{"one that was being written, in a block", "lease { expire never; key { x;", []lease.Lease{over}, []string{"the lease is cut off"}},
		{"a word alone", "lease", nil, nil},
		{"braces that close nothing", "} } lease { expire never; } }", []lease.Lease{{}}, nil},
		{"statements outside of a lease", "expire never; option unknown-245 a8:3f:81:10;", nil, nil},
		{"what is no text", "\x00\xff\xfe\x00{\x01", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := lease.ParseDhclient([]byte(row.file))
			if err != nil || len(got) != len(row.want) {
				t.Fatalf("%d leases, want %d: %v, %v", len(got), len(row.want), got, err)
			}
			for i := range got {
				var warnings []string
				if i == len(got)-1 {
					warnings = row.warnings
				}
				equal(t, got[i], row.want[i], warnings...)
			}
		})
	}
}

func TestDhclientExpire(t *testing.T) {
	t.Parallel()
	at := time.Date(2015, 6, 16, 16, 58, 54, 0, time.UTC)
	over := time.Unix(0, 0)
	for _, row := range []struct {
		text     string
		want     time.Time // zero for no end
		warnings []string
	}{
		{"never", time.Time{}, nil},
		{"0 never", time.Time{}, nil},
		{"4 2015/06/16 16:58:54", at, nil},
		{"4 2015/06/16 16:58:54 UTC", at, nil},
		{"4 2015/06/16 16:58:54 GMT", at, nil},
		{"4 2015/06/16 16:58:54 CET", at, []string{"a time zone that is not known"}},
		{"2015/06/16 16:58:54", at, nil},
		{"2 2015/6/16 16:58:54", at, nil},
		{"2 2015/6/6 6:5:4", time.Date(2015, 6, 6, 6, 5, 4, 0, time.UTC), nil},
		{"0 2152/07/23 23:27:10", time.Date(2152, 7, 23, 23, 27, 10, 0, time.UTC), nil},
		{"epoch 1434473934", at, nil},
		{"epoch 0", over, []string{"no date"}},
		{"epoch -1", over, []string{"no date"}},
		{"epoch soon", over, []string{"no date"}},
		{"", over, []string{"no date"}},
		{"soon", over, []string{"no date"}},
		{"never never", over, []string{"no date"}},
		{"4 2015/06/16", over, []string{"no date"}},
		{"4 2015/13/16 16:58:54", over, []string{"no date"}},
		{"4 2015/06/16 16:58:54 UTC again", over, []string{"no date"}},
		{"4 0001/01/01 00:00:00", over, []string{"no date"}},
		{"4 1969/12/31 23:59:59", over, []string{"no date"}},
	} {
		t.Run(row.text, func(t *testing.T) {
			t.Parallel()
			leases, err := lease.ParseDhclient([]byte("lease { expire " + row.text + "; }"))
			if err != nil || len(leases) != 1 {
				t.Fatalf("%v, %v", leases, err)
			}
			if got := leases[0].Expires; !got.Equal(row.want) || got.IsZero() != row.want.IsZero() {
				t.Errorf("%v, want %v", got, row.want)
			}
			warned(t, leases[0].Warnings, row.warnings...)
		})
	}
}

// A file of years is read to its end, and its last leases are kept.
func TestManyLeases(t *testing.T) {
	t.Parallel()
	for _, count := range []int{255, 256, 257, 511, 512, 513, 1000} {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, "lease { option host-name \"jetty-%d\"; expire never; }\n", i)
		}
		got, err := lease.ParseDhclient([]byte(b.String()))
		want := min(count, 256)
		if err != nil || len(got) != want {
			t.Fatalf("%d leases of %d, want %d; %v", len(got), count, want, err)
		}
		for i := range got {
			if name := fmt.Sprintf("jetty-%d", count-want+i); got[i].HostName != name {
				t.Fatalf("%d of %d is %s, want %s", i, count, got[i].HostName, name)
			}
		}
	}
	if _, err := lease.ParseDhclient(make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	if _, err := lease.ParseDhclient(make([]byte, 1<<20+1)); !errors.Is(err, azprov.ErrTooLarge) {
		t.Errorf("%v, want %v", err, azprov.ErrTooLarge)
	}
}

// The leases that WALinuxAgent tests with: one without an end, one that has ended, one
// that ends in 126 years. All name the public wire server, whatever their name servers are.
func TestCapturedDhclientLeases(t *testing.T) {
	t.Parallel()
	got, err := lease.ParseDhclient(vector(t, "dhcp.leases"))
	if err != nil || len(got) != 3 {
		t.Fatalf("%d leases, %v", len(got), err)
	}
	addr := netip.MustParseAddr
	via := addr("10.0.1.1")
	want := lease.Lease{
		Interface: "eth0", Address: addr("10.0.1.4"), Bits: 24, Server: wire, WireServer: wire, Lifetime: lease.Forever, RenewAfter: lease.Forever,
		Domain: internalDomain(t, got[0]),
		Routes: []lease.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: via}, {Destination: netip.MustParsePrefix("168.63.129.16/32"), Gateway: via}},
	}
	equal(t, got[0], want, `domain-name-servers is "invalid"`)
	ended := want
	ended.Routes, ended.Router, ended.Expires = nil, via, time.Date(2015, 6, 16, 16, 58, 54, 0, time.UTC)
	equal(t, got[1], ended, `domain-name-servers is "expired"`)
	last := want
	last.DNS, last.Expires = []netip.Addr{wire}, time.Date(2152, 7, 23, 23, 27, 10, 0, time.UTC)
	equal(t, got[2], last)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, valid := range []bool{true, false, true} {
		if got[i].Valid(now) != valid || got[i].ReachesPlatform(netip.Addr{}) != valid {
			t.Errorf("lease %d: valid %v", i, !valid)
		}
	}
}
