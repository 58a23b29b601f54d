package transport

import (
	"net"
	"syscall"

	"github.com/azprov/azprov"
)

// bindControl ties sockets to one interface, so that on a machine with several
// NICs the request leaves by the primary one, the only one both services answer.
func bindControl(op, ifname string) (func(network, address string, c syscall.RawConn) error, error) {
	if ifname == "" {
		return nil, nil
	}
	if _, err := net.InterfaceByName(ifname); err != nil {
		return nil, &azprov.Error{
			Op: op, Target: azprov.OneLine(ifname), Kind: azprov.KindNotFound,
			Message: "no such network interface", Last: err,
		}
	}
	return func(_, _ string, c syscall.RawConn) error {
		var bound error
		err := c.Control(func(fd uintptr) {
			bound = syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, ifname)
		})
		if err != nil {
			return err
		}
		return bound
	}, nil
}
