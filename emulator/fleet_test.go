package emulator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/report/kvp"
)

// fleetOf returns a fleet of n VMs of testScenario as edit leaves it.
func fleetOf(t *testing.T, n int, edit func(*emulator.Scenario), options *emulator.FleetOptions) *emulator.Fleet {
	t.Helper()
	fleet, err := emulator.NewFleet(edited(t, edit), n, options)
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

func edited(t *testing.T, edit func(*emulator.Scenario)) emulator.Scenario {
	t.Helper()
	s, err := emulator.ParseScenario([]byte(testScenario))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(&s)
	}
	return s
}

// askFrom is one request from an address, without a server in between.
func askFrom(t *testing.T, h http.Handler, source, target string, headers ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.0.2.7:8080"+target, nil)
	r.RemoteAddr = source
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const (
	targetName   = "/metadata/instance/compute/name?api-version=2021-08-01&format=text"
	withMetadata = "Metadata: true"
)

func TestFleetByAddress(t *testing.T) {
	t.Parallel()
	fixed := []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")}
	type request struct {
		source string
		status int
		want   string
	}
	for _, row := range []struct {
		name     string
		sources  []netip.Addr
		requests []request
	}{
		{"the first that comes gets the first VM", nil, []request{
			{"192.0.2.9:1", http.StatusOK, "test_vm-1-0"},
			{"192.0.2.1:1", http.StatusOK, "test_vm-1-1"},
			{"192.0.2.9:2", http.StatusOK, "test_vm-1-0"},
			{"192.0.2.8:1", http.StatusMisdirectedRequest, "azprov emulator: no VM for 192.0.2.8: all 2 are taken\n"},
			{"192.0.2.1:3", http.StatusOK, "test_vm-1-1"},
		}},
		{"addresses are compared, not texts", nil, []request{
			{"[::ffff:192.0.2.9]:1", http.StatusOK, "test_vm-1-0"},
			{"192.0.2.9:1", http.StatusOK, "test_vm-1-0"},
			{"[fe80::1%eth0]:1", http.StatusOK, "test_vm-1-1"},
			{"[fe80::1%eth1]:1", http.StatusOK, "test_vm-1-1"},
		}},
		{"each has its address", fixed, []request{
			{"192.0.2.1:1", http.StatusOK, "test_vm-1-1"},
			{"192.0.2.3:1", http.StatusMisdirectedRequest, "azprov emulator: no VM for 192.0.2.3: it is none of the fleet's addresses\n"},
			{"192.0.2.2:1", http.StatusOK, "test_vm-1-0"},
		}},
		{"no address", nil, []request{
			{"pipe", http.StatusMisdirectedRequest, "azprov emulator: no VM: the request has no address\n"},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fleet := fleetOf(t, 2, nil, &emulator.FleetOptions{Sources: row.sources})
			refused := 0
			for i, r := range row.requests {
				status, body := askFrom(t, fleet.IMDS(), r.source, targetName, withMetadata)
				if status != r.status || body != r.want {
					t.Errorf("request %d: %d %q, want %d %q", i, status, body, r.status, r.want)
				}
				if r.status == http.StatusMisdirectedRequest {
					refused++
				}
			}
			s := fleet.Summary()
			if s.Requests != len(row.requests) || s.Refused != refused || s.Remarks != refused {
				t.Errorf("%+v", s)
			}
			for _, entry := range fleet.Journal() {
				stranger := entry.Status == http.StatusMisdirectedRequest
				if stranger != (entry.VM == "") || stranger != (len(entry.Verdicts) == 1) {
					t.Errorf("the journal has %+v", entry)
				}
			}
		})
	}
}

// What one VM does is nothing to the others.
func TestFleetKeepsVMsApart(t *testing.T) {
	t.Parallel()
	fleet := fleetOf(t, 3, imdsFaults(emulator.Fault{Status: http.StatusServiceUnavailable}), nil)
	for number := range 3 {
		source := fmt.Sprintf("192.0.2.%d:1", number)
		for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
			if got, body := askFrom(t, fleet.IMDS(), source, targetName, withMetadata); got != want {
				t.Errorf("VM %d: %d %s, want %d", number, got, body, want)
			}
		}
	}
	g := goalState(t, fleet.VM(1))
	if g.ContainerID == goalState(t, fleet.VM(0)).ContainerID {
		t.Error("two VMs are in one container")
	}
	if status, _ := report(t, fleet.VM(0), g, goalstate.Health{State: goalstate.HealthStateReady}); status != http.StatusGone {
		t.Errorf("a report with another VM's ids: %d, want 410", status)
	}
	if status, body := report(t, fleet.VM(1), g, goalstate.Health{State: goalstate.HealthStateReady}); status != http.StatusOK {
		t.Errorf("a report: %d %s", status, body)
	}
	fleet.VM(2).Migrate()
	want := []emulator.ReportState{emulator.StateNone, emulator.StateReady, emulator.StateNone}
	for i, vm := range fleet.VMs() {
		if vm.State != want[i] || vm.Number != i || vm.Name != fleet.VM(i).VM().Name || vm.Source.String() != fmt.Sprintf("192.0.2.%d", i) {
			t.Errorf("VM %d: %+v, want %s", i, vm, want[i])
		}
	}
	if s := fleet.Summary(); s.States[emulator.StateReady] != 1 || s.States[emulator.StateNone] != 2 || s.Requests != 10 || s.Seen != 3 {
		t.Errorf("%+v", s)
	}
	if fleet.VM(3) != nil || fleet.VM(-1) != nil {
		t.Error("there are VMs that are none of the fleet's")
	}
}

