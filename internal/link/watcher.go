package link

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"sync"
)

const (
	// bufferSize is twice what Linux puts into one datagram (SKB_WITH_OVERHEAD(32768) in
	// netlink_recvmsg, net/netlink/af_netlink.c). What is longer is truncated, and the
	// list read anew.
	bufferSize = 64 << 10
	// defaultReceiveBuffer holds some 3600 messages of 2304 bytes, as the kernel counts
	// (it doubles the number): what comes while an agent is busy with DHCP or a download
	// for minutes. The default of most systems, 208 KiB, is full after 92, which one
	// interface with a loose carrier makes. Memory is used for what waits only.
	defaultReceiveBuffer = 4 << 20
)

// Options of [Watch]. Nil is fine.
type Options struct {
	// Sysfs is where drivers are looked up, os.DirFS("/sys") if it is nil.
	Sysfs fs.FS
	// ReceiveBuffer is the size in bytes of the kernel's buffer for what is not read
	// yet, 4 MiB if it is 0. Without the privilege to configure networks the system's
	// limit (net.core.rmem_max) holds.
	ReceiveBuffer int
	// Transport takes the place of a socket in the calling thread's network namespace.
	// The watcher closes it, even if Watch fails.
	Transport Transport
}

// Watcher knows the interfaces, and their changes in order. Its methods are safe for
// concurrent use; each event goes to one caller of Next.
type Watcher struct {
	transport Transport
	closed    chan struct{}
	close     func() error
	// turn is held by who reads from the transport, into buffer.
	turn   chan struct{}
	buffer []byte

	mu    sync.Mutex
	dump  dump
	table table
	// events wait to be delivered. Nothing is read while there are any, so that they are
	// those of one datagram or one list at most.
	events []Event
	// delivered is the table as of the last event delivered.
	delivered map[int]Link
}

// Watch begins to watch the interfaces of the calling thread's network namespace. It
// listens before it reads the list, and returns with the list read: every later change
// is an event, in order. No privilege is needed.
//
// Errors: Timeout (the context's deadline, or a kernel that does not answer within 25 s),
// Canceled, NotFound (this is not Linux, or a kernel without rtnetlink), Denied (a
// sandbox forbids the socket), TooLarge (more than 4096 interfaces), Malformed (answers
// that are not netlink), Internal (anything else that the kernel refuses).
func Watch(ctx context.Context, options *Options) (*Watcher, error) {
	const op = "link.Watch"
	var o Options
	if options != nil {
		o = *options
	}
	if o.Sysfs == nil {
		o.Sysfs = os.DirFS("/sys")
	}
	if o.ReceiveBuffer == 0 {
		o.ReceiveBuffer = defaultReceiveBuffer
	}
	if o.Transport == nil {
		transport, err := openSocket(o.ReceiveBuffer)
		if err != nil {
			return nil, openError(op, err)
		}
		o.Transport = transport
	}
	w := newWatcher(o)
	if err := w.first(ctx); err != nil {
		_ = w.Close()
		return nil, readError(op, err)
	}
	return w, nil
}

func newWatcher(o Options) *Watcher {
	closed := make(chan struct{})
	return &Watcher{
		transport: o.Transport,
		closed:    closed,
		close: sync.OnceValue(func() error {
			close(closed)
			return o.Transport.Close()
		}),
		turn:      make(chan struct{}, 1),
		buffer:    make([]byte, bufferSize),
		table:     table{links: make(map[int]Link), sysfs: o.Sysfs},
		delivered: make(map[int]Link),
	}
}

// first reads the list. Changes meanwhile are in it, and no events.
func (w *Watcher) first(ctx context.Context) error {
	w.dump.phase = draining
	for w.dump.phase != idle {
		if err := w.step(ctx); err != nil {
			return err
		}
		w.events = nil
	}
	w.delivered = maps.Clone(w.table.links)
	return nil
}

// Links returns the interfaces as of the last event that Next returned, sorted by index;
// before the first one, as of the return of [Watch].
func (w *Watcher) Links() []Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sorted(w.delivered)
}

// Resync asks the kernel for the list, for who does not rely on notifications alone. It
// does not wait: Next delivers the differences, then an event of kind Resynced, one for
// all calls until then.
//
// Errors: Canceled (the watcher is closed), Internal (the kernel refuses; Next will ask
// again).
func (w *Watcher) Resync() error {
	const op = "link.Watcher.Resync"
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isClosed() {
		return readError(op, os.ErrClosed)
	}
	if w.dump.phase != idle {
		return nil
	}
	if err := w.request(); err != nil {
		return readError(op, err)
	}
	return nil
}

// Close ends the watch, and calls of Next with an error of kind Canceled. A second call
// returns what the first did.
func (w *Watcher) Close() error { return w.close() }

func (w *Watcher) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}
