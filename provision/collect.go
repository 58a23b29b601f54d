package provision

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

const (
	// silentAttempts and silentTime end the read of IMDS when nothing ever answered
	// and the medium has all that is needed: some Azure Stack fabrics have no IMDS
	// (cloud-init allows 11 connection errors there).
	silentAttempts = 11
	silentTime     = 30 * time.Second
)

// sources is what was read, before it is merged.
type sources struct {
	dmi     azprov.DMI
	env     *ovf.Environment // nil without a medium
	envFrom Source
	inst    *imds.GetInstanceResponse // nil if IMDS never answered
	pps     imds.PPSType
	keys    map[string]string // by thumbprint
	notes   []string
}

// Collect gathers what the platform says of the machine and merges it. It reports
// nothing terminal.
//
// The medium is read first; IMDS once the medium has been read, or meanwhile if a
// first look found none. The guest proxy agent is waited for if the medium asks for
// it. Waiting is bounded by the clients' budgets or by ctx.
//
// Errors are *azprov.Error: NotAzure on a machine that is none of Azure's; what the
// medium and IMDS give; NotFound if neither names a way to log in, or custom data is
// missing; Protected for a value that is encrypted for somebody else.
func (p *Provisioner) Collect(ctx context.Context) (*Machine, error) {
	return p.collect(ctx, p.newTimeline())
}

func (p *Provisioner) newTimeline() *timeline {
	return &timeline{onStep: p.o.OnStep, logger: p.o.Logger}
}

func (p *Provisioner) collect(ctx context.Context, t *timeline) (*Machine, error) {
	s := &sources{envFrom: SourceOVF}
	steps := []func(context.Context, *timeline, *sources) error{
		p.identify, p.networkUp, p.read, p.preprovision, p.resolveKeys,
	}
	for _, step := range steps {
		if err := step(ctx, t, s); err != nil {
			return nil, err
		}
		if err := ended(ctx); err != nil {
			return nil, err
		}
	}
	var machine *Machine
	err := t.step(ctx, StepMerge, func(context.Context) (string, error) {
		var err error
		machine, err = merge(s, p.o)
		return "", err
	})
	return machine, err
}

// ended returns an error if the caller's context has ended.
func ended(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return &azprov.Error{Op: "provision.Collect", Kind: azprov.KindCanceled, Message: "canceled by the caller", Context: err}
	default:
		return &azprov.Error{Op: "provision.Collect", Kind: azprov.KindTimeout, Message: "time ran out", Context: err}
	}
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
				Op: "provision.Collect", Kind: azprov.KindNotAzure,
				Message: "the chassis asset tag is not Azure's",
				Hint:    "this machine is not a VM on Azure; to provision it against other endpoints, name them",
			}
		}
	})
}

func (p *Provisioner) networkUp(ctx context.Context, t *timeline, _ *sources) error {
	if p.o.Network == nil {
		return nil
	}
	return t.step(ctx, StepNetwork, func(ctx context.Context) (string, error) { return "", p.o.Network.Up(ctx) })
}

// read gets medium and IMDS, in the order that Collect promises.
func (p *Provisioner) read(ctx context.Context, t *timeline, s *sources) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	missed := make(chan struct{})
	var once sync.Once
	medium := make(chan error, 1)
	go func() { medium <- p.readMedium(ctx, t, s, func() { once.Do(func() { close(missed) }) }) }()

	select {
	case err := <-medium:
		if err != nil {
			return err
		}
		return p.readIMDSAfter(ctx, t, s)
	case <-missed:
		return p.readBoth(ctx, t, s, medium)
	}
}

// readBoth reads IMDS while a late medium is awaited.
func (p *Provisioner) readBoth(ctx context.Context, t *timeline, s *sources, medium <-chan error) error {
	imdsCtx, stop := context.WithCancel(ctx)
	defer stop()
	early := &sources{}
	var enough atomic.Bool // the medium came, and can do alone
	instance := make(chan error, 1)
	go func() { instance <- p.readIMDS(imdsCtx, t, early, enough.Load) }()
	err := <-medium
	if err != nil || (wantsProxyAgent(s.env) && p.o.ProxyAgent != nil) {
		stop()
		if abandoned := <-instance; abandoned != nil {
			p.o.Logger.Debug("the early read of IMDS was given up", zap.Error(abandoned))
		}
		if err != nil {
			return err
		}
		return p.readIMDSAfter(ctx, t, s)
	}
	if complete(s.env) {
		enough.Store(true)
		timer := time.AfterFunc(silentTime, stop)
		defer timer.Stop()
	}
	err = <-instance
	s.inst, s.notes = early.inst, append(s.notes, early.notes...)
	return err
}

func (p *Provisioner) readMedium(ctx context.Context, t *timeline, s *sources, missed func()) error {
	return t.step(ctx, StepMedium, func(ctx context.Context) (string, error) {
		env, err := p.o.Medium.Read(ctx, missed)
		if errors.Is(err, azprov.ErrNotFound) {
			return "none", nil
		}
		if err != nil {
			return "", err
		}
		s.env = env
		return "ovf-env.xml read", nil
	})
}

