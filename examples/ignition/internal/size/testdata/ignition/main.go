// A program that links what Ignition does of this: azcore, encoding/xml, and the parser of
// its config.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/coreos/ignition/v2/config"
)

type document struct {
	Text string `xml:"text" json:"text"`
}

func main() {
	pipeline := runtime.NewPipeline("size", "v0.0.0", runtime.PipelineOptions{}, &policy.ClientOptions{})
	fmt.Println(call(context.Background(), pipeline))
	fmt.Println(config.Parse([]byte(os.Args[0])))
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
