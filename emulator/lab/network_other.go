//go:build !linux

package lab

import (
	"context"
	"errors"
	"net"
	"runtime"

	"github.com/azprov/azprov"
)

// network is that of a system without network namespaces.
type network struct{}

var errSystem = errors.New("there are no network namespaces on " + runtime.GOOS)

func (*network) build(context.Context, plan) error {
	return labError(azprov.KindNotFound, "the lab needs Linux", "the emulator itself listens on any system: azprov emulate", errSystem)
}

func (*network) listen(context.Context, string) (net.Listener, error) { return nil, errSystem }

// Detach is part of emulator.LinkDriver.
func (*network) Detach(context.Context) error { return errSystem }

// Attach is part of emulator.LinkDriver.
func (*network) Attach(context.Context) error { return errSystem }

// Carrier is part of emulator.LinkDriver.
func (*network) Carrier(context.Context, bool) error { return errSystem }

func (*network) inGuest(func() error) error { return errSystem }

func (*network) path() string { return "" }

func (*network) close() error { return nil }