func TestFleetRateLimitIsEachVMs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fleet := fleetOf(t, 2, func(s *emulator.Scenario) { s.IMDS.RateLimit = azprov.SwitchUnset }, nil)
		var got []int
		for _, source := range []string{"192.0.2.1:1", "192.0.2.2:1"} {
			for range 6 {
				status, _ := askFrom(t, fleet.IMDS(), source, targetName, withMetadata)
				got = append(got, status)
			}
		}
		ok, limited := http.StatusOK, http.StatusTooManyRequests
		if want := []int{ok, ok, ok, ok, ok, limited, ok, ok, ok, ok, ok, limited}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestFleetIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	one, two := fleetOf(t, 3, nil, nil), fleetOf(t, 30, nil, nil)
	for _, number := range []int{2, 0, 1} {
		a, _ := json.Marshal(one.VM(number).VM())
		b, _ := json.Marshal(two.VM(number).VM())
		if !bytes.Equal(a, b) {
			t.Errorf("VM %d is once\n%s\nand once\n%s", number, a, b)
		}
	}
	// Who keeps an id of a fleet's VM finds it again with the next release.
	if id := one.VM(0).VM().ID.String(); id != "674c53c7-2289-8a60-af42-96e32cc2a2a5" {
		t.Errorf("VM 0 has the id %s", id)
	}
}

