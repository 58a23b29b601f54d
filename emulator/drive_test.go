package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// brokenLinks fail, and say when they were called.
type brokenLinks struct{ calls []string }

var errBroken = errors.New("the cable is broken")

func (b *brokenLinks) call(name string) error {
	b.calls = append(b.calls, name)
	return errBroken
}
func (b *brokenLinks) Detach(context.Context) error { return b.call("detach") }
func (b *brokenLinks) Attach(context.Context) error { return b.call("attach") }
func (b *brokenLinks) Carrier(_ context.Context, up bool) error {
	return b.call(fmt.Sprintf("carrier %t", up))
}

// A driver that fails is told of, and the data comes all the same.
func TestDriverFails(t *testing.T) {
	for name, want := range map[string][]string{"pps-running": {"carrier false", "carrier true"}, "pps-savable": {"detach", "attach"}, "pps-osdisk": nil, "pps-recovery": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := emulator.LookupScenario(name)
				if err != nil {
					t.Fatal(err)
				}
				links := &brokenLinks{}
				f, err := emulator.NewFabric(s, &emulator.Options{Links: links})
				if err != nil {
					t.Fatal(err)
				}
				server := f.ListenInMemory(t.Context())
				report(t, f, goalState(t, f), ready)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if phase := f.Phase(); phase != emulator.PhaseOwned && name != "pps-osdisk" {
					t.Errorf("phase %s", phase)
				}
				if diff := cmp.Diff(want, links.calls); diff != "" {
					t.Error(diff)
				}
				if err := server.Close(); (want != nil) != errors.Is(err, errBroken) || want != nil && azprov.KindOf(err) != azprov.KindInternal {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// The handlers alone need somebody to drive the links; time passes without.
func TestDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("pps-savable")
		if err != nil {
			t.Fatal(err)
		}
		links := emulator.NewMemoryLinks(s)
		f, err := emulator.NewFabric(s, &emulator.Options{Links: links})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Timeline(); got != nil || f.Phase() != emulator.PhasePooled {
			t.Errorf("before anything: %v, %s", got, f.Phase())
		}
		var seen []emulator.Phase
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		followed := make(chan struct{})
		go func() { done <- f.Drive(ctx) }()
		go func() {
			defer close(followed)
			for m := range f.Follow(ctx) {
				seen = append(seen, m.Phase)
			}
		}()
		synctest.Wait()
		if err := f.Drive(ctx); err != nil { // it is driven already
			t.Error(err)
		}
		report(t, f, goalState(t, f), ready)
		if err := <-done; err != nil || f.Phase() != emulator.PhaseOwned {
			t.Errorf("%v in phase %s", err, f.Phase())
		}
		synctest.Wait()
		cancel()
		<-followed
		want := []emulator.Phase{"Pooled", "Reported", "Disconnected", "Connected", "Owned"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		for m := range f.Follow(ctx) { // one that is left early
			if m.Phase != emulator.PhasePooled {
				t.Errorf("first is %s", m.Phase)
			}
			break
		}
	})
}

func TestDriveEndsWithItsContext(t *testing.T) {
	for name, after := range map[string]time.Duration{"before the report": 0, "before the switch": 500 * time.Millisecond, "in the outage": 1200 * time.Millisecond, "before the data": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			pooled(t, "pps-running", true, nil, func(p *poolVM) {
				if after > 0 {
					p.report(ready)
					time.Sleep(after)
				}
				if err := p.server.Close(); err != nil {
					t.Error(err)
				}
				if took := time.Since(p.start); took != after {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

// slowLinks wait for the end of the context.
type slowLinks struct{ *emulator.MemoryLinks }

func (slowLinks) Detach(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestDriveEndsInTheDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("pps-savable")
		if err != nil {
			t.Fatal(err)
		}
		f, err := emulator.NewFabric(s, &emulator.Options{Links: slowLinks{emulator.NewMemoryLinks(s)}})
		if err != nil {
			t.Fatal(err)
		}
		server := f.ListenInMemory(t.Context())
		report(t, f, goalState(t, f), ready)
		time.Sleep(time.Minute)
		if err := server.Close(); err != nil || f.Phase() != emulator.PhaseReported {
			t.Errorf("%v in phase %s", err, f.Phase())
		}
	})
}

func TestTimelineOutsideOfAPool(t *testing.T) {
	inMemory(t, nil, func(b *bubble) {
		if got := len(b.fabric.Timeline()); got != 1 { // from the moment that it is listened to
			b.t.Errorf("%d milestones at the start", got)
		}
		if vm := b.fabric.Owner(); vm.HostName != b.fabric.VM().HostName {
			b.t.Errorf("the owner's VM is %s", vm.HostName)
		}
		report(b.t, b.fabric, goalState(b.t, b.fabric), busy)
		if got := b.fabric.Timeline(); len(got) != 1 || got[0].Phase != emulator.PhaseOwned {
			b.t.Errorf("timeline %v", got)
		}
		time.Sleep(time.Second)
		for range 3 {
			report(b.t, b.fabric, goalState(b.t, b.fabric), ready)
		}
		got := b.fabric.Timeline()
		if len(got) != 2 || got[1].Phase != emulator.PhaseProvisioned || got[1].Time.Sub(got[0].Time) != time.Second || got[1].Time.Location() != time.UTC {
			b.t.Errorf("timeline %v", got)
		}
		if b.fabric.Reports()[0].Pool {
			b.t.Error("a report of the pool")
		}
		for range 50 { // without end it does not grow
			report(b.t, b.fabric, goalState(b.t, b.fabric), failed)
			report(b.t, b.fabric, goalState(b.t, b.fabric), ready)
		}
		if got := b.fabric.Timeline(); len(got) != 32 {
			b.t.Errorf("%d milestones", len(got))
		}
	})
}
