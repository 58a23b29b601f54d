package pps

import (
	"context"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// rewatchPause is before links that could not be watched any more are watched anew.
const rewatchPause = time.Second

// sighting is an event of the links, or why there are none.
type sighting struct {
	event LinkEvent
	err   error
}

// watch reads the links' events on a goroutine of its own. A nil one has none.
type watch struct {
	links  Links
	events chan sighting

	mu      sync.Mutex
	watcher LinkWatcher // nil while there is none
}

// startWatch opens the watcher; every change after it is told. It returns nil if there
// are no links to watch.
func startWatch(ctx context.Context, links Links, running *sync.WaitGroup) (*watch, error) {
	if links == nil {
		return nil, nil
	}
	watcher, err := links.Watch(ctx)
	if err != nil {
		return nil, err
	}
	w := &watch{links: links, events: make(chan sighting), watcher: watcher}
	running.Go(func() { w.pump(ctx) })
	return w, nil
}

// pump hands on events until ctx ends. When the watcher fails it opens another one, after
// which events may be missing.
func (w *watch) pump(ctx context.Context) {
	defer w.set(nil)
	for {
		event, err := w.current().Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && (!w.send(ctx, sighting{err: err}) || !w.reopen(ctx)) {
			return
		}
		if err != nil {
			event = LinkEvent{Kind: LinkResynced}
		}
		if !w.send(ctx, sighting{event: event}) {
			return
		}
	}
}

func (w *watch) send(ctx context.Context, s sighting) bool {
	select {
	case w.events <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// reopen tries until there is a watcher again, or ctx ends.
func (w *watch) reopen(ctx context.Context) bool {
	w.set(nil)
	for wait.For(ctx, rewatchPause) == nil {
		if watcher, err := w.links.Watch(ctx); err == nil {
			w.set(watcher)
			return true
		}
	}
	return false
}

// set replaces the watcher and closes the one before.
func (w *watch) set(watcher LinkWatcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watcher != nil {
		_ = w.watcher.Close() // it has ended already, or is to end
	}
	w.watcher = watcher
}

func (w *watch) current() LinkWatcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watcher
}

// list returns the links that there are; ok is false if nobody knows.
func (w *watch) list() (links []Link, ok bool) {
	if w == nil {
		return nil, false
	}
	watcher := w.current()
	if watcher == nil {
		return nil, false
	}
	return watcher.Links(), true
}

// channel has the events; a nil one never has any.
func (w *watch) channel() <-chan sighting {
	if w == nil {
		return nil
	}
	return w.events
}

// watchWarning is for a watch that could not begin.
func watchWarning(err error) string {
	return "the links cannot be watched, the owner's data is asked for alone: " + azprov.OneLine(err.Error())
}
