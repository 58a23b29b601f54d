package provision

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/ovf"
)

// errNotAzure tells a machine that is none of Azure's from a service that is not.
var errNotAzure = errors.New("the chassis asset tag is not Azure's")

const (
	// silentAttempts and silentTime end the read of IMDS when nothing ever answered
	// and the medium has all that is needed: some Azure Stack fabrics have no IMDS
	// (cloud-init allows 11 connection errors there).
	silentAttempts = 11
	silentTime     = 30 * time.Second
)

// sources is what was read, before it is merged.
type sources struct {
	network *networkUp
	dmi     azprov.DMI
	env     *ovf.Environment // nil without a medium
	envFrom Source
	inst    *imds.GetInstanceResponse // nil if IMDS never answered
	pps     imds.PPSType
	// vmID is the id that the pool's marker was compared with; marked: it is this VM's.
	vmID   azprov.VMID
	marked bool
	// imdsSeen: IMDS has answered in this run.
	imdsSeen bool
	keys     map[string]string // by thumbprint
	notes    []string
}

// Collect gathers what the platform says of the machine and merges it. It reports
// nothing terminal.
//
// The medium is read first; IMDS once the medium has been read, or meanwhile if a
// first look found none. The guest proxy agent is waited for if the medium asks for
// it. Reading IMDS has the client's budget; the interfaces in Options are bounded by ctx
// alone. A VM in a pool reports Ready to it, ejects the medium, and waits for its owner,
// whose data replaces the pool's, for as long as ctx lets it.
//
// Options.Network, if there is one, is brought up while the medium is read, and left so.
// Keys that the medium names by fingerprint are resolved, unless IMDS has keys.
//
// Errors are *azprov.Error: NotAzure on a machine that is none of Azure's; what the
// medium and IMDS give; Timeout and Canceled when ctx ends; those of
// [pps.Machine.Run] for a VM in a pool, Stale if IMDS still shows the pool after it;
// NotFound if neither names a way to log in, or custom data is missing; Protected for a value that is encrypted for somebody else.
func (p *Provisioner) Collect(ctx context.Context) (*Machine, error) {
	machine, _, err := p.collect(ctx, p.newTimeline())
	return machine, err
}

func (p *Provisioner) newTimeline() *timeline {
	return &timeline{onStep: p.o.OnStep, event: p.reporter.event, logger: p.o.Logger}
}

// collect also returns what was read, and the network if it was begun to bring one up.
func (p *Provisioner) collect(ctx context.Context, t *timeline) (*Machine, *sources, error) {
	s := &sources{envFrom: SourceOVF}
	if err := p.identify(ctx, t, s); err != nil {
		return nil, s, err
	}
	s.network = p.startNetwork(ctx, t)
	read := p.read
	if p.findMarker(ctx, s); s.marked { // the medium is gone, and IMDS may show the pool or the owner
		read = func(context.Context, *timeline, *sources) error { return nil }
	}
	steps := []func(context.Context, *timeline, *sources) error{
		read, p.preprovision, p.resolveKeys,
	}
	for _, step := range steps {
		err := step(ctx, t, s)
		if err == nil && ctx.Err() != nil {
			err = wait.Ended("provision.Collect", "", ctx.Err())
		}
		if err != nil {
			s.network.settle(ctx)
			return nil, s, err
		}
	}
	machine, err := p.merge(ctx, t, s)
	return machine, s, err
}

func (p *Provisioner) merge(ctx context.Context, t *timeline, s *sources) (machine *Machine, err error) {
	err = t.step(ctx, StepMerge, func(context.Context) (string, error) {
		var err error
		machine, err = merge(s, p.o)
		return "", err
	})
	return machine, err
}

