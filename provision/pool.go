package provision

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/wait"
)

const (
	// ppsBudget is how long a pre-provisioning type that cannot be right is read again:
	// the budget of a read of IMDS.
	ppsBudget = 5 * time.Minute
	// ppsPause is the pause between these reads.
	ppsPause = 5 * time.Second
)

// preprovision waits for the owner of a VM in a pool.
func (p *Provisioner) preprovision(ctx context.Context, t *timeline, s *sources) error {
	if err := p.settle(ctx, t, s, knownPPSType); err != nil {
		return err
	}
	s.pps = ppsType(s)
	if s.pps == imds.PPSTypeNone {
		return nil
	}
	return t.step(ctx, StepPreprovision, func(ctx context.Context) (string, error) {
		if p.o.Preprovision == nil {
			return "", &azprov.Error{
				Op: "provision.Collect", Kind: azprov.KindInternal,
				Message: "the VM waits in a pre-provisioning pool (" + string(s.pps) + ") and no Preprovisioner is configured",
				Hint:    "set Options.Preprovision, or keep this image out of such pools",
			}
		}
		env, err := p.o.Preprovision.Preprovision(ctx, s.pps)
		if err != nil {
			return "", err
		}
		s.env, s.envFrom, s.inst = env, SourceReprovision, nil
		p.prepareKeys(env)
		if err := p.readIMDSAfter(ctx, t, s); err != nil {
			return "", err
		}
		return "the owner's data has come", p.reused(ctx, t, s)
	})
}

// reused checks that IMDS has noticed the owner too: a type that stays is stale, and so
// may be the rest (cloud-init's ImdsInvalidMetadata).
func (p *Provisioner) reused(ctx context.Context, t *timeline, s *sources) error {
	if err := p.settle(ctx, t, s, noPPSType); err != nil || s.inst == nil {
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
func (p *Provisioner) settle(ctx context.Context, t *timeline, s *sources, fine func(imds.PPSType) bool) error {
	start := time.Now()
	for s.inst != nil && !fine(s.inst.Extended.Compute.PPSType) && time.Since(start)+ppsPause <= ppsBudget {
		if err := wait.For(ctx, ppsPause); err != nil {
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

// ppsType is Savable, then PreprovisionedOSDisk, then Running, whoever of medium and
// IMDS says so (cloud-init's order).
func ppsType(s *sources) imds.PPSType {
	var fromOVF, fromIMDS imds.PPSType
	pooled := false
	if s.env != nil {
		fromOVF = imds.PPSType(s.env.Platform.PreprovisionedVMType)
		pooled = s.env.Platform.PreprovisionedVM == azprov.SwitchOn
	}
	if s.inst != nil {
		fromIMDS = s.inst.Extended.Compute.PPSType
	}
	for _, word := range []imds.PPSType{fromOVF, fromIMDS} {
		if !knownPPSType(word) {
			s.notes = append(s.notes, "the pre-provisioning type "+strconv.Quote(azprov.OneLine(string(word)))+" is unknown and was taken as None")
		}
	}
	for _, kind := range []imds.PPSType{imds.PPSTypeSavable, imds.PPSTypePreprovisionedOSDisk, imds.PPSTypeRunning} {
		if fromOVF == kind || fromIMDS == kind {
			return kind
		}
	}
	if pooled {
		return imds.PPSTypeRunning
	}
	return imds.PPSTypeNone
}
