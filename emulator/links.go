package emulator

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// LinkEventKind says what happened to a link in memory.
type LinkEventKind string

// The kinds.
const (
	// LinkAttached: there is a new link, with its carrier.
	LinkAttached LinkEventKind = "attached"
	// LinkDetached: the link is gone.
	LinkDetached LinkEventKind = "detached"
	// LinkDown: the link lost its carrier.
	LinkDown LinkEventKind = "down"
	// LinkUp: the link has its carrier again.
	LinkUp LinkEventKind = "up"
)

// PossibleLinkEventKindValues returns every kind.
func PossibleLinkEventKindValues() []LinkEventKind {
	return []LinkEventKind{LinkAttached, LinkDetached, LinkDown, LinkUp}
}

// LinkEvent is a change of a link in memory.
type LinkEvent struct {
	Kind LinkEventKind
	// Index is the interface's; a link that is attached gets a new one, as from a kernel.
	Index int
	// Name is "eth0": a new link takes the name of the old one.
	Name string
	// MAC is the address in lower case with colons.
	MAC string
}

const (
	memoryName    = "eth0"
	memoryIndex   = 2  // The loopback interface has 1.
	subscriberCap = 64 // Far more events than a switch of the network makes.
)

// MemoryLinks is a [LinkDriver] without any network: it has one link, and tells of its
// changes. While the link is away, the servers of [Fabric.ListenInMemory] are
// unreachable. All methods are safe for concurrent use.
type MemoryLinks struct {
	ownerMAC string

	mu          sync.Mutex
	link        LinkEvent // the last event
	subscribers map[chan LinkEvent]struct{}
}

var _ LinkDriver = (*MemoryLinks)(nil)

// NewMemoryLinks returns the links of the scenario's VM: attached, with a carrier.
func NewMemoryLinks(s Scenario) *MemoryLinks {
	s = s.withDefaults()
	m := &MemoryLinks{
		link:        LinkEvent{Kind: LinkAttached, Index: memoryIndex, Name: memoryName, MAC: s.VM.primaryMAC()},
		subscribers: map[chan LinkEvent]struct{}{},
	}
	m.ownerMAC = m.link.MAC
	if s.isPool() {
		m.ownerMAC = s.Pool.Owner.primaryMAC()
	}
	if s.Pool.Switched {
		m.link.MAC = m.ownerMAC
	}
	return m
}

// Last returns the last event, which is the state of the link.
func (m *MemoryLinks) Last() LinkEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link
}

// Connected reports whether anything passes.
func (m *MemoryLinks) Connected() bool {
	kind := m.Last().Kind
	return kind == LinkAttached || kind == LinkUp
}

// Subscribe returns the events from now on; the end of ctx closes the channel. Whoever
// lets 64 pile up misses the next ones, as a slow reader of the kernel's events does.
func (m *MemoryLinks) Subscribe(ctx context.Context) <-chan LinkEvent {
	events := make(chan LinkEvent, subscriberCap)
	m.mu.Lock()
	m.subscribers[events] = struct{}{}
	m.mu.Unlock()
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.subscribers, events)
		close(events)
	})
	return events
}

// Detach is part of [LinkDriver].
func (m *MemoryLinks) Detach(context.Context) error {
	m.change(LinkDetached, LinkAttached, LinkDown, LinkUp)
	return nil
}

// Attach is part of [LinkDriver].
func (m *MemoryLinks) Attach(context.Context) error {
	m.change(LinkAttached, LinkDetached)
	return nil
}

// Carrier is part of [LinkDriver].
func (m *MemoryLinks) Carrier(_ context.Context, up bool) error {
	if up {
		m.change(LinkUp, LinkDown)
		return nil
	}
	m.change(LinkDown, LinkAttached, LinkUp)
	return nil
}

// change makes the event, if the link is in one of the states that it can follow.
func (m *MemoryLinks) change(to LinkEventKind, from ...LinkEventKind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(from, m.link.Kind) {
		return
	}
	m.link.Kind = to
	if to == LinkAttached {
		m.link.Index++
		m.link.MAC = m.ownerMAC
	}
	for events := range m.subscribers {
		select {
		case events <- m.link:
		default:
		}
	}
}

// primaryMAC is the address of the primary NIC in lower case with colons, empty if the
// VM has none.
func (vm VM) primaryMAC() string {
	if len(vm.Interfaces) == 0 {
		return ""
	}
	var pairs []string
	for pair := range slices.Chunk([]byte(strings.ToLower(vm.Interfaces[0].MACAddress)), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, ":")
}
