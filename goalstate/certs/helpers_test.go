package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// The keys and certificates of testdata were made with openssl for these tests. leaf and
// another certificate are in bundle.b64, in Azure's layout, for the transport key.
var (
	//go:embed testdata/transport-key.pem
	transportKeyPEM []byte
	//go:embed testdata/transport-cert.pem
	transportCertPEM []byte
	//go:embed testdata/leaf-key.pem
	leafKeyPEM []byte
	//go:embed testdata/leaf-cert.pem
	leafCertPEM []byte
	//go:embed testdata/secp256k1.pem
	secp256k1PEM []byte
	//go:embed testdata/dsa.pem
	dsaPEM []byte
	//go:embed testdata/x25519.pem
	x25519PEM []byte
	//go:embed testdata/bundle.b64
	bundleBase64 string
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// transport is the transport key of testdata.
var transport = sync.OnceValue(func() *TransportKey { return must(ParseTransportKey(transportKeyPEM, transportCertPEM)) })

func bundleData() []byte { return must(base64.StdEncoding.DecodeString(bundleBase64)) }

// blocks are the PEM blocks of a file.
func blocks(b []byte) [][]byte {
	var all [][]byte
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes)
	}
	return all
}

// identity is a private key with its certificate, both in DER.
type identity struct{ pkcs8, der []byte }

func pemIdentity(parts ...[]byte) identity {
	all := blocks(bytes.Join(parts, nil))
	return identity{all[0], all[1]}
}

func leaf() identity { return pemIdentity(leafKeyPEM, leafCertPEM) }

func newIdentity(name string, key crypto.Signer) identity {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(4_000_000_000, 0),
	}
	return identity{
		must(x509.MarshalPKCS8PrivateKey(key)),
		must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)),
	}
}

func ecIdentity(name string, curve elliptic.Curve) identity {
	return newIdentity(name, must(ecdsa.GenerateKey(curve, rand.Reader)))
}

// edIdentity is small, and the same in every run.
func edIdentity(name string, seed byte) identity {
	return newIdentity(name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
}

func (i identity) key(id ...byte) pfx.Key {
	return pfx.Key{Attributes: pfx.Attributes{LocalKeyID: id}, PKCS8: i.pkcs8}
}

func (i identity) certificate(id ...byte) pfx.Certificate {
	return pfx.Certificate{Attributes: pfx.Attributes{LocalKeyID: id}, DER: i.der}
}

// seal makes what the wire server sends for the transport key.
func seal(tb testing.TB, c pfx.Contents) []byte {
	tb.Helper()
	return sealPlain(tb, must(pfx.Encode(c)))
}

func sealPlain(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	b, err := cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1}.Seal(plain, transport().certificate)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func decode(t *testing.T, data []byte) Bundle {
	t.Helper()
	b, err := Decode(data, transport())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isError says that an error is an *azprov.Error of that operation and kind.
func isError(t *testing.T, err error, op string, kind azprov.Kind) {
	t.Helper()
	var e *azprov.Error
	if !errors.As(err, &e) || e.Op != op || e.Kind != kind || e.Message == "" {
		t.Errorf("%#v, want a %s of %s", err, kind, op)
	}
}

// vector reads a captured document.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS names no directory of captured documents")
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
