package provision

import (
	"context"
	"time"

	"github.com/azprov/azprov/internal/transport"
)

// within runs do for d at most, and leaves it behind if it does not listen to its
// context: what is not worth the report must not hold it up.
func within(ctx context.Context, op string, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- do(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return transport.Ended(op, "no answer within "+d.String(), ctx.Err())
	}
}
