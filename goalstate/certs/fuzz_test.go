package certs

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// FuzzDecode changes envelopes, few of which still decrypt. See FuzzPair.
func FuzzDecode(f *testing.F) {
	plain := must(pfx.Encode(pfx.Contents{Keys: []pfx.Key{leaf().key(1)}, Certificates: []pfx.Certificate{leaf().certificate(1)}}))
	f.Add(bundleData())
	for _, e := range []cms.Envelope{
		{Content: cms.DESEDE3CBC}, {Content: cms.AES256CBC, OAEP: crypto.SHA256}, {Content: cms.AES128CBC, ByIssuer: true},
	} {
		f.Add(must(e.Seal(plain, transport().certificate)))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b Bundle
		var err error
		boundtest.Check(t, func() { b, err = Decode(data, transport()) })
		if err != nil {
			var e *azprov.Error
			if !errors.As(err, &e) || e.Op != "certs.Decode" || e.Message == "" || len(b.Certificates) != 0 {
				t.Fatalf("%#v, %+v", err, b)
			}
			return
		}
		checkBundle(t, b)
	})
}

// FuzzPair changes what is inside of an envelope.
func FuzzPair(f *testing.F) {
	a, odd := edIdentity("anchor", 1), pemIdentity(secp256k1PEM)
	f.Add(plainPFX([][]byte{a.pkcs8}, [][]byte{a.der}))
	f.Add(plainPFX([][]byte{leaf().pkcs8, odd.pkcs8}, [][]byte{leaf().der, odd.der}))
	f.Add(plainPFX(nil, [][]byte{pemIdentity(dsaPEM).der, pemIdentity(x25519PEM).der}))
	f.Add(plainPFX([][]byte{pemIdentity(dsaPEM).pkcs8, pemIdentity(x25519PEM).pkcs8}, nil))
	f.Add(plainPFX([][]byte{rsaPrivateKey(20)}, [][]byte{{}}))
	f.Add(must(pfx.Encode(pfx.Contents{Keys: []pfx.Key{a.key(1), odd.key(2)}, Certificates: []pfx.Certificate{odd.certificate(2), a.certificate(1)}})))
	f.Fuzz(func(t *testing.T, plain []byte) {
		var contents pfx.Contents
		var b Bundle
		var err error
		boundtest.Check(t, func() {
			if contents, err = pfx.Decode(plain); err == nil {
				b = pair(contents)
			}
		})
		if err == nil {
			checkBundle(t, b)
			checkNothingIsLost(t, contents, b)
		}
	})
}

// checkBundle says what is true of every bundle.
func checkBundle(t *testing.T, b Bundle) {
	t.Helper()
	for i := range b.Certificates {
		c := &b.Certificates[i]
		if c.Thumbprint != Thumbprint(c.DER) || c.Thumbprint == "" && !c.HasPrivateKey() && len(c.Warnings) == 0 {
			t.Errorf("thumbprint %q of %x", c.Thumbprint, c.DER)
		}
		if c.SSHKey == "" && len(c.Warnings) == 0 {
			t.Error("no SSH key, and no word why")
		}
		for _, line := range append([]string{c.Subject, c.SSHKey}, c.Warnings...) {
			if strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("not one line: %q", line)
			}
		}
		if c.Thumbprint != "" {
			if found, ok := b.Lookup(c.Thumbprint); !ok || !bytes.Equal(found.DER, c.DER) {
				t.Errorf("%s is not found", c.Thumbprint)
			}
		}
	}
}

// checkNothingIsLost says that every key and certificate is there, and these in their
// order.
func checkNothingIsLost(t *testing.T, contents pfx.Contents, b Bundle) {
	t.Helper()
	for i, c := range contents.Certificates {
		if !bytes.Equal(b.Certificates[i].DER, c.DER) {
			t.Errorf("certificate %d is another one", i)
		}
	}
	for i, key := range contents.Keys {
		there := false
		for j := range b.Certificates {
			c := &b.Certificates[j]
			there = there || c.HasPrivateKey() && bytes.Equal(c.PrivateKey.Reveal(), key.PKCS8)
		}
		if !there {
			t.Errorf("key %d is lost", i)
		}
	}
}
