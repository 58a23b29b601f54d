package link

import (
	"context"
	"errors"
)

var (
	// ErrOverrun is the error of a socket that had to drop messages (ENOBUFS).
	ErrOverrun = errors.New("messages of the kernel were lost")
	// ErrEmpty is the error of [Transport.Poll] if no datagram is there.
	ErrEmpty = errors.New("no datagram is there")
)

// Datagram is what came with the bytes of one.
type Datagram struct {
	// Len is the number of bytes.
	Len int
	// Port of the sender; the kernel's is 0.
	Port uint32
	// Multicast: it is a notification, no answer to a request.
	Multicast bool
	// Truncated: it was longer than the bytes that there was room for.
	Truncated bool
}

// Transport is a netlink socket that has joined the notifications about interfaces. Send
// and Close may be called while another goroutine receives.
type Transport interface {
	// Send sends a request to the kernel.
	Send(request []byte) error
	// Receive waits for a datagram and reads it into b. Its error is the context's when
	// that has ended, [ErrOverrun] once for messages that were dropped, and any other
	// for a socket that cannot be read.
	Receive(ctx context.Context, b []byte) (Datagram, error)
	// Poll is Receive without waiting; [ErrEmpty] if it would have to.
	Poll(b []byte) (Datagram, error)
	// Close ends Receive.
	Close() error
}
