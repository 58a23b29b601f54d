// The same program with what the provider uses of the SDK.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/wireserver"
)

type document struct {
	Text string `xml:"text" json:"text"`
}

func main() {
	pipeline := runtime.NewPipeline("size", "v0.0.0", runtime.PipelineOptions{}, &policy.ClientOptions{})
	fmt.Println(call(context.Background(), pipeline))
	fmt.Println(provide(context.Background()))
}

// provide is the provider without Ignition's config.
func provide(ctx context.Context) error {
	metadata, err := imds.NewClient(nil)
	if err != nil {
		return err
	}
	wire, err := wireserver.NewClient(nil)
	if err != nil {
		return err
	}
	resp, err := metadata.GetUserData(ctx, nil)
	fmt.Println(resp.UserData)
	if err == nil && resp.UserData.Len() == 0 {
		var medium *media.Medium
		if medium, err = media.Open(ctx, nil); err == nil {
			env, parsed := medium.Environment()
			fmt.Println(env.CustomData, parsed)
		}
	}
	instance, promised := metadata.GetInstance(ctx, nil)
	fmt.Println(instance.Extended, promised)
	_, record := report.For(err)
	health := wireserver.HealthReport{
		State: goalstate.HealthStateNotReady, SubStatus: goalstate.HealthSubStatusProvisioningFailed,
		Description: record.Encode(report.DialectCloudInit),
	}
	_, err = wire.ReportHealth(ctx, health, nil)
	return err
}

// call uses azcore as its clients do.
func call(ctx context.Context, pipeline runtime.Pipeline) error {
	request, err := runtime.NewRequest(ctx, http.MethodPost, os.Args[0])
	if err != nil {
		return err
	}
	var d document
	if err := runtime.MarshalAsXML(request, d); err != nil {
		return err
	}
	response, err := pipeline.Do(request)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(response, http.StatusOK) {
		return runtime.NewResponseError(response)
	}
	if err := runtime.UnmarshalAsXML(response, &d); err != nil {
		return err
	}
	return runtime.UnmarshalAsJSON(response, &d)
}
