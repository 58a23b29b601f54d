package provision_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

func TestOneTerminalReportWhoeverIsFirst(t *testing.T) {
	for _, shared := range []bool{true, false} {
		for range 10 {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				r.options.StateDir = t.TempDir()
				first, err := provision.New(r.options)
				if err != nil {
					t.Fatal(err)
				}
				second := first
				if !shared { // as another process has it
					if second, err = provision.New(r.options); err != nil {
						t.Fatal(err)
					}
				}
				var wg sync.WaitGroup
				var failed, ready error
				wg.Go(func() {
					_, failed = first.Report(t.Context(), provision.Outcome{State: provision.ReportFailed, Err: errors.New("x")})
				})
				wg.Go(func() { _, ready = second.Report(t.Context(), provision.Outcome{State: provision.ReportReady}) })
				wg.Wait()
				if len(r.fabric.Reports()) != 1 || (failed == nil) == (ready == nil) {
					t.Errorf("%d reports; failed: %v, ready: %v", len(r.fabric.Reports()), failed, ready)
				}
			})
		}
	}
}

func TestWaitingForAnotherReportEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "linux-vm")
		s.WireServer.Absent = true
		r := newRig(t, s)
		r.options.StateDir = t.TempDir()
		for range 2 {
			p, err := provision.New(r.options)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = p.Report(t.Context(), provision.Outcome{State: provision.ReportReady}) }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err = p.Report(ctx, provision.Outcome{State: provision.ReportReady})
			cancel()
			if !errors.Is(err, azprov.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestLatchKnowsTheMachineByAnyOfItsNames: before IMDS was read, in the other byte
// order, and as it is.
func TestLatchKnowsTheMachineByAnyOfItsNames(t *testing.T) {
	s := lookup(t, "linux-vm")
	other := azprov.VMID{1, 2, 3}
	for _, row := range []struct {
		name        string
		told, later azprov.VMID
		contradicts bool
	}{
		{"the same id", s.VM.ID, s.VM.ID, true},
		{"the other byte order", s.VM.ID.Swapped(), s.VM.ID, true},
		{"unknown at first", azprov.VMID{}, s.VM.ID, true},
		{"unknown later", s.VM.ID, azprov.VMID{}, true},
		{"another VM", other, s.VM.ID, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, s)
				r.options.StateDir, r.options.Sysfs = t.TempDir(), fstest.MapFS{}
				report := func(o provision.Outcome) error {
					p, err := provision.New(r.options)
					if err != nil {
						t.Fatal(err)
					}
					_, err = p.Report(t.Context(), o)
					return err
				}
				if err := report(provision.Outcome{State: provision.ReportFailed, VMID: row.told}); err != nil {
					t.Fatal(err)
				}
				if err := report(provision.Outcome{State: provision.ReportReady, VMID: row.later}); errors.Is(err, provision.ErrContradiction) != row.contradicts {
					t.Errorf("Ready after Failed: %v", err)
				}
			})
		})
	}
}

func TestDamagedLatchIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.StateDir = t.TempDir()
		// The second would count, if it were not so large.
		large := `{"state":"Failed","acceptedAt":"2026-01-02T03:04:05Z","bootId":"boot-1"}` + strings.Repeat(" ", 5000)
		for name, text := range map[string]string{"report-a.json": "{", "report-b.json": large} {
			if err := os.WriteFile(filepath.Join(r.options.StateDir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Report.State != provision.ReportReady || len(result.Report.Warnings) != 1 ||
			!strings.HasPrefix(result.Report.Warnings[0], "provision.Report (") {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestWithoutAStateDirNoFileCounts(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("report-x.json", []byte(`{"state":"Failed","bootId":"boot-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		result, err := provision.Run(t.Context(), newRig(t, lookup(t, "linux-vm")).options)
		if err != nil || len(result.Report.Warnings) != 0 {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestFailureReportHasTheCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "linux-vm")
		s.WireServer.Faults = []emulator.Fault{{Refuse: emulator.Duration(3 * time.Minute)}}
		r := newRig(t, s)
		p, err := provision.New(r.options)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if _, err := p.Report(ctx, provision.Outcome{State: provision.ReportFailed}); err != nil {
			t.Errorf("with ten minutes: %v", err)
		}
	})
}
