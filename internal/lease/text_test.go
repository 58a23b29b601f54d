package lease_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

// The forms in which cloud-init's tests and others' files have option 245.
func TestParseWireServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		text string
		want string // "" for an error
	}{
		{"4 bytes", "\xa8\x3f\x81\x10", "168.63.129.16"},
		{"4 bytes that are letters", "bL6 ", "98.76.54.32"},
		{"4 bytes, a colon among them", "dH:l", "100.72.58.108"},
		{"4 bytes that could be hexadecimal", "a8:3", "97.56.58.51"},
		{"4 bytes, a backslash among them", `dH\l`, "100.72.92.108"},
		{"4 bytes, quotes around them", `"ab"`, "34.97.98.34"},
		{"octets", "a8:3f:81:10", "168.63.129.16"},
		{"octets in capitals", "A8:3F:81:10", "168.63.129.16"},
		{"octets, other ones", "62:4c:36:20", "98.76.54.32"},
		{"octets of one digit", "4:3:2:1", "4.3.2.1"},
		{"octets of one digit and of two", "a:3e:90:8c", "10.62.144.140"},
		{"digits", "624c3620", "98.76.54.32"},
		{"digits of systemd-networkd", "a83f8110", "168.63.129.16"},
		{"a quote behind a backslash", `dH\"l`, "100.72.34.108"},
		{"a backslash behind a backslash", `dH\\l`, "100.72.92.108"},
		{"octal escapes", `\250?\201\020`, "168.63.129.16"},
		{"octal escapes alone", `\250\077\201\020`, "168.63.129.16"},
		{"in quotes", `"dH\"l"`, "100.72.34.108"},
		{"in quotes, with a blank", `"bL6 "`, "98.76.54.32"},
		{"in quotes, octal escapes", `"\250?\201\020"`, "168.63.129.16"},
		{"in quotes, bytes", "\"\xa8?\x81\x10\"", "168.63.129.16"},
		{"in quotes, octets", `"a8:3f:81:10"`, "168.63.129.16"},
		{"in quotes, digits", `"624c3620"`, "98.76.54.32"},
		{"dotted", "168.63.129.16", "168.63.129.16"},
		{"nothing", "", ""},
		{"3 bytes", "\xa8\x3f\x81", ""},
		{"5 bytes", "\xa8\x3f\x81\x10\x00", ""},
		{"3 octets", "a8:3f:81", ""},
		{"5 octets", "a8:3f:81:10:00", ""},
		{"an octet of three digits", "0a8:3f:81:10", ""},
		{"an empty octet", "a8::81:10", ""},
		{"a sign", "a8:+3:81:10", ""},
		{"no digit", "a8:3f:81:1g", ""},
		{"7 digits", "a83f811", ""},
		{"6 digits", "a83f81", ""},
		{"IPv6", "2001:db8::10", ""},
		{"a name", "harbour-01", ""},
		{"a backslash at the end", `dHl\`, "100.72.108.92"}, // 4 bytes are 4 bytes
		{"a backslash at the end of 3", `"dHl\"`, ""},
		{"an octal escape that is no byte", `\777abc`, ""},
		{"the address of no host", "0:0:0:0", ""},
		{"4 zero bytes", "\x00\x00\x00\x00", ""},
		{"a loopback address", "127.0.0.1", ""},
		{"a text without an end in sight", strings.Repeat("a8:", 1<<19), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := lease.ParseWireServer([]byte(row.text))
			switch {
			case row.want == "" && !errors.Is(err, azprov.ErrMalformed):
				t.Errorf("%v, %v; want an error", got, err)
			case row.want == "" && (got.IsValid() || len(err.Error()) > 250):
				t.Errorf("%v, %v", got, err)
			case row.want != "" && (err != nil || got != netip.MustParseAddr(row.want)):
				t.Errorf("%v, %v; want %s", got, err, row.want)
			}
		})
	}
}

