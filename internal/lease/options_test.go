package lease_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/lease"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		field    string
		want     lease.Options
		warnings []string
	}{
		{"nothing", "", nil, nil},
		{"an end alone", "\xff", nil, nil},
		{"one option", option(245, "\xa8\x3f\x81\x10") + "\xff", lease.Options{245: []byte("\xa8\x3f\x81\x10")}, nil},
		{"no end", option(12, "jetty-07"), lease.Options{12: []byte("jetty-07")}, nil},
		{"pads have no length", "\x00" + option(1, "ab") + "\x00\x00\x00" + option(245, "cdef") + "\x00\xff", lease.Options{1: []byte("ab"), 245: []byte("cdef")}, nil},
		{"nothing counts behind the end", option(1, "ab") + "\xff" + option(3, "cd"), lease.Options{1: []byte("ab")}, nil},
		{"an empty option", option(80, "") + option(3, "cd"), lease.Options{80: nil, 3: []byte("cd")}, nil},
		{"a long option in pieces", option(121, "ab") + option(3, "xx") + option(121, "cd") + option(121, ""), lease.Options{121: []byte("abcd"), 3: []byte("xx")}, nil},
		{"cut off in its value", option(3, "cd") + "\xf5\x04\xa8\x3f\x81", lease.Options{3: []byte("cd")}, []string{"option 245 is cut off"}},
		{"cut off before its length", option(3, "cd") + "\xf5", lease.Options{3: []byte("cd")}, []string{"option 245 is cut off"}},
		{"cut off at its value", "\xf5\x04", nil, []string{"option 245 is cut off"}},
		{"the last byte of a value is the field's", option(3, "cd")[:3], nil, []string{"option 3 is cut off"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			field := []byte(row.field)
			got, warnings := lease.ParseOptions(field)
			if diff := cmp.Diff(row.want, got, compared); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			warned(t, warnings, row.warnings...)
			if !bytes.Equal(field, []byte(row.field)) {
				t.Error("the field was written to")
			}
		})
	}
}

// An option's value is a copy: what is written to the packet later does not change it.
func TestOptionsAreCopies(t *testing.T) {
	t.Parallel()
	field := []byte(option(12, "pilot"))
	got, _ := lease.ParseOptions(field)
	clear(field)
	if string(got[12]) != "pilot" {
		t.Errorf("%q", got[12])
	}
}

