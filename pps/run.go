package pps

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

const opRun = "pps.Machine.Run"

// run is one run of a [Machine]. Its fields belong to the goroutine of Run; what others do
// arrives over channels.
type run struct {
	m        *Machine
	o        *Options
	state    State
	timeline timeline
	result   *Result
	err      error
	running  sync.WaitGroup

	watch      *watch
	tracker    *tracker
	poll       *poller
	connection connection
	report     reportCall
	marker     Marker
	touch      touch
	store      Store
	// reuseLikely: an event of reuse was seen, and the network is not there again yet.
	reuseLikely bool
	exchanging  bool // the interface in use was taken away
	alarm       *time.Timer
	overdueAt   time.Time // in WaitAttach
	probeAgain  time.Time // earliest second try of an interface
}

func newRun(m *Machine) *run {
	alarm := time.NewTimer(0)
	alarm.Stop()
	return &run{
		m: m, o: &m.o, state: StateStart, alarm: alarm,
		result:     &Result{Type: m.o.Type},
		poll:       newPoller(m.o.Metadata, m.o.Logger),
		connection: connection{network: m.o.Network},
	}
}

// run goes from Start to a final state.
func (r *run) run(ctx context.Context) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	if outer.Err() == nil {
		r.begin(ctx)
	}
	for !r.state.isFinal() {
		if outer.Err() != nil {
			r.stop(ctx, outer.Err())
			break
		}
		r.wait(ctx)
	}
	cancel()
	r.alarm.Stop()
	r.poll.stop()
	r.running.Wait()
	r.result.Timeline, r.result.Dropped = r.timeline.list, r.timeline.dropped
	r.result.Requests = r.poll.count
	return r.err
}

// begin looks for the marker and opens the watcher, before anything is reported: what
// the report sets off must not be missed.
func (r *run) begin(ctx context.Context) {
	r.store = r.o.Store
	if r.o.VMID.IsZero() && r.store != nil {
		r.warn("the VM id is not known, and a reboot in the pool would not be noticed")
		r.store = nil
	}
	marker, found, warnings := FindMarker(ctx, r.store, r.o.VMID)
	for _, w := range warnings {
		r.warn(w)
	}
	if found {
		r.marker, r.result.Type = marker, TypeUnknown
	}
	if r.result.Type == TypePreprovisionedOSDisk {
		r.fire(ctx, EventBegin, "")
		return
	}
	var err error
	if r.watch, err = startWatch(ctx, r.o.Links, &r.running); err != nil {
		r.warn(watchWarning(err))
	}
	links, _ := r.watch.list()
	r.tracker = newTracker(r.o.Candidate, links, r.connection.index())
	if r.result.Type == TypeUnknown {
		r.fire(ctx, EventRecover, string(marker.Phase))
		return
	}
	r.fire(ctx, EventBegin, "")
}

// wait handles whatever comes next.
func (r *run) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case err := <-r.report.result:
		r.reported(ctx, err)
	case s := <-r.watch.channel():
		r.sighted(ctx, s)
	case <-r.poll.timer.C:
		r.poll.begin(ctx, &r.running)
	case reply := <-r.poll.replies:
		r.replied(ctx, reply)
	case <-r.connection.done():
		r.connected(ctx, r.connection.take())
	case <-r.alarm.C:
		r.alarmed(ctx)
	}
}

// fresh are the events after which a request begun before is on a network that is gone.
var fresh = []Event{
	EventSwitched, EventMaybeSwitched, EventDetached, EventAttached, EventOverdue, EventUnreachable, EventConnected, EventPrimary,
}

// reuse are the events that the host gives a VM to its owner with.
var reuse = []Event{EventSwitched, EventMaybeSwitched, EventAttached, EventOverdue}

// onNetwork are the events after which the data can be there, if it was one of reuse.
var onNetwork = []Event{EventConnected, EventPrimary}

// likely: reuse has been seen, or IMDS has gone out of reach for the first time since it
// answered, which may be reuse unseen. If a new address did not help, the next will hardly.
func (r *run) likely(event Event) bool {
	return slices.Contains(reuse, event) || (event == EventUnreachable && r.touch.renewPause == retryPause)
}

// fire makes the transition that the table has for the event.
func (r *run) fire(ctx context.Context, event Event, detail string) {
	from := r.state
	to, ok := next(from, event)
	if !ok { // the table and the code do not agree
		r.err = &azprov.Error{Op: opRun, Kind: azprov.KindInternal, Message: "no transition for " + string(event) + " in " + string(from)}
		event, to = EventFailed, StateFailed
	}
	r.state = to
	r.m.setState(to)
	step := Transition{At: time.Now(), From: from, Event: event, To: to, Detail: detail}
	r.timeline.add(step)
	r.o.Logger.Info("state", zap.String("from", string(from)), zap.String("event", string(event)), zap.String("to", string(to)), zap.String("detail", detail))
	if r.o.OnState != nil {
		r.o.OnState(step)
	}
	r.alarm.Stop()
	if slices.Contains(fresh, event) {
		r.poll.drop()
	}
	r.poll.enable(to.polls())
	switch {
	case slices.Contains(onNetwork, event) && r.reuseLikely:
		r.poll.hurry()
		r.reuseLikely = false
	case r.likely(event):
		r.reuseLikely = true
	}
	if event == EventDetached {
		r.exchanging = true
	}
	r.enter(ctx)
}

// fail ends the run.
func (r *run) fail(ctx context.Context, err *azprov.Error) {
	r.err = err
	r.fire(ctx, EventFailed, err.Message)
}

// reasonShutdown is cloud-init's text for a host that did not shut the VM down
// (sources/azure/errors.py, ReportableErrorOsDiskPpsFailure).
const reasonShutdown = "error waiting for host shutdown"

// stop ends the run with its context.
func (r *run) stop(ctx context.Context, cause error) {
	e := wait.Ended(opRun, "in the pool, in state "+string(r.state), cause)
	e.Last = r.touch.last
	if r.state == StateWaitShutdown && errors.Is(cause, context.DeadlineExceeded) {
		e.Reason = reasonShutdown
	}
	r.err = e
	r.fire(ctx, EventStopped, "")
}

// warn notes what was odd, once.
func (r *run) warn(text string) {
	if len(r.result.Warnings) >= maxWarnings || slices.Contains(r.result.Warnings, text) {
		return
	}
	r.result.Warnings = append(r.result.Warnings, text)
	r.o.Logger.Warn(text)
}
