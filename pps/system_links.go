package pps

import (
	"context"
	"sync"

	"github.com/azprov/azprov/internal/link"
)

// SystemLinks are the network interfaces of this machine, or of the network namespace that
// Watch is called in, as the kernel tells of them. Away from Linux, Watch fails.
func SystemLinks() Links { return systemLinks{} }

type systemLinks struct{}

func (systemLinks) Watch(ctx context.Context) (LinkWatcher, error) {
	watcher, err := link.Watch(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &systemWatcher{watcher: watcher}, nil
}

// kernelWatcher is what is used of *link.Watcher.
type kernelWatcher interface {
	Links() []link.Link
	Next(ctx context.Context) (link.Event, error)
	Close() error
}

type systemWatcher struct {
	watcher kernelWatcher

	mu     sync.Mutex
	queued []LinkEvent
}

func (w *systemWatcher) Links() []Link {
	kernel := w.watcher.Links()
	links := make([]Link, len(kernel))
	for i, l := range kernel {
		links[i] = fromKernel(l)
	}
	return links
}

func (w *systemWatcher) Next(ctx context.Context) (LinkEvent, error) {
	if event, ok := w.dequeue(); ok {
		return event, nil
	}
	event, err := w.watcher.Next(ctx)
	if err != nil {
		return LinkEvent{}, err
	}
	told := LinkEvent{Kind: kinds[event.Kind], Link: fromKernel(event.Link), Previous: fromKernel(event.Previous)}
	if hidesFlip(event) {
		// What the kernel has made one message of, or an overrun has lost, is told as the
		// two events that it was.
		up := told
		up.Previous.OperState, up.Previous.Carrier = OperDown, false
		w.queue(up)
		told.Link.OperState, told.Link.Carrier = OperDown, false
	}
	return told, nil
}

func (w *systemWatcher) Close() error { return w.watcher.Close() }

func (w *systemWatcher) queue(event LinkEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queued = append(w.queued, event)
}

func (w *systemWatcher) dequeue() (event LinkEvent, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queued) == 0 {
		return LinkEvent{}, false
	}
	event, w.queued = w.queued[0], w.queued[1:]
	return event, true
}

// hidesFlip reports whether the carrier went and came back within one change.
func hidesFlip(event link.Event) bool {
	return event.Kind == link.Changed && event.Previous.OperState == link.Up && event.Link.OperState == link.Up &&
		event.Link.CarrierChanges >= event.Previous.CarrierChanges+2
}

var kinds = map[link.EventKind]LinkEventKind{
	link.Attached: LinkAttached, link.Detached: LinkDetached, link.Changed: LinkChanged, link.Resynced: LinkResynced,
}

func fromKernel(l link.Link) Link {
	if l == (link.Link{}) {
		return Link{}
	}
	return Link{
		Index: l.Index, Name: l.Name, Address: l.Address.String(), OperState: OperState(l.OperState.String()), Carrier: l.Carrier(), AdminDown: !l.AdminUp(),
		Driver: l.Driver, Kind: l.Kind, Loopback: l.Loopback(), Master: l.Master,
	}
}
