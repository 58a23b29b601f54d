package pps

import (
	"bytes"
	"context"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

const (
	// refusalsFor is how long IMDS may refuse, while there is nothing to wait for but its
	// answer: cloud-init's budget of a read that the boot depends on.
	refusalsFor = 5 * time.Minute
	// reusedFor is how long data is asked for that had come before a reboot.
	reusedFor = 5 * time.Minute
	// maxRenewPause ends the doubling of the pause between changes of the network that
	// did not help: whoever leases addresses has other clients.
	maxRenewPause = 30 * time.Second
	// flipFor is how long a link that went down may be the reason why IMDS is out of reach:
	// without a carrier no address is to be had, and its way up is an event.
	flipFor = 10 * time.Second
	// slowLimit is how many requests in a row may stay without an answer.
	slowLimit = 2
)

// touch is what is remembered of the requests that brought no data.
type touch struct {
	last         error
	slow         int       // without an answer, in a row
	refusedSince time.Time // zero: the last answer was no refusal
	renewPause   time.Duration
	renewAfter   time.Time
	flipSince    time.Time // unreachable with the link in use down or gone
	polledSince  time.Time
}

// reached: the way to IMDS is open.
func (t *touch) reached() {
	t.slow, t.renewPause = 0, 0
	t.renewAfter, t.flipSince = time.Time{}, time.Time{}
}

// inFlip says whether it is worth to wait for the link in use to come back.
func (t *touch) inFlip(now time.Time) bool {
	if t.flipSince.IsZero() {
		t.flipSince = now
	}
	return now.Sub(t.flipSince) < flipFor
}

// mayRenew says whether it is time to change the network once more.
func (t *touch) mayRenew(now time.Time) bool {
	if now.Before(t.renewAfter) {
		return false
	}
	t.renewPause = min(max(2*t.renewPause, retryPause), maxRenewPause)
	t.renewAfter = now.Add(t.renewPause)
	return true
}

// errEmpty stands for a document without content: cloud-init took it for "no data" and
// asked again 5,000 times a second.
var errEmpty = &azprov.Error{Op: opRun, Kind: azprov.KindNotReady, Message: "the owner's document is empty"}

// replied goes on with what IMDS has said.
func (r *run) replied(ctx context.Context, answer reply) {
	raw := answer.document.Reveal()
	if answer.err == nil && len(bytes.TrimSpace(raw)) == 0 {
		answer.err = errEmpty
	}
	if answer.err == nil {
		r.poll.end(answer, verdictNotYet)
		r.received(ctx, answer.document, raw)
		return
	}
	v := judge(answer.err)
	if !r.poll.end(answer, v) || !r.state.polls() || ctx.Err() != nil {
		return
	}
	r.touch.last = answer.err
	switch v {
	case verdictNotYet, verdictThrottled:
		r.touch.reached()
		r.touch.refusedSince = time.Time{}
		r.giveUpReused(ctx, answer.err)
	case verdictSlow:
		if r.touch.slow++; r.touch.slow >= slowLimit {
			r.unreachable(ctx)
		}
	case verdictUnreachable:
		r.unreachable(ctx)
	case verdictRefused:
		r.touch.reached()
		r.refused(ctx, answer.err)
	}
}

// received ends the wait: the owner's data wins, whatever was waited for.
func (r *run) received(ctx context.Context, document azprov.Secret, raw []byte) {
	env, err := ovf.Parse(raw)
	if err != nil {
		r.discard(ctx, &azprov.Error{
			Op: opRun, Kind: azprov.KindOf(err), Message: "the owner's document cannot be used", Last: err,
		})
		return
	}
	r.result.Document, r.result.Environment = document, env
	r.save(ctx, PhaseReused)
	if r.o.Network == nil || (r.state == StatePoll && !r.tracker.flipping()) {
		r.fire(ctx, EventData, "")
		return
	}
	r.fire(ctx, EventDataEarly, "")
}

// discard fails for good: a marker left behind would make every later boot wait for data
// that is of no use, or not there (cloud-init leaves it).
func (r *run) discard(ctx context.Context, err *azprov.Error) {
	if r.store != nil {
		if err := r.store.Clear(ctx); err != nil {
			r.warn("the marker of the pool cannot be removed: " + azprov.OneLine(err.Error()))
		}
	}
	r.fail(ctx, err)
}

// giveUpReused ends a wait for data that had come before a reboot: IMDS may not offer it a
// second time.
func (r *run) giveUpReused(ctx context.Context, last error) {
	if r.marker.Phase != PhaseReused {
		return
	}
	if r.touch.polledSince.IsZero() {
		r.touch.polledSince = time.Now()
	}
	if time.Since(r.touch.polledSince) >= reusedFor {
		r.discard(ctx, &azprov.Error{
			Op: opRun, Kind: azprov.KindNotReady, Last: last,
			Message: "the owner's data had come before the VM was rebooted, and IMDS does not offer it again",
		})
	}
}

// refused ends the wait if nothing but refusals came for a while. Before the exchange of
// the network, links are waited for too, and what IMDS says to a VM in the pool is no
// reason to give up.
func (r *run) refused(ctx context.Context, err error) {
	if r.state != StatePoll {
		r.touch.refusedSince = time.Time{}
		return
	}
	if r.touch.refusedSince.IsZero() {
		r.touch.refusedSince = time.Now()
	}
	if time.Since(r.touch.refusedSince) < refusalsFor {
		return
	}
	r.fail(ctx, &azprov.Error{
		Op: opRun, Kind: azprov.KindOf(err), Message: "IMDS refuses to give the owner's data", Last: err,
	})
}

// unreachable: the network may have changed without an event. The links are looked at
// first; if they say nothing, an address is asked for anew.
func (r *run) unreachable(ctx context.Context) {
	before := r.state
	if r.refresh(ctx); r.state != before || r.o.Network == nil {
		return
	}
	now := time.Now()
	if r.tracker.flipping() && !r.hasAttached() && r.touch.inFlip(now) {
		return
	}
	if _, renews := next(r.state, EventUnreachable); renews && r.touch.mayRenew(now) {
		r.touch.slow, r.touch.flipSince = 0, time.Time{}
		r.fire(ctx, EventUnreachable, azprov.OneLine(r.touch.last.Error()))
	}
}
