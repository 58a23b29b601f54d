// The minimal importer of package certs: a program that makes a transport key, and opens
// the certificates of a file with it. It reads that file with package goalstate, as all
// importers will, so that the difference to that package's figure is the price.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
)

func main() {
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := goalstate.ParseCertificateFile(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := certs.GenerateTransportKey(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle, err := certs.Decode(file.Data, key)
	for _, c := range bundle.Certificates {
		fmt.Println(c.Thumbprint, c.SSHKey)
	}
	fmt.Println(err)
}
