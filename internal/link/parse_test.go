package link_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/link"
)

// full is an interface with everything.
var full = link.Link{
	Index: 7, Name: "harbour-01-eth0", Address: link.Address(strings.Repeat("\xfe", 32)), OperState: link.Dormant,
	Flags: 0x11043, Master: 3, Kind: "veth", CarrierChanges: 0x01020304,
}

// of is the message of an interface.
func of(l link.Link) link.Message {
	return link.Message{Type: link.TypeNewLink, Link: l, HasOperState: true}
}

// bare has attributes only.
func bare(attributes ...[]byte) []byte {
	return header(link.TypeNewLink, 0, 0, append(info(0, 2, 5), slices.Concat(attributes...)...))
}

func edit(b []byte, at int, value ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], value)
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	two := link.Message{Type: link.TypeNewLink, Link: link.Link{Index: 2, Flags: 5}}
	linkWith := func(change func(*link.Link)) []link.Message {
		m := two
		change(&m.Link)
		return []link.Message{m}
	}
	for _, row := range []struct {
		name    string
		bytes   []byte
		want    []link.Message
		damaged bool
	}{
		{"nothing", nil, nil, false},
		{"everything", newLink(full), []link.Message{of(full)}, false},
		{"removed", delLink(full), []link.Message{{Type: link.TypeDelLink, Link: full, HasOperState: true}}, false},
		{"flags and number", header(link.TypeNewLink, 0x12, 77, body(eth0)), []link.Message{
			{Type: link.TypeNewLink, Flags: 0x12, Seq: 77, Link: eth0, HasOperState: true},
		}, false},
		{"three in a row", slices.Concat(newLink(lo), newLink(eth0), done(4, 0, 0)), []link.Message{
			of(lo), of(eth0), {Type: link.TypeDone, Flags: 2, Seq: 4},
		}, false},
		{"32 bytes", bare(), []link.Message{two}, false},
		{"state unknown is a state", bare(attribute(16, []byte{0})), []link.Message{
			{Type: link.TypeNewLink, Link: two.Link, HasOperState: true},
		}, false},
		{"a state without a byte is none", bare(attribute(16, nil)), []link.Message{two}, false},
		{"a state that nobody knows", bare(attribute(16, []byte{9})), []link.Message{
			{Type: link.TypeNewLink, Link: link.Link{Index: 2, Flags: 5, OperState: 9}, HasOperState: true},
		}, false},
		{
			"unknown attributes", bare(attribute(4, number(1500)), attribute(0x3fff, []byte("jetty")), attribute(3, []byte("eth0"))),
			linkWith(func(l *link.Link) { l.Name = "eth0" }), false,
		},
		{
			"flags of attributes", bare(attribute(3|0x8000, []byte("eth0")), attribute(10|0x4000, number(8))),
			linkWith(func(l *link.Link) { l.Name, l.Master = "eth0", 8 }), false,
		},
		{"a short number is none", bare(attribute(10, []byte{1, 2, 3}), attribute(35, []byte{1, 2, 3})), []link.Message{two}, false},
		{"padding behind the attributes", bare(attribute(3, []byte("eth0\x00")), []byte{0, 0, 0}), linkWith(func(l *link.Link) { l.Name = "eth0" }), false},
		{
			"an attribute that ends unpadded", header(link.TypeNewLink, 0, 0, append(info(0, 2, 5), attribute(3, []byte("pilot"))[:9]...)),
			linkWith(func(l *link.Link) { l.Name = "pilot" }), false,
		},
		// Names.
		{"a name of 15 bytes", bare(attribute(3, []byte("harbour-01-eth0"))), linkWith(func(l *link.Link) { l.Name = "harbour-01-eth0" }), false},
		{"a name of 16", bare(attribute(3, []byte("harbour-01-eth10"))), []link.Message{two}, false},
		{"what stands behind the zero", bare(attribute(3, []byte("eth0\x00pilot"))), linkWith(func(l *link.Link) { l.Name = "eth0" }), false},
		{"no name", bare(attribute(3, []byte{0})), []link.Message{two}, false},
		{"a dot", bare(attribute(3, []byte("."))), []link.Message{two}, false},
		{"two dots", bare(attribute(3, []byte(".."))), []link.Message{two}, false},
		{"three dots", bare(attribute(3, []byte("..."))), linkWith(func(l *link.Link) { l.Name = "..." }), false},
		{"a path", bare(attribute(3, []byte("a/b"))), []link.Message{two}, false},
		{"an alias", bare(attribute(3, []byte("eth0:1"))), []link.Message{two}, false},
		{"a blank", bare(attribute(3, []byte("eth 0"))), []link.Message{two}, false},
		{"a new line", bare(attribute(3, []byte("eth0\n"))), []link.Message{two}, false},
		// Other values.
		{"an address of 33 bytes", bare(attribute(1, make([]byte, 33))), []link.Message{two}, false},
		{
			"kinds", bare(attribute(18, append(attribute(2, []byte("data")), attribute(1, []byte("bond\x00"))...))),
			linkWith(func(l *link.Link) { l.Kind = "bond" }), false,
		},
		{"a kind of 32 bytes", bare(attribute(18, attribute(1, make32()))), linkWith(func(l *link.Link) { l.Kind = string(make32()) }), false},
		{"a kind of 33 bytes", bare(attribute(18, attribute(1, append(make32(), 'x')))), []link.Message{two}, false},
		{"damage within the kind", bare(attribute(18, []byte{99, 0, 1, 0})), []link.Message{two}, false},
		// What is left out.
		{"another type", slices.Concat(header(20, 0, 0, body(eth0)), newLink(lo)), []link.Message{of(lo)}, false},
		{"NLMSG_NOOP", header(1, 0, 0, nil), nil, false},
		{"a bridge's port", header(link.TypeDelLink, 0, 0, append(info(7, 2, 0), body(eth0)[16:]...)), nil, false},
		{"index 0", newLink(with(eth0, func(l *link.Link) { l.Index = 0 })), nil, false},
		{"a negative index", newLink(with(eth0, func(l *link.Link) { l.Index = -1 })), nil, false},
		// Requests.
		{"NLMSG_OVERRUN", header(link.TypeOverrun, 0, 0, nil), []link.Message{{Type: link.TypeOverrun}}, false},
		{"an error", failure(3, syscall.EBUSY), []link.Message{{Type: link.TypeError, Seq: 3, Errno: syscall.EBUSY}}, false},
		{"an acknowledgement", failure(3, 0), []link.Message{{Type: link.TypeError, Seq: 3}}, false},
		{"an error without a number", header(link.TypeError, 0, 3, []byte{1, 2, 3}), nil, true},
		{"the end of a list that failed", done(3, 0x10, syscall.ENOMEM), []link.Message{
			{Type: link.TypeDone, Flags: 0x12, Seq: 3, Errno: syscall.ENOMEM},
		}, false},
		{"the end without a number", header(link.TypeDone, 0, 3, nil), []link.Message{{Type: link.TypeDone, Seq: 3}}, false},
		// Damage.
		{"less than a header", newLink(lo)[:15], nil, true},
		{"a header that is cut", append(newLink(lo), newLink(eth0)[:15]...), []link.Message{of(lo)}, true},
		{"a message that is cut", append(newLink(lo), newLink(eth0)[:40]...), []link.Message{of(lo)}, true},
		{"a length of 0", slices.Concat(newLink(lo), edit(newLink(eth0), 0, number(0)...)), []link.Message{of(lo)}, true},
		{"a length of 15", slices.Concat(newLink(lo), edit(newLink(eth0), 0, number(15)...)), []link.Message{of(lo)}, true},
		{"a length of 4 GiB", edit(newLink(eth0), 0, 0xff, 0xff, 0xff, 0xff), nil, true},
		{"a link in 31 bytes", append(header(link.TypeNewLink, 0, 0, make([]byte, 15)), append([]byte{0}, newLink(lo)...)...), []link.Message{of(lo)}, true},
		{"an attribute of 3 bytes", append(edit(newLink(eth0), 32, 3, 0), newLink(lo)...), []link.Message{of(lo)}, true},
		{"an attribute that is cut", append(edit(newLink(eth0), 32, 0xff, 0xff), newLink(lo)...), []link.Message{of(lo)}, true},
		{"the last one unpadded", header(link.TypeNewLink, 0, 0, append(info(0, 2, 5), 0)), []link.Message{two}, false},
		{"padding between", slices.Concat(header(1, 0, 0, []byte{1}), []byte{0, 0, 0}, newLink(lo)), []link.Message{of(lo)}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := link.Parse(row.bytes)
			if diff := cmp.Diff(row.want, got); diff != "" || (err != nil) != row.damaged || err != nil && !errors.Is(err, link.ErrDamaged) {
				t.Errorf("error %v\n%s", err, diff)
			}
		})
	}
}

