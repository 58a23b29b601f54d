// Package memlinks shows the network interface of an emulated VM as one of the machine's,
// to whoever waits for its exchange in the same process.
package memlinks

import (
	"context"
	"errors"
	"sync"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/pps"
)

// errClosed is what a closed watcher says.
var errClosed = errors.New("memlinks: closed")

// Links returns the emulated VM's links.
func Links(memory *emulator.MemoryLinks) pps.Links { return links{memory} }

type links struct{ memory *emulator.MemoryLinks }

func (l links) Watch(ctx context.Context) (pps.LinkWatcher, error) {
	// The watcher outlives Watch's context: Close ends it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &watcher{events: l.memory.Subscribe(ctx), cancel: cancel}
	w.apply(l.memory.Last())
	return w, nil
}

type watcher struct {
	events <-chan emulator.LinkEvent
	cancel context.CancelFunc

	mu   sync.Mutex
	link *pps.Link // nil while it is detached
}

// states are those of the link after each kind of event.
var states = map[emulator.LinkEventKind]pps.OperState{
	emulator.LinkAttached: pps.OperUp, emulator.LinkUp: pps.OperUp, emulator.LinkDown: pps.OperDown,
}

// apply makes the event the state, and returns the link before and after it; either may
// be nil.
func (w *watcher) apply(event emulator.LinkEvent) (before, after *pps.Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.link
	if state, ok := states[event.Kind]; ok {
		after = &pps.Link{
			Index: event.Index, Name: event.Name, Address: event.MAC, Driver: "hv_netvsc", OperState: state, Carrier: state == pps.OperUp,
		}
	}
	w.link = after
	return before, after
}

func (w *watcher) Links() []pps.Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link == nil {
		return nil
	}
	return []pps.Link{*w.link}
}

func (w *watcher) Next(ctx context.Context) (pps.LinkEvent, error) {
	select {
	case event, ok := <-w.events:
		if !ok {
			return pps.LinkEvent{}, errClosed
		}
		return told(w.apply(event)), nil
	case <-ctx.Done():
		return pps.LinkEvent{}, ctx.Err()
	}
}

// told is a change as an event of the kernel's.
func told(before, after *pps.Link) pps.LinkEvent {
	switch {
	case after == nil && before == nil:
		return pps.LinkEvent{Kind: pps.LinkResynced}
	case after == nil:
		return pps.LinkEvent{Kind: pps.LinkDetached, Link: *before}
	case before == nil:
		return pps.LinkEvent{Kind: pps.LinkAttached, Link: *after}
	default:
		return pps.LinkEvent{Kind: pps.LinkChanged, Link: *after, Previous: *before}
	}
}

func (w *watcher) Close() error {
	w.cancel()
	return nil
}