func (p *Provisioner) identify(ctx context.Context, t *timeline, s *sources) error {
	return t.step(ctx, StepIdentify, func(context.Context) (string, error) {
		dmi, err := azprov.ReadDMI(p.o.Sysfs)
		s.dmi = dmi
		if err != nil {
			s.notes = append(s.notes, err.Error())
		}
		switch {
		case dmi.OnAzure():
			return "the chassis carries Azure's asset tag", nil
		case p.o.AssumeAzure:
			return "no Azure asset tag; going on as told", nil
		default:
			return "", &azprov.Error{
				Op: "provision.Collect", Kind: azprov.KindNotAzure, Last: errNotAzure,
				Message: errNotAzure.Error(),
				Hint:    "this machine is not a VM on Azure; to provision it against other endpoints, name them",
			}
		}
	})
}

// read gets medium and IMDS, in the order that Collect promises.
func (p *Provisioner) read(ctx context.Context, t *timeline, s *sources) error {
	missed := make(chan struct{})
	var once sync.Once
	m := &mediumRead{done: make(chan struct{})}
	mediumCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(m.done)
		p.readMedium(mediumCtx, t, m, func() { once.Do(func() { close(missed) }) })
	}()
	select {
	case <-ctx.Done(): // a medium that does not listen must not hold up the end
		return wait.Ended("provision.Collect", "", ctx.Err())
	case <-s.network.failure():
		return s.network.wait(ctx)
	case <-m.done:
		if err := m.take(s); err != nil {
			return err
		}
		return p.readIMDSAfter(ctx, t, s)
	case <-missed:
		return p.readBoth(ctx, t, s, m)
	}
}

// mediumRead is the medium's result; it is there when done is closed.
type mediumRead struct {
	done chan struct{}
	env  *ovf.Environment
	err  error
	// note says why there is none, if it is not just absent.
	note string
}

// take adds the result to what is known.
func (m *mediumRead) take(s *sources) error {
	if m.note != "" {
		s.notes = append(s.notes, m.note)
	}
	s.env = m.env
	return m.err
}

// enough reports whether the medium has come and can do alone.
func (m *mediumRead) enough(p *Provisioner) bool {
	select {
	case <-m.done:
		return p.complete(m.env)
	default:
		return false
	}
}

// readBoth reads IMDS while a late medium is awaited. A definite failure of either ends
// both; that IMDS never answered is no failure if the medium can do alone.
func (p *Provisioner) readBoth(ctx context.Context, t *timeline, s *sources, m *mediumRead) error {
	early := &earlyRead{done: make(chan struct{})}
	early.network = s.network
	imdsCtx, stop := context.WithCancel(ctx)
	go func() {
		defer close(early.done)
		early.err = p.readIMDS(imdsCtx, t, &early.sources, func() bool { return m.enough(p) })
	}()
	defer func() { stop(); <-early.done }()

	select {
	case <-ctx.Done():
		return wait.Ended("provision.Collect", "", ctx.Err())
	case <-m.done:
	case <-early.done:
		if s.network.hasFailed() || p.definite(early.err) {
			return early.err
		}
	}
	select {
	case <-ctx.Done():
		return wait.Ended("provision.Collect", "", ctx.Err())
	case <-m.done:
	}
	if err := m.take(s); err != nil {
		return err
	}
	if wantsProxyAgent(m.env) && p.o.ProxyAgent != nil {
		stop() // what was read before the agent does not count
		<-early.done
		return p.readIMDSAfter(ctx, t, s)
	}
	<-early.done
	s.inst, s.imdsSeen, s.notes = early.inst, early.imdsSeen, append(s.notes, early.notes...)
	if errors.Is(early.err, azprov.ErrNoAnswer) && !s.network.hasFailed() && p.complete(s.env) {
		s.notes = append(s.notes, noteMediumAlone)
		return nil
	}
	return early.err
}

