package lab_test

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
)

// needRoot skips what cannot be done here.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and veth")
	}
}

// quick is a shipped scenario whose waits are short enough for real time.
func quick(t *testing.T, name string) emulator.Scenario {
	t.Helper()
	s, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	if s.Pool.Type != "" {
		s.Pool.SwitchAfter = emulator.Duration(100 * time.Millisecond)
		s.Pool.Outage = emulator.Duration(100 * time.Millisecond)
		s.Pool.DataAfter = emulator.Duration(300 * time.Millisecond)
	}
	return s
}

func newLab(t *testing.T, options *lab.Options) *lab.Lab {
	t.Helper()
	needRoot(t)
	l, err := lab.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// link returns an interface of the guest.
func link(t *testing.T, l *lab.Lab, name string) netlink.Link {
	t.Helper()
	var found netlink.Link
	if err := l.Guest(func() (err error) { found, err = netlink.LinkByName(name); return err }); err != nil {
		t.Fatal(err)
	}
	return found
}

// events returns the changes of interfaces in the guest from now on.
func events(t *testing.T, l *lab.Lab) <-chan netlink.LinkUpdate {
	t.Helper()
	updates, done := make(chan netlink.LinkUpdate, 256), make(chan struct{})
	if err := l.Guest(func() error { return netlink.LinkSubscribe(updates, done) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(done) })
	return updates
}

const patience = 10 * time.Second

// awaitEvent returns the next change that is wanted.
func awaitEvent(t *testing.T, updates <-chan netlink.LinkUpdate, what string, wanted func(netlink.LinkUpdate) bool) netlink.LinkUpdate {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case u := <-updates:
			if wanted(u) {
				return u
			}
		case <-deadline:
			t.Fatalf("no %s", what)
		}
	}
}

// awaitPhase waits until the VM is in the phase.
func awaitPhase(t *testing.T, l *lab.Lab, phase emulator.Phase) emulator.Milestone {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for m := range l.Fabric().Follow(ctx) {
		if m.Phase == phase {
			return m
		}
	}
	t.Fatalf("the VM is %s, want %s", l.Fabric().Phase(), phase)
	return emulator.Milestone{}
}

// up sets an interface up, as an agent does before it asks for a lease.
func up(t *testing.T, l *lab.Lab, name string) {
	t.Helper()
	nic := link(t, l, name)
	if err := l.Guest(func() error { return netlink.LinkSetUp(nic) }); err != nil {
		t.Fatal(err)
	}
}

// message is a DHCP message of an interface. 121 and 245 are not asked for.
func message(nic netlink.Link, kind byte, client, requested netip.Addr) []byte {
	b := make([]byte, 240, 300)
	b[0], b[1], b[2] = 1, 1, 6
	copy(b[4:8], "ship")
	if client.IsValid() {
		copy(b[12:16], client.AsSlice())
	}
	copy(b[28:], nic.Attrs().HardwareAddr)
	copy(b[236:], []byte{99, 130, 83, 99})
	b = append(b, 53, 1, kind, 55, 2, 1, 3)
	if requested.IsValid() {
		b = append(append(b, 50, 4), requested.AsSlice()...)
	}
	return append(b, 255)
}

// exchange broadcasts a DHCP message on an interface until it is answered, and returns
// the answer, nil if there is none. The first ones may go unheard: an interface takes a
// moment to come up.
func exchange(t *testing.T, l *lab.Lab, name string, kind byte, requested netip.Addr) []byte {
	t.Helper()
	b := message(link(t, l, name), kind, netip.Addr{}, requested)
	return converse(t, l, name, b, "0.0.0.0:68", "255.255.255.255:67")
}

// converse sends a message until it is answered.
func converse(t *testing.T, l *lab.Lab, name string, b []byte, local, remote string) []byte {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			_ = syscall.BindToDevice(int(fd), name)
		})
	}}
	var conn net.PacketConn
	err := l.Guest(func() (err error) {
		conn, err = config.ListenPacket(t.Context(), "udp4", local)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 10 {
		// An error is that of an interface which is not up yet.
		_, _ = conn.WriteTo(b, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(remote)))
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		reply := make([]byte, 1500)
		n, from, err := conn.ReadFrom(reply)
		if err != nil {
			continue
		}
		secondary := option(reply, 3) != "" && option(reply, 245) == ""
		if !secondary && from.String() != "168.63.129.16:67" {
			t.Errorf("the answer is from %s", from)
		}
		return reply[:n]
	}
	return nil
}

// configure gets a lease for an interface and puts it into effect.
func configure(t *testing.T, l *lab.Lab, name string) netip.Prefix {
	t.Helper()
	up(t, l, name)
	nic := link(t, l, name)
	offer := exchange(t, l, name, 1, netip.Addr{})
	if len(offer) < 240 {
		t.Fatalf("%s gets no offer", name)
	}
	address := netip.AddrFrom4([4]byte(offer[16:20]))
	if ack := exchange(t, l, name, 3, address); option(ack, 53) != "05" {
		t.Fatalf("%s gets no lease: %x", name, ack)
	}
	prefix := netip.PrefixFrom(address, 24)
	router, _ := hex.DecodeString(option(offer, 3))
	err := l.Guest(func() error {
		old, err := netlink.AddrList(nic, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for i := range old {
			if err := netlink.AddrDel(nic, &old[i]); err != nil {
				return err
			}
		}
		if err := netlink.AddrReplace(nic, &netlink.Addr{IPNet: &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(24, 32)}}); err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: nic.Attrs().Index, Gw: net.IP(router)})
	})
	if err != nil {
		t.Fatal(err)
	}
	return prefix
}

// option returns an option of a DHCP message in hexadecimal.
func option(message []byte, code byte) string {
	if len(message) < 240 {
		return ""
	}
	for b := message[240:]; len(b) > 1 && b[0] != 255; b = b[2+int(b[1]):] {
		if b[0] == code {
			return hex.EncodeToString(b[2 : 2+int(b[1])])
		}
	}
	return ""
}

// get asks a service from within the guest.
func get(t *testing.T, l *lab.Lab, method, url, body string, headers ...string) (status int, text string, err error) {
	t.Helper()
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = l.Guest(func() error {
				var d net.Dialer
				conn, err = d.DialContext(ctx, network, address)
				return err
			})
			return conn, err
		},
	}}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range append(headers, "Metadata: true", "x-ms-version: 2012-11-30") {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

const (
	imdsURL         = "http://169.254.169.254"
	reprovisionData = imdsURL + "/metadata/reprovisiondata?api-version=2019-06-01"
)

// report sends Ready in the form that needs no goal state.
func report(t *testing.T, l *lab.Lab) {
	t.Helper()
	status, text, err := get(t, l, http.MethodPost, "http://168.63.129.16/provisioning/health", `{"state":"Ready"}`, "Content-Type: application/json")
	if err != nil || status != http.StatusCreated {
		t.Fatalf("%v, status %d: %s", err, status, text)
	}
}

// threads returns the network namespaces of this process's threads and open files.
func threads(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, pattern := range []string{"/proc/self/task", "/proc/self/fd"} {
		entries, err := os.ReadDir(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			path := pattern + "/" + entry.Name()
			if strings.HasSuffix(pattern, "task") {
				path += "/ns/net"
			}
			if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, "net:") {
				found[target]++
			}
		}
	}
	return found
}

// hostLinks are the names of this machine's own interfaces.
func hostLinks(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return slices.Sorted(slices.Values(names))
}

// settle waits until no more goroutines run than before.
func settle(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
