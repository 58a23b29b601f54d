package media

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

const (
	// DefaultWait is how long a medium is waited for that is not there at the first
	// look. WALinuxAgent waits 25 s; a host has been seen to attach the disc, and a
	// driver to find the drive, some seconds after the agent's start.
	DefaultWait = 30 * time.Second
	// NoWait as Options.Wait looks once.
	NoWait = -time.Nanosecond
	// CloudInitSeedDir is where cloud-init looks before any device.
	CloudInitSeedDir = "/var/lib/cloud/seed/azure"

	// patience is how long one place may take before the next is looked at, and how
	// long a search without a wait may take. A virtual drive answers in milliseconds, a
	// real one that spins up says that it is not ready.
	patience = 5 * time.Second
	// lookPause is the pause between looks without an event: not every kernel tells of a
	// disc that was put in.
	lookPause = time.Second
	// settleTime is between an event and the look: a drive that comes is many events.
	settleTime = 50 * time.Millisecond
)

// Options configures [Open]. The zero value is for the machine that runs the program.
type Options struct {
	// Device is the path of the one device or image to look at, in place of all others.
	Device string
	// SeedDirs are directories that are looked at before any device, in their order. Their
	// paths begin at the root of System.FS.
	SeedDirs []string
	// Wait bounds the wait for a medium that the first look did not find, counted from
	// the call: [DefaultWait] if zero; [NoWait] for one look.
	Wait time.Duration
	// OnMissed, if set, is called once when the first look has found nothing and others
	// will follow.
	OnMissed func()
	// OnLook, if set, is called after every look with what was seen.
	OnLook func([]Sighting)
	// NoMount keeps the kernel from reading discs that cannot be read without it.
	NoMount bool
	// Cache, if set, is used where the first look finds no medium: its machine was
	// provisioned before.
	Cache *Cache
	// System is what is looked at: [Local] if nil.
	System System
}

// Open finds the provisioning medium and reads its documents. It looks at
//
//  1. Options.SeedDirs,
//  2. optical drives, in the order of their numbers,
//  3. other devices of at most 64 MiB that are read-only or removable, and are no virtual
//     ones; those with a label first.
//
// A disc that is mounted is read where it is, and left mounted. What decides is an
// ovf-env.xml of Azure's at the root, or, if no device has one, CustomData.bin alone. A
// disk that can be written and is not removable is never looked at: its content is a
// user's.
//
// If nothing is found Open waits for events of block devices, and looks again at all of
// them with each, and once a second. One that does not answer for 5 s is left behind, with
// a goroutine that ends when it does, and the others go on. On Linux only; elsewhere
// nothing but Options.Device and Options.SeedDirs is looked at.
//
// Errors: NotFound (there is none); NotReady, Denied, Internal and Malformed if a device
// was not ready, forbidden, unreadable or damaged to the end: it may have been the one;
// Timeout and Canceled when ctx ends. [ErrForeignCache] is in the tree where a copy was
// refused. The message names what was looked at. Documents that
// cannot be used are errors of [Medium.Environment].
func Open(ctx context.Context, options *Options) (*Medium, error) {
	s := newSearch(options)
	m, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	m.Warnings = append(m.Warnings, s.warnings...)
	m.system = s.system
	return m, nil
}

// search is one call of Open.
type search struct {
	o      Options
	system System
	// running are the probes that were left to themselves, by the place's path.
	running map[string]*probe
	// ended has a value when one that was left behind has.
	ended chan struct{}
	// seen is what the last look has shown.
	seen     []Sighting
	warnings []string
	// foreign is the error of a copy of another machine's medium.
	foreign error
}

// probe is a look at a place that may take long. The finding is there when done is closed.
type probe struct {
	done chan struct{}
	finding
}

func newSearch(options *Options) *search {
	s := &search{running: map[string]*probe{}, ended: make(chan struct{}, 1)}
	if options != nil {
		s.o = *options
	}
	s.o.Wait = cmp.Or(s.o.Wait, DefaultWait)
	if s.system = s.o.System; s.system == nil {
		s.system = Local()
	}
	return s
}

func (s *search) run(parent context.Context) (*Medium, error) {
	bound := s.o.Wait
	if bound < 0 {
		bound = patience
	}
	ctx, cancel := context.WithTimeout(parent, bound)
	defer cancel()
	var events <-chan struct{}
	if s.o.Wait > 0 {
		// Before the first look, so that nothing is missed.
		var err error
		if events, err = s.system.Watch(ctx); err != nil {
			s.warnings = append(s.warnings, "no events of block devices, looking once a second: "+azprov.OneLine(err.Error()))
		}
	}
	m := s.look(ctx)
	if m == nil && parent.Err() == nil {
		m = s.cached()
	}
	if m == nil && s.o.Wait > 0 && s.o.OnMissed != nil && ctx.Err() == nil {
		s.o.OnMissed()
	}
	for m == nil && s.o.Wait > 0 && s.pause(ctx, events) {
		m = s.look(ctx)
	}
	if m != nil {
		return m, nil
	}
	return nil, s.failure(parent)
}

