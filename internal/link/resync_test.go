package link_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/link"
)

// nothing is what the kernel answers that is silent.
func nothing(uint32) []item { return nil }

// answers of items, whatever the number of the request.
func answersOf(items ...item) answer { return func(uint32) []item { return items } }

func counted(l link.Link, changes uint32) link.Link {
	l.CarrierChanges = changes
	return l
}

var resyncs = []struct {
	name    string
	answers []answer // to the second request and later ones
	items   []item
	want    []string
	asked   int // requests after the first
}{
	// What an overrun may have hidden.
	{"an overrun, nothing changed", []answer{list(lo, eth0)}, []item{overrun}, []string{"resynced lost"}, 1},
	{"an overrun, changed", []answer{list(lo, in(eth0, link.Down))}, []item{overrun}, []string{
		"changed 2 eth0 up→down", "resynced lost",
	}, 1},
	{"an overrun, renamed", []answer{list(lo, named(eth0, "eth1"))}, []item{overrun}, []string{
		"changed 2 eth0→eth1 up", "resynced lost",
	}, 1},
	{"an overrun, gone and new", []answer{list(lo, nic(4, "eth2", link.Up), nic(3, "eth0", link.Up))}, []item{overrun}, []string{
		"detached 2 eth0 up", "attached 3 eth0 up", "attached 4 eth2 up", "resynced lost",
	}, 1},
	{"an overrun, the index used again with another address", []answer{
		list(lo, with(eth0, func(l *link.Link) { l.Address = "jetty7" })),
	}, []item{overrun}, []string{"detached 2 eth0 up", "attached 2 eth0 up", "resynced lost"}, 1},
	{"an overrun, the index used again for another kind", []answer{
		list(lo, with(eth0, func(l *link.Link) { l.Kind = "veth" })),
	}, []item{overrun}, []string{"detached 2 eth0 up", "attached 2 eth0 up", "resynced lost"}, 1},
	{"an overrun, all gone", []answer{list()}, []item{overrun}, []string{
		"detached 1 lo unknown", "detached 2 eth0 up", "resynced lost",
	}, 1},
	{"an overrun, the carrier came and went", []answer{
		list(lo, with(eth0, func(l *link.Link) { l.CarrierChanges = 2 })),
	}, []item{overrun}, []string{"changed 2 eth0 up carrier 0→2", "resynced lost"}, 1},
	{"an overrun, the index used again with the same address", []answer{
		func(seq uint32) []item { return answersOf(told(newLink(counted(eth0, 3))), overrun)(seq) }, list(lo, counted(eth0, 2)),
	}, []item{overrun}, []string{"changed 2 eth0 up carrier 0→3", "detached 2 eth0 up", "attached 2 eth0 up", "resynced lost"}, 2},
	{"an overrun, many gone and many new", []answer{
		func(seq uint32) []item { return append(list(many(5)...)(seq), overrun) }, list(many(0)...),
	}, []item{overrun}, []string{
		"detached 1 lo unknown", "detached 2 eth0 up",
		"attached 1000 pilot up", "attached 1001 pilot up", "attached 1002 pilot up", "attached 1003 pilot up", "attached 1004 pilot up", "resynced lost",
		"detached 1000 pilot up", "detached 1001 pilot up", "detached 1002 pilot up", "detached 1003 pilot up", "detached 1004 pilot up", "resynced lost",
	}, 2},
	{"what stood before the overrun comes first", []answer{list(lo, eth0)}, append([]item{overrun}, states(link.Down, link.Dormant)...), []string{
		"changed 2 eth0 up→down", "changed 2 eth0 down→dormant", "changed 2 eth0 dormant→up", "resynced lost",
	}, 1},
	{"two overruns, one list", []answer{list(lo, eth0)}, []item{overrun, overrun}, []string{"resynced lost"}, 1},
	// Other ways to lose a message.
	{"NLMSG_OVERRUN", []answer{list(lo, eth0)}, []item{told(header(link.TypeOverrun, 0, 0, nil))}, []string{"resynced lost"}, 1},
	{"a damaged notification", []answer{list(lo, eth0)}, []item{told(newLink(in(eth0, link.Down)), newLink(eth0)[:40])}, []string{
		"changed 2 eth0 up→down", "changed 2 eth0 down→up", "resynced lost",
	}, 1},
	{"a truncated notification", []answer{list(lo, eth0)}, []item{{
		bytes: newLink(in(eth0, link.Down)), datagram: link.Datagram{Multicast: true, Truncated: true},
	}}, []string{"changed 2 eth0 up→down", "changed 2 eth0 down→up", "resynced lost"}, 1},
	{"a truncated datagram of another program", []answer{list(lo, eth0)}, []item{{
		bytes: newLink(in(eth0, link.Down)), datagram: link.Datagram{Port: 4711, Truncated: true},
	}}, nil, 0},
	// A list that does not come in one piece.
	{"an overrun in the list", []answer{
		func(seq uint32) []item {
			return []item{answered(part(seq, 0, lo)), overrun, answered(part(seq, 0, in(eth0, link.Down)), done(seq, 0, 0))}
		}, list(lo, eth0),
	}, []item{overrun}, []string{"resynced lost"}, 2},
	{"interrupted at a part", []answer{interrupted(lo), list(lo, eth0)}, []item{overrun}, []string{"resynced lost"}, 2},
	{"interrupted at the end", []answer{
		func(seq uint32) []item { return []item{answered(part(seq, 0, lo), done(seq, link.FlagInterrupted, 0))} }, list(lo, eth0),
	}, []item{overrun}, []string{"resynced lost"}, 2},
	{"interrupted again and again: what it lacks may be there", []answer{interrupted(lo, nic(3, "eth1", link.Up))}, []item{overrun}, []string{
		"attached 3 eth1 up", "resynced lost",
	}, 5},
	{"failed at the end", []answer{
		func(seq uint32) []item { return []item{answered(part(seq, 0, lo), done(seq, 0, syscall.ENOMEM))} }, list(lo, eth0),
	}, []item{overrun}, []string{"resynced lost"}, 2},
	{"refused once", []answer{refused(syscall.EBUSY), list(lo, eth0)}, []item{overrun}, []string{"resynced lost"}, 2},
	{"refused five times, then asked again", []answer{
		refused(syscall.EBUSY), refused(syscall.EBUSY), refused(syscall.EBUSY), refused(syscall.EBUSY), refused(syscall.EBUSY), list(lo),
	}, []item{overrun}, []string{
		"error: link.Watcher.Next: the list of interfaces cannot be read: " + syscall.EBUSY.Error(), "detached 2 eth0 up", "resynced lost",
	}, 6},
	{"an acknowledgement goes before the list", []answer{
		func(seq uint32) []item { return append([]item{answered(failure(seq, 0))}, list(lo, eth0)(seq)...) },
	}, []item{overrun}, []string{"resynced lost"}, 1},
	{"a damaged answer", []answer{
		func(seq uint32) []item { return []item{answered(part(seq, 0, lo, eth0)[:50])} }, list(lo, eth0),
	}, []item{overrun}, []string{"resynced lost"}, 2},
	{"a truncated answer", []answer{
		func(seq uint32) []item {
			return []item{{bytes: part(seq, 0, lo), datagram: link.Datagram{Truncated: true}}, answered(done(seq, 0, 0))}
		}, list(lo, eth0),
	}, []item{overrun}, []string{"resynced lost"}, 2},
	{"the end without a number", []answer{
		func(seq uint32) []item {
			return []item{answered(part(seq, 0, lo, eth0), header(link.TypeDone, 0, seq, nil))}
		},
	}, []item{overrun}, []string{"resynced lost"}, 1},
	{"an answer to an earlier request", []answer{
		func(seq uint32) []item { return append([]item{answered(done(seq-1, 0, 0))}, list(lo, eth0)(seq)...) },
	}, []item{overrun}, []string{"resynced lost"}, 1},
	{"an answer of another program", []answer{
		func(seq uint32) []item {
			forged := item{bytes: done(seq, 0, 0), datagram: link.Datagram{Port: 4711}}
			return append([]item{forged}, list(lo, eth0)(seq)...)
		},
	}, []item{overrun}, []string{"resynced lost"}, 1},
	{"one without a name in the list", []answer{
		func(seq uint32) []item {
			nameless := header(link.TypeNewLink, 2, seq, info(0, 5, 0))
			return append([]item{answered(nameless)}, list(lo, eth0)(seq)...)
		},
	}, []item{overrun}, []string{"resynced lost"}, 1},
	{"one twice in the list", []answer{list(lo, in(eth0, link.Down), eth0)}, []item{overrun}, []string{"resynced lost"}, 1},
	{"removed in the list's answer is no removal", []answer{
		func(seq uint32) []item {
			return []item{answered(part(seq, 0, lo, eth0), header(link.TypeDelLink, 2, seq, body(eth0)), done(seq, 0, 0))}
		},
	}, []item{overrun}, []string{"resynced lost"}, 1},
	// A notification during a list is the newer one, wherever it stands.
	{"changed before its part of the list, which is older", []answer{
		func(seq uint32) []item { return append(states(link.Down), list(lo, eth0)(seq)...) },
	}, []item{overrun}, []string{"changed 2 eth0 up→down", "resynced lost"}, 1},
	{"changed behind its part of the list", []answer{
		func(seq uint32) []item {
			return []item{answered(part(seq, 0, lo, eth0)), states(link.Down)[0], answered(done(seq, 0, 0))}
		},
	}, []item{overrun}, []string{"changed 2 eth0 up→down", "resynced lost"}, 1},
	{"removed before its part of the list", []answer{
		func(seq uint32) []item { return append([]item{told(delLink(eth0))}, list(lo, eth0)(seq)...) },
	}, []item{overrun}, []string{"detached 2 eth0 up", "resynced lost"}, 1},
	{"made when the list was past it", []answer{
		func(seq uint32) []item {
			return []item{answered(part(seq, 0, lo, eth0)), told(newLink(nic(3, "eth1", link.Up))), answered(done(seq, 0, 0))}
		},
	}, []item{overrun}, []string{"attached 3 eth1 up", "resynced lost"}, 1},
	{"changed by a program whose request has the list's number", []answer{
		func(seq uint32) []item {
			return append([]item{told(header(link.TypeNewLink, 0, seq, body(in(eth0, link.Down))))}, list(lo, eth0)(seq)...)
		},
	}, []item{overrun}, []string{"changed 2 eth0 up→down", "resynced lost"}, 1},
	{"told as it was, and not in the list", []answer{
		func(seq uint32) []item {
			return []item{states(link.Up)[0], answered(part(seq, 0, lo), done(seq, 0, 0))}
		},
	}, []item{overrun}, []string{"resynced lost"}, 1},
}

