package link_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/link"
)

// A deadline ends Next at its very moment, in whatever phase, and loses nothing.
func TestNextObeysTheContext(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		answers []answer
		items   []item
		end     func(context.Context) (context.Context, context.CancelFunc)
		after   time.Duration
		kind    azprov.Kind
		then    []string
	}{
		{
			"a deadline",
			[]answer{list(eth0)},
			nil,
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 90*time.Second)
			}, 90 * time.Second, azprov.KindTimeout,
			[]string{"changed 2 eth0 up→down"},
		},
		{
			"canceled",
			[]answer{list(eth0)},
			nil,
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Hour, cancel)
				return ctx, cancel
			}, time.Hour, azprov.KindCanceled,
			[]string{"changed 2 eth0 up→down"},
		},
		{
			"a deadline with a list under way",
			[]answer{list(eth0), nothing, list(eth0)},
			[]item{overrun},
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 2*time.Second)
			}, 2 * time.Second, azprov.KindTimeout,
			[]string{"changed 2 eth0 up→down"},
		},
		{
			"ended before, with an event that waits",
			[]answer{list(eth0)},
			states(link.Dormant),
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx, cancel
			}, 0, azprov.KindCanceled,
			[]string{"changed 2 eth0 up→dormant", "changed 2 eth0 dormant→down"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(row.answers...)
				w := watch(t, k)
				k.queue(row.items...)
				start := time.Now()
				ctx, cancel := row.end(t.Context())
				defer cancel()
				_, err := w.Next(ctx)
				if took := time.Since(start); took != row.after || azprov.KindOf(err) != row.kind || !errors.Is(err, ctx.Err()) {
					t.Errorf("%v after %v", err, took)
				}
				k.queue(states(link.Down)...)
				if got := drain(t, w); !slices.Equal(got, row.then) {
					t.Errorf("then %q", got)
				}
			})
		})
	}
}

func TestSilenceDuringTheListIsNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(eth0), nothing, list(lo, eth0))
		w := watch(t, k)
		k.queue(overrun)
		start := time.Now()
		event, err := w.Next(t.Context())
		if err != nil || brief(event) != "attached 1 lo unknown" || time.Since(start) != 5*time.Second {
			t.Errorf("%s, %v after %v", brief(event), err, time.Since(start))
		}
	})
}

func TestWatchFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the socket is broken")
	for _, row := range []struct {
		name   string
		kernel *kernel
		want   string
		kind   azprov.Kind
		is     error
		asked  int
		after  time.Duration
	}{
		{
			"a kernel that does not answer", newKernel(nothing),
			"link.Watch: the list of interfaces cannot be read: the kernel did not answer within 5s",
			azprov.KindTimeout, nil, 5, 25 * time.Second,
		},
		{
			"a kernel that refuses", newKernel(refused(syscall.EPERM)),
			"link.Watch: the list of interfaces cannot be read: " + syscall.EPERM.Error(),
			azprov.KindInternal, syscall.EPERM, 5, 0,
		},
		{
			"a list that fails in the end", newKernel(func(seq uint32) []item { return []item{answered(done(seq, 0, syscall.ENOMEM))} }),
			"link.Watch: the list of interfaces cannot be read: " + syscall.ENOMEM.Error(),
			azprov.KindInternal, syscall.ENOMEM, 5, 0,
		},
		{
			"answers that are not netlink", newKernel(answersOf(answered([]byte("pilot")))),
			"link.Watch: the list of interfaces cannot be read: a damaged netlink message",
			azprov.KindMalformed, link.ErrDamaged, 5, 0,
		},
		{
			"too many interfaces", newKernel(lists(many(link.MaxLinks + 1)...)),
			"link.Watch: the list of interfaces is too long: too many interfaces",
			azprov.KindTooLarge, nil, 1, 0,
		},
		{
			"a socket that cannot be written", &kernel{items: make(chan item, 1), closed: make(chan struct{}), sendErr: broken},
			"link.Watch: the list of interfaces cannot be read: the socket is broken", azprov.KindInternal, broken, 1, 0,
		},
		{
			"a socket that cannot be read", newKernel(answersOf(item{err: broken})),
			"link.Watch: the list of interfaces cannot be read: the socket is broken", azprov.KindInternal, broken, 1, 0,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answers, sendErr := row.kernel.answers, row.kernel.sendErr
			synctest.Test(t, func(t *testing.T) {
				k := newKernel(answers...) // its channels are the bubble's
				k.sendErr = sendErr
				start := time.Now()
				w, err := link.Watch(t.Context(), &link.Options{Transport: k})
				if w != nil || err == nil || err.Error() != row.want || azprov.KindOf(err) != row.kind {
					t.Fatalf("%v of kind %s, want %s", err, azprov.KindOf(err), row.want)
				}
				if row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("%v is not in the tree", row.is)
				}
				if took := time.Since(start); took != row.after || len(k.requests) != row.asked {
					t.Errorf("%d requests in %v", len(k.requests), took)
				}
				if !k.isClosed() {
					t.Error("the transport was not closed")
				}
			})
		})
	}
}

func TestWatchObeysTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		start, k := time.Now(), newKernel(nothing)
		_, err := link.Watch(ctx, &link.Options{Transport: k})
		if !errors.Is(err, context.DeadlineExceeded) || azprov.KindOf(err) != azprov.KindTimeout || time.Since(start) != 7*time.Second || !k.isClosed() {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		cancel()
		if _, err := link.Watch(ctx, &link.Options{Transport: newKernel(list())}); !errors.Is(err, azprov.ErrTimeout) {
			t.Errorf("an ended context: %v", err)
		}
	})
}

// A transport that fails is told, and asked again.
func TestNextFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(eth0))
		w := watch(t, k)
		k.queue(item{err: errors.New("the socket is broken")}, states(link.Down)[0])
		if got := drain(t, w); !slices.Equal(got, []string{
			"error: link.Watcher.Next: the list of interfaces cannot be read: the socket is broken", "changed 2 eth0 up→down",
		}) {
			t.Errorf("%q", got)
		}
		k.sendErr = errors.New("no way out")
		if err := w.Resync(); azprov.KindOf(err) != azprov.KindInternal ||
			err.Error() != "link.Watcher.Resync: the list of interfaces cannot be read: no way out" {
			t.Errorf("%v", err)
		}
		if _, err := w.Next(t.Context()); err == nil || !strings.HasSuffix(err.Error(), ": no way out") {
			t.Errorf("%v", err)
		}
		k.sendErr = nil
		if got := drain(t, w); !slices.Equal(got, []string{"changed 2 eth0 down→up", "resynced"}) {
			t.Errorf("%q", got)
		}
	})
}

// result of a call of Next in a goroutine of its own.
type result struct {
	event link.Event
	err   error
}

func next(ctx context.Context, w *link.Watcher) <-chan result {
	done := make(chan result, 1)
	go func() {
		event, err := w.Next(ctx)
		done <- result{event, err}
	}()
	return done
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(eth0))
		w := watch(t, k)
		reads, waits := next(t.Context(), w), next(t.Context(), w)
		synctest.Wait()
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		k.queue(states(link.Down)...)
		_, later := w.Next(t.Context())
		for who, err := range map[string]error{
			"who reads": (<-reads).err, "who waits for the turn": (<-waits).err, "who comes later": later, "resync": w.Resync(),
		} {
			if !errors.Is(err, os.ErrClosed) || azprov.KindOf(err) != azprov.KindCanceled || !strings.Contains(err.Error(), "the watcher was closed") {
				t.Errorf("%s: %v", who, err)
			}
		}
		if got := w.Links(); !slices.Equal(got, []link.Link{eth0}) {
			t.Errorf("the interfaces are still %+v", got)
		}
	})
}

// Whoever waits for its turn has its own context, and each event goes to one.
func TestTwoWhoCallNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(eth0))
		w := watch(t, k)
		first := next(t.Context(), w)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if r := <-next(ctx, w); !errors.Is(r.err, azprov.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", r.err, time.Since(start))
		}
		second := next(t.Context(), w)
		synctest.Wait()
		k.queue(states(link.Down, link.Up)...)
		if a, b := <-first, <-second; brief(a.event) != "changed 2 eth0 up→down" || brief(b.event) != "changed 2 eth0 down→up" {
			t.Errorf("%+v, %+v", a, b)
		}
	})
}

func TestResyncWakesNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, newKernel(list(eth0), list(lo, eth0)))
		waits := next(t.Context(), w)
		synctest.Wait()
		if err := w.Resync(); err != nil {
			t.Fatal(err)
		}
		if r := <-waits; r.err != nil || brief(r.event) != "attached 1 lo unknown" {
			t.Errorf("%+v", r)
		}
	})
}

// Without a call of Next nothing is read: the kernel's buffer is the only one.
func TestNothingIsReadUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(list(eth0))
		w := watch(t, k)
		for range 100 {
			k.queue(states(link.Down, link.Up)...)
		}
		time.Sleep(time.Hour)
		if n := len(k.items); n != 200 {
			t.Errorf("%d of 200 are left", n)
		}
		if _, err := w.Next(t.Context()); err != nil || len(k.items) != 199 {
			t.Errorf("%v, %d are left", err, len(k.items))
		}
	})
}
