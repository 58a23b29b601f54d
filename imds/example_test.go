package imds_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
)

// fabric serves a VM in memory; on a real one, NewClient(nil) is all there is to do.
func fabric(ctx context.Context) (*imds.Client, func()) {
	scenario, err := emulator.LookupScenario("linux-vm")
	if err != nil {
		panic(err)
	}
	f, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		panic(err)
	}
	server := f.ListenInMemory(ctx)
	client, err := imds.NewClient(&imds.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: server.Client()},
	})
	if err != nil {
		panic(err)
	}
	return client, func() { _ = server.Close() }
}

// One request gives everything a boot agent needs.
func ExampleClient_GetInstance() {
	ctx := context.Background()
	client, stop := fabric(ctx)
	defer stop()

	instance, err := client.GetInstance(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	disabled, ok := instance.Compute.OSProfile.DisablePasswordAuthentication.Value()
	fmt.Println(instance.Compute.HostName(), instance.Compute.OSProfile.AdminUsername, disabled, ok)
	fmt.Println("user data:", instance.Compute.UserData)
	// Output:
	// harbour-01 pilot true true
	// user data: [redacted]
}

// User data alone, decoded.
func ExampleClient_GetUserData() {
	ctx := context.Background()
	client, stop := fabric(ctx)
	defer stop()

	resp, err := client.GetUserData(ctx, nil)
	fmt.Println(resp.UserData.Len() > 0, resp.UserData, err)
	// Output: true [redacted] <nil>
}

// Any other path; a leaf needs the text format.
func ExampleClient_Get() {
	ctx := context.Background()
	client, stop := fabric(ctx)
	defer stop()

	region, err := client.Get(ctx, "/metadata/instance/compute/location", &imds.GetOptions{Format: "text"})
	fmt.Println(region.Raw().RevealString(), err)

	_, err = client.Get(ctx, "/metadata/loadbalancer", nil)
	fmt.Println(errors.Is(err, azprov.ErrNotFound))
	// Output:
	// westeurope <nil>
	// true
}

// "Not yet" is an answer: the caller decides when to ask again.
func ExampleClient_GetReprovisionData() {
	ctx := context.Background()
	client, stop := fabric(ctx)
	defer stop()

	_, err := client.GetReprovisionData(ctx, nil)
	fmt.Println(errors.Is(err, azprov.ErrNotReady))
	// Output: true
}

// What the host itself lists.
func ExampleClient_GetVersions() {
	ctx := context.Background()
	client, stop := fabric(ctx)
	defer stop()

	resp, err := client.GetVersions(ctx, nil)
	fmt.Println(resp.APIVersions[0], err)
	// Output: 2017-03-01 <nil>
}