func TestOptionsLease(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	for _, row := range []struct {
		name     string
		options  lease.Options
		want     lease.Lease
		warnings []string
	}{
		{"nothing", nil, lease.Lease{}, nil},
		{"all there are", lease.Options{
			1: []byte("\xff\xff\xff\x00"), 3: []byte("\x0a\x00\x00\x01"), 6: []byte("\xa8\x3f\x81\x10\x0a\x00\x00\x02"),
			12: []byte("jetty-07"), 15: []byte("harbour.example"), 26: []byte("\x05\xdc"), 51: []byte("\x00\x00\x0e\x10"),
			54: []byte("\xa8\x3f\x81\x10"), 58: []byte("\x00\x00\x04\xb0"), 245: []byte("\x0a\x3e\x90\x8c"),
		}, lease.Lease{
			Bits: 24, Router: gateway, DNS: []netip.Addr{wire, addr("10.0.0.2")}, HostName: "jetty-07", Domain: "harbour.example",
			MTU: 1500, Lifetime: time.Hour, RenewAfter: 20 * time.Minute, Server: wire, WireServer: other,
		}, nil},
		{"a lifetime without end", lease.Options{51: []byte("\xff\xff\xff\xff")}, lease.Lease{Lifetime: lease.Forever}, nil},
		{"the longest with one", lease.Options{51: []byte("\xff\xff\xff\xfe")}, lease.Lease{Lifetime: 4294967294 * time.Second}, nil},
		{"no renewal", lease.Options{58: []byte("\xff\xff\xff\xff")}, lease.Lease{RenewAfter: lease.Forever}, nil},
		{"names with a zero byte behind them", lease.Options{12: []byte("pilot\x00"), 15: []byte("harbour.example\x00")}, lease.Lease{HostName: "pilot", Domain: "harbour.example"}, nil},
		{"names of two lines", lease.Options{12: []byte("pilot\n[ok]"), 15: []byte("harbour\r\nexample")}, lease.Lease{HostName: "pilot [ok]", Domain: "harbour example"}, nil},
		{"the longest names", lease.Options{12: bytes.Repeat([]byte("a"), 255)}, lease.Lease{HostName: strings.Repeat("a", 255)}, nil},
		{"names beyond any", lease.Options{12: bytes.Repeat([]byte("a"), 256), 15: bytes.Repeat([]byte("b"), 256)}, lease.Lease{}, []string{"option 12: a name has 255 bytes", "option 15: a name has 255 bytes"}},
		{"the least MTU", lease.Options{26: []byte("\x02\x40")}, lease.Lease{MTU: 576}, nil},
		{"less", lease.Options{26: []byte("\x02\x3f")}, lease.Lease{}, []string{"option 26: every host takes packets of 576 bytes"}},
		{"the first of two routers", lease.Options{3: []byte("\x0a\x00\x00\x01\x0a\x00\x00\x02")}, lease.Lease{Router: gateway}, nil},
		{"the first router that can be one", lease.Options{3: []byte("\x00\x00\x00\x00\x0a\x00\x00\x01")}, lease.Lease{Router: gateway}, []string{"option 3: 0.0.0.0 is the address of no host"}},
		{"routers, the last cut off", lease.Options{3: []byte("\x0a\x00\x00\x01\x0a")}, lease.Lease{Router: gateway}, []string{"option 3: an address has 4 bytes"}},
		{"name servers that can be some", lease.Options{6: []byte("\xe0\x00\x00\x01\xa8\x3f\x81\x10")}, lease.Lease{DNS: []netip.Addr{wire}}, []string{"option 6: 224.0.0.1"}},
		{"a server that is no host", lease.Options{54: []byte("\xff\xff\xff\xff")}, lease.Lease{}, []string{"option 54: 255.255.255.255"}},
		{"the whole address as the prefix", lease.Options{1: []byte("\xff\xff\xff\xff")}, lease.Lease{Bits: 32}, nil},
		{"a mask of the world", lease.Options{1: []byte("\x00\x00\x00\x00")}, lease.Lease{}, []string{"option 1: it is no mask"}},
		{"a mask with a hole", lease.Options{1: []byte("\xff\x00\xff\x00")}, lease.Lease{}, []string{"option 1: it is no mask"}},
		{"classless routes make the router not count", lease.Options{3: []byte("\x0a\x00\x00\x09"), 121: []byte(routesOption)}, lease.Lease{Routes: routes}, nil},
		{"so do Microsoft's", lease.Options{3: []byte("\x0a\x00\x00\x09"), 249: []byte(routesOption)}, lease.Lease{Routes: routes}, nil},
		{"121 goes before 249", lease.Options{249: []byte("\x00\x0a\x00\x00\x09"), 121: []byte(routesOption)}, lease.Lease{Routes: routes}, nil},
		{"249 counts if 121 cannot be read", lease.Options{249: []byte(routesOption), 121: []byte("\x21")}, lease.Lease{Routes: routes}, []string{"option 121: a prefix of 33 bits"}},
		{"the router counts if 121 cannot be read", lease.Options{3: []byte("\x0a\x00\x00\x01"), 121: []byte("\x00\x0a")}, lease.Lease{Router: gateway}, []string{"option 121: a route is cut off"}},
		{"routes before what is cut off count", lease.Options{121: []byte(routesOption[:len(routesOption)-1])}, lease.Lease{Routes: routes[:2]}, []string{"option 121: a route is cut off"}},
		{"empty routes are none", lease.Options{3: []byte("\x0a\x00\x00\x01"), 121: {}}, lease.Lease{Router: gateway}, nil},
		{"bits behind the prefix do not count", lease.Options{121: []byte("\x09\x0a\xff\x0a\x00\x00\x01")}, lease.Lease{Routes: []lease.Route{route("10.128.0.0/9")}}, nil},
		{"a route on the link", lease.Options{121: []byte("\x08\x0a\x00\x00\x00\x00")}, lease.Lease{Routes: []lease.Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), Gateway: addr("0.0.0.0")}}}, nil},
		{"a gateway that is no host", lease.Options{121: []byte("\x00\xff\xff\xff\xff" + routesOption[5:])}, lease.Lease{Routes: routes[1:]}, []string{"option 121: the gateway 255.255.255.255 is the address of no host"}},
		{"249 counts if no gateway of 121 can be", lease.Options{121: []byte("\x00\x7f\x00\x00\x01"), 249: []byte(routesOption)}, lease.Lease{Routes: routes}, []string{"option 121: the gateway 127.0.0.1"}},
		{"245 of 3 bytes", lease.Options{245: []byte("\xa8\x3f\x81")}, lease.Lease{}, []string{"option 245: an address has 4 bytes"}},
		{"245 of 5 bytes", lease.Options{245: []byte("\xa8\x3f\x81\x10\x00")}, lease.Lease{}, []string{"option 245: an address has 4 bytes"}},
		{"245 is the address of no host", lease.Options{245: []byte("\x00\x00\x00\x00")}, lease.Lease{}, []string{"option 245: 0.0.0.0"}},
		{"245 is everybody", lease.Options{245: []byte("\xff\xff\xff\xff")}, lease.Lease{}, []string{"option 245: 255.255.255.255"}},
		{"245 is a group", lease.Options{245: []byte("\xe0\x00\x00\x01")}, lease.Lease{}, []string{"option 245: 224.0.0.1"}},
		{"245 is this machine", lease.Options{245: []byte("\x7f\x00\x00\x01")}, lease.Lease{}, []string{"option 245: 127.0.0.1"}},
		{"name servers are no wire server", lease.Options{6: []byte("\xa8\x3f\x81\x10"), 54: []byte("\xa8\x3f\x81\x10")}, lease.Lease{DNS: []netip.Addr{wire}, Server: wire}, nil},
		{"each that has another length", lease.Options{
			1: []byte("\xff"), 3: []byte("\x0a\x00\x00"), 6: []byte("\x0a\x00\x00\x01\x0a"), 26: []byte("\x05"), 51: []byte("\x00\x00\x0e"), 54: []byte(""), 58: []byte("\x00"),
		}, lease.Lease{DNS: []netip.Addr{gateway}}, []string{"option 1:", "option 3:", "option 6:", "option 26:", "option 51:", "option 54:", "option 58:"}},
		{"each that is empty", lease.Options{3: {}, 6: {}}, lease.Lease{}, []string{"option 3:", "option 6:"}},
		{"more name servers than count", lease.Options{6: bytes.Repeat([]byte("\x0a\x00\x00\x01"), 70)}, lease.Lease{DNS: repeat(gateway, 64)}, nil},
		{"more routes than count", lease.Options{121: bytes.Repeat([]byte(routesOption[:5]), 257)}, lease.Lease{Routes: repeat(route("0.0.0.0/0"), 256)}, []string{"only the first 256 routes"}},
		{"as many routes as count", lease.Options{121: bytes.Repeat([]byte(routesOption[:5]), 256)}, lease.Lease{Routes: repeat(route("0.0.0.0/0"), 256)}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			equal(t, row.options.Lease(), row.want, row.warnings...)
		})
	}
}