// The error quotes what is no address, and names what is no host's.
func TestParseWireServerErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"harbour-01": `"harbour-01", want 4 bytes`, "0:0:0:0": "0.0.0.0 is the address of no host"} {
		if _, err := lease.ParseWireServer([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The texts of option 245 as they stand in a lease.
func TestDhclientOption245(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		statement string
		want      string
	}{
		{"octets", `option unknown-245 a8:3f:81:10;`, "168.63.129.16"},
		{"OpenBSD's name", `option option-245 a8:3f:81:10;`, "168.63.129.16"},
		{"octets of one digit", `option unknown-245 4:3:2:1;`, "4.3.2.1"},
		{"digits", `option unknown-245 624c3620;`, "98.76.54.32"},
		{"letters", `option unknown-245 "bL6 ";`, "98.76.54.32"},
		{"a quote among them", `option unknown-245 "dH\"l";`, "100.72.34.108"},
		{"a colon among them", `option unknown-245 "dH:l";`, "100.72.58.108"},
		{"a colon among them, without quotes", `option unknown-245 dH:l;`, "100.72.58.108"},
		{"what looks like octets, in quotes", `option unknown-245 "a8:3";`, "97.56.58.51"},
		{"two octets", `option unknown-245 a8:3;`, ""},
		{"octal escapes", `option unknown-245 "\250?\201\020";`, "168.63.129.16"},
		{"bytes", "option unknown-245 \"\xa8?\x81\x10\";", "168.63.129.16"},
		{"a semicolon among the bytes", "option unknown-245 \"\xa8;\x81\x10\";", "168.59.129.16"},
		{"a brace among the bytes", "option unknown-245 \"\xa8}\x81{\";", "168.125.129.123"},
		{"a hash among the bytes", "option unknown-245 \"\xa8#\x81\x10\";", "168.35.129.16"},
		{"a line end among the bytes", "option unknown-245 \"\xa8\n\x81\r\";", "168.10.129.13"},
		{"a backslash at the end", `option unknown-245 "dHl\\";`, "100.72.108.92"},
		{"more white space", "option\tunknown-245   a8:3f:81:10 ;", "168.63.129.16"},
		{"a comment behind it", "option unknown-245 a8:3f:81:10 # {;}\n;", "168.63.129.16"},
		{"a comment within it", "option unknown-245# octets\na8:3f:81:10;", "168.63.129.16"},
		{"the first of two", `option unknown-245 a8:3f:81:10; option option-245 4:3:2:1;`, "168.63.129.16"},
		{"the one that can be read of two", `option unknown-245 ?; option option-245 4:3:2:1;`, "4.3.2.1"},
		{"no value", `option unknown-245;`, ""},
		{"an empty text", `option unknown-245 "";`, ""},
		{"another option", `option unknown-246 a8:3f:81:10;`, ""},
		{"no option", `unknown-245 a8:3f:81:10;`, ""},
		{"name servers", `option domain-name-servers 168.63.129.16;`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			leases, err := lease.ParseDhclient([]byte("lease {\n  " + row.statement + "\n  expire never;\n}\n"))
			if err != nil || len(leases) != 1 {
				t.Fatalf("%v, %v", leases, err)
			}
			want := netip.Addr{}
			if row.want != "" {
				want = netip.MustParseAddr(row.want)
			}
			if got := leases[0]; got.WireServer != want || !got.Expires.IsZero() {
				t.Errorf("%v until %v, want %v; %q", got.WireServer, got.Expires, want, got.Warnings)
			}
		})
	}
}

// The texts of classless routes as they stand in a lease.
func TestDhclientRoutes(t *testing.T) {
	t.Parallel()
	const list = "0,10,0,0,1,32,168,63,129,16,10,0,0,1,32,169,254,169,254,10,0,0,1"
	const octets = "0:a:0:0:1:20:a8:3f:81:10:a:0:0:1:20:a9:fe:a9:fe:a:0:0:1"
	for _, row := range []struct {
		name      string
		statement string
		want      []lease.Route
		warnings  []string
	}{
		{"Debian's name", "option rfc3442-classless-static-routes " + list, routes, nil},
		{"FreeBSD's name", "option classless-static-routes " + list, routes, nil},
		{"another name", "option static_routes " + list, routes, nil},
		{"Microsoft's", "option ms-classless-static-routes " + list, routes, nil},
		{"blanks between", "option rfc3442-classless-static-routes " + strings.ReplaceAll(list, ",", " "), routes, nil},
		{"commas and blanks between", "option rfc3442-classless-static-routes " + strings.ReplaceAll(list, ",", ", "), routes, nil},
		{"no name", "option unknown-121 " + octets, routes, nil},
		{"no name on OpenBSD", "option option-121 " + octets, routes, nil},
		{"no name, two digits", "option unknown-121 00:0a:00:00:01:20:a8:3f:81:10:0a:00:00:01:20:a9:fe:a9:fe:0a:00:00:01", routes, nil},
		{"no name, no colons", "option unknown-121 000a000001", routes[:1], nil},
		{"no name, bytes", "option unknown-121 \"" + `\000\012\000\000\001` + "\"", routes[:1], nil},
		{"no name, Microsoft's", "option unknown-249 " + octets, routes, nil},
		{"no name, Microsoft's, on OpenBSD", "option option-249 " + octets, routes, nil},
		{"destinations and gateways", "option classless-static-routes 0.0.0.0/0 10.0.0.1 168.63.129.16/32 10.0.0.1 169.254.169.254/32 10.0.0.1", routes, nil},
		{"destinations and gateways, commas between", "option classless-static-routes 0.0.0.0/0,10.0.0.1 168.63.129.16/32,10.0.0.1 169.254.169.254/32,10.0.0.1", routes, nil},
		{"a destination of some bits", "option classless-static-routes 10.128.0.0/9 10.0.0.1", []lease.Route{route("10.128.0.0/9")}, nil},
		{"a destination without a gateway", "option classless-static-routes 0.0.0.0/0 10.0.0.1 168.63.129.16/32", routes[:1], []string{"without a gateway"}},
		{"no destination", "option classless-static-routes 0.0.0.0/0 10.0.0.1 jetty/7 10.0.0.1", routes[:1], []string{"not understood"}},
		{"a destination of IPv6", "option classless-static-routes 0.0.0.0/0 10.0.0.1 2001:db8::/32 10.0.0.1", routes[:1], []string{"not understood"}},
		{"no gateway", "option classless-static-routes 0.0.0.0/0 10.0.0.1 168.63.129.16/32 jetty", routes[:1], []string{"not understood"}},
		{"a gateway of IPv6", "option classless-static-routes 0.0.0.0/0 10.0.0.1 168.63.129.16/32 fe80::1", routes[:1], []string{"not understood"}},
		{"a number over 255", "option classless-static-routes 0,10,0,0,1,32,168,63,129,256", routes[:1], []string{"not understood", "a route is cut off"}},
		{"cut off", "option unknown-121 0:a:0:0:1:20", routes[:1], []string{"a route is cut off"}},
		{"no octets", "option unknown-121 0:a:0:0:1:2x", nil, []string{"not understood"}},
		{"a name", "option unknown-121 harbour", nil, []string{"not understood"}},
		{"121 goes before 249", "option unknown-249 0:a:0:0:9; option unknown-121 " + octets, routes, nil},
		{"option 33", "option static-routes 168.63.129.16 10.0.0.1", nil, nil},
		{"none", "option rfc3442-classless-static-routes", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			leases, err := lease.ParseDhclient([]byte("lease {\n  " + row.statement + ";\n  expire never;\n}\n"))
			if err != nil || len(leases) != 1 {
				t.Fatalf("%v, %v", leases, err)
			}
			equal(t, leases[0], lease.Lease{Routes: row.want}, row.warnings...)
			if len(row.want) == len(routes) && !leases[0].ReachesPlatform(netip.Addr{}) {
				t.Error("does not reach the platform")
			}
		})
	}
}
