// The minimal importer of package report/crash: an agent that is watched.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/report/crash"
)

func main() {
	done, err := crash.Watch(func(_ context.Context, err error) error {
		fmt.Println(err)
		return nil
	})
	defer done()
	fmt.Println(err)
}
