package pps_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

func TestNew(t *testing.T) {
	t.Parallel()
	w := &world{}
	for _, row := range []struct {
		name    string
		options *pps.Options
		want    string // "" for fine
	}{
		{"nothing", nil, "None"},
		{"no type", &pps.Options{Metadata: w, Reporter: w}, "None"},
		{"None", &pps.Options{Type: pps.TypeNone, Metadata: w, Reporter: w}, "nothing to wait for"},
		{"an unknown type", &pps.Options{Type: "Sav\nable", Metadata: w, Reporter: w}, "unknown Type Sav able"},
		{"no metadata", &pps.Options{Type: pps.TypeRunning, Reporter: w}, "Metadata is needed"},
		{"no reporter", &pps.Options{Type: pps.TypeSavable, Metadata: w}, "Reporter is needed"},
		{"an OS disk needs no metadata", &pps.Options{Type: pps.TypePreprovisionedOSDisk, Reporter: w}, ""},
		{"a recovery needs no reporter", &pps.Options{Type: pps.TypeUnknown, Metadata: w}, ""},
		{"the least", &pps.Options{Type: pps.TypeRunning, Metadata: w, Reporter: w}, ""},
	} {
		m, err := pps.New(row.options)
		switch {
		case row.want == "" && (err != nil || m.State() != pps.StateStart):
			t.Errorf("%s: %v", row.name, err)
		case row.want != "" && (azprov.KindOf(err) != azprov.KindInternal || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.steady = data
		m, err := pps.New(w.options(pps.TypeUnknown))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		result, err := m.Run(t.Context())
		if azprov.KindOf(err) != azprov.KindInternal || result == nil || len(w.requests) != 1 || m.State() != pps.StateDone {
			t.Errorf("%v, %+v", err, result)
		}
	})
}

// TestState is read from other goroutines, and from OnState.
func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(pps.TypeRunning)
		var m *pps.Machine
		w.observe = func(step pps.Transition) {
			if m.State() != step.To {
				t.Errorf("State is %s after %s", m.State(), step.To)
			}
		}
		m, err := pps.New(o)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = m.Run(t.Context())
		}()
		time.Sleep(10 * sec)
		if m.State() != pps.StateWaitSwitch {
			t.Error(m.State())
		}
		w.locked(func() { w.steady = data })
		<-done
		if m.State() != pps.StateDone {
			t.Error(m.State())
		}
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.steady = data
		marked(pps.PhaseReported)(w, nil)
		o := w.options(pps.TypeUnknown)
		m, err := pps.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Run(t.Context()); err != nil || !w.store.there || w.store.marker.Phase != pps.PhaseReused || w.store.marker.VMID != vmID {
			t.Fatalf("%v, %+v", err, w.store.marker)
		}
		for range 2 {
			if err := m.Forget(t.Context()); err != nil || w.store.there {
				t.Errorf("%v, %v", err, w.store.there)
			}
		}
		w.store.clearErr = errors.New("read-only")
		if err := m.Forget(t.Context()); azprov.KindOf(err) != azprov.KindInternal || !strings.Contains(err.Error(), "read-only") {
			t.Error(err)
		}
		o.Store = nil
		if m, err = pps.New(o); err != nil || m.Forget(t.Context()) != nil {
			t.Error(err)
		}
	})
}

// TestErrors: what the caller and the platform are told.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		reason := &azprov.Error{Op: "wire", Kind: azprov.KindDenied, Message: "no", Reason: "a reason"}
		w.report = func(context.Context) error { return reason }
		_, err := w.run(t.Context(), w.options(pps.TypeRunning), nil)
		if text, _ := azprov.ReasonOf(err); text != "a reason" || !errors.Is(err, reason) {
			t.Errorf("%v, reason %q", err, text)
		}
		if want := "pps.Machine.Run: the report to the pool was not accepted: wire: no"; err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.report = func(context.Context) error { return errors.New("plain") }
		_, err := w.run(t.Context(), w.options(pps.TypeSavable), nil)
		if azprov.KindOf(err) != azprov.KindInternal {
			t.Errorf("%v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.steady = refuses
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		_, err := w.run(ctx, w.options(pps.TypeUnknown), nil)
		if !errors.Is(err, azprov.ErrTimeout) || !errors.Is(err, azprov.ErrNetwork) || !strings.Contains(err.Error(), "in state Poll") {
			t.Errorf("%v", err)
		}
	})
}

// TestStuckDrive does not hold up the report, nor the end.
func TestStuckDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(pps.TypeRunning)
		released := make(chan struct{})
		o.Ejector = stuckDrive(released)
		result, err := w.run(t.Context(), o, append(flip(31*sec, eth0), then(34*sec, data)))
		if err != nil || len(w.reports) != 1 || w.reports[0] != 30*sec || len(result.Warnings) != 1 {
			t.Errorf("%v, reported at %v, warnings %q", err, w.reports, result.Warnings)
		}
		close(released)
	})
}

// TestStuckDriveAtTheEnd: nothing is reported for a caller who has gone.
func TestStuckDriveAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		o := w.options(pps.TypeRunning)
		released := make(chan struct{})
		o.Ejector = stuckDrive(released)
		ctx, cancel := context.WithTimeout(t.Context(), 10*sec)
		defer cancel()
		if _, err := w.run(ctx, o, nil); !errors.Is(err, azprov.ErrTimeout) || len(w.reports) != 0 || time.Since(w.start) != 10*sec {
			t.Errorf("%v, reported at %v, ended after %v", err, w.reports, time.Since(w.start))
		}
		close(released)
	})
}

type stuckDrive chan struct{}

func (d stuckDrive) Eject(context.Context) error { <-d; return nil }
