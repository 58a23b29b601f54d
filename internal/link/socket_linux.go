package link

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// groupLink is RTMGRP_LINK of linux/rtnetlink.h: interfaces made, changed, removed.
const groupLink = 1

// pollInterval is how often a socket is looked at that Go's poller refuses to wait
// for.
const pollInterval = 20 * time.Millisecond

// socket is a netlink socket. The file makes it one of Go's poller, so that waiting for
// it holds no thread and can be ended.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// openSocket returns a socket of the calling thread's network namespace.
func openSocket(receiveBuffer int) (Transport, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	setReceiveBuffer(fd, receiveBuffer)
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: groupLink}); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	file := os.NewFile(uintptr(fd), "rtnetlink")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // which only a file of the poller has
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &socket{file: file, raw: raw}, nil
}

// setReceiveBuffer does what it can: SO_RCVBUFFORCE passes over the system's limit and
// is for CAP_NET_ADMIN; SO_RCVBUF stops there. An overrun is not the end of the watch.
func setReceiveBuffer(fd, size int) {
	if syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size) != nil {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
	}
}

// Send sends a request. The kernel works on it before this returns.
func (s *socket) Send(request []byte) error {
	var sent error
	err := s.raw.Control(func(fd uintptr) {
		sent = syscall.Sendto(int(fd), request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
	})
	return errors.Join(err, os.NewSyscallError("sendto", sent))
}

// Poll reads a datagram that is there. It asks the socket itself, whatever the poller
// knows of it.
func (s *socket) Poll(b []byte) (datagram Datagram, err error) {
	failed := s.raw.Control(func(fd uintptr) { datagram, err = receive(int(fd), b) })
	if failed != nil {
		return Datagram{}, failed
	}
	return datagram, err
}

// Receive waits for a datagram. A read deadline in the past ends the wait together with
// the context, at the context's deadline too.
//
// Go's poller refuses to wait for a file of which the system reports an error and
// nothing else, as it may do of an overrun, until the next datagram comes. In the
// meantime the socket is looked at now and then.
func (s *socket) Receive(ctx context.Context, b []byte) (Datagram, error) {
	for {
		datagram, err := s.await(ctx, b)
		if err == nil || errors.Is(err, ErrOverrun) {
			return datagram, err
		}
		if datagram, err = s.Poll(b); !errors.Is(err, ErrEmpty) {
			return datagram, err
		}
		if err := wait.For(ctx, pollInterval); err != nil {
			return Datagram{}, err
		}
	}
}

// await is Receive as long as the poller goes along.
func (s *socket) await(ctx context.Context, b []byte) (datagram Datagram, err error) {
	if err := s.file.SetReadDeadline(time.Time{}); err != nil {
		return Datagram{}, err
	}
	expired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(expired)
		_ = s.file.SetReadDeadline(time.Unix(1, 0))
	})
	failed := s.raw.Read(func(fd uintptr) bool {
		datagram, err = receive(int(fd), b)
		return !errors.Is(err, ErrEmpty)
	})
	if !stop() {
		<-expired // or it would end a later call
	}
	if failed != nil {
		return Datagram{}, failed
	}
	return datagram, err
}

// receive reads a datagram without waiting.
func receive(fd int, b []byte) (Datagram, error) {
	for {
		n, _, flags, from, err := syscall.Recvmsg(fd, b, nil, 0)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return Datagram{}, ErrEmpty
		case errors.Is(err, syscall.ENOBUFS):
			return Datagram{}, ErrOverrun
		case err != nil:
			return Datagram{}, os.NewSyscallError("recvmsg", err)
		}
		datagram := Datagram{Len: n, Truncated: flags&syscall.MSG_TRUNC != 0}
		if sender, ok := from.(*syscall.SockaddrNetlink); ok {
			datagram.Port, datagram.Multicast = sender.Pid, sender.Groups != 0
		}
		return datagram, nil
	}
}

// Close closes the socket.
func (s *socket) Close() error { return s.file.Close() }

// openError tells a kernel without rtnetlink from a sandbox that forbids it.
func openError(op string, err error) error {
	e := &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the rtnetlink socket cannot be opened", Last: err}
	switch {
	case errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT):
		e.Kind, e.Hint = azprov.KindNotFound, "the kernel lacks it, or a sandbox hides it"
	case errors.Is(err, os.ErrPermission):
		e.Kind, e.Hint = azprov.KindDenied, "allow AF_NETLINK where the program is confined (RestrictAddressFamilies= of systemd)"
	}
	return e
}
