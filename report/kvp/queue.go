package kvp

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/azprov/azprov/internal/wait"
)

// DefaultCapacity is how many records a queue holds: a boot has some hundred events.
const DefaultCapacity = 512

// QueueOptions configures a [Queue].
type QueueOptions struct {
	// Source is what all events have in common.
	Source Source
	// Capacity is the number of records (long events have several) that the queue holds,
	// [DefaultCapacity] if zero.
	Capacity int
}

// Queue collects events in memory until they are flushed into a pool. Adding one never
// blocks and never fails: an event for which there is no room is dropped, and counted. It
// is safe for concurrent use.
type Queue struct {
	pool     *Pool
	source   Source
	capacity int
	flushing chan struct{} // one flush at a time, so that events stay in order

	mu      sync.Mutex
	waiting []Record
	dropped uint64
}

// NewQueue returns an empty queue for a pool.
func NewQueue(pool *Pool, options *QueueOptions) *Queue {
	o := QueueOptions{}
	if options != nil {
		o = *options
	}
	if o.Capacity <= 0 {
		o.Capacity = DefaultCapacity
	}
	return &Queue{pool: pool, source: o.Source, capacity: o.Capacity, flushing: make(chan struct{}, 1)}
}

// Add puts an event into the queue and reports whether there was room for all of it.
func (q *Queue) Add(e Event) bool {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.ID == [16]byte{} {
		e.ID = newID()
	}
	records := q.source.Records(e)
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting)+len(records) > q.capacity {
		q.dropped++
		return false
	}
	q.waiting = append(q.waiting, records...)
	return true
}

// newID is a random UUID (RFC 9562, version 4).
func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails, since Go 1.24
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Len returns the number of records that wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// Dropped returns the number of events for which there was no room.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Flush appends what waits to the pool. After an error it still waits.
//
// Errors: those of [Pool.Append].
func (q *Queue) Flush(ctx context.Context) error {
	select {
	case q.flushing <- struct{}{}:
	case <-ctx.Done():
		return wait.Ended("kvp.Queue.Flush", "another flush is going on", ctx.Err())
	}
	defer func() { <-q.flushing }()
	q.mu.Lock()
	batch := slices.Clip(q.waiting) // what is added meanwhile goes elsewhere
	q.mu.Unlock()
	if err := q.pool.Append(ctx, batch...); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.Clone(q.waiting[len(batch):])
	return nil
}
