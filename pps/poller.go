package pps

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
)

// pollTimeout bounds one request, as cloud-init has it: shorter ones made the requests
// pile up on the host (cloud-init pull request 4470).
const pollTimeout = 30 * time.Second

// reply is what came of a request for the owner's data.
type reply struct {
	document azprov.Secret
	err      error
}

// poller asks for the owner's data, one request at a time.
type poller struct {
	metadata Metadata
	logger   *zap.Logger
	pace     pace
	timer    *time.Timer
	replies  chan reply
	cancel   context.CancelFunc // of the request under way; nil if there is none
	dropped  bool               // the request under way was begun on another network
	enabled  bool
	count    int
}

func newPoller(metadata Metadata, logger *zap.Logger) *poller {
	timer := time.NewTimer(0)
	timer.Stop()
	return &poller{metadata: metadata, logger: logger, timer: timer, replies: make(chan reply, 1)}
}

// enable starts or stops the requests. One under way ends as it may: what it brings counts.
func (p *poller) enable(on bool) {
	if p.enabled == on {
		return
	}
	p.enabled = on
	p.schedule()
}

// schedule sets the timer for the next request.
func (p *poller) schedule() {
	p.timer.Stop()
	if p.enabled && p.cancel == nil {
		now := time.Now()
		p.timer.Reset(p.pace.next(now).Sub(now))
	}
}

// hurry asks more often for a while.
func (p *poller) hurry() {
	p.pace.hurry(time.Now())
	p.schedule()
}

// drop ends the request under way: the network that it was begun on is gone, and it could
// hang on it for half a minute.
func (p *poller) drop() {
	if p.cancel != nil {
		p.cancel()
		p.dropped = true
	}
}

// begin makes a request. The timer has fired.
func (p *poller) begin(ctx context.Context, running *sync.WaitGroup) {
	p.count++
	p.pace.begin(time.Now())
	ctx, p.cancel = context.WithTimeout(ctx, pollTimeout)
	running.Go(func() {
		document, err := p.metadata.ReprovisionData(ctx)
		p.replies <- reply{document, err} // has room: there is one request at a time
	})
}

// end takes a reply; ok is false if its request was given up: then a failure says nothing.
func (p *poller) end(r reply, v verdict) (ok bool) {
	p.cancel()
	p.cancel = nil
	ok = !p.dropped
	p.dropped = false
	if ok {
		p.pace.end(time.Now(), v, retryAfter(r.err))
	}
	p.schedule()
	p.tell(r, v)
	return ok
}

// tell shows the requests 1, 2, 4, 8, … in the log: a VM waits for days, and "not yet" is
// no warning.
func (p *poller) tell(r reply, v verdict) {
	if r.err == nil || bits.OnesCount(uint(p.count)) != 1 {
		return
	}
	p.logger.Info("no data of the owner", zap.Int("request", p.count), zap.String("because", string(v)), zap.Error(r.err))
}

// stop ends it for good.
func (p *poller) stop() {
	p.enabled = false
	p.timer.Stop()
	if p.cancel != nil {
		p.cancel()
	}
}
