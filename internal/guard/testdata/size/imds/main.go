// The minimal importer of package imds: an agent that reads its instance.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/imds"
)

func main() {
	client, err := imds.NewClient(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.GetInstance(context.Background(), nil)
	fmt.Println(resp.Compute.Name, resp.Network, err)
	data, err := client.GetUserData(context.Background(), nil)
	fmt.Println(data, err)
}
