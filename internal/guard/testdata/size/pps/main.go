// The minimal importer of package pps: a VM that recovers in its pool and waits for its
// owner.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/pps"
)

func main() {
	client, err := imds.NewClient(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	machine, err := pps.New(&pps.Options{
		Type: pps.TypeUnknown, Metadata: pps.IMDSMetadata(client), Store: pps.FileStore("/var/lib/azprov/pool.json"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := machine.Run(context.Background())
	fmt.Println(result.Type, result.Requests, err)
}
