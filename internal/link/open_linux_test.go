package link

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/azprov/azprov"
)

// What the kernel says where there is no socket to be had, which a test cannot arrange.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		errno syscall.Errno
		kind  azprov.Kind
		hint  bool
	}{
		{syscall.EAFNOSUPPORT, azprov.KindNotFound, true},
		{syscall.EPROTONOSUPPORT, azprov.KindNotFound, true},
		{syscall.EPERM, azprov.KindDenied, true},
		{syscall.EACCES, azprov.KindDenied, true},
		{syscall.EMFILE, azprov.KindInternal, false},
	} {
		err := openError("link.Watch", os.NewSyscallError("socket", row.errno))
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != row.kind || (e.Hint != "") != row.hint || !errors.Is(err, row.errno) || e.Op != "link.Watch" {
			t.Errorf("%v: %v of kind %s", row.errno, err, azprov.KindOf(err))
		}
	}
}

// The deadline with which a context ends one wait must not be there for the next, however
// close it came to an answer.
func TestAwaitLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	transport, err := openSocket(defaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = transport.Close() }()
	s, b := transport.(*socket), make([]byte, bufferSize)
	for seq := range uint32(2000) {
		ended, end := context.WithCancel(t.Context())
		if err := s.Send(dumpRequest(seq + 1)); err != nil {
			t.Fatal(err)
		}
		go end()
		_, _ = s.await(ended, b)
		end()
		for err == nil {
			_, err = s.Poll(b)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Microsecond)
		if _, err = s.await(ctx, b); err != nil && ctx.Err() == nil {
			t.Fatalf("after %d times the next wait ends early: %v", seq, err)
		}
		cancel()
		err = nil
	}
}

// deaf is a socket that the poller refuses to wait for.
type deaf struct {
	syscall.RawConn
	looks *atomic.Int32
}

func (deaf) Read(func(uintptr) bool) error { return errors.New("not pollable") }

func (d deaf) Control(f func(uintptr)) error {
	d.looks.Add(1)
	return d.RawConn.Control(f)
}

func TestReceiveWithoutThePoller(t *testing.T) {
	t.Parallel()
	transport, err := openSocket(defaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = transport.Close() }()
	s, b, looks := transport.(*socket), make([]byte, bufferSize), new(atomic.Int32)
	s.raw = deaf{s.raw, looks}
	time.AfterFunc(5*pollInterval, func() { _ = s.Send(dumpRequest(1)) })
	for {
		datagram, err := s.Receive(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if !datagram.Multicast {
			break
		}
	}
	if n := looks.Load(); n < 2 || n > 50 {
		t.Errorf("looked at the socket %d times", n)
	}
	for err == nil {
		_, err = s.Poll(b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pollInterval/4)
	defer cancel()
	for err = nil; err == nil; {
		_, err = s.Receive(ctx, b)
	}
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
		t.Errorf("%v", err)
	}
}
