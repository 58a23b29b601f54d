package certs_test

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"

	"github.com/azprov/azprov/goalstate/certs"
)

var (
	//go:embed testdata/transport-key.pem
	keyPEM []byte
	//go:embed testdata/transport-cert.pem
	certificatePEM []byte
	//go:embed testdata/bundle.b64
	data string
)

// The key is made while the network comes up.
func ExampleStartTransportKey() {
	ctx := context.Background()
	pending := certs.StartTransportKey(nil)
	// …
	key, err := pending.Wait(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(key.HeaderValue()) > 1000)
	// Output: true
}

// What the wire server sent for a key: a certificate with its private key, and another
// certificate.
func ExampleDecode() {
	key, err := certs.ParseTransportKey(keyPEM, certificatePEM)
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle, err := certs.Decode(envelope, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range bundle.Certificates {
		c := &bundle.Certificates[i]
		fmt.Println(c.Thumbprint, c.HasPrivateKey(), c.Subject)
	}
	// Output:
	// 2432739B91A02BA35C299EDEF24D765761BC82AC true C=NZ, ST=Otago, O=Harbour Works, OU=Ropes, CN=harbour
	// C653E1FD7D12AB1BD3BF79498E0060BE3FEC3DEE false DC=Harbour Works Certificate Generator
}

// A fingerprint on the medium stands for a certificate's public key.
func ExampleBundle_Lookup() {
	key, err := certs.ParseTransportKey(keyPEM, certificatePEM)
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle, err := certs.Decode(envelope, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	if c, found := bundle.Lookup("2432739b91a02ba35c299edef24d765761bc82ac"); found {
		fmt.Println(c.SSHKey[:40], c.FriendlyName)
	}
	// Output: ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCu Harbour leaf
}
