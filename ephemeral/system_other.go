//go:build !linux

package ephemeral

import (
	"runtime"

	"github.com/azprov/azprov"
)

func opener(*Options) (func() (system, dhcp, error), error) {
	return nil, errSystem("ephemeral.New")
}

func viewer() (func() (machine, error), error) {
	return nil, errSystem("ephemeral.NewManaged")
}

// errSystem is the error of a system without this.
func errSystem(op string) *azprov.Error {
	return &azprov.Error{
		Op: op, Kind: azprov.KindInternal, Message: "networks are configured on Linux only, not on " + runtime.GOOS,
		Hint: "bring the network up before, and give provision none",
	}
}
