package emulator

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log" //nolint:depguard // The type of http.Server.ErrorLog; nothing is logged.
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/azprov/azprov"
)

const (
	headerTimeout = 30 * time.Second      // An agent sends its headers at once.
	relistenPause = 50 * time.Millisecond // Between attempts to get a reserved port back.
	relistens     = 20                    // Attempts before that is given up.
)

// Server is a fabric, or a replay, that listens: on TCP ports of this machine, or in memory.
// [Server.Close] must be called.
type Server struct {
	platform platform
	urls     map[Service]string
	dial     dialFunc
	cancel   context.CancelFunc
	https    []*http.Server
	serving  sync.WaitGroup // Goroutines that accept.
	serves   sync.WaitGroup // Connections.
	mu       sync.Mutex
	err      error
	closed   sync.Once
	closeErr error
}

// Addresses are where the services of a fabric listen, each HOST:PORT; an empty one stands
// for a free port of 127.0.0.1.
type Addresses struct {
	// IMDS is the Instance Metadata Service; a VM knows it at 169.254.169.254:80.
	IMDS string
	// WireServer is known at 168.63.129.16:80.
	WireServer string
	// HostGA is the HostGAPlugin, at 168.63.129.16:32526.
	HostGA string
}

// free is the address of a free port.
const free = "127.0.0.1:0"

// of returns the address of a service.
func (a Addresses) of(service Service) string {
	return cmp.Or(map[Service]string{ServiceIMDS: a.IMDS, ServiceWireServer: a.WireServer, ServiceHostGA: a.HostGA}[service], free)
}

// servedServices are those that a server listens for.
func servedServices() []Service { return []Service{ServiceIMDS, ServiceWireServer, ServiceHostGA} }

// Listen serves the scenario on TCP addresses.
// Where the scenario says that nothing listens, for a time or for good, the port
// is found, and let go again. The server ends with [Server.Close]; the end of ctx
// ends the requests that are waiting. An address that cannot be had is an error
// of azprov.KindNetwork.
func (f *Fabric) Listen(ctx context.Context, addresses Addresses) (*Server, error) {
	return f.ListenWith(ctx, listenTCP, addresses)
}

// ListenFunc listens on a TCP address.
type ListenFunc func(ctx context.Context, address string) (net.Listener, error)

// ListenWith is [Fabric.Listen] with the listeners of the caller, for addresses that
// this program's own sockets cannot have. listen may be called again for the same
// address, once its first listener was closed, from another goroutine.
func (f *Fabric) ListenWith(ctx context.Context, listen ListenFunc, addresses Addresses) (*Server, error) {
	return listenAt(ctx, f, listen, addresses)
}

func listenAt(ctx context.Context, p platform, listen ListenFunc, addresses Addresses) (*Server, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := newServer(p, cancel)
	var dialer net.Dialer
	s.dial = dialer.DialContext
	listeners := map[Service]net.Listener{}
	for _, service := range servedServices() {
		addr := addresses.of(service)
		listener, err := listen(ctx, addr)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			cancel()
			return nil, listenError(addr, err)
		}
		listeners[service] = listener
		s.urls[service] = "http://" + listener.Addr().String()
	}
	for service, listener := range listeners {
		s.start(ctx, listen, service, listener)
	}
	s.drive(ctx)
	return s, nil
}

func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", addr)
}

func listenError(addr string, err error) error {
	hint := "use port 0 for a free one"
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "the address is none of this machine's: name one that is, or give it this one"
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 want root; " + hint
	}
	return &azprov.Error{
		Op: "emulator.Fabric.Listen", Target: addr, Kind: azprov.KindNetwork,
		Message: "cannot listen", Last: err, Hint: hint,
	}
}

// platform is whose services a server has: a fabric, a fleet, one VM of that, or a replay.
type platform interface {
	// handler returns a service.
	handler(service Service) http.Handler
	// outage says whether a service listens at all, and for how long it does not.
	outage(service Service) (absent bool, refused time.Duration)
	// toDrive are the fabrics to which things happen without their asking.
	toDrive() []*Fabric
	// failure is the first trouble in writing the journal.
	failure() error
}

func (f *Fabric) toDrive() []*Fabric {
	f.start()
	return []*Fabric{f}
}

