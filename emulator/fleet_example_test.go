package emulator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/azprov/azprov/emulator"
)

// A thousand VMs are told apart by the address that they come from. In memory each has a
// client that comes from there.
func ExampleNewFleet() {
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		panic(err)
	}
	fleet, err := emulator.NewFleet(scenario, 1000, nil)
	if err != nil {
		panic(err)
	}
	server := fleet.ListenInMemory(context.Background())
	defer func() { _ = server.Close() }()

	for _, number := range []int{0, 999} {
		url := server.IMDSURL(number) + "/metadata/instance/compute/osProfile/computerName?api-version=2021-08-01&format=text"
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
		if err != nil {
			panic(err)
		}
		request.Header.Set("Metadata", "true")
		resp, err := server.Client(number).Do(request)
		if err != nil {
			panic(err)
		}
		name, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%s\n", name)
	}
	summary := fleet.Summary()
	fmt.Println(summary.Seen, "seen,", summary.States[emulator.StateNone], "not provisioned")
	// Output:
	// harbour-01-0
	// harbour-01-999
	// 2 seen, 1000 not provisioned
}
