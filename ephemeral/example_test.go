package ephemeral_test

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/ephemeral"
	"github.com/azprov/azprov/provision"
)

// An agent in an initramfs, where nobody else configures the network: it is up before IMDS
// is read, and gone when the machine is handed over.
func ExampleNew() {
	network, err := ephemeral.New(&ephemeral.Options{
		OnAttempt: func(a ephemeral.Attempt) { fmt.Println(a.Link.Name, a.Lease.Address, a.Err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := provision.Run(context.Background(), &provision.Options{
		Network: network,
		Apply:   func(context.Context, *provision.Machine) error { return nil },
	})
	fmt.Println(result, err)
}