func repeat[T any](value T, n int) (list []T) {
	for range n {
		list = append(list, value)
	}
	return list
}

// Every length of a prefix takes as many bytes as have bits in it.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	for bits := range 33 {
		value := append([]byte{byte(bits)}, "\xff\xff\xff\xff"[:(bits+7)/8]...)
		got := lease.Options{121: append(value, "\x0a\x00\x00\x01"...)}.Lease()
		want := netip.PrefixFrom(netip.MustParseAddr("255.255.255.255"), bits).Masked().String()
		equal(t, got, lease.Lease{Routes: []lease.Route{route(want)}})
		if bits == 0 {
			continue // no mask of a subnet
		}
		mask := netip.PrefixFrom(netip.MustParseAddr("255.255.255.255"), bits).Masked().Addr().AsSlice()
		equal(t, lease.Options{1: mask}.Lease(), lease.Lease{Bits: bits})
	}
}

func TestIsHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1.0.0.1": true, "10.0.0.4": true, "126.255.255.255": true, "128.0.0.1": true, "169.254.7.7": true, "223.255.255.255": true,
		"0.0.0.0": false, "0.1.2.3": false, "127.0.0.1": false, "127.255.255.255": false, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false, "::1": false, "::ffff:10.0.0.4": false, "": false,
	} {
		a, _ := netip.ParseAddr(text)
		if got := lease.IsHost(a); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestParsePacket(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr("10.0.0.4")
	ack := option(53, "\x05")
	with := func(b []byte, offset int, text string) []byte {
		copy(b[offset:], text)
		return b
	}
	in245 := option(245, "\x0a\x3e\x90\x8c")
	for _, row := range []struct {
		name     string
		packet   []byte
		want     lease.Lease
		warnings []string
	}{
		{"an acknowledgement", packet(ack + option(1, "\xff\xff\x00\x00") + in245 + "\xff"), lease.Lease{Address: at, Bits: 16, WireServer: other}, nil},
		{"an offer is enough", packet(option(53, "\x02") + in245), lease.Lease{Address: at, WireServer: other}, nil},
		{"no message type, as from BOOTP", packet(in245), lease.Lease{Address: at, WireServer: other}, nil},
		{"no options", packet(""), lease.Lease{Address: at}, nil},
		{"no address yet", with(packet(ack), 16, "\x00\x00\x00\x00"), lease.Lease{}, nil},
		{"pads before 245", packet("\x00\x00" + ack + "\x00" + in245), lease.Lease{Address: at, WireServer: other}, nil},
		{"an option that is cut off", packet(ack + in245[:4]), lease.Lease{Address: at}, []string{"option 245 is cut off"}},
		{"more in file", with(packet(ack+option(52, "\x01")+"\xff"), 108, in245+"\xff"), lease.Lease{Address: at, WireServer: other}, nil},
		{"more in sname", with(packet(ack+option(52, "\x02")+"\xff"), 44, in245+"\xff"), lease.Lease{Address: at, WireServer: other}, nil},
		{"more in both", with(with(packet(ack+option(52, "\x03")), 108, in245), 44, option(26, "\x05\xdc")), lease.Lease{Address: at, WireServer: other, MTU: 1500}, nil},
		{"a long option goes on in file, then in sname", with(with(packet(option(121, routesOption[:5])+option(52, "\x03")), 108, option(121, routesOption[5:14])), 44, option(121, routesOption[14:])), lease.Lease{Address: at, Routes: routes}, nil},
		{"names in file and sname without overload", with(with(packet(ack), 108, in245), 44, in245), lease.Lease{Address: at}, nil},
		{"file alone is overloaded", with(with(packet(option(52, "\x01")), 108, "\xff"), 44, in245), lease.Lease{Address: at}, nil},
		{"sname alone is overloaded", with(with(packet(option(52, "\x02")), 44, "\xff"), 108, in245), lease.Lease{Address: at}, nil},
		{"sname ends where file begins", with(with(packet(option(52, "\x02")), 44, strings.Repeat("\x00", 60)+"\xf5\x04\x0a\x3e"), 108, "\x90\x8c"), lease.Lease{Address: at}, []string{"option 245 is cut off"}},
		{"file ends where the cookie begins", with(packet(option(52, "\x01")), 108, strings.Repeat("\x00", 126)+"\xf5\x04"), lease.Lease{Address: at}, []string{"option 245 is cut off"}},
		{"overload of no known kind", with(packet(option(52, "\x04")), 108, in245), lease.Lease{Address: at}, []string{"option 52"}},
		{"overload of nothing", with(packet(option(52, "\x00")), 108, in245), lease.Lease{Address: at}, []string{"option 52"}},
		{"overload of two bytes", with(packet(option(52, "\x01\x01")), 108, in245), lease.Lease{Address: at}, []string{"option 52"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := lease.ParsePacket(row.packet)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, row.want, row.warnings...)
		})
	}
}

