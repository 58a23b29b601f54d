package kvp

import (
	"context"
	"io/fs"
	"sync"
	"time"

	"github.com/azprov/azprov/internal/record"
	"github.com/azprov/azprov/internal/wait"
)

// ReportKey is the key under which the host looks for the provisioning report.
const ReportKey = "PROVISIONING_REPORT"

// flushTimeout bounds one attempt to bring events into the pool behind the caller's back.
const flushTimeout = 10 * time.Second

// ChannelOptions configures a [ReportChannel].
type ChannelOptions struct {
	// Source is what all events have in common. Without Boot, that of Proc is read.
	Source Source
	// Capacity is that of the [Queue].
	Capacity int
	// Proc is the view of /proc, nil the machine's own.
	Proc fs.FS
}

// ReportChannel writes provisioning reports and events into a pool. It has the methods of
// provision.HostChannel and provision.EventChannel, and is safe for concurrent use. What
// was written before the boot is removed before its first write, see [Pool.ClearStale].
type ReportChannel struct {
	pool    *Pool
	options ChannelOptions
	begin   func() (*Queue, time.Time)

	turn    chan struct{} // who clears: it waits for locks, and so may others, no longer than they like
	cleared bool

	mu       sync.Mutex
	draining bool
}

// Channel returns the channel for provision.Options.Host. It does no I/O. options may be
// nil.
func Channel(pool *Pool, options *ChannelOptions) *ReportChannel {
	c := &ReportChannel{pool: pool, turn: make(chan struct{}, 1)}
	if options != nil {
		c.options = *options
	}
	c.begin = sync.OnceValues(func() (*Queue, time.Time) {
		source := c.options.Source
		if source.Boot.IsZero() { // without one, nothing is stale, and the keys say 0
			source.Boot, _ = BootTime(c.options.Proc)
		}
		return NewQueue(pool, &QueueOptions{Source: source, Capacity: c.options.Capacity}), source.Boot
	})
	return c
}

// WriteReport makes a record the only report in the pool, and brings it to the disk. A
// record of more than [MaxValue] bytes is shortened: supporting data first, so that
// result, reason, ids and time reach the host.
//
// Errors: those of [Pool.Upsert].
func (c *ReportChannel) WriteReport(ctx context.Context, text string) error {
	if err := c.clearStale(ctx); err != nil {
		return err
	}
	text = record.Shorten(text, func(candidate string) int { return len(candidate) }, MaxValue)
	if err := c.pool.Upsert(ctx, ReportKey, text); err != nil {
		return err
	}
	return c.pool.Flush(ctx)
}

// WriteEvent puts an event into a queue, and begins to bring it into the pool. It never
// blocks and never fails; what finds no room in the queue is dropped, and what cannot be
// written now goes with a later event, or with FlushEvents.
func (c *ReportChannel) WriteEvent(e Event) {
	queue, _ := c.begin()
	queue.Add(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.draining {
		c.draining = true
		go c.drain(queue)
	}
}

// FlushEvents returns when all events are in the pool.
//
// Errors: those of [Pool.Append].
func (c *ReportChannel) FlushEvents(ctx context.Context) error {
	queue, _ := c.begin()
	if queue.Len() == 0 {
		return nil
	}
	if err := c.clearStale(ctx); err != nil {
		return err
	}
	return queue.Flush(ctx)
}

// drain empties the queue, or gives up until the next event.
func (c *ReportChannel) drain(queue *Queue) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout) //nolint:forbidigo // No caller waits.
		err := c.FlushEvents(ctx)
		cancel()
		c.mu.Lock()
		c.draining = err == nil && queue.Len() > 0
		again := c.draining
		c.mu.Unlock()
		if !again {
			return
		}
	}
}

func (c *ReportChannel) clearStale(ctx context.Context) error {
	_, boot := c.begin()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return wait.Ended("kvp.ReportChannel", "the pool is being cleared", ctx.Err())
	}
	defer func() { <-c.turn }()
	if c.cleared || boot.IsZero() {
		return nil
	}
	_, err := c.pool.ClearStale(ctx, boot)
	c.cleared = err == nil
	return err
}
