package link

import (
	"io/fs"
	"maps"
	"slices"
)

// table is the interfaces by index.
type table struct {
	links map[int]Link
	sysfs fs.FS
}

// apply takes over a message, and returns the event that it is. There is none if nothing
// changed, and for an interface that is not known and has no name, which the next list
// will have.
func (t *table) apply(m Message) (Event, bool) {
	previous, known := t.links[m.Link.Index]
	link := merge(previous, m)
	switch {
	case m.Type == TypeDelLink && known:
		delete(t.links, link.Index)
		return Event{Kind: Detached, Link: link, Previous: previous}, true
	case m.Type == TypeDelLink, link == previous, link.Name == "":
		return Event{}, false
	}
	if link.Driver == "" {
		link.Driver = driver(t.sysfs, link.Name, link.Index)
	}
	t.links[link.Index] = link
	if !known {
		return Event{Kind: Attached, Link: link}, true
	}
	return Event{Kind: Changed, Link: link, Previous: previous}, true
}

// merge returns the interface after m. The driver never changes: without its driver an
// interface is gone.
func merge(previous Link, m Message) Link {
	link := m.Link
	link.Driver = previous.Driver
	if !m.partial() {
		return link
	}
	link = previous
	link.Index, link.Flags = m.Link.Index, m.Link.Flags
	if m.Link.Name != "" {
		link.Name = m.Link.Name
	}
	if m.Link.Address != "" {
		link.Address = m.Link.Address
	}
	if m.HasOperState {
		link.OperState = m.Link.OperState
	}
	return link
}

// compare takes over the list that a dump has brought, but for the interfaces of which a
// notification told meanwhile, and returns what is different: first what is gone. If the
// list is not complete, what it lacks is not gone.
func (t *table) compare(list map[int]Message, told map[int]bool, complete bool) []Event {
	var events []Event
	for _, index := range slices.Sorted(maps.Keys(t.links)) {
		previous := t.links[index]
		m, listed := list[index]
		gone := !listed && complete || listed && !sameInterface(previous, merge(previous, m))
		if gone && !told[index] {
			delete(t.links, index)
			events = append(events, Event{Kind: Detached, Link: previous, Previous: previous})
		}
	}
	for _, index := range slices.Sorted(maps.Keys(list)) {
		if told[index] {
			continue
		}
		if event, ok := t.apply(list[index]); ok {
			events = append(events, event)
		}
	}
	return events
}

// sameInterface reports whether an index still stands for the same interface, of which
// nothing was heard for a while: not with another address, nor with a counter that has
// begun anew.
func sameInterface(before, after Link) bool {
	return before.Address == after.Address && before.Kind == after.Kind && before.CarrierChanges <= after.CarrierChanges
}

func sorted(links map[int]Link) []Link {
	return slices.SortedFunc(maps.Values(links), func(a, b Link) int { return a.Index - b.Index })
}
