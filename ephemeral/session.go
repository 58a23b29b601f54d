package ephemeral

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov/internal/wait"
)

// session is one Up or UpOn.
type session struct {
	n       *Network
	op      string
	sys     system
	dhcp    dhcp
	started time.Time

	attempts int
	last     error // of the last attempt that failed by itself
	// pauseDue is true after a failed attempt, paused between a pause and the next attempt.
	pauseDue bool
	paused   bool
	// raised lists the links that were down before, to be set down again.
	raised []int
}

// offer is a lease that may be used, and the attempt that got it.
type offer struct {
	Attempt

	grant grant
}

// round is what came of the candidates since all of them were last tried.
type round struct {
	tried []int // indexes
	// silent: an attempt failed, so that the primary NIC may be among those without a lease.
	silent bool
	// spare is the first whose lease has a default route, if nothing better.
	spare *offer
}

// any brings up the first candidate that leads to the platform. Which candidates there are
// is asked before each attempt: links come, go, and find their carrier.
func (s *session) any(ctx context.Context) error {
	rounds, r := 1, round{}
	for {
		if err := s.pause(ctx); err != nil {
			return err
		}
		link, found, err := s.next(r.tried)
		done := false
		switch {
		case err != nil:
			err = s.failed(ctx, Attempt{}, errConfigure(s.op, Link{}, err))
		case found:
			done, err = s.candidate(ctx, link, &r)
		default:
			done, err = s.endRound(ctx, &r, rounds)
			rounds, r = rounds+1, round{}
		}
		if done || err != nil {
			return err
		}
	}
}

// next returns the likeliest candidate that is not among tried.
func (s *session) next(tried []int) (Link, bool, error) {
	links, err := s.sys.links()
	if err != nil {
		return Link{}, false, err
	}
	for _, link := range candidateNICs(links, s.n.o.Usable) {
		if !slices.Contains(tried, link.Index) {
			return link, true, nil
		}
	}
	return Link{}, false, nil
}

// candidate tries one link. An error ends the session.
func (s *session) candidate(ctx context.Context, link Link, r *round) (done bool, err error) {
	r.tried = append(r.tried, link.Index)
	o, err := s.obtain(ctx, link)
	switch {
	case err != nil:
		r.silent = true
		return false, s.failed(ctx, o.Attempt, err)
	case o.Lease.Primary():
		return s.use(ctx, o)
	}
	if r.spare == nil && o.Lease.Gateway.IsValid() {
		r.spare = &o
		return false, nil // reported when it is known what becomes of it
	}
	err = s.failed(ctx, o.Attempt, errNotPrimary(s.op, o.Attempt))
	s.pauseDue = false // the next candidate may be the one
	return false, err
}

// endRound is what remains when no candidate was primary. An error ends the session.
func (s *session) endRound(ctx context.Context, r *round, rounds int) (done bool, err error) {
	switch {
	case len(r.tried) == 0:
		return false, s.failed(ctx, Attempt{}, errNoInterface(s.op, time.Since(s.started)))
	case r.spare != nil && (!r.silent || rounds >= patientRounds):
		return s.use(ctx, *r.spare)
	case r.spare != nil:
		err = s.failed(ctx, r.spare.Attempt, errNotPrimary(s.op, r.spare.Attempt))
	}
	s.pauseDue = !s.paused
	return false, err
}

// only brings up one link.
func (s *session) only(ctx context.Context, index int) (primary bool, err error) {
	for {
		if err := s.pause(ctx); err != nil {
			return false, err
		}
		link, err := s.sys.link(index)
		if err != nil {
			return false, s.final(ctx, errNoLink(s.op, index, err))
		}
		o, err := s.obtain(ctx, link)
		switch {
		case err != nil:
			err = s.failed(ctx, o.Attempt, err)
		case o.Lease.Primary():
			primary, err = s.use(ctx, o)
		default:
			s.report(o.Attempt)
			return false, nil
		}
		if primary || err != nil {
			return primary, err
		}
	}
}

