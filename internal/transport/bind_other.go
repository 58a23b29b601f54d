//go:build !linux

package transport

import (
	"syscall"

	"github.com/azprov/azprov"
)

// bindControl refuses: binding to an interface is Linux's SO_BINDTODEVICE.
func bindControl(op, ifname string) (func(network, address string, c syscall.RawConn) error, error) {
	if ifname == "" {
		return nil, nil
	}
	return nil, &azprov.Error{
		Op: op, Kind: azprov.KindInternal,
		Message: "binding to an interface is supported on Linux only",
		Hint:    "leave Interface empty",
	}
}