func (f *Fabric) failure() error { return f.journal.failure() }

// drive lets happen what happens to the VMs by itself.
func (s *Server) drive(ctx context.Context) {
	for _, fabric := range s.platform.toDrive() {
		s.serving.Go(func() {
			if err := fabric.Drive(ctx); err != nil {
				s.fail(err)
			}
		})
	}
}

func newServer(p platform, cancel context.CancelFunc) *Server {
	return &Server{platform: p, urls: map[Service]string{}, cancel: cancel}
}

// start serves on listener, later or never if the scenario wants it so.
func (s *Server) start(ctx context.Context, listen ListenFunc, service Service, listener net.Listener) {
	absent, refused := s.platform.outage(service)
	if !absent && refused == 0 {
		s.serve(ctx, service, listener)
		return
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	if absent {
		return
	}
	s.serving.Go(func() {
		again, err := relisten(ctx, listen, addr, refused)
		if err != nil {
			s.fail(err)
			return
		}
		if again != nil {
			s.serve(ctx, service, again)
		}
	})
}

// relisten listens on addr after a while. The port may be taken for a moment by a
// client that, connecting from a random port, met itself. Both results are nil if
// ctx ends first.
func relisten(ctx context.Context, listen ListenFunc, addr string, after time.Duration) (net.Listener, error) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	for attempt := 1; ; attempt++ {
		select {
		case <-ctx.Done():
			return nil, nil //nolint:nilnil // The server was closed: nothing to listen on, and nothing wrong.
		case <-timer.C:
		}
		listener, err := listen(ctx, addr)
		if err == nil {
			return listener, nil
		}
		if attempt == relistens {
			return nil, listenError(addr, err)
		}
		timer.Reset(relistenPause)
	}
}

// serve accepts connections in a goroutine.
func (s *Server) serve(ctx context.Context, service Service, listener net.Listener) {
	server := &http.Server{
		Handler:           s.platform.handler(service),
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		// What net/http has to say of broken connections: here they are made on purpose.
		ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.serves.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.serves.Done()
			default:
			}
		},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		_ = listener.Close()
		return
	}
	s.https = append(s.https, server)
	s.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(err)
		}
	})
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

func (f *Fabric) outage(service Service) (absent bool, refused time.Duration) {
	return f.scenario.outage(service)
}

// outage says whether a service listens at all, and for how long it does not.
func (s *Scenario) outage(service Service) (absent bool, refused time.Duration) {
	switch service {
	case ServiceIMDS:
		absent, refused = s.IMDS.Absent, refusal(s.IMDS.Faults)
	case ServiceHostGA:
		absent, refused = s.HostGA.Absent, refusal(s.HostGA.Faults)
	default:
		absent, refused = s.WireServer.Absent, refusal(s.WireServer.Faults)
	}
	return absent && !s.isStarted(service), refused
}

// IMDSURL returns the base URL of the Instance Metadata Service, without a slash
// at its end.
func (s *Server) IMDSURL() string { return s.urls[ServiceIMDS] }

// WireServerURL returns the base URL of the wire server, without a slash at its end.
func (s *Server) WireServerURL() string { return s.urls[ServiceWireServer] }

// HostGAURL returns the base URL of the HostGAPlugin, without a slash at its end.
func (s *Server) HostGAURL() string { return s.urls[ServiceHostGA] }

// dialFunc connects, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Client returns a client that reaches this server: without proxy, redirects,
// compression or connections that are kept. In memory it reaches nothing else;
// any other address is refused as a closed port is.
func (s *Server) Client() *http.Client { return newClient(s.dial) }

func newClient(dial dialFunc) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:        dial,
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close stops the server, ends the requests that are waiting, and returns when no
// goroutine of it is left. It may be called more than once. Its error is the first
// trouble in listening or in writing the journal.
func (s *Server) Close() error {
	s.closed.Do(func() {
		s.mu.Lock()
		s.cancel()
		https := s.https
		s.mu.Unlock()
		for _, server := range https {
			_ = server.Close()
		}
		s.serving.Wait()
		s.serves.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeErr = errors.Join(s.err, s.platform.failure())
	})
	return s.closeErr
}
