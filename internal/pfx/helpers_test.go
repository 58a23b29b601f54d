package pfx

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// identity is a private key with its certificate, both in DER.
type identity struct {
	name       string
	pkcs8, der []byte
}

// newIdentity does not fail on a working machine, so that it can be a sync.OnceValue.
func newIdentity(name string, key crypto.Signer) identity {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(4_000_000_000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return identity{name, pkcs8, der}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	rsaIdentity = sync.OnceValue(func() identity {
		return newIdentity("anchor", must(rsa.GenerateKey(rand.Reader, 2048)))
	})
	ecIdentity = sync.OnceValue(func() identity {
		return newIdentity("buoy", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
	})
	// edIdentity is small, and the same in every run.
	edIdentity = sync.OnceValue(func() identity {
		return newIdentity("cleat", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x5c}, ed25519.SeedSize)))
	})
)

func (i identity) key(a Attributes) Key                 { return Key{a, i.pkcs8} }
func (i identity) certificate(a Attributes) Certificate { return Certificate{a, i.der} }

// keyPEM is what openssl takes.
func (i identity) keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: i.pkcs8})
}

func (i identity) certificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.der})
}

// samePrivateKey compares keys: a program may write the same one in several ways.
func samePrivateKey(t *testing.T, got, want []byte) {
	t.Helper()
	a, err := x509.ParsePKCS8PrivateKey(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.ParsePKCS8PrivateKey(want)
	if err != nil {
		t.Fatal(err)
	}
	if !a.(interface {
		Equal(x crypto.PrivateKey) bool
	}).Equal(b) {
		t.Error("another private key")
	}
}

func encode(tb testing.TB, c Contents) []byte {
	tb.Helper()
	b, err := Encode(c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func decodesTo(t *testing.T, b []byte, want Contents) {
	t.Helper()
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// one is a key and its certificate, as a file without anything else has them.
func one(i identity) Contents {
	return Contents{Keys: []Key{i.key(Attributes{})}, Certificates: []Certificate{i.certificate(Attributes{})}}
}
