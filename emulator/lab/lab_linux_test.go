package lab_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
	"github.com/azprov/azprov/internal/programtest"
)

func TestLabServesTheRealAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	if l.Server().IMDSURL() != "http://169.254.169.254:80" || l.Server().WireServerURL() != "http://168.63.129.16:80" || l.Server().HostGAURL() != azprov.HostGAEndpoint {
		t.Errorf("URLs %s, %s, %s", l.Server().IMDSURL(), l.Server().WireServerURL(), l.Server().HostGAURL())
	}
	nic := link(t, l, "eth0").Attrs()
	if nic.HardwareAddr.String() != strings.ToLower(colons(l.Fabric().VM().Interfaces[0].MACAddress)) || nic.Flags&net.FlagUp != 0 {
		t.Errorf("eth0: %s, %s", nic.HardwareAddr, nic.Flags)
	}
	if loopback := link(t, l, "lo").Attrs(); loopback.Flags&net.FlagUp == 0 {
		t.Errorf("lo: %s", loopback.Flags)
	}
	if got, want := configure(t, l, "eth0"), l.Fabric().VM().Interfaces[0].Addresses[0]; got.Addr() != want.Addr() {
		t.Errorf("the lease is %s, want %s", got, want)
	}
	for url, want := range map[string]string{
		imdsURL + "/metadata/versions": "2023-11-15", "http://168.63.129.16/?comp=versions": "2012-11-30",
		"http://168.63.129.16/machine/?comp=goalstate": "http://168.63.129.16:80/machine/",
		azprov.HostGAEndpoint + "/versions":            "2015-09-01",
	} {
		if status, text, err := get(t, l, http.MethodGet, url, ""); err != nil || status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %v, status %d: %s", url, err, status, text)
		}
	}
	report(t, l)
	if l.Fabric().State() != emulator.StateReady {
		t.Errorf("state %s", l.Fabric().State())
	}
}

func colons(mac string) string {
	var pairs []string
	for pair := range slices.Chunk([]byte(mac), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, ":")
}

// The lease has the platform's routes and the wire server, though nobody asks for them.
func TestLabLease(t *testing.T) {
	t.Parallel()
	s := quick(t, "linux-vm")
	s.VM.Interfaces = []emulator.Interface{{MACAddress: "000D3A0000AA", Addresses: []netip.Prefix{netip.MustParsePrefix("fd00::4/64"), netip.MustParsePrefix("192.0.2.1/28")}}}
	l := newLab(t, &lab.Options{Scenario: s, LeaseTime: time.Hour})
	up(t, l, "eth0")
	offer := exchange(t, l, "eth0", 1, netip.Addr{})
	const gateway = "c0000202" // the second address: the guest has the first
	for code, want := range map[byte]string{
		1: "fffffff0", 3: gateway, 6: "a83f8110", 51: "00000e10", 53: "02", 54: "a83f8110", 245: "a83f8110",
		121: "00" + gateway + "20a83f8110" + gateway + "20a9fea9fe" + gateway,
	} {
		if got := option(offer, code); got != want {
			t.Errorf("option %d is %q, want %q", code, got, want)
		}
	}
	if got := option(exchange(t, l, "eth0", 3, netip.MustParseAddr("192.0.2.9")), 53); got != "06" {
		t.Errorf("a request for another address gets %q", got)
	}
	// A renewal goes to the server and comes back without a broadcast, which a socket
	// that is bound to the address does not hear.
	address := configure(t, l, "eth0").Addr()
	renewal := message(link(t, l, "eth0"), 3, address, netip.Addr{})
	if got := option(converse(t, l, "eth0", renewal, address.String()+":68", "168.63.129.16:67"), 53); got != "05" {
		t.Errorf("a renewal gets %q", got)
	}
}