func wantsProxyAgent(env *ovf.Environment) bool {
	return env != nil && env.Platform.ProvisionGuestProxyAgent == azprov.SwitchOn
}

// readIMDSAfter reads IMDS once the medium is known.
func (p *Provisioner) readIMDSAfter(ctx context.Context, t *timeline, s *sources) error {
	if wantsProxyAgent(s.env) && p.o.ProxyAgent != nil {
		wait := func(ctx context.Context) (string, error) { return "", p.o.ProxyAgent(ctx) }
		if err := t.step(ctx, StepProxyAgent, wait); err != nil {
			return err
		}
	}
	alone := complete(s.env)
	return p.readIMDS(ctx, t, s, func() bool { return alone })
}

// readIMDS fills s.inst. It leaves it nil, without an error, if nothing ever answered
// and the medium can do alone.
func (p *Provisioner) readIMDS(ctx context.Context, t *timeline, s *sources, alone func() bool) error {
	return t.step(ctx, StepIMDS, func(ctx context.Context) (string, error) {
		options := &imds.GetInstanceOptions{}
		if alone() {
			options.SilentAttempts, options.SilentTime = silentAttempts, silentTime
		}
		resp, err := p.o.IMDS.GetInstance(ctx, options)
		if err == nil {
			s.inst = &resp
			return "api-version " + resp.APIVersion, nil
		}
		if alone() && neverAnswered(err) {
			s.notes = append(s.notes, "IMDS did not answer; the medium alone was used")
			return "no answer; the medium is enough", nil
		}
		return "", err
	})
}

// neverAnswered reports whether the read ended, or was stopped, without any answer.
func neverAnswered(err error) bool {
	var e *azprov.Error
	return errors.As(err, &e) && e.Status == 0 && e.Attempts > 0 && errors.Is(err, azprov.ErrNetwork) &&
		(e.Kind == azprov.KindNetwork || e.Kind == azprov.KindCanceled)
}

// complete reports whether a medium gives a user with a way to log in.
func complete(env *ovf.Environment) bool {
	return env != nil && env.UserName != "" && (env.UserPassword.Len() > 0 || len(env.PublicKeys) > 0)
}

func (p *Provisioner) preprovision(ctx context.Context, t *timeline, s *sources) error {
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
		return "the owner's data has come", p.readIMDSAfter(ctx, t, s)
	})
}

// ppsType is Savable, then PreprovisionedOSDisk, then Running, whoever of medium and
// IMDS says so (cloud-init's order).
func ppsType(s *sources) imds.PPSType {
	var fromOVF, fromIMDS imds.PPSType
	if s.env != nil {
		fromOVF = imds.PPSType(s.env.Platform.PreprovisionedVMType)
		if fromOVF == "" && s.env.Platform.PreprovisionedVM == azprov.SwitchOn {
			fromOVF = imds.PPSTypeRunning
		}
	}
	if s.inst != nil {
		fromIMDS = s.inst.Extended.Compute.PPSType
	}
	for _, kind := range []imds.PPSType{imds.PPSTypeSavable, imds.PPSTypePreprovisionedOSDisk, imds.PPSTypeRunning} {
		if fromOVF == kind || fromIMDS == kind {
			return kind
		}
	}
	for _, word := range []imds.PPSType{fromOVF, fromIMDS} {
		if word != "" && word != imds.PPSTypeNone {
			s.notes = append(s.notes, "unknown pre-provisioning type "+strconv.Quote(azprov.OneLine(string(word)))+" taken as None")
		}
	}
	return imds.PPSTypeNone
}

func (p *Provisioner) resolveKeys(ctx context.Context, t *timeline, s *sources) error {
	wanted := unresolved(s)
	if len(wanted) == 0 {
		return nil
	}
	if p.o.Keys == nil {
		s.notes = append(s.notes, strconv.Itoa(len(wanted))+" SSH keys are named by fingerprint only and were left out: no KeyResolver is configured")
		return nil
	}
	return t.step(ctx, StepKeys, func(ctx context.Context) (string, error) {
		keys, err := p.o.Keys.ResolveKeys(ctx, wanted)
		s.keys = keys
		return strconv.Itoa(len(keys)) + " of " + strconv.Itoa(len(wanted)) + " keys by fingerprint", err
	})
}

// unresolved lists the thumbprints of the medium's keys that have no value, if the
// medium's keys count at all.
func unresolved(s *sources) []string {
	if s.env == nil || imdsKeysCount(s.inst) {
		return nil
	}
	var wanted []string
	for _, key := range s.env.PublicKeys {
		if key.Value == "" && key.Fingerprint != "" {
			wanted = append(wanted, key.Thumbprint())
		}
	}
	return wanted
}
