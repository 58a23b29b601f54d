// The minimal importer of package media: a program that reads the provisioning medium
// from a device.
package main

import (
	"fmt"
	"os"

	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

func main() {
	disc, err := media.Open(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	env, err := ovf.ReadFS(disc.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.HostName, env.UserName, disc.Close())
}