func TestNewFleetRefuses(t *testing.T) {
	t.Parallel()
	good, bad := edited(t, nil), edited(t, func(s *emulator.Scenario) { s.Name = "" })
	address := netip.MustParseAddr("192.0.2.1")
	template := func(s emulator.Scenario, n int, sources ...netip.Addr) func() error {
		return func() error {
			_, err := emulator.NewFleet(s, n, &emulator.FleetOptions{Sources: sources})
			return err
		}
	}
	list := func(list ...emulator.Scenario) func() error {
		return func() error {
			_, err := emulator.NewFleetOf(list, nil)
			return err
		}
	}
	for _, row := range []struct {
		name string
		make func() error
		want string
	}{
		{"no VMs", template(good, 0), "a fleet of 0 VMs"},
		{"too many", template(good, emulator.FleetLimit+1), "want 1 to 65536"},
		{"a bad template", template(bad, 1), "name is empty"},
		{"too few sources", template(good, 2, address), "1 sources for 2 VMs"},
		{"a source twice", template(good, 2, address, address), "sources[1] is no address, or there twice"},
		{"a source that is none", template(good, 1, netip.Addr{}), "sources[0] is no address"},
		{"an empty list", list(), "a fleet of 0 VMs"},
		{"a bad scenario", list(good, bad), "name is empty"},
		{"two of a name", list(good, good), "scenarios 0 and 1 both have a VM named test_vm-1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := row.make(); azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}

// Of VMs with scenarios of their own, each has its services, or none.
func TestFleetOfScenarios(t *testing.T) {
	t.Parallel()
	other := func(name string, edit func(*emulator.Scenario)) emulator.Scenario {
		return edited(t, func(s *emulator.Scenario) {
			s.VM.Name = name
			if edit != nil {
				edit(s)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		fleet, err := emulator.NewFleetOf([]emulator.Scenario{
			other("pilot", nil),
			other("cutter", func(s *emulator.Scenario) { s.IMDS.Absent = true }),
			other("ferry", imdsFaults(emulator.Fault{Refuse: emulator.Duration(time.Minute)})),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := fleet.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		name := func(number int) string {
			got, err := fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata)
			if err != nil {
				return "refused"
			}
			return got.body
		}
		for _, want := range []string{"pilot refused refused", "pilot refused ferry"} {
			if got := strings.Join([]string{name(0), name(1), name(2)}, " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			time.Sleep(2 * time.Minute)
		}
		if n := len(fleet.Journal()); n != 3 {
			t.Errorf("%d requests are in the journal, want 3: who is refused is not", n)
		}
	})
}

// The VMs of a pool get their owners each in its own time, and need no goroutine for it.
func TestFleetPoolByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("pps-running")
		if err != nil {
			t.Fatal(err)
		}
		fleet, err := emulator.NewFleet(s, 2000, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		server := fleet.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		if more := runtime.NumGoroutine() - before; more > 10 {
			t.Errorf("2000 idle VMs cost %d goroutines", more)
		}
		first, second := fleet.VM(0), fleet.VM(1999)
		readyOf := func(f *emulator.Fabric) {
			t.Helper()
			if status, body := report(t, f, goalState(t, f), goalstate.Health{State: goalstate.HealthStateReady}); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
		}
		readyOf(first)
		time.Sleep(3 * time.Second)
		readyOf(second)
		time.Sleep(2 * time.Second)
		if a, b := first.Phase(), second.Phase(); a != emulator.PhaseOwned || b != emulator.PhaseReported {
			t.Errorf("the phases are %s and %s, want Owned and Reported", a, b)
		}
		if owner := second.Owner(); owner.HostName != "jetty-21-1999" || owner.ID != second.VM().ID {
			t.Errorf("the owner's VM is %s, %s", owner.HostName, owner.ID)
		}
	})
}

// With links, each VM has its own.
func TestFleetLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("pps-running")
		if err != nil {
			t.Fatal(err)
		}
		links := map[int]*emulator.MemoryLinks{}
		fleet, err := emulator.NewFleet(s, 2, &emulator.FleetOptions{Links: func(number int, scenario emulator.Scenario) emulator.LinkDriver {
			links[number] = emulator.NewMemoryLinks(scenario)
			return links[number]
		}})
		if err != nil {
			t.Fatal(err)
		}
		server := fleet.ListenInMemory(t.Context())
		defer func() { _ = server.Close() }()
		g := goalState(t, fleet.VM(0))
		report(t, fleet.VM(0), g, goalstate.Health{State: goalstate.HealthStateReady})
		time.Sleep(1200 * time.Millisecond)
		if links[0].Connected() || !links[1].Connected() {
			t.Errorf("connected: %v and %v, want the second alone", links[0].Connected(), links[1].Connected())
		}
		for number, want := range []bool{false, true} {
			_, err := fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata)
			if (err == nil) != want {
				t.Errorf("VM %d is reached: %v, want %v", number, err == nil, want)
			}
		}
		if links[0].Last().MAC == links[1].Last().MAC {
			t.Error("both have one MAC address")
		}
	})
}

func TestFleetKVP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(number int) string { return filepath.Join(dir, fmt.Sprint(number)) }
	fleet := fleetOf(t, 3, nil, &emulator.FleetOptions{KVPPool: path})
	pool := kvp.Open(&kvp.Options{Path: path(1), Create: true})
	if err := pool.Upsert(t.Context(), kvp.ReportKey, "result=error|reason=fog|agent=pilot/1"); err != nil {
		t.Fatal(err)
	}
	fleet.CollectKVP(t.Context())
	s := fleet.Summary()
	if fleet.VM(1).State() != emulator.StateFailed || s.States[emulator.StateFailed] != 1 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	if entries := fleet.Journal(); len(entries) != 1 || entries[0].VM != "test_vm-1-1" {
		t.Errorf("the journal has %+v", entries)
	}
}

