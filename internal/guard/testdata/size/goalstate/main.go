// The minimal importer of package goalstate: a program that reads a goal state
// from a file and prints the report that answers it.
package main

import (
	"fmt"
	"os"

	"github.com/azprov/azprov/goalstate"
)

func main() {
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	gs, err := goalstate.ParseGoalState(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := goalstate.Health{
		Incarnation: gs.Incarnation, ContainerID: gs.ContainerID, InstanceID: gs.InstanceID,
		State: goalstate.HealthStateReady,
	}.EncodeXML()
	fmt.Println(string(body), err)
}