func make32() []byte { return []byte(strings.Repeat("k", 32)) }

func checkMessage(t *testing.T, m link.Message) {
	t.Helper()
	l := m.Link
	switch {
	case m.Type != link.TypeNewLink && m.Type != link.TypeDelLink:
		if l != (link.Link{}) {
			t.Errorf("%+v is not about an interface", m)
		}
	case l.Index <= 0, len(l.Name) > 15, strings.ContainsAny(l.Name, "/\x00"), len(l.Address) > 32, len(l.Kind) > 32, l.Driver != "":
		t.Errorf("%+v", m)
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{
		nil, newLink(full), delLink(eth0), bare(), part(1, 0x10, lo, eth0), done(1, 0, 0), failure(1, 16),
		slices.Concat(newLink(lo), newLink(eth0)[:50]), header(4, 0, 0, nil), edit(newLink(full), 32, 3, 0),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		var messages []link.Message
		boundtest.Check(t, func() { messages, _ = link.Parse(b) })
		for _, m := range messages {
			checkMessage(t, m)
		}
	})
}

// FuzzWatch gives the socket datagrams: a byte each for what kind, two for its length.
// The watch must go on, and its events fit each other.
func FuzzWatch(f *testing.F) {
	datagram := func(kind byte, b []byte) []byte { return append([]byte{kind, byte(len(b)), byte(len(b) >> 8)}, b...) }
	f.Add(datagram(0, newLink(in(eth0, link.Down))))
	f.Add(slices.Concat(datagram(2, nil), datagram(1, part(2, 0, lo)), datagram(0, delLink(eth0)), datagram(1, done(2, 0, 0))))
	f.Add(slices.Concat(datagram(2, nil), datagram(1, part(2, 0x10, lo)), datagram(1, done(2, 0, 12)), datagram(1, failure(3, 16))))
	f.Add(slices.Concat(datagram(4, newLink(lo)), datagram(8, newLink(lo)), datagram(0, []byte{1}), datagram(1, []byte{1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		k := newKernel(list(lo, eth0), nothing)
		w := watch(t, k)
		for len(b) >= 3 && len(k.items) < cap(k.items)/2 {
			n := min(int(b[1])|int(b[2])<<8, len(b)-3)
			i := item{bytes: b[3 : 3+n], datagram: link.Datagram{Multicast: b[0]&1 == 0, Truncated: b[0]&4 != 0, Port: uint32(b[0] & 8)}}
			if b[0]&2 != 0 {
				i = overrun
			}
			k.queue(i)
			b = b[3+n:]
		}
		boundtest.Check(t, func() { follow(t, w, k) })
	})
}

// follow reads all that is there.
func follow(t *testing.T, w *link.Watcher, k *kernel) {
	t.Helper()
	view := make(map[int]link.Link)
	for _, l := range w.Links() {
		view[l.Index] = l
	}
	k.queue(told(newLink(nic(4242, "pilot", link.Up))), told(newLink(nic(4242, "pilot-end", link.Down))))
	for range 1 << 17 {
		event, err := w.Next(t.Context())
		if err != nil {
			continue
		}
		replay(t, view, event)
		if event.Link.Name == "pilot-end" {
			return
		}
	}
	t.Error("the watch did not get to the end")
}
