package emulator_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

const loopback = "127.0.0.1:0"

// listen starts f on loopback.
func listen(t *testing.T, f *emulator.Fabric) *emulator.Server {
	t.Helper()
	s, err := f.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestListenServesAll(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	s := listen(t, f)
	if resp, err := fetchInstance(t, s); err != nil || resp.status != http.StatusOK {
		t.Errorf("IMDS: %v", err)
	}
	resp, err := fetch(t, s.Client(), http.MethodGet, s.WireServerURL()+"/machine?comp=goalstate", "", version2012)
	if err != nil || !strings.Contains(resp.body, "<SharedConfig>"+s.WireServerURL()+"/machine/") {
		t.Errorf("goal state: %v\n%s", err, resp.body)
	}
	if resp, err := fetch(t, s.Client(), http.MethodGet, s.HostGAURL()+"/versions", ""); err != nil || resp.status != http.StatusOK {
		t.Errorf("HostGAPlugin: %v", err)
	}
	if resp, err := postReady(t, f, s); err != nil || resp.status != http.StatusOK || f.State() != emulator.StateReady {
		t.Errorf("report: %v, state %s", err, f.State())
	}
}

// A client that sends all of its logs before it looks for an answer.
func TestListenReadsLargeLogs(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(listen(t, f).HostGAURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const size = 32 << 20
	head := fmt.Sprintf("PUT /vmAgentLog HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\nContent-Length: %d\r\n\r\n", hostGAVersion, hostGAOwn, size)
	if _, err := io.WriteString(conn, head+strings.Repeat("x", size)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("%q, %v", answer, err)
	}
	wantVerdict(t, f, "the log is no zip archive")
}

func TestListenFaults(t *testing.T) {
	t.Parallel()
	f := fabric(t, imdsFaults(
		emulator.Fault{Kind: emulator.FaultReset},
		emulator.Fault{Kind: emulator.FaultTruncate},
		emulator.Fault{Kind: emulator.FaultHang},
	))
	s := listen(t, f)
	if _, err := fetchInstance(t, s); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset: %v", err)
	}
	if _, err := fetchInstance(t, s); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncate: %v", err)
	}
	failed := make(chan error)
	go func() {
		_, err := fetchInstance(t, s)
		failed <- err
	}()
	for len(f.Journal()) < 2 {
		runtime.Gosched()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if <-failed == nil {
		t.Error("hang: the request succeeded")
	}
}

func TestListenRefusesForAWhile(t *testing.T) {
	t.Parallel()
	f := fabric(t, imdsFaults(emulator.Fault{Refuse: emulator.Duration(300 * time.Millisecond)}))
	started := time.Now()
	s := listen(t, f)
	if _, err := fetchInstance(t, s); !refusedByHost(err) {
		t.Errorf("at the start: %v", err)
	}
	for {
		resp, err := fetchInstance(t, s)
		if err == nil && resp.status == http.StatusOK {
			break
		}
		if time.Since(started) > 20*time.Second {
			t.Fatalf("still refused: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if waited := time.Since(started); waited < 300*time.Millisecond {
		t.Errorf("it listened after %v", waited)
	}
}

func TestListenWhileRefusingCanBeClosed(t *testing.T) {
	t.Parallel()
	f := fabric(t, imdsFaults(emulator.Fault{Refuse: emulator.Duration(time.Hour)}))
	s, err := f.Listen(t.Context(), emulator.Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestListenAbsent(t *testing.T) {
	t.Parallel()
	s := listen(t, fabric(t, func(s *emulator.Scenario) { s.IMDS.Absent = true }))
	if _, err := fetchInstance(t, s); !refusedByHost(err) {
		t.Errorf("error %v", err)
	}
}

// refusedByHost leaves the exact error to systems whose numbers differ.
func refusedByHost(err error) bool {
	return err != nil && (errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS != "linux")
}

func TestListenSaysWhichAddress(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	s := listen(t, f)
	taken := strings.TrimPrefix(s.IMDSURL(), "http://")
	for _, addrs := range []emulator.Addresses{{IMDS: taken}, {WireServer: taken}, {HostGA: taken}, {WireServer: "nonsense"}} {
		other, err := f.Listen(t.Context(), addrs)
		if err == nil {
			_ = other.Close()
			t.Errorf("%v: no error", addrs)
			continue
		}
		if azprov.KindOf(err) != azprov.KindNetwork || !strings.Contains(err.Error(), "cannot listen") {
			t.Errorf("%v: %v", addrs, err)
		}
	}
}

func TestListenTellsTheAddressesApart(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	free, err := config.Listen(t.Context(), "tcp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	for i, addresses := range []emulator.Addresses{{IMDS: addr}, {WireServer: addr}, {HostGA: addr}} {
		s, err := fabric(t, nil).Listen(t.Context(), addresses)
		for taken(err) { // by another test, for a moment
			time.Sleep(10 * time.Millisecond)
			s, err = fabric(t, nil).Listen(t.Context(), addresses)
		}
		if err != nil {
			t.Fatal(err)
		}
		for j, url := range []string{s.IMDSURL(), s.WireServerURL(), s.HostGAURL()} {
			if (url == "http://"+addr) != (i == j) || !strings.HasPrefix(url, "http://127.0.0.1:") {
				t.Errorf("%+v: URL %d is %s", addresses, j, url)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Close is said to leave nothing behind; a goroutine of net/http's own may take a
// moment to go.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	f := fabric(t, imdsFaults(emulator.Fault{Refuse: emulator.Duration(time.Hour)}))
	s := listen(t, f)
	for range 3 {
		if _, err := postReady(t, f, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}
