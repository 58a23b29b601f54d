package emulator_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// vmsVariable is how many VMs TestFleetProvisions boots.
const vmsVariable = "AZPROV_VMS"

// fewAtOnce bounds how many VMs boot at the same moment where others test beside: each has
// one connection of two descriptors.
const fewAtOnce = 100

// boots is what the clients of a fleet have seen.
type boots struct {
	took    time.Duration
	heap    uint64 // bytes that the fleet keeps afterwards, per VM
	mu      sync.Mutex
	latency []time.Duration // of each request
}

// perSecond is how many requests were answered in a second.
func (b *boots) perSecond() float64 { return float64(len(b.latency)) / b.took.Seconds() }

// percentile returns the duration that so many of 100 requests did not exceed.
func (b *boots) percentile(p int) time.Duration {
	slices.Sort(b.latency)
	return b.latency[(len(b.latency)-1)*p/100]
}

// counted counts the requests of one VM that were answered.
type counted struct {
	client *http.Client
	boots  *boots
	sent   int
}

// Do is that of the clients' transport. A VM makes one request at a time.
func (c *counted) Do(r *http.Request) (*http.Response, error) {
	started := time.Now()
	resp, err := c.client.Do(r)
	if err == nil {
		c.sent++
		c.boots.mu.Lock()
		c.boots.latency = append(c.boots.latency, time.Since(started))
		c.boots.mu.Unlock()
	}
	return resp, err
}

// loopbackSources are n addresses that Linux has without being asked: all of 127.0.0.0/8.
func loopbackSources(t *testing.T, n int) []netip.Addr {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8")
	}
	sources := make([]netip.Addr, n)
	for i := range sources {
		sources[i] = netip.AddrFrom4([4]byte{127, 1, byte((i + 1) >> 8), byte(i + 1)})
	}
	return sources
}

// lineCount is a journal that nobody keeps.
type lineCount int

// Write is called with one line at a time.
func (c *lineCount) Write(line []byte) (int, error) {
	*c++
	return len(line), nil
}

// heap returns how many bytes are in use.
func heap() uint64 {
	for range 3 { // what finalizers let go is gone in the next
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// provisionFleet boots n VMs with the SDK's clients over TCP, each from an address of its
// own, atOnce of them at a time, and compares what each has got, and what the fleet has seen
// of it.
func provisionFleet(t *testing.T, n, atOnce int) *boots {
	t.Helper()
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		t.Fatal(err)
	}
	sources := loopbackSources(t, n)
	before := heap()
	var lines lineCount
	fleet, err := emulator.NewFleet(scenario, n, &emulator.FleetOptions{Sources: sources, Journal: &lines})
	if err != nil {
		t.Fatal(err)
	}
	server, err := fleet.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	b := &boots{}
	started := time.Now()
	var booting sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range n {
		turns <- struct{}{}
		booting.Go(func() {
			defer func() { <-turns }()
			bootMember(t, fleet, server, i, sources[i], b)
		})
	}
	booting.Wait()
	b.took = time.Since(started)
	checkFleet(t, fleet, len(b.latency))
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if int(lines) != len(b.latency) {
		t.Errorf("%d lines of the journal were written, want %d", lines, len(b.latency))
	}
	b.heap = (heap() - before) / uint64(n)
	runtime.KeepAlive(fleet)
	return b
}

// bootMember provisions one VM.
func bootMember(t *testing.T, fleet *emulator.Fleet, server *emulator.FleetServer, number int, source netip.Addr, b *boots) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice()}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	c := &counted{client: &http.Client{Transport: transport}, boots: b}
	fabric := fleet.VM(number)
	machine, err := provisionAt(t.Context(), c, server.IMDSURL(number), server.WireServerURL(number), fabric)
	if err != nil {
		t.Errorf("VM %d: %v", number, err)
		return
	}
	want := fabric.VM()
	if machine.VMID != want.ID || machine.HostName != want.HostName {
		t.Errorf("VM %d is %s, %s, want %s, %s", number, machine.VMID, machine.HostName, want.ID, want.HostName)
	}
	if got := len(fabric.Journal()); got != c.sent {
		t.Errorf("VM %d: %d requests were answered, and the journal has %d", number, c.sent, got)
	}
}

