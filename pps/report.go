package pps

import (
	"context"
	"errors"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// ejectTimeout is what a drive may take; the report does not wait for a stuck one.
const ejectTimeout = 30 * time.Second

// reportCall is the report under way.
type reportCall struct {
	result  chan error
	ejected chan error // has what came of the medium, if it was to be ejected
	cancel  context.CancelFunc
	// moot: the interface is gone, and with it the way for the answer.
	moot bool
}

// reportedAs is the event after the report, by type.
var reportedAs = map[Type]Event{
	TypeRunning:              EventReportedRunning,
	TypeSavable:              EventReportedSavable,
	TypePreprovisionedOSDisk: EventReportedOSDisk,
}

// startReport ejects the medium, then reports.
func (r *run) startReport(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	result, ejected := make(chan error, 1), make(chan error, 1)
	r.report = reportCall{result: result, ejected: ejected, cancel: cancel}
	r.running.Go(func() {
		if r.o.Ejector != nil {
			ejected <- wait.Within(ctx, opRun, ejectTimeout, r.o.Ejector.Eject)
		}
		if ctx.Err() != nil { // nobody waits for it any more, and a drive may not have listened
			result <- ctx.Err()
			return
		}
		result <- r.o.Reporter.ReportPoolReady(ctx)
	})
}

// reported goes on with the answer of the platform.
func (r *run) reported(ctx context.Context, err error) {
	r.report.cancel()
	select {
	case err := <-r.report.ejected:
		if err != nil {
			r.warn("the medium was not ejected: " + azprov.OneLine(err.Error()))
		}
	default:
	}
	if ctx.Err() != nil {
		return // the run is being stopped, and so was the report
	}
	kind := r.result.Type
	if err != nil && kind == TypeSavable && (r.report.moot || mayBeLost(err)) {
		r.warn("no answer to the report came, which may be the host at work: " + azprov.OneLine(err.Error()))
		err = nil
	}
	if err != nil {
		r.fail(ctx, &azprov.Error{
			Op: opRun, Kind: azprov.KindOf(err), Message: "the report to the pool was not accepted", Last: err,
		})
		return
	}
	if kind != TypePreprovisionedOSDisk {
		r.save(ctx, PhaseReported)
	}
	r.fire(ctx, reportedAs[kind], "")
}

// mayBeLost: the host suspends a Savable VM, or takes its interface, as soon as it has
// read the report, and the answer never arrives (cloud-init pull requests 1268 and 1642).
func mayBeLost(err error) bool {
	return errors.Is(err, azprov.ErrNetwork) || errors.Is(err, azprov.ErrTimeout)
}

// save keeps the marker. Without it a reboot costs a second report, which is no reason to
// give up now.
func (r *run) save(ctx context.Context, phase Phase) {
	if r.store == nil {
		return
	}
	r.marker = Marker{VMID: r.o.VMID, Phase: phase, At: time.Now().UTC()}
	if err := r.store.Save(ctx, r.marker); err != nil {
		r.warn("the marker of the pool cannot be saved: " + azprov.OneLine(err.Error()))
	}
}
