// The minimal importer of package lab: a program that gives the default scenario a
// network.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/emulator/lab"
)

func main() {
	l, err := lab.New(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Namespace(), l.Close())
}
