package link_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/link"
)

func watchQuietly(t *testing.T) *link.Watcher {
	t.Helper()
	w, err := link.Watch(t.Context(), &link.Options{Sysfs: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// nextError passes over what happens on this machine meanwhile.
func nextError(ctx context.Context, w *link.Watcher) error {
	for {
		if _, err := w.Next(ctx); err != nil {
			return err
		}
	}
}

// The end of a context wakes who waits for the socket, and spoils nothing for the next.
func TestSocketObeysTheContext(t *testing.T) {
	t.Parallel()
	w := watchQuietly(t)
	defer func() { _ = w.Close() }()
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
		if err := nextError(ctx, w); !errors.Is(err, context.DeadlineExceeded) || azprov.KindOf(err) != azprov.KindTimeout {
			t.Errorf("a deadline: %v", err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := nextError(ctx, w); !errors.Is(err, context.Canceled) || azprov.KindOf(err) != azprov.KindCanceled {
			t.Errorf("canceled: %v", err)
		}
		cancel()
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		until(t, w, "the list", func(e link.Event) bool { return e.Kind == link.Resynced })
	}
}

func TestSocketIsClosedUnderNext(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		w := watchQuietly(t)
		time.AfterFunc(time.Duration(i)*100*time.Microsecond, func() {
			if err := w.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		if err := nextError(t.Context(), w); !errors.Is(err, os.ErrClosed) || azprov.KindOf(err) != azprov.KindCanceled {
			t.Errorf("%v", err)
		}
		if err := w.Resync(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("resync: %v", err)
		}
	}
}

// All methods at once; the race detector looks on.
func TestSocketIsSharedByMany(t *testing.T) {
	t.Parallel()
	w := watchQuietly(t)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				short, stop := context.WithTimeout(ctx, time.Millisecond)
				_, _ = w.Next(short)
				stop()
				w.Links()
			}
		})
	}
	for range 200 {
		if err := w.Resync(); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	cancel()
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Not parallel: it counts what the whole process has.
func TestNothingIsLeftBehind(t *testing.T) { //nolint:paralleltest // See above.
	watchQuietly(t).Close() //nolint:errcheck // The first makes the poller's descriptors.
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	for range 1000 {
		w := watchQuietly(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		_, _ = w.Next(ctx)
		cancel()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		runtime.Gosched()
	}
	if f, g := descriptors(t), runtime.NumGoroutine(); f > files || g > goroutines {
		t.Errorf("%d descriptors, %d before; %d goroutines, %d before", f, files, g, goroutines)
	}
	// Nor by one that fails.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := link.Watch(ctx, nil); !errors.Is(err, azprov.ErrCanceled) {
			t.Fatal(err)
		}
	}
	if f := descriptors(t); f > files {
		t.Errorf("%d descriptors after failures, %d before", f, files)
	}
}