// obtain sets a link up and gets a lease. The attempt is there even if there is an error.
func (s *session) obtain(ctx context.Context, link Link) (offer, error) {
	s.attempts++
	s.paused = false
	started := time.Now()
	o := offer{Attempt: Attempt{Op: s.op, Number: s.attempts, Link: link}}
	err := s.raise(ctx, &o.Link)
	if err == nil {
		short, cancel := context.WithTimeout(ctx, tryTimeout)
		o.grant, err = s.dhcp.acquire(short, o.Link)
		cancel()
	}
	o.Lease, o.Elapsed = o.grant.Lease, time.Since(started)
	if err != nil {
		return o, errLease(s.op, o.Attempt, err)
	}
	return o, nil
}

// raise sets the link up if it is not, and waits for its carrier as long as that may take.
func (s *session) raise(ctx context.Context, link *Link) error {
	if !link.Up {
		if err := s.sys.setUp(link.Index, true); err != nil {
			return err
		}
		if !slices.Contains(s.raised, link.Index) {
			s.raised = append(s.raised, link.Index)
		}
	}
	for range carrierTries {
		if hasCarrier(*link) {
			return nil
		}
		if err := wait.For(ctx, carrierPause); err != nil {
			return err
		}
		now, err := s.sys.link(link.Index)
		if err != nil {
			return err
		}
		*link = now
	}
	return nil
}

// use configures the link and keeps its lease. An error ends the session.
func (s *session) use(ctx context.Context, o offer) (done bool, err error) {
	a := &attachment{link: o.Link, raised: slices.Contains(s.raised, o.Link.Index)}
	err = s.sys.sweep(o.Link.Index)
	if err == nil {
		err = a.configure(s.sys, o.grant)
	}
	if err != nil {
		a.raised = false // the session sets it down, if it is not tried again
		if undo := a.undo(s.sys); undo != nil {
			s.n.o.Logger.Warn("network", zap.String("op", s.op), zap.Error(undo))
		}
		return false, s.failed(ctx, o.Attempt, errConfigure(s.op, o.Link, err))
	}
	s.raised = slices.DeleteFunc(s.raised, func(index int) bool { return index == o.Link.Index })
	o.Lease = a.grant.clone()
	s.report(o.Attempt)
	s.n.attach(a)
	a.startRenewal(ctx, s.n)
	return true, nil
}

// settle sets the links down that were set up and are not used.
func (s *session) settle() {
	for _, index := range s.raised {
		if err := s.sys.setUp(index, false); err != nil && !errors.Is(err, errGone) {
			s.n.o.Logger.Warn("network", zap.String("op", s.op), zap.Error(err))
		}
	}
}

// pause waits if the last attempt failed. Its error ends the session.
func (s *session) pause(ctx context.Context) error {
	err := ctx.Err()
	if s.pauseDue && err == nil {
		err = wait.For(ctx, tryPause)
		s.paused = true
	}
	s.pauseDue = false
	if err != nil {
		return s.final(ctx, err)
	}
	return nil
}

// failed reports a failed attempt. It returns the error that ends the session if another
// attempt cannot help. What the end of the session's time has cut short is no failure of
// its own, and would hide the one before.
func (s *session) failed(ctx context.Context, a Attempt, err error) error {
	s.pauseDue = true
	if s.last == nil || ctx.Err() == nil {
		s.last = err
		a.Op, a.Err = s.op, err
		s.report(a)
	}
	if errors.Is(err, fs.ErrPermission) {
		return s.final(ctx, err)
	}
	return nil
}

// report tells of an attempt.
func (s *session) report(a Attempt) { s.n.report(a) }

// final is the session's error: err is what ended it.
func (s *session) final(ctx context.Context, err error) error {
	e := ended(s.op, ctx.Err(), err)
	e.Attempts, e.Elapsed = s.attempts, time.Since(s.started)
	if e.Context != nil {
		e.Last = s.last
	}
	return e
}