// pause waits for a reason to look again; false if time is over.
func (s *search) pause(ctx context.Context, events <-chan struct{}) bool {
	timer := time.NewTimer(lookPause)
	defer timer.Stop()
	select {
	case <-events:
		return wait.For(ctx, settleTime) == nil
	case <-s.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// look looks at everything once.
func (s *search) look(ctx context.Context) *Medium {
	before := s.seen
	s.seen = nil
	m := s.lookAtSeeds(ctx)
	if m == nil {
		m = s.lookAtDevices(ctx)
	}
	if m == nil && ctx.Err() != nil && before != nil {
		s.seen = before // this look was cut short, and knows less
	}
	if s.o.OnLook != nil {
		s.o.OnLook(slices.Clone(s.seen))
	}
	return m
}

func (s *search) lookAtSeeds(ctx context.Context) *Medium {
	for _, dir := range s.o.SeedDirs {
		f := s.ask(ctx, dir, func() finding {
			return probeDir(s.system.FS(), dir, &Medium{Source: SourceSeed, Path: dir})
		})
		if s.note(dir, f); f.medium != nil {
			return f.medium
		}
	}
	return nil
}

// lookAtDevices takes custom data alone if no device has a document.
func (s *search) lookAtDevices(ctx context.Context) *Medium {
	candidates, passedOver := s.candidates()
	s.seen = append(s.seen, passedOver...)
	var partial *Medium
	for _, c := range candidates {
		f := s.ask(ctx, c.path, func() finding { return probeDevice(ctx, s.system, c, s.o.NoMount) })
		s.note(c.path, f)
		if f.medium != nil && !f.partial() {
			return f.medium
		}
		partial = cmp.Or(partial, f.medium)
	}
	return partial
}

func (s *search) note(path string, f finding) {
	s.seen = append(s.seen, Sighting{path, f.outcome, f.detail})
}

func (s *search) candidates() ([]candidate, []Sighting) {
	found := readDevices(s.system.FS())
	if s.o.Device != "" {
		return []candidate{found.named(s.o.Device)}, nil
	}
	return found.candidates()
}

// ask looks at a place. One that is slow is left to itself: what it says counts at a
// later look. None is touched when time is over: nobody would wait for it.
func (s *search) ask(ctx context.Context, path string, look func() finding) finding {
	p, late := s.running[path]
	limit := time.Duration(0)
	if !late {
		if ctx.Err() != nil {
			return finding{outcome: OutcomeBusy, detail: "there was no time to look"}
		}
		p, limit = start(look), patience
	}
	if p.endsWithin(ctx, limit) {
		delete(s.running, path)
		return p.finding
	}
	if !late {
		s.running[path] = p
		go s.tell(p)
	}
	return finding{outcome: OutcomeBusy, detail: "it does not answer"}
}

func start(look func() finding) *probe {
	p := &probe{done: make(chan struct{})}
	go func() {
		p.finding = look()
		close(p.done)
	}()
	return p
}

// tell wakes the search when a slow device has answered.
func (s *search) tell(p *probe) {
	<-p.done
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

func (p *probe) endsWithin(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// cached is the medium of an earlier boot.
func (s *search) cached() *Medium {
	if s.o.Cache == nil {
		return nil
	}
	env, err := s.o.Cache.Load()
	switch {
	case err == nil:
		return &Medium{
			Source: SourceCache, Path: s.o.Cache.Path, env: env,
			Warnings: []string{"there is no medium; the redacted copy of an earlier boot was used"},
		}
	case errors.Is(err, ErrForeignCache):
		s.foreign = err
		s.warnings = append(s.warnings, azprov.OneLine(err.Error()))
	case !errors.Is(err, azprov.ErrNotFound):
		s.warnings = append(s.warnings, "the copy of an earlier boot was not used: "+azprov.OneLine(err.Error()))
	}
	return nil
}

// failure says why there is no medium.
func (s *search) failure(ctx context.Context) *azprov.Error {
	if ctx.Err() != nil {
		return wait.Ended("media.Open", "no provisioning medium so far; "+s.looked(), ctx.Err())
	}
	e := &azprov.Error{Op: "media.Open", Message: "there is no provisioning medium; " + s.looked(), Last: s.foreign}
	worst := -1
	for _, sighting := range s.seen {
		if rank, kind := sighting.Outcome.severity(); rank > worst {
			worst, e.Kind = rank, kind
		}
	}
	e.Kind = cmp.Or(e.Kind, azprov.KindNotFound)
	if e.Kind == azprov.KindDenied {
		e.Hint = "run as root, or as a member of the group that may read the device"
	}
	return e
}

// looked names the places that were looked at. Those that were passed over are many, and
// none of the platform's.
func (s *search) looked() string {
	var texts []string
	for _, sighting := range s.seen {
		if sighting.Outcome != OutcomePassedOver {
			texts = append(texts, sighting.String())
		}
	}
	if len(texts) == 0 {
		return "no drive was found"
	}
	return "looked at " + strings.Join(texts, ", ")
}