func TestResync(t *testing.T) {
	t.Parallel()
	for _, row := range resyncs {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(append([]answer{list(lo, eth0)}, row.answers...)...)
				w := watch(t, k)
				k.queue(row.items...)
				if diff := cmp.Diff(row.want, drain(t, w)); diff != "" {
					t.Error(diff)
				}
				if n := len(k.requests) - 1; n != row.asked {
					t.Errorf("the list was asked for %d times, want %d", n, row.asked)
				}
				// Whatever happened, the watch goes on.
				k.queue(told(newLink(nic(99, "pilot", link.Up))))
				if got := drain(t, w); !slices.Equal(got, []string{"attached 99 pilot up"}) {
					t.Errorf("then %q", got)
				}
			})
		})
	}
}

// The first list may be in pieces as well; what comes meanwhile is in it.
func TestFirstList(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		answers []answer
		items   []item
		want    []link.Link
	}{
		{"none", []answer{list()}, nil, nil},
		{"sorted by index", []answer{list(nic(300, "eth2", link.Up), eth0, lo)}, nil, []link.Link{lo, eth0, nic(300, "eth2", link.Up)}},
		{"in the largest datagrams", []answer{list(many(400)...)}, nil, many(400)},
		{"changed between the socket and the request", []answer{list(in(eth0, link.Down))}, states(link.Dormant), []link.Link{in(eth0, link.Down)}},
		{"changed meanwhile", []answer{
			func(seq uint32) []item { return append(states(link.Dormant, link.Down), list(lo, eth0)(seq)...) },
		}, nil, []link.Link{lo, in(eth0, link.Down)}},
		{"overrun", []answer{list(lo)}, []item{overrun}, []link.Link{lo}},
		{"interrupted", []answer{interrupted(eth0), list(lo)}, nil, []link.Link{lo}},
		{"interrupted again and again", []answer{interrupted(eth0)}, nil, []link.Link{eth0}},
		{"silence, then an answer", []answer{nothing, list(lo)}, nil, []link.Link{lo}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(row.answers...)
				k.queue(row.items...)
				w := watch(t, k)
				if got := w.Links(); !slices.Equal(got, row.want) {
					t.Errorf("interfaces %+v, want %+v", got, row.want)
				}
				if got := drain(t, w); got != nil {
					t.Errorf("then %q", got)
				}
			})
		})
	}
}

