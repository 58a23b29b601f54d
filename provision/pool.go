package provision

import (
	"context"
	"slices"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/wireserver"
)

const (
	// ppsBudget is how long a pre-provisioning type that cannot be right is read again:
	// the budget of a read of IMDS.
	ppsBudget = 5 * time.Minute
	// ppsPause is the pause between these reads.
	ppsPause = 5 * time.Second
	// stalePause is the pause between the reads of a VM that has an owner, whom IMDS has
	// not noticed. The poll is over then, and five requests a second are allowed.
	stalePause = 500 * time.Millisecond
	// storeTimeout bounds the removal of the pool's marker, a file on this machine.
	storeTimeout = 10 * time.Second
)

// PoolOptions is how a VM waits in a pre-provisioning pool, until it has an owner; see
// package pps. The zero value waits by the links of this machine, leaves the network to
// the operating system, and recovers after a reboot by what IMDS says.
type PoolOptions struct {
	// Links tell of the exchange of the network: [pps.SystemLinks] if nil; none with
	// AssumeAzure or Sysfs, which say that the platform is not this machine's.
	Links pps.Links
	// Network is changed as the exchange needs it: Options.Network if nil and it can be.
	Network pps.Network
	// Store keeps the marker of the pool where a reboot finds it. It is cleared when the
	// platform has taken the report of the outcome.
	Store pps.Store
	// Candidate and OnState are as in [pps.Options].
	Candidate func(pps.Link) bool
	OnState   func(pps.Transition)
}

// poolDefaults fills in what the other options decide.
func poolDefaults(o *Options, ownPlatform bool) {
	if o.Pool.Links == nil && ownPlatform {
		o.Pool.Links = pps.SystemLinks()
	}
	if network, ok := o.Network.(pps.Network); ok && o.Pool.Network == nil {
		o.Pool.Network = network
	}
}

// findMarker recognizes a VM that has reported to its pool before it was rebooted. The id
// is IMDS's where the firmware's cannot be read.
func (p *Provisioner) findMarker(ctx context.Context, s *sources) {
	id, _ := s.dmi.VMID()
	if id.IsZero() && s.inst != nil {
		id, _ = azprov.ParseVMID(s.inst.Compute.VMID)
	}
	if s.marked || id.IsZero() {
		return
	}
	_, marked, warnings := pps.FindMarker(ctx, p.o.Pool.Store, id)
	s.vmID, s.marked, s.notes = id, marked, append(s.notes, warnings...)
}

// preprovision waits for the owner of a VM in a pool.
func (p *Provisioner) preprovision(ctx context.Context, t *timeline, s *sources) error {
	p.findMarker(ctx, s)
	if !s.marked {
		if err := p.settle(ctx, t, s, ppsPause, knownPPSType); err != nil {
			return err
		}
	}
	evidence := pps.Evidence{Marker: s.marked, OVF: s.env}
	if s.inst != nil {
		evidence.IMDS = s.inst.Extended.Compute.PPSType
	}
	kind, warnings := pps.Determine(evidence)
	s.pps, s.notes = imds.PPSType(kind), append(s.notes, warnings...)
	switch {
	case kind != pps.TypeNone:
		return t.step(ctx, StepPreprovision, func(ctx context.Context) (string, error) {
			return "the owner's data has come", p.inPool(ctx, t, s, kind)
		})
	case p.mayBeReused(s):
		return t.step(ctx, StepPreprovision, func(ctx context.Context) (string, error) { return p.reusedUnseen(ctx, t, s) })
	}
	return nil
}

// inPool waits, and reads the sources anew for the owner.
func (p *Provisioner) inPool(ctx context.Context, t *timeline, s *sources, kind pps.Type) error {
	if err := s.network.wait(ctx); err != nil {
		return err
	}
	machine, err := pps.New(&pps.Options{
		Type: kind, VMID: s.vmID,
		Metadata: pps.IMDSMetadata(p.o.IMDS), Reporter: poolReporter{p}, Ejector: p.o.Medium,
		Links: p.o.Pool.Links, Network: p.o.Pool.Network, Store: p.o.Pool.Store, Candidate: p.o.Pool.Candidate,
		Logger: p.o.Logger, OnState: p.o.Pool.OnState,
	})
	if err != nil {
		return err
	}
	result, err := machine.Run(ctx)
	s.notes = append(s.notes, result.Warnings...)
	if err != nil {
		return err
	}
	return p.owned(ctx, t, s, result.Environment)
}