func TestFleetWatchesKVP(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pool")
		fleet := fleetOf(t, 2, nil, &emulator.FleetOptions{KVPPool: func(number int) string { return []string{"", path}[number] }})
		go fleet.WatchKVP(t.Context(), time.Minute)
		time.Sleep(90 * time.Second)
		if err := kvp.Open(&kvp.Options{Path: path, Create: true}).Upsert(t.Context(), kvp.ReportKey, "result=success|agent=pilot/1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := len(fleet.VM(1).HostReports()); n != 1 {
			t.Errorf("%d reports were seen, want 1", n)
		}
		fleetOf(t, 2, nil, nil).WatchKVP(t.Context(), 0) // returns: it has nothing to watch
	})
}

func TestFleetListenPorts(t *testing.T) {
	t.Parallel()
	fleet := fleetOf(t, 3, nil, nil)
	server, err := fleet.ListenPorts(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]bool{}
	for number := range 3 {
		got, err := fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata)
		if want := fmt.Sprintf("test_vm-1-%d", number); err != nil || got.body != want {
			t.Errorf("%v, %q, want %s", err, got.body, want)
		}
		for _, url := range []string{server.IMDSURL(number), server.WireServerURL(number), server.HostGAURL(number)} {
			urls[url] = true
		}
	}
	if len(urls) != 9 {
		t.Errorf("%d URLs, want 9", len(urls))
	}
	if server.IMDSURL(3) != "" || server.WireServerURL(-1) != "" {
		t.Error("VMs that are none have URLs")
	}
	if _, err := fetch(t, server.Client(3), http.MethodGet, "http://127.0.0.1:1", ""); !refusedByHost(err) {
		t.Errorf("a client of no VM: %v", err)
	}
	if s := fleet.Summary(); s.Seen != 3 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	for range 2 {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}

// taken reports whether somebody was quicker to listen at an address that was free.
func taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || err != nil && runtime.GOOS == "windows" && azprov.KindOf(err) == azprov.KindNetwork
}

// consecutive finds n ports in a row that are free, as far as that can be known.
func consecutive(t *testing.T, n int) int {
	t.Helper()
	var config net.ListenConfig
	for range 50 {
		first, err := config.Listen(t.Context(), "tcp", loopback)
		if err != nil {
			t.Fatal(err)
		}
		base := first.Addr().(*net.TCPAddr).Port
		held, ok := []net.Listener{first}, true
		for i := 1; i < n && ok; i++ {
			l, err := config.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if ok = err == nil; ok {
				held = append(held, l)
			}
		}
		for _, l := range held {
			_ = l.Close()
		}
		if ok {
			return base
		}
	}
	t.Fatal("no ports in a row are free")
	return 0
}

func TestFleetPortsCountOn(t *testing.T) {
	t.Parallel()
	fleet := fleetOf(t, 3, nil, nil)
	var base int
	var server *emulator.FleetServer
	for err := error(nil); server == nil; {
		base = consecutive(t, 3)
		server, err = fleet.ListenPorts(t.Context(), emulator.Addresses{IMDS: fmt.Sprintf("127.0.0.1:%d", base)})
		if err != nil && !taken(err) {
			t.Fatal(err)
		}
	}
	defer func() { _ = server.Close() }()
	for number := range 3 {
		if want := fmt.Sprintf("http://127.0.0.1:%d", base+number); server.IMDSURL(number) != want {
			t.Errorf("VM %d is at %s, want %s", number, server.IMDSURL(number), want)
		}
	}
	again, err := fleet.ListenPorts(t.Context(), emulator.Addresses{IMDS: fmt.Sprintf("127.0.0.1:%d", base)})
	if err == nil {
		_ = again.Close()
	}
	if azprov.KindOf(err) != azprov.KindNetwork {
		t.Errorf("ports that are taken: %v", err)
	}
}