func TestResyncOnDemand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(lo, eth0), list(lo, in(eth0, link.Down)), list(lo))
		w := watch(t, k)
		for range 3 {
			if err := w.Resync(); err != nil {
				t.Fatal(err)
			}
		}
		if got := drain(t, w); !slices.Equal(got, []string{"changed 2 eth0 up→down", "resynced"}) {
			t.Errorf("%q", got)
		}
		if n := len(k.requests); n != 2 {
			t.Errorf("the list was asked for %d times", n)
		}
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, w); !slices.Equal(got, []string{"detached 2 eth0 down", "resynced"}) {
			t.Errorf("the second time %q", got)
		}
	})
}

// An overrun that was not read yet makes the answer one to be thrown away.
func TestResyncOnDemandAfterAnOverrun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(lo, eth0), list(lo), list(lo, in(eth0, link.Down)), list(lo))
		w := watch(t, k)
		k.queue(overrun)
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, w); !slices.Equal(got, []string{"changed 2 eth0 up→down", "resynced lost"}) {
			t.Errorf("%q", got)
		}
		if n := len(k.requests); n != 3 {
			t.Errorf("the list was asked for %d times", n)
		}
		// What was lost is told once.
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, w); !slices.Equal(got, []string{"detached 2 eth0 down", "resynced"}) {
			t.Errorf("the second time %q", got)
		}
	})
}