// owned puts the owner's document in the place of the pool's, and reads IMDS again: its
// document changes with the owner.
func (p *Provisioner) owned(ctx context.Context, t *timeline, s *sources, env *ovf.Environment) error {
	s.env, s.envFrom, s.inst = env, SourceReprovision, nil
	p.prepareKeys(env)
	if err := p.readIMDSAfter(ctx, t, s); err != nil {
		return err
	}
	return p.reused(ctx, t, s)
}

// mayBeReused: custom data is promised and there is no medium. So looks a pool's VM that
// was rebooted and kept no marker, once IMDS shows its owner.
func (p *Provisioner) mayBeReused(s *sources) bool {
	if s.env != nil || s.inst == nil {
		return false
	}
	promised, _ := s.inst.Extended.Compute.HasCustomData.Value()
	return promised
}

// reusedUnseen asks once for an owner's data. Without any, the machine is what it seems.
func (p *Provisioner) reusedUnseen(ctx context.Context, t *timeline, s *sources) (string, error) {
	const none = "no owner's data"
	resp, err := p.o.IMDS.GetReprovisionData(ctx, &imds.GetReprovisionDataOptions{SingleAttempt: true})
	if err != nil || resp.Document.Len() == 0 {
		return none, nil //nolint:nilerr // the missing custom data is what will be told
	}
	env, err := ovf.Parse(resp.Document.Reveal())
	if err != nil {
		return "", err
	}
	s.pps = imds.PPSType(pps.TypeUnknown)
	return "the VM was reused before it was rebooted; the owner's data has come", p.owned(ctx, t, s, env)
}

// poolReporter reports Ready to the pool. It is not the outcome: nothing latches it.
type poolReporter struct{ p *Provisioner }

func (r poolReporter) ReportPoolReady(ctx context.Context) error {
	_, err := r.p.o.WireServer.ReportHealth(ctx, wireserver.HealthReport{State: goalstate.HealthStateReady},
		&wireserver.ReportHealthOptions{Format: r.p.o.HealthFormat})
	return err
}

// forgetPool removes the marker of the pool when the outcome has been told. A later boot
// that found it would wait for an owner again.
func (p *Provisioner) forgetPool(ctx context.Context) (warning string) {
	if p.o.Pool.Store == nil {
		return ""
	}
	// The outcome may have come with the end of ctx.
	if err := wait.Within(context.WithoutCancel(ctx), "provision.Report", storeTimeout, p.o.Pool.Store.Clear); err != nil {
		return "the marker of the pool cannot be removed, and the next boot would wait for an owner: " + azprov.OneLine(err.Error())
	}
	return ""
}

// reused checks that IMDS has noticed the owner too: a type that stays is stale, and so
// may be the rest (cloud-init's ImdsInvalidMetadata).
func (p *Provisioner) reused(ctx context.Context, t *timeline, s *sources) error {
	if err := p.settle(ctx, t, s, stalePause, noPPSType); err != nil || s.inst == nil {
		return err
	}
	kind := s.inst.Extended.Compute.PPSType
	if noPPSType(kind) {
		return nil
	}
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindStale,
		Message: "IMDS still shows the VM in its pool after it was reused",
		Reason:  "invalid IMDS metadata for key=extended.compute.ppsType",
		Details: []azprov.Detail{
			{Key: "key", Value: "extended.compute.ppsType"}, {Key: "value", Value: azprov.OneLine(string(kind))}, {Key: "type", Value: "str"},
		},
	}
}

// settle reads IMDS again until its type satisfies fine, or the budget is over.
func (p *Provisioner) settle(ctx context.Context, t *timeline, s *sources, pause time.Duration, fine func(imds.PPSType) bool) error {
	start := time.Now()
	for s.inst != nil && !fine(s.inst.Extended.Compute.PPSType) && time.Since(start)+pause <= ppsBudget {
		if err := wait.For(ctx, pause); err != nil {
			return wait.Ended("provision.Collect", "", err)
		}
		if err := p.readIMDS(ctx, t, s, func() bool { return false }); err != nil {
			return err
		}
	}
	return nil
}

func noPPSType(kind imds.PPSType) bool { return kind == "" || kind == imds.PPSTypeNone }

func knownPPSType(kind imds.PPSType) bool {
	return kind == "" || slices.Contains(imds.PossiblePPSTypeValues(), kind)
}