func TestLabWithDHCPClients(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		program string
		args    []string
		want    []string
	}{
		{"dhclient", []string{"-1", "-d", "-sf", "/usr/bin/env", "-lf", "LEASES", "-pf", "PID", "eth0"}, []string{
			"new_rfc3442_classless_static_routes=0 10 20 0 1 32 168 63 129 16 10 20 0 1 32 169 254 169 254 10 20 0 1",
			"new_unknown_245=a8:3f:81:10", "new_dhcp_lease_time=4294967295",
		}},
		{"busybox", []string{"udhcpc", "-i", "eth0", "-n", "-q", "-f", "-O", "121", "-s", "SCRIPT"}, []string{
			"staticroutes=0.0.0.0/0 10.20.0.1 168.63.129.16/32 10.20.0.1 169.254.169.254/32 10.20.0.1", "opt245=a83f8110",
		}},
	} {
		t.Run(row.program, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nil)
			programtest.Need(t, row.program)
			dir := t.TempDir()
			script := programtest.Write(t, dir, "script", []byte("#!/bin/sh\nenv\n"))
			if err := os.Chmod(script, 0o700); err != nil {
				t.Fatal(err)
			}
			args := slices.Clone(row.args)
			for i, arg := range args {
				args[i] = strings.NewReplacer("LEASES", dir+"/leases", "PID", dir+"/pid", "SCRIPT", script).Replace(arg)
			}
			up(t, l, "eth0")
			// dhclient stays in the foreground: it is ended.
			c := l.Command(t.Context(), "timeout", append([]string{"3", row.program}, args...)...)
			out, _ := c.CombinedOutput()
			for _, want := range row.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestLabSecondaryAndTwin(t *testing.T) {
	t.Parallel()
	l := newLab(t, &lab.Options{Secondary: true, Twin: true})
	primary, twin := link(t, l, "eth1"), link(t, l, "enP1s1")
	if primary.Attrs().HardwareAddr.String() != twin.Attrs().HardwareAddr.String() {
		t.Errorf("%s and %s", primary.Attrs().HardwareAddr, twin.Attrs().HardwareAddr)
	}
	if link(t, l, "eth0").Attrs().Index >= primary.Attrs().Index {
		t.Error("the secondary interface is not the first")
	}
	up(t, l, "enP1s1")
	if reply := exchange(t, l, "enP1s1", 1, netip.Addr{}); reply != nil {
		t.Errorf("the twin gets %x", reply)
	}
	configure(t, l, "eth0")
	if offer := exchange(t, l, "eth0", 1, netip.Addr{}); option(offer, 121) != "" || option(offer, 245) != "" || option(offer, 3) == "" {
		t.Errorf("the secondary interface gets %x", offer)
	}
	if status, _, err := get(t, l, http.MethodGet, imdsURL+"/metadata/versions", ""); err == nil {
		t.Errorf("through the secondary interface: status %d", status)
	}
	configure(t, l, "eth1")
	if status, _, err := get(t, l, http.MethodGet, imdsURL+"/metadata/versions", ""); err != nil || status != http.StatusOK {
		t.Errorf("through the primary interface: %v, status %d", err, status)
	}
}

// A service that is there later is there at the right address.
func TestLabServiceThatIsLate(t *testing.T) {
	t.Parallel()
	s := quick(t, "linux-vm")
	s.IMDS.Faults = []emulator.Fault{{Refuse: emulator.Duration(300 * time.Millisecond)}}
	s.WireServer.Absent = true
	l := newLab(t, &lab.Options{Scenario: s})
	configure(t, l, "eth0")
	deadline := time.Now().Add(patience)
	for {
		status, _, err := get(t, l, http.MethodGet, imdsURL+"/metadata/versions", "")
		if status == http.StatusOK {
			break
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(deadline) {
			t.Fatalf("%v, status %d", err, status)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, _, err := get(t, l, http.MethodGet, "http://168.63.129.16/?comp=versions", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the wire server: %v", err)
	}
}

func TestTwoLabs(t *testing.T) {
	t.Parallel()
	first, second := quick(t, "linux-vm"), quick(t, "linux-vm")
	second.VM.HostName, second.VM.Name = "jetty-08", "jetty-08"
	labs := []*lab.Lab{newLab(t, &lab.Options{Scenario: first}), newLab(t, &lab.Options{Scenario: second})}
	var together sync.WaitGroup
	for _, l := range labs {
		configure(t, l, "eth0")
		together.Go(func() {
			_, text, err := get(t, l, http.MethodGet, imdsURL+"/metadata/instance/compute/name?api-version=2023-11-15&format=text", "")
			if err != nil || text != l.Fabric().VM().Name {
				t.Errorf("%v: %q, want %s", err, text, l.Fabric().VM().Name)
			}
		})
	}
	together.Wait()
	for _, l := range labs {
		if got := len(l.Fabric().Journal()); got != 1 {
			t.Errorf("%d requests", got)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	needRoot(t)
	before, goroutines, links := threads(t), runtime.NumGoroutine(), hostLinks(t)
	for _, scenario := range []string{"pps-running", "pps-savable"} {
		l, err := lab.New(t.Context(), &lab.Options{Scenario: quick(t, scenario), Secondary: true, Twin: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := threads(t); len(got) != len(before)+3 {
			t.Errorf("namespaces %v, before %v", got, before)
		}
		if diff := cmp.Diff(links, hostLinks(t)); diff != "" {
			t.Error(diff)
		}
		configure(t, l, "eth1")
		report(t, l)
		for range 2 {
			if err := l.Close(); err != nil { // in the middle of the switch
				t.Error(err)
			}
		}
		if err := l.Guest(func() error { return nil }); !errors.Is(err, net.ErrClosed) {
			t.Errorf("in a closed lab: %v", err)
		}
		if err := l.Links().Attach(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("attached to a closed lab: %v", err)
		}
	}
	settle(t, goroutines)
	if diff := cmp.Diff(keys(before), keys(threads(t))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(links, hostLinks(t)); diff != "" {
		t.Error(diff)
	}
}

func keys(m map[string]int) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	return slices.Sorted(slices.Values(all))
}

const childOfKilled = "AZPROV_LAB_CHILD"

// A lab whose process is killed leaves nothing in this one's network.
func TestKilledLeavesNothing(t *testing.T) {
	needRoot(t)
	if os.Getenv(childOfKilled) != "" {
		if _, err := lab.New(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	links := hostLinks(t)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledLeavesNothing$", "-test.v")
	command.Env = append(os.Environ(), childOfKilled+"=1")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.String() != "signal: killed" {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(links, hostLinks(t)); diff != "" {
		t.Error(diff)
	}
}

func TestLabNames(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("azprov-test-%d", os.Getpid())
	l := newLab(t, &lab.Options{Name: name})
	programtest.Need(t, "ip")
	if l.Namespace() != "/run/netns/"+name {
		t.Errorf("the namespace is at %s", l.Namespace())
	}
	for namespace, want := range map[string]string{name: "eth0", name + "-fabric": "vm0"} {
		if out := programtest.Run(t, "", "ip", "netns", "exec", namespace, "ip", "link"); !strings.Contains(string(out), want+"@") {
			t.Errorf("%s has\n%s", namespace, out)
		}
	}
	other, err := lab.New(t.Context(), &lab.Options{Name: name})
	if azprov.KindOf(err) != azprov.KindDenied || !strings.Contains(err.Error(), "ip netns delete "+name) {
		t.Errorf("the same name again: %v", err)
	}
	if err == nil {
		_ = other.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{name, name + "-fabric"} {
		if _, err := os.Stat("/run/netns/" + path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestGuestComesBack(t *testing.T) {
	l := newLab(t, nil)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	where := func() string {
		target, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return target
	}
	home, guest := where(), ""
	wrong := errors.New("wrong")
	if err := l.Guest(func() error { guest = where(); return wrong }); !errors.Is(err, wrong) || guest == home {
		t.Errorf("%v in %s", err, guest)
	}
	err := l.Guest(func() error {
		if err := l.Guest(func() error { return nil }); err != nil {
			return err
		}
		if where() != guest {
			t.Error("a visit in a visit ends both")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = l.Guest(func() error { panic("overboard") })
	}()
	if got := where(); got != home {
		t.Errorf("the thread is in %s, want %s", got, home)
	}
	out, err := l.Command(t.Context(), "readlink", "/proc/self/ns/net").Output()
	if err != nil || strings.TrimSpace(string(out)) != guest {
		t.Errorf("%v: a command runs in %s, want %s", err, out, guest)
	}
	if out, err := exec.CommandContext(t.Context(), "nsenter", "--net="+l.Namespace(), "readlink", "/proc/self/ns/net").Output(); err != nil || strings.TrimSpace(string(out)) != guest {
		t.Errorf("%v: nsenter enters %s, want %s", err, out, guest)
	}
}

func TestCommandEndsWithTheLab(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	if err := l.Command(t.Context(), "true").Run(); err != nil {
		t.Error(err)
	}
	sleeper := l.Command(t.Context(), "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	started := time.Now()
	if err := sleeper.Wait(); err == nil || time.Since(started) > patience {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

// Without root it says so.
func TestLabNeedsRoot(t *testing.T) {
	if os.Getenv(childOfKilled) != "" {
		_, err := lab.New(t.Context(), nil)
		if azprov.KindOf(err) != azprov.KindDenied || !strings.Contains(err.Error(), "run it as root") {
			t.Errorf("error %v", err)
		}
		return
	}
	needRoot(t)
	// The test binary may lie where another user cannot read it.
	command := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestLabNeedsRoot$", "-test.v")
	command.Env = append(os.Environ(), childOfKilled+"=1")
	command.Dir = "/"
	const nobody = 65534
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := command.CombinedOutput()
	if errors.Is(err, syscall.EACCES) {
		t.Skipf("another user cannot run the test: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "PASS: TestLabNeedsRoot") {
		t.Errorf("%v\n%s", err, out)
	}
}
