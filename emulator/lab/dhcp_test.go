package lab

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/azprov/azprov/internal/boundtest"
)

var (
	testMAC   = net.HardwareAddr{0x00, 0x0d, 0x3a, 0x1b, 0x2c, 0x01}
	testLease = lease{mac: testMAC, address: netip.MustParsePrefix("10.20.0.21/24"), gateway: netip.MustParseAddr("10.20.0.1"), platform: true}
)

// dhcpRequestOf is a client's message with these options, each a code, a length and a
// value, as RFC 2131 has them.
func dhcpRequestOf(client string, options ...byte) []byte {
	b := make([]byte, dhcpHeader)
	b[0], b[1], b[2], b[3] = 1, 1, 6, 2
	copy(b[4:], "ship")      // xid
	b[10] = 0x80             // broadcast
	copy(b[24:], "\x0a\x00") // giaddr, which no client sets
	if client != "" {
		copy(b[12:], netip.MustParseAddr(client).AsSlice())
	}
	copy(b[28:], testMAC)
	copy(b[44:], "server name")
	copy(b[236:], dhcpCookie)
	return append(append(b, options...), optEnd)
}

// optionsOf reads the options of a reply.
func optionsOf(t *testing.T, reply []byte) map[byte]string {
	t.Helper()
	found := map[byte]string{}
	for b := reply[dhcpHeader:]; b[0] != optEnd; b = b[2+int(b[1]):] {
		if _, twice := found[b[0]]; twice {
			t.Errorf("option %d is there twice", b[0])
		}
		found[b[0]] = hex.EncodeToString(b[2 : 2+int(b[1])])
	}
	return found
}

func TestDHCPAnswers(t *testing.T) {
	t.Parallel()
	const yours, other = "\x0a\x14\x00\x15", "\x0a\x5a\x00\x15" // 10.20.0.21, 10.90.0.21
	option := func(code byte, value string) []byte { return append([]byte{code, byte(len(value))}, value...) }
	kind := func(k byte, more ...[]byte) []byte {
		return append(option(optType, string(k)), bytes.Join(more, nil)...)
	}
	ours, another := option(optServer, "\xa8\x3f\x81\x10"), option(optServer, "\x0a\x00\x00\x01")
	for _, row := range []struct {
		name    string
		client  string
		options []byte
		want    string // the type, empty for no answer
		yiaddr  string
		unicast bool
	}{
		{"a discover", "", kind(dhcpDiscover), "02", "10.20.0.21", false},
		{"a discover of someone with an address", "10.90.0.21", kind(dhcpDiscover), "02", "10.20.0.21", false},
		{"a discover for another address", "", kind(dhcpDiscover, option(optRequested, other)), "02", "10.20.0.21", false},
		{"a request for the offer", "", kind(dhcpRequest, option(optRequested, yours), ours), "05", "10.20.0.21", false},
		{"a request to another server", "", kind(dhcpRequest, option(optRequested, yours), another), "", "", false},
		{"a request after a reboot", "", kind(dhcpRequest, option(optRequested, yours)), "05", "10.20.0.21", false},
		{"a request for the address of the pool", "", kind(dhcpRequest, option(optRequested, other)), "06", "0.0.0.0", false},
		{"a renewal", "10.20.0.21", kind(dhcpRequest), "05", "10.20.0.21", true},
		{"a renewal of the address of the pool", "10.90.0.21", kind(dhcpRequest), "06", "0.0.0.0", false},
		{"a request for nothing", "", kind(dhcpRequest), "06", "0.0.0.0", false},
		{"an inform", "10.20.0.21", kind(dhcpInform), "05", "0.0.0.0", true},
		{"a release", "10.20.0.21", kind(7), "", "", false},
		{"a decline", "", kind(4), "", "", false},
		{"padding before the type", "", append([]byte{optPad, optPad}, kind(dhcpDiscover)...), "02", "10.20.0.21", false},
		{"an option of another length", "", kind(dhcpRequest, option(optServer, "\x0a"), option(optRequested, yours)), "05", "10.20.0.21", false},
		{"an option that is cut off", "", kind(dhcpDiscover, []byte{60, 200, 1}), "02", "10.20.0.21", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			request := dhcpRequestOf(row.client, row.options...)
			m, ok := parseDHCP(request)
			if !ok {
				t.Fatal("not read")
			}
			reply, unicast := m.answer(testLease)
			if row.want == "" {
				if reply != nil {
					t.Errorf("reply %x", reply)
				}
				return
			}
			if unicast != row.unicast || len(reply) < 300 {
				t.Errorf("unicast %t, %d bytes", unicast, len(reply))
			}
			options := optionsOf(t, reply)
			if options[optType] != row.want || options[optServer] != "a83f8110" {
				t.Errorf("options %v, want type %s", options, row.want)
			}
			if got := netip.AddrFrom4([4]byte(reply[16:20])).String(); got != row.yiaddr {
				t.Errorf("yiaddr %s, want %s", got, row.yiaddr)
			}
			if reply[0] != 2 || reply[3] != 0 || string(reply[4:8]) != "ship" || reply[10] != 0x80 ||
				!bytes.Equal(reply[28:34], testMAC) || !bytes.Equal(reply[24:28], make([]byte, 4)) || reply[44] != 0 ||
				!bytes.Equal(reply[236:240], dhcpCookie) {
				t.Errorf("header %x", reply[:dhcpHeader])
			}
			if _, ok := options[optLeaseTime]; ok == (row.want == "06" || m.kind == dhcpInform) {
				t.Errorf("lease time there: %t", ok)
			}
			if client := reply[12:16]; row.want == "06" && !bytes.Equal(client, make([]byte, 4)) || row.unicast && !bytes.Equal(client, request[12:16]) {
				t.Errorf("ciaddr %x", client)
			}
		})
	}
}

