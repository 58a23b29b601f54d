package pps

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
)

const (
	// overdueAfter is how long no interface may come before the network is tried anyway:
	// the event may have been lost.
	overdueAfter = time.Minute
	// retryPause is between two tries to get an address (cloud-init: 1 s).
	retryPause = time.Second
	// probeTurn is what an interface without an answer gets while others wait. cloud-init
	// gives the first one 20 minutes, whatever comes after it.
	probeTurn = 30 * time.Second
)

// enter does what a state begins with.
func (r *run) enter(ctx context.Context) {
	switch r.state {
	case StateReport:
		r.startReport(ctx)
	case StateWaitSwitch, StateWaitDetach, StatePoll:
		r.look(ctx)
	case StateWaitAttach:
		r.enterWaitAttach(ctx)
	case StateProbe:
		r.enterProbe(ctx)
	case StateConnect:
		r.renew(ctx)
	case StateHandover:
		if !r.connection.renewing() {
			r.renew(ctx)
		}
	default:
	}
}

// A glance is what the links may show in a state, and what that leads to.
type glance struct {
	seen  func(*run) bool
	event Event
}

// glances are by state, the first match first. States that are not here do not look.
var glances = map[State][]glance{
	StateWaitSwitch: {
		{(*run).hasSwitched, EventSwitched},
		{func(r *run) bool { return r.tracker.resynced }, EventMaybeSwitched},
	},
	StateWaitDetach: {{(*run).hasDetached, EventDetached}},
	StateWaitAttach: {{(*run).hasAttached, EventAttached}},
	StateProbe:      {{(*run).probedIsGone, EventDetached}},
	StateConnect:    {{(*run).hasReplacement, EventAttached}},
	StatePoll:       {{(*run).hasSwitched, EventSwitched}, {(*run).hasDetached, EventDetached}},
}

func (r *run) hasSwitched() bool { return r.tracker.switched }
func (r *run) hasDetached() bool { return r.tracker.detached }

func (r *run) hasAttached() bool {
	_, ok := r.candidate()
	return ok
}

// hasReplacement: an interface came in the course of an exchange, which the address is
// better asked for on than on whichever there is.
func (r *run) hasReplacement() bool {
	if r.result.Type != TypeSavable && !r.exchanging {
		return false
	}
	link, ok := r.candidate()
	return ok && r.tracker.tries[link.id()] == 0
}

func (r *run) probedIsGone() bool {
	link := r.connection.attempt.link
	return r.tracker.table[link.Index].Address != link.Address
}

// look compares what the links show with what the state waits for.
func (r *run) look(ctx context.Context) {
	for _, g := range glances[r.state] {
		if g.seen(r) {
			r.fire(ctx, g.event, "")
			return
		}
	}
	switch r.state {
	case StateReport:
		if r.result.Type == TypeSavable && r.tracker.detached {
			r.report.moot = true
			r.report.cancel()
		}
	case StateConnect, StateHandover:
		if r.tracker.switched { // what has begun before is on the old network
			r.renew(ctx)
		}
	case StateProbe:
		r.limitProbe()
	default:
	}
}

// sighted takes an event of the links.
func (r *run) sighted(ctx context.Context, s sighting) {
	if s.err != nil {
		r.warn("the links are watched anew: " + azprov.OneLine(s.err.Error()))
		return
	}
	links, _ := r.watch.list()
	r.tracker.apply(s.event, links)
	r.look(ctx)
}

// refresh looks at the links as they are: an event may have been lost.
func (r *run) refresh(ctx context.Context) {
	if links, ok := r.watch.list(); ok {
		r.tracker.refresh(links)
		r.look(ctx)
	}
}

// candidate is the attached interface to be probed next. One that was tried has its pause.
func (r *run) candidate() (Link, bool) {
	for _, link := range r.tracker.unseen() {
		if r.tracker.tries[link.id()] == 0 || !time.Now().Before(r.probeAgain) {
			return link, true
		}
	}
	return Link{}, false
}

func (r *run) enterWaitAttach(ctx context.Context) {
	r.connection.abandon()
	r.overdueAt = time.Now().Add(overdueAfter)
	if r.look(ctx); r.state == StateWaitAttach {
		r.setWaitAlarm()
	}
}

// setWaitAlarm is for the next moment at which something is due in WaitAttach.
func (r *run) setWaitAlarm() {
	due := time.Until(r.overdueAt)
	if again := time.Until(r.probeAgain); len(r.tracker.unseen()) > 0 && again < due {
		due = again
	}
	r.alarm.Reset(max(due, 0))
}

func (r *run) enterProbe(ctx context.Context) {
	link, _ := r.candidate()
	r.connection.probe(ctx, &r.running, link)
	r.limitProbe()
}

// limitProbe gives the interface under probe its turn only, if others wait.
func (r *run) limitProbe() {
	if len(r.tracker.unseen()) > 1 {
		r.alarm.Reset(max(time.Until(r.connection.attempt.started.Add(probeTurn)), 0))
	}
}

// renew gets an address anew, from the start.
func (r *run) renew(ctx context.Context) {
	r.alarm.Stop()
	r.tracker.follow(r.connection.index())
	r.connection.renew(ctx, &r.running)
}

// alarmed: the state's own time is up.
func (r *run) alarmed(ctx context.Context) {
	switch r.state {
	case StateConnect:
		r.connection.renew(ctx, &r.running)
	case StateProbe:
		r.connection.attempt.cancel()
	case StateWaitAttach:
		if r.o.Network != nil && !time.Now().Before(r.overdueAt) {
			r.fire(ctx, EventOverdue, "")
			return
		}
		if r.look(ctx); r.state == StateWaitAttach && r.o.Network != nil {
			r.setWaitAlarm()
		}
	default:
	}
}

// connected goes on with what came of a change of the network.
func (r *run) connected(ctx context.Context, a *attempt) {
	switch r.state {
	case StateProbe:
		r.probed(ctx, a)
	case StateConnect:
		if a.err != nil {
			r.o.Logger.Info("no address", zap.Error(a.err))
			r.alarm.Reset(retryPause)
			return
		}
		r.tracker.settle(r.connection.index())
		r.fire(ctx, EventConnected, "")
	case StateHandover:
		if a.err != nil {
			r.warn("the owner's data is here, and no address on the owner's network: " + azprov.OneLine(a.err.Error()))
			r.fire(ctx, EventUnconnected, "")
			return
		}
		r.fire(ctx, EventConnected, "")
	default:
	}
}

// probed goes on with an interface that was attached.
func (r *run) probed(ctx context.Context, a *attempt) {
	id := a.link.id()
	switch {
	case a.err != nil:
		r.tracker.tries[id]++
		r.probeAgain = time.Now().Add(retryPause)
		r.fire(ctx, EventUnusable, azprov.OneLine(a.err.Error()))
	case a.primary:
		r.tracker.settle(a.link.Index)
		r.fire(ctx, EventPrimary, a.link.Name)
	default:
		r.tracker.known[id] = true
		r.fire(ctx, EventSecondary, a.link.Name)
	}
}
