package link_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/internal/link"
)

// attribute is a netlink attribute, padded.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// header puts struct nlmsghdr before a body.
func header(kind, flags uint16, seq uint32, body []byte) []byte {
	b := number(uint32(16 + len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = append(append(b, number(seq)...), number(0)...)
	return append(b, body...)
}

// info is struct ifinfomsg.
func info(family byte, index int, flags uint32) []byte {
	b := append([]byte{family, 0, 0, 0}, number(uint32(int32(index)))...)
	return append(append(b, number(flags)...), number(0)...)
}

// body describes an interface as the kernel does.
func body(l link.Link) []byte {
	b := info(0, l.Index, l.Flags)
	b = append(b, attribute(3, append([]byte(l.Name), 0))...)
	b = append(b, attribute(16, []byte{byte(l.OperState)})...)
	b = append(b, attribute(35, number(l.CarrierChanges))...)
	if l.Master != 0 {
		b = append(b, attribute(10, number(uint32(l.Master)))...)
	}
	if l.Kind != "" {
		b = append(b, attribute(18|0x8000, attribute(1, append([]byte(l.Kind), 0)))...)
	}
	return append(b, attribute(1, []byte(l.Address))...)
}

func newLink(l link.Link) []byte { return header(link.TypeNewLink, 0, 0, body(l)) }
func delLink(l link.Link) []byte { return header(link.TypeDelLink, 0, 0, body(l)) }

// nic is an interface with an address of its index.
func nic(index int, name string, state link.OperState) link.Link {
	return link.Link{Index: index, Name: name, OperState: state, Address: link.Address("\x00\x0d\x3a\x00\x00" + string(rune(index)))}
}

// item is what the socket gives once.
type item struct {
	bytes    []byte
	datagram link.Datagram
	err      error
}

// told is a notification of the kernel, answered an answer.
func told(messages ...[]byte) item {
	return item{bytes: slices.Concat(messages...), datagram: link.Datagram{Multicast: true}}
}
func answered(messages ...[]byte) item { return item{bytes: slices.Concat(messages...)} }

var overrun = item{err: link.ErrOverrun}

// answer makes the answer to a request.
type answer func(seq uint32) []item

// part lists interfaces, without an end.
func part(seq uint32, flags uint16, links ...link.Link) []byte {
	var b []byte
	for _, l := range links {
		b = append(b, header(link.TypeNewLink, 2|flags, seq, body(l))...)
	}
	return b
}

func done(seq uint32, flags uint16, errno syscall.Errno) []byte {
	return header(link.TypeDone, 2|flags, seq, number(-uint32(errno)))
}

func failure(seq uint32, errno syscall.Errno) []byte {
	return header(link.TypeError, 0, seq, number(-uint32(errno)))
}

func list(links ...link.Link) answer {
	return func(seq uint32) []item { return []item{answered(part(seq, 0, links...)), answered(done(seq, 0, 0))} }
}

func interrupted(links ...link.Link) answer {
	return func(seq uint32) []item {
		return []item{answered(part(seq, link.FlagInterrupted, links...)), answered(done(seq, 0, 0))}
	}
}

func refused(errno syscall.Errno) answer {
	return func(seq uint32) []item { return []item{answered(failure(seq, errno))} }
}

// kernel is the other end of a socket that is none.
type kernel struct {
	items  chan item
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	answers  []answer // one per request, the last one again and again
	requests [][]byte
	sendErr  error
}

func newKernel(answers ...answer) *kernel {
	return &kernel{items: make(chan item, 1<<14), closed: make(chan struct{}), answers: answers}
}

func (k *kernel) queue(items ...item) {
	for _, i := range items {
		k.items <- i
	}
}

func (k *kernel) Send(request []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, slices.Clone(request))
	if k.sendErr != nil {
		return k.sendErr
	}
	if len(k.answers) == 0 {
		return nil
	}
	k.queue(k.answers[0](binary.NativeEndian.Uint32(request[8:]))...)
	if len(k.answers) > 1 {
		k.answers = k.answers[1:]
	}
	return nil
}

func (k *kernel) Receive(ctx context.Context, b []byte) (link.Datagram, error) {
	select {
	case i := <-k.items:
		return i.read(b)
	case <-ctx.Done():
		return link.Datagram{}, ctx.Err()
	case <-k.closed:
		return link.Datagram{}, os.ErrClosed
	}
}

func (k *kernel) Poll(b []byte) (link.Datagram, error) {
	select {
	case i := <-k.items:
		return i.read(b)
	default:
		return link.Datagram{}, link.ErrEmpty
	}
}

func (k *kernel) Close() error {
	k.once.Do(func() { close(k.closed) })
	return nil
}

func (k *kernel) isClosed() bool {
	select {
	case <-k.closed:
		return true
	default:
		return false
	}
}

func (i item) read(b []byte) (link.Datagram, error) {
	i.datagram.Len = copy(b, i.bytes)
	i.datagram.Truncated = i.datagram.Truncated || i.datagram.Len < len(i.bytes)
	return i.datagram, i.err
}

// watch begins to watch a kernel, on a sysfs without anything.
func watch(t *testing.T, k *kernel) *link.Watcher {
	t.Helper()
	w, err := link.Watch(t.Context(), &link.Options{Transport: k, Sysfs: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// drain returns the events until none comes for a second, in short. It is for a bubble.
// An error in between is one of the lines.
func drain(t *testing.T, w *link.Watcher) []string {
	t.Helper()
	var lines []string
	view := make(map[int]link.Link)
	for _, l := range w.Links() {
		view[l.Index] = l
	}
	for range 10000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		event, err := w.Next(ctx)
		ended := ctx.Err() != nil
		cancel()
		if ended {
			return lines
		}
		if err != nil {
			lines = append(lines, "error: "+err.Error())
			continue
		}
		lines = append(lines, brief(event))
		replay(t, view, event)
		if got := w.Links(); !slices.Equal(got, slices.SortedFunc(maps.Values(view), func(a, b link.Link) int { return a.Index - b.Index })) {
			t.Errorf("after %q the interfaces are %v", lines, got)
		}
	}
	t.Fatal("there is no end of events")
	return nil
}

// replay does to a view what the event tells, and checks that the event fits it.
func replay(t *testing.T, view map[int]link.Link, e link.Event) {
	t.Helper()
	if e.Kind == link.Resynced {
		if e.Link != (link.Link{}) || e.Previous != (link.Link{}) {
			t.Errorf("%+v is about an interface", e)
		}
		return
	}
	if e.Previous != view[e.Link.Index] {
		t.Errorf("%s: before it was %+v, and not %+v", brief(e), view[e.Link.Index], e.Previous)
	}
	if known := e.Previous.Index != 0; known == (e.Kind == link.Attached) {
		t.Errorf("%s: previous is %+v", brief(e), e.Previous)
	}
	delete(view, e.Link.Index)
	if e.Kind != link.Detached {
		view[e.Link.Index] = e.Link
	}
}

// brief is an event in a line: kind, index, and what is different.
func brief(e link.Event) string {
	if e.Kind == link.Resynced {
		return strings.TrimSpace(string(e.Kind) + map[bool]string{true: " lost"}[e.Lost])
	}
	words := []string{string(e.Kind), strconv.Itoa(e.Link.Index)}
	previous := e.Previous
	if e.Kind == link.Attached {
		previous = e.Link
	}
	pair := func(name string, before, after any) {
		if before != after {
			words = append(words, fmt.Sprintf("%s%v→%v", name, before, after))
		}
	}
	if previous.Name == e.Link.Name {
		words = append(words, e.Link.Name)
	}
	pair("", previous.Name, e.Link.Name)
	if previous.OperState == e.Link.OperState {
		words = append(words, e.Link.OperState.String())
	}
	pair("", previous.OperState, e.Link.OperState)
	pair("address ", previous.Address, e.Link.Address)
	pair("flags ", previous.Flags, e.Link.Flags)
	pair("master ", previous.Master, e.Link.Master)
	pair("carrier ", previous.CarrierChanges, e.Link.CarrierChanges)
	return strings.Join(words, " ")
}
