// The minimal importer of package provision: a boot agent that takes the whole
// course.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/provision"
)

func main() {
	result, err := provision.Run(context.Background(), &provision.Options{
		Apply: func(_ context.Context, m *provision.Machine) error {
			fmt.Println(m)
			return nil
		},
	})
	fmt.Println(result, err)
}