func TestNoPacket(t *testing.T) {
	t.Parallel()
	changed := func(offset int, c byte) []byte {
		b := packet(option(53, "\x05"))
		b[offset] = c
		return b
	}
	for _, row := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"nothing", nil, azprov.ErrMalformed},
		{"one byte less than the cookie's end", packet("")[:239], azprov.ErrMalformed},
		{"another cookie", changed(239, 0), azprov.ErrMalformed},
		{"a client's request", changed(0, 1), azprov.ErrMalformed},
		{"a refusal", packet(option(53, "\x06")), azprov.ErrMalformed},
		{"a message type without a value", packet(option(53, "\x05\x05")), azprov.ErrMalformed},
		{"more than any packet", packet(strings.Repeat("\x00", 1<<20)), azprov.ErrTooLarge},
	} {
		if got, err := lease.ParsePacket(row.packet); !errors.Is(err, row.want) || !cmp.Equal(got, lease.Lease{}, compared) {
			t.Errorf("%s: %v, %v; want %v", row.name, got, err, row.want)
		}
	}
}

// However a packet is cut off, it is read or refused.
func TestPacketsCutOff(t *testing.T) {
	t.Parallel()
	whole := packet(option(53, "\x05") + option(121, routesOption) + option(245, "\xa8\x3f\x81\x10") + "\xff")
	for size := range whole {
		got, err := lease.ParsePacket(whole[:size:size])
		if (err != nil) != (size < 240) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err == nil && got.WireServer.IsValid() != (size == len(whole)-1) {
			t.Errorf("%d bytes: %v", size, got.WireServer)
		}
	}
}

// Warnings are bounded, whatever comes.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("lease {\n")
	for i := range 100 {
		fmt.Fprintf(&b, "option unknown-245 %d:harbour;\n", i)
	}
	b.WriteString("}\n")
	leases, err := lease.ParseDhclient([]byte(b.String()))
	if err != nil || len(leases) != 1 || len(leases[0].Warnings) != 16 {
		t.Errorf("%v, %v", leases, err)
	}
}

func TestCapturedOffer(t *testing.T) {
	t.Parallel()
	got, err := lease.ParsePacket(vector(t, "dhcp"))
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr
	equal(t, got, lease.Lease{
		Address: addr("10.62.144.96"), Bits: 23, Server: addr("10.62.3.42"), WireServer: other, Router: addr("10.62.144.1"),
		DNS: []netip.Addr{other}, Lifetime: lease.Forever, RenewAfter: lease.Forever, Domain: internalDomain(t, got),
	})
}
