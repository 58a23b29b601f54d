// The minimal importer of package media: a program that finds the provisioning medium,
// reads it and ejects it.
package main

import (
	"context"
	"fmt"

	"github.com/azprov/azprov/ovf/media"
)

func main() {
	medium, err := media.Open(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	env, err := medium.Environment()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.HostName, env.UserName, medium.Eject(context.Background()))
}
