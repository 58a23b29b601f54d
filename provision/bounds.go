package provision

import (
	"context"
	"errors"
	"time"

	"github.com/azprov/azprov"
)

// ended is the error of an operation that the end of its context, err, has ended.
func ended(op, message string, err error) error {
	e := &azprov.Error{Op: op, Kind: azprov.KindTimeout, Message: "time ran out", Context: err}
	if errors.Is(err, context.Canceled) {
		e.Kind, e.Message = azprov.KindCanceled, "canceled by the caller"
	}
	if message != "" {
		e.Message += ": " + message
	}
	return e
}

// within runs do for d at most, and leaves it behind if it does not listen to its
// context: what is not worth the report must not hold it up.
func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- do(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ended("provision.Run", "no answer within "+d.String(), ctx.Err())
	}
}
