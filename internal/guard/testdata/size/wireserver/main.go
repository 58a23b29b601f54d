// The minimal importer of package wireserver: an agent that finds the wire server,
// reports Ready and watches the goal state.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/wireserver"
)

func main() {
	found, err := wireserver.Discover(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := wireserver.NewClient(&wireserver.ClientOptions{Endpoint: found.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := wireserver.HealthReport{State: goalstate.HealthStateReady}
	if _, err := client.ReportHealth(context.Background(), report, nil); err != nil {
		fmt.Println(err)
	}
	for gs, err := range client.WatchGoalState(context.Background(), nil) {
		fmt.Println(gs.Incarnation, err)
	}
}
