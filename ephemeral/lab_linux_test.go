package ephemeral_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov/ephemeral"
	"github.com/azprov/azprov/internal/programtest"
)

// labVariable tells a test that its process has a network of its own.
const labVariable = "AZPROV_TEST_EPHEMERAL_LAB"

// The options that Azure's DHCP server sends: routes for everything, the wire server and
// IMDS, and the wire server's address.
const (
	azureRoutes = "--dhcp-option=121,0.0.0.0/0,10.0.0.1,168.63.129.16/32,10.0.0.1,169.254.169.254/32,10.0.0.1"
	azureServer = "--dhcp-option-force=245,a8:3f:81:10"
)

// lab is two networks: this process's, with the NICs, and the fabric's, which one thread
// has, with the other ends of their cables and the platform's addresses.
type lab struct {
	t   *testing.T
	do  chan func()
	tid string
}

// newLab runs the test in a network of its own. In the process that has none the test runs
// there, in another process, and newLab returns nil.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv(labVariable) == "" {
		rerun(t)
		return nil
	}
	l := &lab{t: t, do: make(chan func())}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its network
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		l.tid = strconv.Itoa(syscall.Gettid())
		started <- err
		for f := range l.do {
			f()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	l.fabric("ip", "link", "set", "lo", "up")
	l.fabric("ip", "addr", "add", "168.63.129.16/32", "dev", "lo")
	l.fabric("ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
	return l
}

func rerun(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may make a network for the test")
	}
	programtest.Need(t, "ip", "dnsmasq")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	command.Env = append(os.Environ(), labVariable+"=1")
	command.Stdout, command.Stderr = &out, &out
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = command.Run()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("this system lets not even root make a network namespace")
	case err != nil || !strings.Contains(out.String(), "--- PASS: "+t.Name()):
		t.Errorf("%v\n%s", err, out.String())
	}
}

// fabric runs a program in the fabric's network.
func (l *lab) fabric(program string, args ...string) {
	l.t.Helper()
	done := make(chan struct{})
	var out []byte
	var err error
	l.do <- func() {
		out, err = exec.CommandContext(l.t.Context(), program, args...).CombinedOutput()
		close(done)
	}
	<-done
	if err != nil {
		l.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// ip runs ip(8) on the machine.
func (l *lab) ip(args ...string) string {
	l.t.Helper()
	return string(programtest.Run(l.t, "", "ip", args...))
}

// nic plugs in a NIC whose other end, with that address, is the fabric's. It is down.
func (l *lab) nic(name, mac, peer, address string) int {
	l.t.Helper()
	l.ip("link", "add", name, "address", mac, "type", "veth", "peer", "name", peer)
	l.ip("link", "set", peer, "netns", l.tid)
	l.fabric("ip", "addr", "add", address, "dev", peer)
	l.fabric("ip", "link", "set", peer, "up")
	return l.index(name)
}

func (l *lab) index(name string) int {
	l.t.Helper()
	link, err := net.InterfaceByName(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return link.Index
}

// serve answers DHCP on the fabric's end of a NIC until the end of the test or stop.
func (l *lab) serve(peer, addresses string, options ...string) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	args := append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--port=0", "--no-ping",
		"--log-facility=/dev/null", "--bind-interfaces", "--except-interface=lo", "--interface=" + peer,
		"--dhcp-leasefile=" + filepath.Join(l.t.TempDir(), "leases"), "--dhcp-authoritative",
		"--dhcp-range=" + addresses,
	}, options...)
	command := exec.CommandContext(ctx, "dnsmasq", args...)
	var out bytes.Buffer
	command.Stderr = &out
	started := make(chan error)
	l.do <- func() { started <- command.Start() }
	if err := <-started; err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	stop = func() {
		cancel()
		<-ended
	}
	l.t.Cleanup(func() {
		stop()
		if out.Len() > 0 {
			l.t.Logf("dnsmasq: %s", out.Bytes())
		}
	})
	return stop
}

// snapshot is what Up changes: addresses, routes, and which links are up.
func (l *lab) snapshot() string {
	l.t.Helper()
	var up []string
	links, err := net.Interfaces()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, link := range links {
		up = append(up, link.Name+" "+(link.Flags&net.FlagUp).String())
	}
	return l.ip("-4", "addr") + l.ip("-4", "route", "show", "table", "all") + strings.Join(up, "\n")
}

// descriptors counts the open files of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// reaches fails the test unless the address answers: with a refusal, as nothing listens.
func (l *lab) reaches(address string) {
	l.t.Helper()
	_, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(l.t.Context(), "tcp", address+":80")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		l.t.Errorf("%s: %v, want a refusal", address, err)
	}
}

// network makes a Network that logs its attempts. Drivers are by the links' names.
func (l *lab) network(o ephemeral.Options, drivers map[string]string) *ephemeral.Network {
	l.t.Helper()
	o.Driver = func(name string) string { return drivers[name] }
	tell := o.OnAttempt
	o.OnAttempt = func(a ephemeral.Attempt) {
		l.t.Logf("attempt %d on %s (%d): %v, %v", a.Number, a.Link.Name, a.Link.Index, a.Lease.Address, a.Err)
		if tell != nil {
			tell(a)
		}
	}
	n, err := ephemeral.New(&o)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// unprivileged runs do on a thread that may not configure networks.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its lack of rights
		// The thread's own user: the call of package syscall would change the process's.
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			t.Error(errno)
			return
		}
		do()
	}()
	<-done
}
