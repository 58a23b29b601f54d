// The minimal importer of package certs: a program that makes a transport key, and opens
// the certificates of a file with it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/azprov/azprov/goalstate/certs"
)

func main() {
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := certs.GenerateTransportKey(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle, err := certs.DecodeFile(b, key)
	for _, c := range bundle.Certificates {
		fmt.Println(c.Thumbprint, c.SSHKey)
	}
	fmt.Println(err)
}
