// Package wait is the waiting that all packages share: it ends with its context, and
// says so in one way.
package wait

import (
	"context"
	"errors"
	"time"

	"github.com/azprov/azprov"
)

// For waits for d or the end of the context, whose error it returns. Without a wait it
// does not look at the context.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended is the error of an operation that the end of its context, err, has ended: of
// [azprov.KindCanceled] or [azprov.KindTimeout]. A message says what it waited for.
func Ended(op, message string, err error) *azprov.Error {
	e := &azprov.Error{Op: op, Kind: azprov.KindTimeout, Message: "time ran out", Context: err}
	if errors.Is(err, context.Canceled) {
		e.Kind, e.Message = azprov.KindCanceled, "canceled by the caller"
	}
	if message != "" {
		e.Message += ": " + message
	}
	return e
}

// Within runs do for d at most, and leaves it behind if it does not listen to its
// context: for what is not worth holding up the caller.
func Within(ctx context.Context, op string, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- do(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return Ended(op, "no answer within "+d.String(), ctx.Err())
	}
}