// definite reports whether a failed early read of IMDS makes the medium pointless. A
// refusal does not where the medium may still ask for the guest proxy agent.
func (p *Provisioner) definite(err error) bool {
	if err == nil || errors.Is(err, azprov.ErrNoAnswer) {
		return false
	}
	refused := errors.Is(err, azprov.ErrUnauthenticated) || errors.Is(err, azprov.ErrDenied)
	return !refused || p.o.ProxyAgent == nil
}

// earlyRead is a read of IMDS beside the medium's; it is there when done is closed.
type earlyRead struct {
	sources
	done chan struct{}
	err  error
}

// readMedium fills m. That there is no medium, or none that can be read, is no error yet:
// what IMDS has may be enough.
func (p *Provisioner) readMedium(ctx context.Context, t *timeline, m *mediumRead, missed func()) {
	m.err = t.step(ctx, StepMedium, func(ctx context.Context) (string, error) {
		env, err := p.o.Medium.Read(ctx, missed)
		if errors.Is(err, azprov.ErrNotFound) {
			m.note = whyNone(err)
			return "none", nil
		}
		if err != nil {
			return "", err
		}
		m.env = env
		p.prepareKeys(env)
		return "ovf-env.xml read", nil
	})
}

// whyNone is a note where something else than absence was found.
func whyNone(err error) string {
	var e *azprov.Error
	if errors.As(err, &e) && e.Last != nil {
		return "no medium was read: " + azprov.OneLine(e.Last.Error())
	}
	return ""
}

func wantsProxyAgent(env *ovf.Environment) bool {
	return env != nil && env.Platform.ProvisionGuestProxyAgent == azprov.SwitchOn
}

// readIMDSAfter reads IMDS once the medium is known.
func (p *Provisioner) readIMDSAfter(ctx context.Context, t *timeline, s *sources) error {
	if wantsProxyAgent(s.env) && p.o.ProxyAgent != nil {
		if err := s.network.wait(ctx); err != nil {
			return err
		}
		wait := func(ctx context.Context) (string, error) { return "", p.o.ProxyAgent(ctx) }
		if err := t.step(ctx, StepProxyAgent, wait); err != nil {
			return err
		}
	}
	// Silence is taken for absence only where IMDS has not answered before.
	alone := p.complete(s.env) && !s.imdsSeen
	return p.readIMDS(ctx, t, s, func() bool { return alone })
}

const noteMediumAlone = "IMDS did not answer; the medium alone was used"

// readIMDS fills s.inst. It leaves it nil, without an error, if nothing ever answered
// and the medium can do alone.
func (p *Provisioner) readIMDS(ctx context.Context, t *timeline, s *sources, alone func() bool) error {
	if err := s.network.wait(ctx); err != nil {
		return err
	}
	return t.step(ctx, StepIMDS, func(ctx context.Context) (string, error) {
		resp, err := p.o.IMDS.GetInstance(ctx, &imds.GetInstanceOptions{
			SilentAttempts: silentAttempts, SilentTime: atMost(ctx, silentTime), SilentWhile: alone,
		})
		if err == nil {
			s.inst, s.imdsSeen = &resp, true
			return "api-version " + resp.APIVersion, nil
		}
		if errors.Is(err, azprov.ErrNoAnswer) && alone() && ctx.Err() == nil {
			s.notes = append(s.notes, noteMediumAlone)
			return "no answer; the medium is enough", nil
		}
		return "", err
	})
}

// atMost is less than usual if the caller's deadline is near, for there must be time to
// apply and to report.
func atMost(ctx context.Context, usual time.Duration) time.Duration {
	if deadline, has := ctx.Deadline(); has {
		return min(usual, max(time.Until(deadline)/2, time.Second))
	}
	return usual
}

// complete reports whether a medium gives a user with a way to log in.
func (p *Provisioner) complete(env *ovf.Environment) bool {
	if env == nil || env.UserName == "" {
		return false
	}
	return env.UserPassword.Len() > 0 || slices.ContainsFunc(env.PublicKeys, hasValue) || len(byFingerprint(env)) > 0
}
