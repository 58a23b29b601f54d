// The minimal importer of package ovf: a program that reads a mounted medium and
// keeps a copy without secrets.
package main

import (
	"fmt"
	"os"

	"github.com/azprov/azprov/ovf"
)

func main() {
	env, err := ovf.ReadFS(os.DirFS(os.Args[1]))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.HostName, env.UserName, env.PublicKeys, env.Warnings)
	b, err := os.ReadFile(os.Args[1] + "/ovf-env.xml")
	if err != nil {
		fmt.Println(err)
		return
	}
	redacted, err := ovf.Redacted(b)
	fmt.Println(string(redacted), err)
}
