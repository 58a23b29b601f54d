package lease_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

func TestParseNetworkd(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	at := addr("10.0.0.4")
	for _, row := range []struct {
		name     string
		file     string
		want     lease.Lease
		warnings []string
	}{
		{"all there are", `# This is private data. Do not parse.
ADDRESS=10.0.0.4
NETMASK=255.255.255.0
ROUTER=10.0.0.1
SERVER_ADDRESS=168.63.129.16
NEXT_SERVER=168.63.129.16
MTU=1400
T1=1800
LIFETIME=3600
DNS=168.63.129.16 10.0.0.2
HOSTNAME=jetty-07
DOMAINNAME=harbour.example
CLIENTID=ff0406a3
OPTION_245=a83f8110
`, lease.Lease{
			Address: at, Bits: 24, Router: gateway, Server: wire, MTU: 1400, Lifetime: time.Hour,
			DNS: []netip.Addr{wire, addr("10.0.0.2")}, HostName: "jetty-07", Domain: "harbour.example", WireServer: wire,
		}, nil},
		{"routes", "ROUTER=10.0.0.9\nROUTES=0.0.0.0/0,10.0.0.1 168.63.129.16/32,10.0.0.1 169.254.169.254/32,10.0.0.1\n", lease.Lease{Routes: routes}, nil},
		{"routes of newer versions", "CLASSLESS_ROUTES=0.0.0.0/0,10.0.0.1", lease.Lease{Routes: routes[:1]}, nil},
		{"routes of option 33 are not those of 121", "ROUTER=10.0.0.1\nSTATIC_ROUTES=168.63.129.16/32,10.0.0.9", lease.Lease{Router: gateway}, nil},
		{"routes of option 249", "ROUTER=10.0.0.9\nOPTION_249=000a000001", lease.Lease{Routes: routes[:1]}, nil},
		{"no routes", "ROUTER=10.0.0.1\nROUTES=\n", lease.Lease{Router: gateway}, nil},
		{"the address alone, as NetworkManager has it", "# This is private data. Do not parse.\nADDRESS=10.0.0.4\n", lease.Lease{Address: at}, nil},
		{"a lifetime without end", "LIFETIME=4294967295", lease.Lease{Lifetime: lease.Forever}, nil},
		{"a lifetime without end, in words", "LIFETIME=infinity", lease.Lease{Lifetime: lease.Forever}, nil},
		{"a lifetime as a span", "LIFETIME=1d 2h", lease.Lease{}, nil},
		{"capitals", "OPTION_245=A83F8110", lease.Lease{WireServer: wire}, nil},
		{"carriage returns and blanks", " ADDRESS = 10.0.0.4 \r\n\r\nOPTION_245=a83f8110\r\n", lease.Lease{Address: at, WireServer: wire}, nil},
		{"four letters are digits here", "OPTION_245=abcd\nMTU=1400", lease.Lease{MTU: 1400}, []string{"option 245: an address has 4 bytes"}},
		{"no digits", "OPTION_245=bL6-\nMTU=1400", lease.Lease{MTU: 1400}, []string{`OPTION_245 is "bL6-"`}},
		{"the first of two", "OPTION_245=a83f8110\nOPTION_245=0a3e908c", lease.Lease{WireServer: wire}, nil},
		{"no address", "ADDRESS=jetty", lease.Lease{}, []string{`ADDRESS is "jetty"`}},
		{"an address of IPv6", "ADDRESS=2001:db8::4", lease.Lease{}, []string{"ADDRESS is"}},
		{"a comment", "#OPTION_245=0a3e908c\nMTU=1400", lease.Lease{MTU: 1400}, nil},
		{"no comment", "MTU=1400\nHOSTNAME=#7", lease.Lease{MTU: 1400, HostName: "#7"}, nil},
		{"warnings have one line, and not all of a text", "OPTION_245=\x1b[2J\x00" + strings.Repeat("x", 1000), lease.Lease{}, []string{`OPTION_245 is "\x1b[2J\x00xxx`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := lease.ParseNetworkd([]byte(row.file))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, row.want, row.warnings...)
			for _, warning := range got.Warnings {
				if len(warning) > 200 || strings.ContainsAny(warning, "\x1b\x00\n") {
					t.Errorf("%q", warning)
				}
			}
		})
	}
}