func provisionAt(ctx context.Context, c *counted, imdsURL, wireURL string, fabric *emulator.Fabric) (*provision.Machine, error) {
	transport := azcore.ClientOptions{Transport: c}
	i, err := imds.NewClient(&imds.ClientOptions{ClientOptions: transport, Endpoint: imdsURL})
	w, wireErr := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport, Endpoint: wireURL})
	if err = errors.Join(err, wireErr); err != nil {
		return nil, err
	}
	options := &provision.Options{IMDS: i, WireServer: w, Sysfs: fabric.DMI(), StateDir: provision.NoStateDir, BootID: "boot-1"}
	if medium, ok := fabric.Medium(); ok {
		options.Medium = provision.MediumFS(medium)
	}
	result, err := provision.Run(ctx, options)
	return result.Machine, err
}

// checkFleet compares the fleet's books with those of the clients.
func checkFleet(t *testing.T, fleet *emulator.Fleet, requests int) {
	t.Helper()
	s := fleet.Summary()
	if s.States[emulator.StateReady] != fleet.Len() || s.Requests != requests || s.Remarks != 0 || s.Refused != 0 || s.Seen != fleet.Len() {
		t.Errorf("%d VMs and %d requests: %+v", fleet.Len(), requests, s)
	}
	if entries := fleet.Journal(); len(entries) != requests {
		t.Errorf("the journal has %d entries, want %d", len(entries), requests)
	}
	ids, names, macs, addresses := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[netip.Prefix]bool{}
	containers := 0
	for i := range fleet.Len() {
		vm := fleet.VM(i).VM()
		ids[vm.ID.String()], names[vm.Name] = true, true
		for _, nic := range vm.Interfaces {
			macs[nic.MACAddress] = true
			containers++
			for _, a := range nic.Addresses {
				addresses[a] = true
			}
		}
	}
	if len(ids) != fleet.Len() || len(names) != fleet.Len() || len(macs) != containers {
		t.Errorf("%d ids, %d names and %d MAC addresses of %d VMs with %d interfaces", len(ids), len(names), len(macs), fleet.Len(), containers)
	}
}

// TestFleetProvisions boots 50 VMs at once, or as many as AZPROV_VMS says (it needs two
// descriptors for each), and then says what it costs: AZPROV_VMS=5000 go test -run FleetProvisions -v ./emulator.
func TestFleetProvisions(t *testing.T) {
	wanted := os.Getenv(vmsVariable)
	n, err := strconv.Atoi(cmp.Or(wanted, "50"))
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a number of VMs", vmsVariable, wanted)
	}
	sizes := []int{n}
	if wanted != "" {
		sizes = []int{max(n/100, 1), max(n/10, 1), n}
	}
	for _, n := range sizes {
		b := provisionFleet(t, n, n)
		t.Logf("%5d VMs: %v, %d requests, %.0f a second, 99%% within %v; each VM keeps %d bytes", n,
			b.took.Round(time.Millisecond), len(b.latency), b.perSecond(), b.percentile(99).Round(time.Microsecond), b.heap)
	}
}

// keptLimit is how many bytes a VM may keep that was provisioned: half of them are its
// journal. Its instance document alone would be more.
const keptLimit = 12 << 10

// Ten times as many VMs cost ten times as much. What is quadratic would make one of 500 ten
// times as dear as one of 50. The machine may be busy with something else for a while.
func TestFleetGrowsLinearly(t *testing.T) {
	if testing.Short() {
		t.Skip("it boots 500 VMs")
	}
	const slack, attempts = 4, 3
	for attempt := 1; ; attempt++ {
		small, large := provisionFleet(t, 50, fewAtOnce), provisionFleet(t, 500, fewAtOnce)
		if large.heap > keptLimit {
			t.Errorf("of 500 VMs each keeps %d bytes, want %d at most", large.heap, keptLimit)
		}
		perVM, ofMore := small.took/50, large.took/500
		if ofMore <= slack*perVM || t.Failed() {
			return
		}
		if attempt == attempts {
			t.Fatalf("of 50 VMs one takes %v, of 500 %v", perVM, ofMore)
		}
	}
}
