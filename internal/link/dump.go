package link

import (
	"errors"
	"time"
)

const (
	// maxDumps is how often the list is asked for until it comes in one piece. Linux
	// fills a datagram of up to 32 KiB at once, so that only a system with dozens of
	// interfaces can interrupt it at all.
	maxDumps = 5
	// answerTimeout is how long the kernel may be silent with a list under way. It
	// writes the first part of it before the request's system call returns.
	answerTimeout = 5 * time.Second
	// MaxLinks bounds the table. A VM on Azure has a handful of interfaces; thousands
	// are those of containers.
	MaxLinks = 4096
)

var (
	errInterrupted = errors.New("interfaces came and went while the kernel listed them")
	errTooMany     = errors.New("too many interfaces")
	errSilent      = errors.New("the kernel did not answer within " + answerTimeout.String())
)

// phase is how far a dump has come.
type phase uint8

const (
	// idle: the table is up to date with the notifications read so far.
	idle phase = iota
	// draining: a dump is needed, and the socket is read until it is empty before it is
	// asked for. After an overrun the kernel drops everything until then, and tells so
	// only once (NETLINK_S_CONGESTED in net/netlink/af_netlink.c): a list that was asked
	// for earlier could be out of date without a sign. It also ends the previous dump,
	// without which a new one is refused with EBUSY.
	draining
	// dumping: the list is under way.
	dumping
)

// dump is the state of reading the list.
type dump struct {
	phase phase
	// seq numbers the requests, so that answers to an abandoned one are known.
	seq uint32
	// tries counts the dumps that failed, one after the other.
	tries       int
	interrupted bool
	// lost: messages were lost since the last list.
	lost bool
	list map[int]Message
	// told has the interfaces of which a notification came during the dump. It counts
	// more than the list: whatever changes afterwards is told as well, whereas a part of
	// the list may have been written before it and queued behind it.
	told map[int]bool
}

// abandon gives the list up, if there is one, to begin anew.
func (d *dump) abandon() { d.phase, d.list, d.told = draining, nil, nil }

// overrun does that because messages were lost.
func (d *dump) overrun() {
	d.abandon()
	d.lost = true
}

// retry abandons a dump that failed. The error is why, if it was the last to be tried.
func (d *dump) retry(why error) error {
	d.abandon()
	d.tries++
	if d.tries < maxDumps {
		return nil
	}
	d.tries = 0
	return why
}

// begin returns the request for a list.
func (d *dump) begin() []byte {
	d.seq++
	d.phase, d.interrupted = dumping, false
	d.list, d.told = make(map[int]Message), make(map[int]bool)
	return dumpRequest(d.seq)
}

// finish takes the list to be the table.
func (w *Watcher) finish(complete bool) {
	d := &w.dump
	w.events = append(w.events, w.table.compare(d.list, d.told, complete)...)
	w.events = append(w.events, Event{Kind: Resynced, Lost: d.lost})
	*d = dump{seq: d.seq}
}

// answer takes a message that answers a request.
func (w *Watcher) answer(m Message) error {
	d := &w.dump
	if d.phase != dumping || m.Seq != d.seq {
		return nil // of a dump that was abandoned
	}
	d.interrupted = d.interrupted || m.Flags&FlagInterrupted != 0
	switch {
	case m.Errno != 0:
		return d.retry(m.Errno)
	case m.Type == TypeNewLink:
		return w.listed(m)
	case m.Type != TypeDone:
		return nil
	case d.interrupted && d.tries+1 < maxDumps:
		return d.retry(errInterrupted)
	}
	// After the last try, what was listed is there, and what was not may be.
	w.finish(!d.interrupted)
	return nil
}

func (w *Watcher) listed(m Message) error {
	d := &w.dump
	if len(d.list) < MaxLinks {
		d.list[m.Link.Index] = m
		return nil
	}
	*d = dump{seq: d.seq, lost: d.lost}
	return errTooMany
}
