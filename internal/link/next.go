package link

import (
	"cmp"
	"context"
	"errors"
	"os"
)

// Next waits for an event and returns it. A context that ends loses nothing: the next
// call goes on from there.
//
// Events come in the order of the kernel's messages; a message that changes nothing is
// none. If messages were lost, the differences to a new list are delivered, then one of
// kind Resynced. An index with another address than before the loss is another interface
// then: Detached and Attached.
//
// Errors: Timeout and Canceled (the context; or the watcher is closed, and os.ErrClosed
// is in the tree), and those of [Watch]. The watcher goes on after an error, until it is
// closed; where the list could not be read, it tries again.
func (w *Watcher) Next(ctx context.Context) (Event, error) {
	const op = "link.Watcher.Next"
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
	}
	for {
		if err := w.ended(ctx); err != nil {
			return Event{}, readError(op, err)
		}
		if event, ok := w.deliver(); ok {
			return event, nil
		}
		if err := w.step(ctx); err != nil && w.ended(ctx) == nil {
			return Event{}, readError(op, err)
		}
	}
}

// ended returns why nothing more is to be read for the caller. Whoever has no turn to
// read is ended.
func (w *Watcher) ended(ctx context.Context) error {
	if w.isClosed() {
		return os.ErrClosed
	}
	return ctx.Err()
}

func (w *Watcher) deliver() (Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return Event{}, false
	}
	event := w.events[0]
	w.events = w.events[1:]
	switch event.Kind {
	case Attached, Changed:
		w.delivered[event.Link.Index] = event.Link
	case Detached:
		delete(w.delivered, event.Link.Index)
	case Resynced:
	}
	return event, true
}

// step reads one datagram, or asks for the list.
func (w *Watcher) step(ctx context.Context) error {
	datagram, err := w.receive(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, ErrOverrun):
		w.dump.overrun()
		return nil
	case errors.Is(err, ErrEmpty):
		return w.request()
	case errors.Is(err, errSilent):
		return w.dump.retry(err)
	case err != nil:
		return err
	}
	return w.read(datagram)
}

func (w *Watcher) receive(ctx context.Context) (Datagram, error) {
	w.mu.Lock()
	now := w.dump.phase
	w.mu.Unlock()
	switch now {
	case draining:
		if err := ctx.Err(); err != nil {
			return Datagram{}, err
		}
		return w.transport.Poll(w.buffer)
	case dumping:
		limited, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		datagram, err := w.transport.Receive(limited, w.buffer)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = errSilent
		}
		return datagram, err
	default:
		return w.transport.Receive(ctx, w.buffer)
	}
}

// request asks for the list. If that fails, the next step does it again.
func (w *Watcher) request() error {
	err := w.transport.Send(w.dump.begin())
	if err != nil {
		w.dump.abandon()
	}
	return err
}

// read takes the messages of a datagram. Any program may send one to our port; only the
// kernel is believed.
func (w *Watcher) read(datagram Datagram) error {
	if datagram.Port != 0 {
		return nil
	}
	messages, damaged := Parse(w.buffer[:min(datagram.Len, len(w.buffer))])
	var failed error
	for _, m := range messages {
		failed = cmp.Or(failed, w.message(m, datagram.Multicast))
	}
	if datagram.Truncated || damaged != nil {
		failed = cmp.Or(failed, w.incomplete(datagram.Multicast))
	}
	return failed
}

// incomplete makes up for a datagram of which a part is missing. A notification is a
// message lost; an answer is asked for again, not for ever.
func (w *Watcher) incomplete(multicast bool) error {
	if multicast {
		w.dump.overrun()
		return nil
	}
	if w.dump.phase != dumping {
		return nil
	}
	return w.dump.retry(ErrDamaged)
}

func (w *Watcher) message(m Message, multicast bool) error {
	switch {
	case m.Type == TypeOverrun:
		w.dump.overrun()
		return nil
	case !multicast:
		return w.answer(m)
	case m.Type != TypeNewLink && m.Type != TypeDelLink:
		return nil
	}
	return w.notification(m)
}

func (w *Watcher) notification(m Message) error {
	_, known := w.table.links[m.Link.Index]
	if !known && m.Type == TypeNewLink && len(w.table.links) >= MaxLinks {
		return errTooMany
	}
	if event, ok := w.table.apply(m); ok {
		w.events = append(w.events, event)
	}
	if w.dump.phase != dumping {
		return nil
	}
	if len(w.dump.told) >= MaxLinks {
		return w.dump.retry(errInterrupted)
	}
	w.dump.told[m.Link.Index] = true
	return nil
}