func TestFleetPortsRefused(t *testing.T) {
	t.Parallel()
	fleet := fleetOf(t, 10, nil, nil)
	for want, addresses := range map[string]emulator.Addresses{
		"10 ports each for imds and wireserver meet":   {IMDS: "127.0.0.1:9000", WireServer: "127.0.0.1:9009"},
		"10 ports each for wireserver and hostga meet": {HostGA: "127.0.0.1:9000", WireServer: "127.0.0.1:9001"},
		"imds: 10 ports from 65527 on go beyond 65535": {IMDS: "127.0.0.1:65527"},
		"wireserver: want HOST:PORT":                   {WireServer: "127.0.0.1"},
		"hostga: want HOST:PORT":                       {HostGA: "127.0.0.1:http"},
	} {
		server, err := fleet.ListenPorts(t.Context(), addresses)
		if err == nil {
			_ = server.Close()
		}
		if azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// All VMs write into one journal, a line at a time.
func TestFleetJournalIsOne(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	fleet := fleetOf(t, 20, nil, &emulator.FleetOptions{Journal: &out})
	server := fleet.ListenInMemory(t.Context())
	done := make(chan struct{})
	for number := range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 5 {
				if _, err := fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range 20 {
		<-done
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	last := map[string]int{}
	for line := range strings.Lines(out.String()) {
		var entry emulator.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry.Seq != last[entry.VM]+1 {
			t.Errorf("%s: %d follows %d", entry.VM, entry.Seq, last[entry.VM])
		}
		last[entry.VM] = entry.Seq
	}
	if len(last) != 20 || len(fleet.Journal()) != 100 || last["test_vm-1-19"] != 5 {
		t.Errorf("the journal is of %v", last)
	}
	if !slices.IsSortedFunc(fleet.Journal(), func(a, b emulator.Entry) int { return a.Time.Compare(b.Time) }) {
		t.Error("the journal is not in the order of time")
	}
}

func TestFleetTellsOfABrokenJournal(t *testing.T) {
	t.Parallel()
	for name, byPort := range map[string]bool{"one server": false, "a server for each": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fleet := fleetOf(t, 2, nil, &emulator.FleetOptions{Journal: brokenWriter{}})
			server := fleet.ListenInMemory(t.Context())
			if byPort {
				_ = server.Close()
				var err error
				if server, err = fleet.ListenPorts(t.Context(), emulator.Addresses{}); err != nil {
					t.Fatal(err)
				}
			}
			for number := range 2 {
				_, _ = fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata)
			}
			err := server.Close()
			if err == nil || strings.Count(err.Error(), "disk full") != 1 {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Over TCP the client of a VM that has an address comes from there.
func TestFleetListen(t *testing.T) {
	t.Parallel()
	sources := loopbackSources(t, 2)
	slices.Reverse(sources)
	fleet := fleetOf(t, 2, nil, &emulator.FleetOptions{Sources: sources})
	server, err := fleet.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	for number := range 2 {
		got, err := fetch(t, server.Client(number), http.MethodGet, server.IMDSURL(number)+targetName, "", withMetadata)
		if want := fmt.Sprintf("test_vm-1-%d", number); err != nil || got.body != want {
			t.Errorf("%v, %q, want %s", err, got.body, want)
		}
	}
	if taken, err := fleet.Listen(t.Context(), emulator.Addresses{IMDS: strings.TrimPrefix(server.IMDSURL(0), "http://")}); err == nil {
		_ = taken.Close()
		t.Error("an address is there twice")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
