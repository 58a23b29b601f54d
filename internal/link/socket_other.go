//go:build !linux

package link

import (
	"errors"

	"github.com/azprov/azprov"
)

func openSocket(int) (Transport, error) { return nil, errors.ErrUnsupported }

// openError is that there is no such thing: errors.ErrUnsupported is in its tree.
func openError(op string, err error) error {
	return &azprov.Error{
		Op: op, Kind: azprov.KindNotFound, Message: "interfaces cannot be watched on this system", Last: err,
		Hint: "it takes Linux's rtnetlink",
	}
}
