// The minimal importer of package ephemeral: a program that brings a network up and takes
// it down.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/ephemeral"
)

func main() {
	network, err := ephemeral.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := network.Up(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	lease, _ := network.Lease()
	fmt.Println(network.Index(), lease.Address, network.Down(context.Background()))
}
