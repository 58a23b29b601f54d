package pps

import (
	"cmp"
	"slices"
)

// maxLinks bounds what is remembered of links: a VM on Azure has at most eight interfaces,
// twice that with virtual functions; a watcher that shows more is not believed.
const maxLinks = 1024

// linkID names a link across its names: an index is used again only by another link, which
// has another address.
type linkID struct {
	index   int
	address string
}

func (l Link) id() linkID { return linkID{l.Index, l.Address} }

// tracker remembers of the links what the exchange of a network shows itself by. It does
// no I/O.
type tracker struct {
	candidate func(Link) bool
	table     map[int]Link
	// index is the link in use; 0: any candidate may be it.
	index int
	// down are the addresses of links in use that went down since follow.
	down map[string]bool
	// lowered are the links that the guest has set down, until they are up again: on its
	// way up such a link has no carrier, and the host has done nothing.
	lowered map[int]bool
	// lost: the link in use is gone. detached: it was, whether or not its like came back.
	lost, detached bool
	// switched: a link in use went down and up.
	switched bool
	// resynced: events were lost.
	resynced bool
	// known are links that were there at the start, or lead nowhere.
	known map[linkID]bool
	// tries counts the probes of the other links.
	tries map[linkID]int
}

// newTracker takes the links that there are at the start, and the index in use.
func newTracker(candidate func(Link) bool, links []Link, index int) *tracker {
	t := &tracker{candidate: candidate, known: map[linkID]bool{}, tries: map[linkID]int{}, lowered: map[int]bool{}}
	t.fill(links)
	for _, l := range t.table {
		t.known[l.id()] = true
	}
	t.follow(index)
	return t
}

func (t *tracker) fill(links []Link) {
	t.table = map[int]Link{}
	for _, l := range links[:min(len(links), maxLinks)] {
		t.table[l.Index] = l
	}
}

// follow begins anew with the link in use, 0 for any candidate.
func (t *tracker) follow(index int) {
	t.index, t.down = index, map[string]bool{}
	t.lost, t.detached, t.switched, t.resynced = false, false, false, false
	for _, l := range t.table {
		t.notice(l)
		if t.follows(l) && l.down() && !t.lowered[l.Index] {
			t.remember(l) // its way up is the second half of a switch
		}
	}
}

// settle follows a link that has been found to lead to the platform: it is no candidate for
// another probe.
func (t *tracker) settle(index int) {
	if l, there := t.table[index]; there {
		t.known[l.id()] = true
	}
	t.follow(index)
}

// follows: names do not count, because they change (cloud-init waits for ever if one
// does).
func (t *tracker) follows(l Link) bool {
	if t.index == 0 {
		return t.candidate(l) && !t.isTwin(l)
	}
	return l.Index == t.index
}

// apply takes an event. links is what the watcher shows after it.
func (t *tracker) apply(e LinkEvent, links []Link) {
	switch e.Kind {
	case LinkDetached:
		t.forget(e.Link)
		delete(t.table, e.Link.Index)
	case LinkAttached:
		t.attach(e.Link)
	case LinkChanged:
		t.set(e.Link)
		t.observe(e.Link)
	case LinkResynced:
		t.resynced = true
		t.refresh(links)
	}
}

func (t *tracker) set(l Link) {
	if _, there := t.table[l.Index]; there || len(t.table) < maxLinks {
		t.table[l.Index] = l
	}
}

// remember that a link in use went down.
func (t *tracker) remember(l Link) {
	if len(t.down) < maxLinks {
		t.down[l.Address] = true
	}
}

// forget a link that is gone: what comes back is new.
func (t *tracker) forget(l Link) {
	if t.follows(l) {
		t.lost, t.detached = true, true
		t.remember(l)
	}
	delete(t.known, l.id())
	delete(t.tries, l.id())
	delete(t.lowered, l.Index)
}

// attach: the address that was lost is the same interface with another index.
func (t *tracker) attach(l Link) {
	t.set(l)
	if t.lost && t.down[l.Address] {
		t.lost = false
		if t.index != 0 {
			t.index = l.Index
		}
	}
	t.observe(l)
}

// notice keeps what the guest does to a link apart from what the host does.
func (t *tracker) notice(l Link) {
	switch {
	case l.AdminDown && len(t.lowered) < maxLinks:
		t.lowered[l.Index] = true
	case l.Up():
		delete(t.lowered, l.Index)
	}
}

// observe takes the state of a link: up after down is a switch.
func (t *tracker) observe(l Link) {
	t.notice(l)
	if !t.follows(l) {
		return
	}
	switch {
	case t.lowered[l.Index]:
	case l.down():
		t.remember(l)
	case l.Up() && t.down[l.Address]:
		t.switched = true
	}
}

// flipping: the link in use is down or gone, or was and may be another network's now.
func (t *tracker) flipping() bool { return len(t.down) > 0 || t.lost || t.switched }

// refresh takes the links that there are as they are, in place of events.
func (t *tracker) refresh(links []Link) {
	old := t.table
	t.fill(links)
	for _, l := range old {
		if now, there := t.table[l.Index]; !there || now.Address != l.Address {
			t.forget(l)
		}
	}
	for _, l := range t.sorted() {
		if before, there := old[l.Index]; there && before.Address == l.Address {
			t.observe(l)
		} else {
			t.attach(l)
		}
	}
}

func (t *tracker) sorted() []Link {
	links := make([]Link, 0, len(t.table))
	for _, l := range t.table {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b Link) int { return cmp.Compare(a.Index, b.Index) })
	return links
}

// isTwin: a virtual function has the address of the synthetic interface that it
// accelerates, whatever its driver; the synthetic one carries the address by DHCP
// (cloud-init: net/__init__.py, get_interfaces).
func (t *tracker) isTwin(l Link) bool {
	return t.hasLike(l, func(other Link) bool {
		return isSynthetic(other) && !isSynthetic(l) || isSynthetic(other) == isSynthetic(l) && other.Index < l.Index
	})
}

// isFunction is isTwin where the drivers tell. Where they do not, either may be the one,
// and both are worth a probe.
func (t *tracker) isFunction(l Link) bool {
	return t.hasLike(l, func(other Link) bool { return isSynthetic(other) && !isSynthetic(l) })
}

// hasLike reports whether another candidate has the link's address, and is as is says.
func (t *tracker) hasLike(l Link, is func(other Link) bool) bool {
	for _, other := range t.table {
		if other.Index != l.Index && other.Address == l.Address && t.candidate(other) && is(other) {
			return true
		}
	}
	return false
}

func isSynthetic(l Link) bool { return l.Driver == "hv_netvsc" }

// unseen returns the attached links worth a probe, the one with the fewest tries first.
func (t *tracker) unseen() []Link {
	var found []Link
	for _, l := range t.sorted() {
		if t.candidate(l) && !t.known[l.id()] && !t.isFunction(l) {
			found = append(found, l)
		}
	}
	slices.SortStableFunc(found, func(a, b Link) int { return cmp.Compare(t.tries[a.id()], t.tries[b.id()]) })
	return found
}
