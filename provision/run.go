package provision

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/report/crash"
)

// ejectTimeout is what a drive may take; the report does not wait for a stuck one.
const ejectTimeout = 30 * time.Second

// Result is what a run did, as far as it came.
type Result struct {
	// Machine is nil if collecting failed.
	Machine *Machine
	// Report is what the platform has accepted.
	Report ReportResult
	// ReportErr is why the report of a failure was not accepted.
	ReportErr error
	// Timeline has the steps in the order in which they ended.
	Timeline []Step
}

// Run provisions the machine: New and [Provisioner.Run] in one call.
func Run(ctx context.Context, options *Options) (Result, error) {
	p, err := New(options)
	if err != nil {
		return Result{Report: ReportResult{State: ReportNone}}, err
	}
	return p.Run(ctx)
}

// Run collects, applies, ejects the medium, and reports. Ready means that
// Options.Apply returned nil and the platform accepted the report.
//
// If a step before the report fails the platform is told so, unless the machine is none
// of Azure's or the caller canceled ctx; the failure report has Options.FailureTimeout,
// even if it was ctx's deadline that ended the step. The error is that of the step;
// Result holds all that is known in either case.
func (p *Provisioner) Run(ctx context.Context) (Result, error) {
	t := p.newTimeline()
	result := Result{Report: ReportResult{State: ReportNone}}
	machine, sources, err := p.collect(ctx, t)
	defer p.networkDown(ctx, sources.network)
	result.Machine = machine
	if err == nil {
		err = p.apply(ctx, t, machine)
	}
	if err == nil {
		p.eject(ctx, t, machine.VMID, sources.env)
		err = p.reportStep(ctx, t, &result, outcomeOf(machine, sources, nil))
	} else if worthReporting(ctx, err) {
		failing, stop := untilCanceled(ctx)
		result.ReportErr = p.reportStep(failing, t, &result, outcomeOf(machine, sources, err))
		stop()
	}
	p.reporter.flushEvents(ctx)
	result.Timeline = t.list()
	return result, err
}

func outcomeOf(machine *Machine, s *sources, err error) Outcome {
	o := Outcome{State: ReportReady}
	if err != nil {
		o = Outcome{State: ReportFailed, Err: err}
	}
	o.networkUp = s.network.isUp()
	if machine != nil {
		o.VMID, o.PPSType = machine.VMID, machine.PPSType
	}
	return o
}

// worthReporting: a machine that is none of Azure's has nobody to tell, and a caller
// who canceled may mean to go on later, whatever the step made of it.
func worthReporting(ctx context.Context, err error) bool {
	return !errors.Is(err, errNotAzure) && !errors.Is(ctx.Err(), context.Canceled)
}

// untilCanceled returns a context that outlives ctx's deadline, because the platform
// must hear of a failure for want of time too, but not its cancellation.
func untilCanceled(ctx context.Context) (context.Context, context.CancelFunc) {
	free, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return free, func() { stop(); cancel() }
}

func (p *Provisioner) apply(ctx context.Context, t *timeline, m *Machine) error {
	return t.step(ctx, StepApply, func(ctx context.Context) (string, error) {
		if p.o.Apply == nil {
			return "nothing to apply", nil
		}
		return "", p.guarded(ctx, m)
	})
}

// guarded is Apply, whose panic is a failure like others: the platform must hear of it.
func (p *Provisioner) guarded(ctx context.Context, m *Machine) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = crash.Panicked(v, debug.Stack())
		}
	}()
	return p.o.Apply(ctx, m)
}

// eject keeps the document, which is safe now, and ejects the medium. Neither is fatal: the
// host ejects the medium too, after the report.
func (p *Provisioner) eject(ctx context.Context, t *timeline, id azprov.VMID, env *ovf.Environment) {
	if _, none := p.o.Medium.(noMedium); none {
		return
	}
	_ = t.step(ctx, StepEject, func(ctx context.Context) (string, error) {
		return "", wait.Within(ctx, "provision.Run", ejectTimeout, func(ctx context.Context) error {
			var kept error
			if keeper, ok := p.o.Medium.(MediumKeeper); ok && env != nil {
				kept = keeper.Keep(ctx, id, env)
			}
			return errors.Join(kept, p.o.Medium.Eject(ctx))
		})
	})
}

func (p *Provisioner) reportStep(ctx context.Context, t *timeline, result *Result, outcome Outcome) error {
	return t.step(ctx, StepReport, func(ctx context.Context) (string, error) {
		report, err := p.Report(ctx, outcome)
		result.Report = report
		if err != nil {
			return "", err
		}
		if report.Repeated {
			return string(report.State) + " was accepted before; nothing was sent", nil
		}
		return string(report.State) + " accepted", nil
	})
}

// Report tells the platform the outcome, as [Reporter.Report] does, and forgets the pool
// that the VM may have been in once the platform knows.
func (p *Provisioner) Report(ctx context.Context, outcome Outcome) (ReportResult, error) {
	result, err := p.reporter.Report(ctx, outcome)
	if err != nil || result.Repeated || outcome.State == ReportInProgress {
		return result, err
	}
	if warning := p.forgetPool(ctx); warning != "" {
		result.Warnings = append(result.Warnings, warning)
	}
	return result, nil
}

// Reporter returns what Report and Run report with.
func (p *Provisioner) Reporter() *Reporter { return p.reporter }
