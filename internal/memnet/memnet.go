// Package memnet is a network in memory: listeners whose connections are net.Pipe
// pairs. Waiting on them is virtual inside a testing/synctest bubble, which waiting
// on real sockets is not.
package memnet

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Refused is the error of a connect to a port that nothing listens on.
func Refused(network, address string) error { return dialError(network, address, syscall.ECONNREFUSED) }

// Unreachable is the error of a connect without a route.
func Unreachable(network, address string) error {
	return dialError(network, address, syscall.ENETUNREACH)
}

func dialError(network, address string, errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: network, Addr: addr(address), Err: os.NewSyscallError("connect", errno)}
}

// addr is the address of a listener in memory.
type addr string

// Network is "tcp", which the pipes stand for.
func (addr) Network() string { return "tcp" }

// String returns host and port.
func (a addr) String() string { return string(a) }

// Listener hands out the server's ends of the connections that Dial makes.
type Listener struct {
	addr  addr
	open  time.Time
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewListener returns a listener that stands for an address. It refuses connections
// until the time given; the zero time is at once.
func NewListener(address string, open time.Time) *Listener {
	return &Listener{addr: addr(address), open: open, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Dial returns the client's end of a new connection.
func (l *Listener) Dial(ctx context.Context, network string) (net.Conn, error) {
	return l.DialFrom(ctx, network, "")
}

// sourced is the server's end of a connection from an address.
type sourced struct {
	net.Conn

	source addr
}

// RemoteAddr returns the client's address.
func (s sourced) RemoteAddr() net.Addr { return s.source }

// DialFrom is Dial from an address, host and port, which the server sees. It sees that of a
// pipe if it is empty.
func (l *Listener) DialFrom(ctx context.Context, network, source string) (net.Conn, error) {
	if time.Now().Before(l.open) {
		return nil, Refused(network, string(l.addr))
	}
	client, server := net.Pipe()
	if source != "" {
		server = sourced{server, addr(source)}
	}
	var err error
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		err = Refused(network, string(l.addr))
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = client.Close()
	_ = server.Close()
	return nil, err
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and refuses further connections.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns the address that the listener stands for.
func (l *Listener) Addr() net.Addr { return l.addr }
