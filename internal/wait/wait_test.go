package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := For(t.Context(), time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if err := For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestWithin(t *testing.T) {
	failed := errors.New("no")
	for _, row := range []struct {
		name  string
		do    func(context.Context) error
		want  error
		takes time.Duration
	}{
		{"what is done", func(context.Context) error { return nil }, nil, 0},
		{"what fails", func(context.Context) error { return failed }, failed, 0},
		{"what listens", func(ctx context.Context) error { <-ctx.Done(); return failed }, nil, time.Second},
		{"what does not", func(context.Context) error { time.Sleep(time.Hour); return nil }, azprov.ErrTimeout, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := Within(t.Context(), "op", time.Second, row.do)
				if took := time.Since(start); took != row.takes {
					t.Errorf("took %v, want %v", took, row.takes)
				}
				// Who listens may be first or last: both end at the same moment.
				if row.want != nil && !errors.Is(err, row.want) {
					t.Errorf("%v, want %v", err, row.want)
				}
				time.Sleep(time.Hour) // what was left behind ends
			})
		})
	}
}

func TestEndOfTheContextIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err     error
		message string
		kind    azprov.Kind
		want    string
	}{
		{context.DeadlineExceeded, "", azprov.KindTimeout, "op: time ran out"},
		{context.DeadlineExceeded, "a drive", azprov.KindTimeout, "op: time ran out: a drive"},
		{context.Canceled, "", azprov.KindCanceled, "op: canceled by the caller"},
		{context.Canceled, "a drive", azprov.KindCanceled, "op: canceled by the caller: a drive"},
	} {
		if err := Ended("op", row.message, row.err); err.Error() != row.want || azprov.KindOf(err) != row.kind || !errors.Is(err, row.err) {
			t.Errorf("%v, %q: %v, want %q", row.err, row.message, err, row.want)
		}
	}
}
