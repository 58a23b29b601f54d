package link

import (
	"context"
	"errors"
	"os"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// causes maps why reading ended to what the caller is told.
var causes = []struct {
	cause   error
	kind    azprov.Kind
	message string
}{
	{os.ErrClosed, azprov.KindCanceled, "the watcher was closed"},
	{errSilent, azprov.KindTimeout, "the list of interfaces cannot be read"},
	{errTooMany, azprov.KindTooLarge, "the list of interfaces is too long"},
	{ErrDamaged, azprov.KindMalformed, "the list of interfaces cannot be read"},
}

// readError is the error of an operation that reads from the kernel.
func readError(op string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return wait.Ended(op, "waiting for the kernel's list of interfaces or a change of it", err)
	}
	for _, row := range causes {
		if errors.Is(err, row.cause) {
			return &azprov.Error{Op: op, Kind: row.kind, Message: row.message, Last: err}
		}
	}
	return &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the list of interfaces cannot be read", Last: err}
}
