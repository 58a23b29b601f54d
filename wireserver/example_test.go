package wireserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/wireserver"
)

// fabric serves a VM in memory; on a real one, NewClient(nil) is all there is to do.
func fabric(ctx context.Context) (*emulator.Fabric, *wireserver.Client, func()) {
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		panic(err)
	}
	f, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		panic(err)
	}
	server := f.ListenInMemory(ctx)
	client, err := wireserver.NewClient(&wireserver.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: server.Client()},
		AgentName:     "com.example.agent",
	})
	if err != nil {
		panic(err)
	}
	return f, client, func() { _ = server.Close() }
}

// Tell the platform that the machine is ready.
func ExampleClient_ReportHealth() {
	ctx := context.Background()
	f, client, stop := fabric(ctx)
	defer stop()

	_, err := client.ReportHealth(ctx, wireserver.HealthReport{State: goalstate.HealthStateReady}, nil)
	fmt.Println(err, f.State())
	// Output: <nil> Ready
}

// Read the goal state, and a configuration it points to.
func ExampleClient_GetSharedConfig() {
	ctx := context.Background()
	_, client, stop := fabric(ctx)
	defer stop()

	gs, err := client.GetGoalState(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	shared, err := client.GetSharedConfig(ctx, &wireserver.GetSharedConfigOptions{GoalState: &gs.GoalState})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("incarnation", gs.Incarnation, "address", shared.Instances[0].Address)
	// Output: incarnation 1 address 10.20.0.4
}

// Follow the goal state until something happens.
func ExampleClient_WatchGoalState() {
	ctx := context.Background()
	_, client, stop := fabric(ctx)
	defer stop()

	for gs, err := range client.WatchGoalState(ctx, nil) {
		if errors.Is(err, azprov.ErrCanceled) {
			return
		}
		if err != nil {
			fmt.Println("will look again:", err)
			continue
		}
		fmt.Println("incarnation", gs.Incarnation)
		break
	}
	// Output: incarnation 1
}

// Find the wire server of a fabric that has another one than public Azure, from the lease
// that systemd-networkd got there. On a VM Root is left out.
func ExampleDiscover() {
	lease := []byte("ADDRESS=10.62.144.96\nOPTION_245=0a3e908c\n")
	found, err := wireserver.Discover(context.Background(), &wireserver.DiscoverOptions{
		Root: fstest.MapFS{"run/systemd/netif/leases/2": {Data: lease}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.URL, found.Source, found.File)
	if _, err := wireserver.NewClient(&wireserver.ClientOptions{Endpoint: found.URL}); err != nil {
		fmt.Println(err)
	}
	// Output: http://10.62.144.140 Lease /run/systemd/netif/leases/2
}
