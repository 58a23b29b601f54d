package link_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/link"
)

var (
	eth0 = nic(2, "eth0", link.Up)
	lo   = link.Link{Index: 1, Name: "lo", Address: "\x00\x00\x00\x00\x00\x00", Flags: 0x10049}
)

// with returns an interface with something else.
func with(l link.Link, change func(*link.Link)) link.Link {
	change(&l)
	return l
}

func in(l link.Link, state link.OperState) link.Link {
	return with(l, func(l *link.Link) { l.OperState = state })
}

func named(l link.Link, name string) link.Link {
	return with(l, func(l *link.Link) { l.Name = name })
}

// states are notifications of eth0 in these states, one a datagram.
func states(states ...link.OperState) []item {
	var items []item
	for _, s := range states {
		items = append(items, told(newLink(in(eth0, s))))
	}
	return items
}

var notifications = []struct {
	name  string
	items []item
	want  []string
}{
	// What a wait for the switch of the network (pre-provisioning, Running) sees.
	{"up, as it was", states(link.Up), nil},
	{"down, up", states(link.Down, link.Up), []string{"changed 2 eth0 up→down", "changed 2 eth0 down→up"}},
	{"down twice, up", states(link.Down, link.Down, link.Up), []string{"changed 2 eth0 up→down", "changed 2 eth0 down→up"}},
	{"down, dormant, unknown, up", states(link.Down, link.Dormant, link.Unknown, link.Up), []string{
		"changed 2 eth0 up→down", "changed 2 eth0 down→dormant", "changed 2 eth0 dormant→unknown", "changed 2 eth0 unknown→up",
	}},
	{"not present, up", states(link.NotPresent, link.Up), []string{"changed 2 eth0 up→notpresent", "changed 2 eth0 notpresent→up"}},
	{"lower layer down, up", states(link.LowerLayerDown, link.Up), []string{
		"changed 2 eth0 up→lowerlayerdown", "changed 2 eth0 lowerlayerdown→up",
	}},
	{"down and up in one datagram", []item{told(newLink(in(eth0, link.Down)), newLink(eth0))}, []string{
		"changed 2 eth0 up→down", "changed 2 eth0 down→up",
	}},
	{"removed down, made up", []item{told(delLink(in(eth0, link.Down))), told(newLink(eth0))}, []string{
		"detached 2 eth0 up→down", "attached 2 eth0 up",
	}},
	{"removed, made with another index", []item{told(delLink(eth0)), told(newLink(nic(7, "eth0", link.Up)))}, []string{
		"detached 2 eth0 up", "attached 7 eth0 up",
	}},
	{"removed, made with another address", []item{
		told(delLink(eth0), newLink(with(eth0, func(l *link.Link) { l.Address = "another" }))),
	}, []string{"detached 2 eth0 up", "attached 2 eth0 up"}},
	{"down, and up with another name", []item{told(newLink(in(eth0, link.Down))), told(newLink(named(eth0, "eth1")))}, []string{
		"changed 2 eth0 up→down", "changed 2 eth0→eth1 down→up",
	}},
	// What a wait for a detach or an attach (Savable) sees.
	{"removed down", []item{told(delLink(in(eth0, link.Down)))}, []string{"detached 2 eth0 up→down"}},
	{"removed not present", []item{told(delLink(in(eth0, link.NotPresent)))}, []string{"detached 2 eth0 up→notpresent"}},
	{"removed unknown", []item{told(delLink(in(eth0, link.Unknown)))}, []string{"detached 2 eth0 up→unknown"}},
	{"removed up", []item{told(delLink(eth0))}, []string{"detached 2 eth0 up"}},
	{"removed twice", []item{told(delLink(eth0)), told(delLink(eth0))}, []string{"detached 2 eth0 up"}},
	{"made up", []item{told(newLink(nic(3, "eth1", link.Up)))}, []string{"attached 3 eth1 up"}},
	{"made down", []item{told(newLink(nic(3, "eth1", link.Down)))}, []string{"attached 3 eth1 down"}},
	{"made unknown", []item{told(newLink(nic(3, "eth1", link.Unknown)))}, []string{"attached 3 eth1 unknown"}},
	{"one that was never there removed", []item{told(delLink(nic(3, "eth1", link.Up)))}, nil},
	{"two at once", []item{told(newLink(nic(3, "eth1", link.Down)), newLink(nic(4, "eth2", link.Down)))}, []string{
		"attached 3 eth1 down", "attached 4 eth2 down",
	}},
	// Messages that lack something. What they lack is as it was.
	{"32 bytes, then up and down", append([]item{told(header(link.TypeNewLink, 0, 0, info(0, 2, 0)))}, states(link.Up, link.Down)...), []string{
		"changed 2 eth0 up→down",
	}},
	{"32 bytes with other flags", []item{told(header(link.TypeNewLink, 0, 0, info(0, 2, 1)))}, []string{"changed 2 eth0 up flags 0→1"}},
	{"32 bytes, removed", []item{told(header(link.TypeDelLink, 0, 0, info(0, 2, 0)))}, []string{"detached 2 eth0 up"}},
	{"32 bytes of one that is not known, then all of it", []item{
		told(header(link.TypeNewLink, 0, 0, info(0, 3, 0))), told(newLink(nic(3, "eth1", link.Up))),
	}, []string{"attached 3 eth1 up"}},
	{"a name and no state, as of wireless", []item{told(header(link.TypeNewLink, 0, 0,
		append(info(0, 2, 0), attribute(3, []byte("eth0"))...)))}, nil},
	{"a new name and no state", []item{told(header(link.TypeNewLink, 0, 0,
		append(info(0, 2, 0), attribute(3, []byte("eth5"))...)))}, []string{"changed 2 eth0→eth5 up"}},
	{"a state and no name", []item{told(header(link.TypeNewLink, 0, 0,
		append(info(0, 2, 0), attribute(16, []byte{2})...)))}, []string{"changed 2 eth0 up→down"}},
	{"an address and no name", []item{told(header(link.TypeNewLink, 0, 0,
		append(info(0, 2, 0), attribute(1, []byte("jetty7"))...)))}, []string{"changed 2 eth0 up address 00:0d:3a:00:00:02→6a:65:74:74:79:37"}},
	// What else changes.
	{"the carrier came and went unseen", []item{told(newLink(with(eth0, func(l *link.Link) { l.CarrierChanges = 2 })))}, []string{
		"changed 2 eth0 up carrier 0→2",
	}},
	{"a master, and none", []item{
		told(newLink(with(eth0, func(l *link.Link) { l.Master = 9 }))), told(newLink(eth0)),
	}, []string{"changed 2 eth0 up master 0→9", "changed 2 eth0 up master 9→0"}},
	{"another address", []item{told(newLink(with(eth0, func(l *link.Link) { l.Address = "jetty7" })))}, []string{
		"changed 2 eth0 up address 00:0d:3a:00:00:02→6a:65:74:74:79:37",
	}},
	{"a name goes from one to the other", []item{told(newLink(named(eth0, "old")), newLink(nic(3, "eth0", link.Up)))}, []string{
		"changed 2 eth0→old up", "attached 3 eth0 up",
	}},
	// What is not for us.
	{"a port leaves a bridge", []item{told(header(link.TypeDelLink, 0, 0, append(info(7, 2, 0), body(eth0)[16:]...)))}, nil},
	{"from another program", []item{{
		bytes: delLink(eth0), datagram: link.Datagram{Port: 4711, Multicast: true},
	}}, nil},
	{"damage from another program", []item{{bytes: []byte{1}, datagram: link.Datagram{Port: 4711, Multicast: true}}}, nil},
	{"RTM_GETLINK and RTM_SETLINK", []item{told(header(18, 0, 0, body(in(eth0, link.Down))), header(19, 0, 0, body(in(eth0, link.Down))))}, nil},
	{"the end of a list and an error, to all", []item{told(done(1, 0, 0), failure(1, 1))}, nil},
	{"an answer that comes twice", []item{answered(part(1, 0, in(eth0, link.Down)), done(1, 0, 0))}, nil},
	{"an answer to nothing that we asked", []item{answered(part(7, 0, in(eth0, link.Down)), done(7, 0, 0))}, nil},
	{"a damaged answer that nobody asked for", []item{answered([]byte{1, 2, 3})}, nil},
	{"an index that is none", []item{told(newLink(nic(0, "eth1", link.Up)), newLink(with(eth0, func(l *link.Link) { l.Index = -2 })))}, nil},
	{"nothing", []item{told()}, nil},
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	for _, row := range notifications {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(list(lo, eth0))
				w := watch(t, k)
				if got := w.Links(); !slices.Equal(got, []link.Link{lo, eth0}) {
					t.Fatalf("interfaces %+v", got)
				}
				k.queue(row.items...)
				if diff := cmp.Diff(row.want, drain(t, w)); diff != "" {
					t.Error(diff)
				}
				if n := len(k.requests); n != 1 {
					t.Errorf("the list was asked for %d times", n)
				}
			})
		})
	}
}

func TestRemovedIsToldAsTheKernelHasIt(t *testing.T) {
	t.Parallel()
	k := newKernel(list(eth0))
	w := watch(t, k)
	k.queue(told(delLink(in(eth0, link.Down))))
	event, err := w.Next(t.Context())
	if want := (link.Event{Kind: link.Detached, Link: in(eth0, link.Down), Previous: eth0}); err != nil || event != want {
		t.Errorf("%+v, %v", event, err)
	}
}

// Between the second message of a datagram and its event, the list is that of the first.
func TestLinksKeepPaceWithEvents(t *testing.T) {
	t.Parallel()
	k := newKernel(list(eth0))
	w := watch(t, k)
	k.queue(told(newLink(in(eth0, link.Down)), delLink(eth0)))
	for _, want := range [][]link.Link{{in(eth0, link.Down)}, {}} {
		if _, err := w.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.Links(); !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
