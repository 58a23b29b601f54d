package provision_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

func TestCancelReportsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(5*time.Second, cancel)
		result, err := provision.Run(ctx, r.options)
		if azprov.KindOf(err) != azprov.KindCanceled || result.Report.State != provision.ReportNone || len(r.fabric.Reports()) != 0 {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestWhoCancelsIsNotReported(t *testing.T) {
	for name, fail := range map[string]error{
		"the context's error":  context.Canceled,
		"what a program says":  errors.New("signal: killed"),
		"an error of our kind": &azprov.Error{Op: "x", Kind: azprov.KindTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				ctx, cancel := context.WithCancel(t.Context())
				r.options.Apply = func(context.Context, *provision.Machine) error { cancel(); return fail }
				result, err := provision.Run(ctx, r.options)
				if !errors.Is(err, fail) || result.Report.State != provision.ReportNone || len(r.fabric.Reports()) != 0 {
					t.Errorf("%v, %+v", err, result.Report)
				}
			})
		})
	}
}

func TestWhoDoesNotCancelIsReported(t *testing.T) {
	redirect := func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 302, Always: true}} }
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		apply  error
	}{
		{"Apply says canceled, and nobody did", nil, context.Canceled},
		{"Apply says not Azure", nil, &azprov.Error{Op: "x", Kind: azprov.KindNotAzure}},
		{"something else answers for IMDS", redirect, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "linux-vm")
				if row.change != nil {
					row.change(&s)
				}
				r := newRig(t, s)
				r.options.Apply = func(context.Context, *provision.Machine) error { return row.apply }
				result, err := provision.Run(t.Context(), r.options)
				if err == nil || result.Report.State != provision.ReportFailed || r.fabric.State() != emulator.StateFailed {
					t.Errorf("%v, %+v", err, result.Report)
				}
			})
		})
	}
}

func TestCancelEndsTheReportOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "bad-ovf")
		s.WireServer.Absent = true
		r := newRig(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		result, err := provision.Run(ctx, r.options)
		if took := time.Since(start); took > 10*time.Second || !errors.Is(err, azprov.ErrMalformed) || !errors.Is(result.ReportErr, azprov.ErrCanceled) {
			t.Errorf("after %v: %v, %v", took, err, result.ReportErr)
		}
	})
}

func TestSilentIMDSLeavesTimeToReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result, err := provision.Run(ctx, r.options)
		if err != nil || result.Report.State != provision.ReportReady {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestTimeoutIsReportedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Apply = func(ctx context.Context, _ *provision.Machine) error {
			<-ctx.Done()
			return &azprov.Error{Op: "test.Apply", Kind: azprov.KindTimeout, Context: ctx.Err(), Message: "the disk was too slow"}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result, err := provision.Run(ctx, r.options)
		if !errors.Is(err, azprov.ErrTimeout) || result.Report.State != provision.ReportFailed || r.fabric.State() != emulator.StateFailed {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestFailureThatCannotBeReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "bad-ovf")
		s.WireServer.Absent = true
		r := newRig(t, s)
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, azprov.ErrMalformed) || result.Report.State != provision.ReportNone || !errors.Is(result.ReportErr, azprov.ErrTimeout) {
			t.Errorf("%v, %+v, %v", err, result.Report, result.ReportErr)
		}
		if took := time.Since(start); took > provision.DefaultFailureTimeout {
			t.Errorf("took %v", took)
		}
	})
}
