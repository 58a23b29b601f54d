package emulator_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
)

func ExampleScenarios() {
	for _, s := range emulator.Scenarios() {
		if s.Group == "Pre-provisioning" {
			fmt.Println(s.Name)
		}
	}
	// Output:
	// pps-migration
	// pps-not-yet-empty
	// pps-osdisk
	// pps-recovery
	// pps-reset
	// pps-running
	// pps-savable
}

// An agent's own client, pointed at the emulator, reads the goal state.
func ExampleFabric_ListenInMemory() {
	ctx := context.Background()
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		fmt.Println(err)
		return
	}
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := fabric.ListenInMemory(ctx)
	defer func() { _ = server.Close() }()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.WireServerURL()+"/machine?comp=goalstate", http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("x-ms-version", goalstate.ProtocolVersion)
	resp, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status)

	for _, entry := range fabric.Journal() {
		fmt.Println(entry.Service, entry.Method, entry.Path, entry.Status, entry.Verdicts)
	}
	fmt.Println(fabric.State())
	// Output:
	// 200 OK
	// wireserver GET /machine?comp=goalstate 200 []
	// None
}

func ExampleParseScenario() {
	_, err := emulator.ParseScenario([]byte(`{
		"name": "throttled",
		"description": "The first two requests to IMDS are one too many.",
		"vm": {"id": "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf", "hostName": "pier-01"},
		"imds": {"faults": [{"status": 429, "times": 2, "retryafter": "1"}]}
	}`))
	fmt.Println(strings.TrimPrefix(err.Error(), "emulator.ParseScenario: "))
	// Output:
	// line 5: unknown key "retryafter" in imds.faults[0]; did you mean "retryAfter"?
}
