package emulator_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// A watch sees what comes when it comes, and passes over what an image has brought along.
func TestWatchKVP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		begin := time.Now()
		upsert(bad("left behind", age(time.Hour)))(vm)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			vm.fabric.WatchKVP(ctx, 10*time.Second)
		}()
		synctest.Wait()
		for _, step := range []step{empty, upsert(bad("fog")), upsert(good())} {
			step(vm)
			time.Sleep(12 * time.Second)
		}
		cancel()
		<-ended
		var times []time.Duration
		for _, r := range vm.fabric.HostReports() {
			times = append(times, r.Time.Sub(begin))
		}
		if len(times) != 2 || times[0] != 20*time.Second || times[1] != 30*time.Second {
			t.Errorf("seen at %v", times)
		}
		if got := time.Since(begin); got != 36*time.Second {
			t.Errorf("it ended after %v", got)
		}
	})
}

func TestWatchKVPEveryByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(2500 * time.Millisecond)
			upsert(good())(vm)
		}()
		vm.fabric.WatchKVP(ctx, -1)
		synctest.Wait()
		got := vm.fabric.HostReports()
		if len(got) != 1 || got[0].Time.Sub(begin) != 3*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

func TestNoKVP(t *testing.T) {
	t.Parallel()
	f := fabric(t, nil)
	f.WatchKVP(t.Context(), time.Nanosecond) // returns
	if err := f.CollectKVP(t.Context()); err != nil || len(f.HostReports())+len(f.HostEvents())+len(f.Journal()) > 0 {
		t.Error(err)
	}
}

// The host looks when a report is accepted.
func TestHostLooksAtAReport(t *testing.T) {
	t.Parallel()
	s := theTestScenario(t)
	s.WireServer.Faults = []emulator.Fault{{Path: "comp=health", Status: 503}, {Path: "comp=health", Kind: emulator.FaultTruncate}}
	vm := newHostVM(t, s, emulator.Options{})
	upsert(good())(vm)
	for i, want := range []struct{ status, reports int }{{503, 0}, {200, 1}, {200, 1}} {
		status, _ := report(t, vm.fabric, goalState(t, vm.fabric), ready)
		if status != want.status || len(vm.fabric.HostReports()) != want.reports {
			t.Errorf("report %d: status %d, %d in the pool", i+1, status, len(vm.fabric.HostReports()))
		}
	}
}

// No report fails for what is the matter with the pool.
func TestPoolThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink("elsewhere", path) },
		"too large":       func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte{1}, 9<<20), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pool")
			if err := put(path); err != nil {
				t.Skip("what is in the way cannot be made here: " + err.Error())
			}
			f, err := emulator.NewFabric(theTestScenario(t), &emulator.Options{KVPPool: path})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			f.WatchKVP(ctx, time.Millisecond) // says it once
			if status, _ := report(t, f, goalState(t, f), ready); status != http.StatusOK || f.State() != emulator.StateReady {
				t.Errorf("status %d", status)
			}
			if err := f.CollectKVP(t.Context()); err == nil {
				t.Error("no error")
			}
			var all []string
			for _, entry := range f.Journal() {
				for _, verdict := range entry.Verdicts {
					if entry.Service != emulator.ServiceKVP || !strings.HasPrefix(verdict, "KVP pool cannot be read: kvp.Pool.List") {
						t.Errorf("%+v", entry)
					}
					all = append(all, verdict)
				}
			}
			if len(all) != 3 {
				t.Errorf("verdicts %q, want one of each: watch, report, look", all)
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := f.CollectKVP(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Trouble that comes back is told again.
func TestWatchTellsTroubleAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		path := vm.pool.Path()
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		go func() {
			for range 3 {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Error(err)
				}
				time.Sleep(1200 * time.Millisecond)
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
				time.Sleep(800 * time.Millisecond)
			}
		}()
		synctest.Wait()
		time.Sleep(time.Millisecond)
		vm.fabric.WatchKVP(ctx, time.Millisecond)
		time.Sleep(time.Second)
		if got := len(vm.fabric.Journal()); got != 3 {
			t.Errorf("%d entries, want 3", got)
		}
	})
}

// Who gives up is not the guest's fault.
func TestCollectIsCanceled(t *testing.T) {
	t.Parallel()
	vm := newHostVM(t, theTestScenario(t), emulator.Options{})
	upsert(good())(vm)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whichever it notices first
		if err := vm.fabric.CollectKVP(ctx); azprov.KindOf(err) != azprov.KindCanceled || len(vm.fabric.Journal()) > 0 {
			t.Fatalf("%v, %+v", err, vm.fabric.Journal())
		}
	}
}

// An agent that does not wait for the answer has reported all the same.
func TestHostLooksWhoeverWaits(t *testing.T) {
	t.Parallel()
	vm := newHostVM(t, theTestScenario(t), emulator.Options{})
	upsert(good())(vm)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/provisioning/health", strings.NewReader(`{"state":"Ready"}`))
	r.Header.Set("Content-Type", "application/json")
	vm.fabric.WireServer().ServeHTTP(httptest.NewRecorder(), r)
	if len(vm.fabric.HostReports()) != 1 || vm.fabric.State() != emulator.StateReady {
		t.Errorf("%+v", vm.fabric.Journal())
	}
}