// The tries of one list are not held against the next.
func TestEachListHasItsTries(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		answer answer
		want   string
	}{
		{"interrupted", interrupted(eth0), ""},
		{"refused", refused(syscall.EBUSY), syscall.EBUSY.Error()},
		{"damaged", answersOf(answered([]byte("jetty"))), link.ErrDamaged.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			k := newKernel(list(eth0), row.answer)
			w := watch(t, k)
			for round := 1; round <= 2; round++ {
				k.queue(overrun)
				_, err := w.Next(t.Context())
				if (err == nil) != (row.want == "") || err != nil && !strings.HasSuffix(err.Error(), row.want) {
					t.Errorf("round %d: %v", round, err)
				}
				if n := len(k.requests); n != 1+5*round {
					t.Errorf("the list was asked for %d times after round %d", n, round)
				}
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	k := newKernel(list(eth0))
	w := watch(t, k)
	if err := w.Resync(); err != nil {
		t.Fatal(err)
	}
	// RTM_GETLINK with NLM_F_REQUEST and NLM_F_DUMP, numbered, and an empty struct ifinfomsg.
	for i, got := range k.requests {
		if want := header(18, 0x301, uint32(i+1), make([]byte, 16)); !slices.Equal(got, want) {
			t.Errorf("request %x, want %x", got, want)
		}
	}
}

func many(n int) []link.Link {
	var links []link.Link
	for i := range n {
		links = append(links, nic(1000+i, "pilot", link.Up))
	}
	return links
}

// lists is a list in datagrams that the watcher's buffer holds.
func lists(links ...link.Link) answer {
	return func(seq uint32) []item {
		var items []item
		for chunk := range slices.Chunk(links, 100) {
			items = append(items, answered(part(seq, 0, chunk...)))
		}
		return append(items, answered(done(seq, 0, 0)))
	}
}

func TestTooManyInterfaces(t *testing.T) {
	t.Parallel()
	full := many(link.MaxLinks)
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(lists(full...), lists(many(link.MaxLinks+1)...), lists(full...))
		w := watch(t, k)
		// One more is refused; the others go on.
		k.queue(told(newLink(eth0), newLink(in(full[0], link.Down))))
		first := drain(t, w)
		if len(first) != 2 || !strings.Contains(first[0], "too many interfaces") || first[1] != "changed 1000 pilot up→down" {
			t.Errorf("%q", first)
		}
		// A list that is too long is not taken.
		k.queue(overrun)
		if got := drain(t, w); len(got) != 1 || !strings.Contains(got[0], "too many interfaces") {
			t.Errorf("then %q", got)
		}
		// The next one is, and tells of the loss.
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, w); !slices.Equal(got, []string{"changed 1000 pilot down→up", "resynced lost"}) {
			t.Errorf("at last %q", got)
		}
		k.queue(told(delLink(full[0])), told(newLink(eth0)))
		if got := drain(t, w); !slices.Equal(got, []string{"detached 1000 pilot up", "attached 2 eth0 up"}) {
			t.Errorf("with room %q", got)
		}
		// What was lost besides is made up for.
		k.queue(item{bytes: newLink(lo), datagram: link.Datagram{Multicast: true, Truncated: true}})
		if got := drain(t, w); len(got) != 4 || !strings.Contains(got[0], "too many interfaces") ||
			!slices.Equal(got[1:], []string{"detached 2 eth0 up", "attached 1000 pilot up", "resynced lost"}) {
			t.Errorf("without a part %q", got)
		}
	})
}

// A storm of attaches and detaches during a list begins it anew, in place of a list of
// what came meanwhile without an end.
func TestStormDuringTheList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		storm := func(seq uint32) []item {
			var items []item
			for _, l := range many(link.MaxLinks + 1) {
				items = append(items, told(newLink(l), delLink(l)))
			}
			return append(items, list()(seq)...)
		}
		k := newKernel(storm, list(eth0))
		w := watch(t, k)
		if got := w.Links(); !slices.Equal(got, []link.Link{eth0}) || len(k.requests) != 2 {
			t.Errorf("%d interfaces after %d requests", len(got), len(k.requests))
		}
	})
}