func TestDHCPOptions(t *testing.T) {
	t.Parallel()
	m, _ := parseDHCP(dhcpRequestOf("", optType, 1, dhcpDiscover))
	reply, _ := m.answer(testLease)
	got := optionsOf(t, reply)
	want := map[byte]string{
		optMask: "ffffff00", optRouter: "0a140001", optDNS: "a83f8110", optLeaseTime: "ffffffff",
		optType: "02", optServer: "a83f8110", optWireServer: "a83f8110",
		optRoutes: "00" + "0a140001" + "20a83f8110" + "0a140001" + "20a9fea9fe" + "0a140001",
	}
	for code, value := range want {
		if got[code] != value {
			t.Errorf("option %d is %s, want %s", code, got[code], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("options %v", got)
	}
	secondary := testLease
	secondary.platform = false
	reply, _ = m.answer(secondary)
	options := optionsOf(t, reply)
	if _, ok := options[optRoutes]; ok || options[optWireServer] != "" || options[optRouter] != "0a140001" {
		t.Errorf("options of a secondary interface: %v", options)
	}
	without := testLease
	without.noIMDS = true
	reply, _ = m.answer(without)
	if got, want := optionsOf(t, reply)[optRoutes], "00"+"0a140001"+"20a83f8110"+"0a140001"; got != want {
		t.Errorf("routes without IMDS %s, want %s", got, want)
	}
}

func TestDHCPLeaseTime(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]uint32{
		0: 1<<32 - 1, time.Minute: 60, time.Millisecond: 1, 1 << 62: 1<<32 - 1, (1<<32 - 2) * time.Second: 1<<32 - 2,
	} {
		l := testLease
		l.time = d
		m, _ := parseDHCP(dhcpRequestOf("", optType, 1, dhcpDiscover))
		reply, _ := m.answer(l)
		value, _ := hex.DecodeString(optionsOf(t, reply)[optLeaseTime])
		if got := binary.BigEndian.Uint32(value); got != want {
			t.Errorf("%v: %d seconds, want %d", d, got, want)
		}
	}
}

func TestDHCPRefuses(t *testing.T) {
	t.Parallel()
	good := dhcpRequestOf("", optType, 1, dhcpDiscover)
	for name, edit := range map[string]func(b []byte) []byte{
		"nothing":               func([]byte) []byte { return nil },
		"half a header":         func(b []byte) []byte { return b[:dhcpHeader-1] },
		"a header only":         func(b []byte) []byte { return b[:dhcpHeader] },
		"a reply":               func(b []byte) []byte { b[0] = 2; return b },
		"no Ethernet":           func(b []byte) []byte { b[1] = 6; return b },
		"an address of 8 bytes": func(b []byte) []byte { b[2] = 8; return b },
		"no cookie":             func(b []byte) []byte { b[239]++; return b },
		"no type":               func(b []byte) []byte { b[dhcpHeader] = 60; return b },
		"a type of two bytes":   func(b []byte) []byte { b[dhcpHeader+1] = 2; return b },
		"the type after the end": func(b []byte) []byte {
			return append(append(bytes.Clone(b[:dhcpHeader]), optEnd), b[dhcpHeader:]...)
		},
	} {
		if _, ok := parseDHCP(edit(bytes.Clone(good))); ok {
			t.Errorf("%s is read", name)
		}
	}
	// What another interface's client sends is not for this one.
	m, _ := parseDHCP(good)
	other := testLease
	other.mac = net.HardwareAddr{0x00, 0x0d, 0x3a, 0, 0, 9}
	if reply, _ := m.answer(other); reply != nil {
		t.Errorf("another client gets %x", reply)
	}
}

func FuzzParseDHCP(f *testing.F) {
	f.Add(dhcpRequestOf("", optType, 1, dhcpDiscover))
	f.Add(dhcpRequestOf("10.20.0.21", optType, 1, dhcpRequest, optRequested, 4, 10, 20, 0, 21, optServer, 4, 168, 63, 129, 16))
	f.Add(dhcpRequestOf("", optPad, 60, 200, optType))
	f.Fuzz(func(t *testing.T, b []byte) {
		boundtest.Check(t, func() {
			m, ok := parseDHCP(b)
			if !ok {
				return
			}
			if reply, _ := m.answer(testLease); len(reply) > dhcpMaximum {
				t.Errorf("%d bytes", len(reply))
			}
			m.mac, m.server = testMAC, netip.Addr{}
			if reply, _ := m.answer(testLease); reply != nil {
				optionsOf(t, reply)
			}
		})
	})
}