func TestNoNetworkdLease(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		file string
		want error
	}{
		{"nothing", "", azprov.ErrMalformed},
		{"a comment", "# This is private data. Do not parse.\n", azprov.ErrMalformed},
		{"other keys", "T1=1800\nCLIENTID=ff\n", azprov.ErrMalformed},
		{"a value without a key", "=a83f8110\n", azprov.ErrMalformed},
		{"a key without a value", "OPTION_245\n", azprov.ErrMalformed},
		{"a document of another kind", `{"ADDRESS": "10.0.0.4"}`, azprov.ErrMalformed},
		{"too large", "MTU=1400\n" + strings.Repeat("#", 1<<20), azprov.ErrTooLarge},
	} {
		if _, err := lease.ParseNetworkd([]byte(row.file)); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestCapturedNetworkdLease(t *testing.T) {
	t.Parallel()
	got, err := lease.ParseNetworkd(vector(t, "2"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, lease.Lease{
		Address: netip.MustParseAddr("10.0.0.69"), Bits: 24, Server: wire, WireServer: wire, Lifetime: lease.Forever,
		DNS: []netip.Addr{wire}, Routes: routes, Domain: internalDomain(t, got),
	})
	if !got.ReachesPlatform(netip.Addr{}) {
		t.Error("does not reach the platform")
	}
}

func TestParseNetworkManager(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		file     string
		ok       bool
		want     lease.Lease
		warnings []string
	}{
		{"a lease", `[device]
connection-uuid=2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20
managed=full
private_245=4:3:2:1

[dhcp4]
ip_address=10.0.0.4
subnet_mask=255.255.255.0
routers=10.0.0.9
dhcp_server_identifier=168.63.129.16
domain_name_servers=168.63.129.16
host_name=jetty-07
domain_name=harbour.example
interface_mtu=1400
dhcp_lease_time=3600
dhcp_renewal_time=1200
expiry=1434473934
private_245=a8:3f:81:10
rfc3442_classless_static_routes=0.0.0.0/0 10.0.0.1 168.63.129.16/32 10.0.0.1 169.254.169.254/32 10.0.0.1

[dhcp6]
private_245=4:3:2:1
`, true, lease.Lease{
			Address: netip.MustParseAddr("10.0.0.4"), Bits: 24, Server: wire, DNS: []netip.Addr{wire}, HostName: "jetty-07", Domain: "harbour.example", MTU: 1400,
			Lifetime: time.Hour, RenewAfter: 20 * time.Minute, Expires: time.Date(2015, 6, 16, 16, 58, 54, 0, time.UTC), WireServer: wire, Routes: routes,
		}, nil},
		{"routes in octets", "[dhcp4]\nrfc3442_classless_static_routes=0 10 0 0 1\n", true, lease.Lease{Routes: routes[:1]}, nil},
		{"Microsoft's routes", "[dhcp4]\nms_classless_static_routes=0.0.0.0/0 10.0.0.1\n", true, lease.Lease{Routes: routes[:1]}, nil},
		{"Microsoft's routes by number", "[dhcp4]\nprivate_249=00:0a:00:00:01\n", true, lease.Lease{Routes: routes[:1]}, nil},
		{"dhclient's name", "[dhcp4]\nunknown_245=a8:3f:81:10\n", true, lease.Lease{WireServer: wire}, nil},
		{"routes of option 33 are not those of 121", "[dhcp4]\nstatic_routes=168.63.129.16/32 10.0.0.9\nrouters=10.0.0.1\n", true, lease.Lease{Router: gateway}, nil},
		{"no expiry that can be read", "[dhcp4]\nexpiry=soon\nprivate_245=a8:3f:81:10\n", true, lease.Lease{WireServer: wire}, nil},
		{"no address", "[dhcp4]\nip_address=jetty\n", true, lease.Lease{}, []string{`ip_address is "jetty"`}},
		{"option 245 that cannot be read", "[dhcp4]\nprivate_245=harbour\n", true, lease.Lease{}, []string{`private_245 is "harbour"`}},
		{"no section of DHCP", "[device]\nip_address=10.0.0.4\n", false, lease.Lease{}, nil},
		{"a section of DHCP with a comment", "[dhcp4]\n# ip_address=10.0.0.4\n", false, lease.Lease{}, nil},
		{"a section of DHCP without keys", "[dhcp4]\n[device]\nip_address=10.0.0.4\n", false, lease.Lease{}, nil},
		{"no section", "private_245=a8:3f:81:10\n", false, lease.Lease{}, nil},
		{"nothing", "", false, lease.Lease{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := lease.ParseNetworkManager([]byte(row.file))
			if err != nil || ok != row.ok {
				t.Fatalf("%v, %v; want %v", ok, err, row.ok)
			}
			equal(t, got, row.want, row.warnings...)
		})
	}
	if _, _, err := lease.ParseNetworkManager(make([]byte, 1<<20+1)); !errors.Is(err, azprov.ErrTooLarge) {
		t.Errorf("%v, want %v", err, azprov.ErrTooLarge)
	}
}
