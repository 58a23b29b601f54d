// The minimal importer of package emulator: a program that serves the default
// scenario.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/emulator"
)

func main() {
	scenario, err := emulator.LookupScenario(emulator.DefaultScenario)
	if err != nil {
		fmt.Println(err)
		return
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := fabric.Listen(context.Background(), emulator.Addresses{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.IMDSURL(), server.WireServerURL(), server.HostGAURL(), fabric.Journal())
	fmt.Println(server.Close())
}
