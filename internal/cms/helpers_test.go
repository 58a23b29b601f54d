package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov/internal/cms"
)

// identity is a key with its certificate.
type identity struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
	// pem has both.
	pem []byte
}

func (i identity) recipient() cms.Recipient {
	return cms.Recipient{Key: i.key, Certificate: i.certificate}
}

var (
	//go:embed testdata/ours.pem
	oursPEM []byte
	//go:embed testdata/small.pem
	smallPEM []byte

	ours = sync.OnceValue(func() identity { return parseIdentity(oursPEM) })
	// small has a key of 1024 bits, with which thousands of envelopes open in a second.
	// It stays the same, so that what the fuzzer has collected stays of use.
	small = sync.OnceValue(func() identity { return parseIdentity(smallPEM) })
	other = sync.OnceValue(func() identity { return newIdentity(2048, "other") })
	third = sync.OnceValue(func() identity { return newIdentity(2048, "third") })
)

func parseIdentity(text []byte) identity {
	keyBlock, rest := pem.Decode(text)
	certificateBlock, _ := pem.Decode(rest)
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		panic(err)
	}
	return identity{key.(*rsa.PrivateKey), parseCertificate(certificateBlock.Bytes), text}
}

func parseCertificate(der []byte) *x509.Certificate {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return certificate
}

func newIdentity(bits int, name string) identity {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	certificate := certify(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, SubjectKeyId: []byte(name),
	}, key)
	return identity{key, certificate, bytes.Join([][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil)}
}

// certify signs a certificate with the key itself.
func certify(template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	template.NotBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template.NotAfter = template.NotBefore.AddDate(1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return parseCertificate(der)
}

// bin decodes hexadecimal digits, with blanks where they help to read them.
func bin(digits string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func seal(tb testing.TB, e cms.Envelope, content []byte, recipients ...*x509.Certificate) []byte {
	tb.Helper()
	envelope, err := e.Seal(content, recipients...)
	if err != nil {
		tb.Fatal(err)
	}
	return envelope
}

// opens checks that the envelope opens, to that content, and is not changed by it.
func opens(t *testing.T, envelope []byte, r cms.Recipient, content []byte) {
	t.Helper()
	before := bytes.Clone(envelope)
	got, err := cms.Open(envelope, r)
	if !bytes.Equal(envelope, before) {
		t.Error("the envelope was changed")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("content = %.100q (%d bytes), want %.100q (%d bytes)", got, len(got), content, len(content))
	}
}

// refuses checks that the envelope does not open, with that very error.
func refuses(t *testing.T, envelope []byte, r cms.Recipient, want error) {
	t.Helper()
	got, err := cms.Open(envelope, r)
	if got != nil {
		t.Errorf("content = %q beside %v", got, err)
	}
	checkError(t, err, want)
}

// checkError compares errors by identity, an [*cms.UnsupportedError] by its fields, and what
// is wrong with an encoding by its text.
func checkError(t *testing.T, err, want error) {
	t.Helper()
	var unsupported, wanted *cms.UnsupportedError
	switch {
	case err == nil:
		t.Errorf("no error, want %v", want)
	case errors.As(want, &wanted):
		if !errors.As(err, &unsupported) || *unsupported != *wanted {
			t.Errorf("error = %v, want %v", err, want)
		}
	case errors.Is(want, cms.ErrDecrypt), errors.Is(want, cms.ErrRecipient), errors.Is(want, cms.ErrFIPS):
		// Nothing around it, either: it could tell failures apart.
		if err != want { //nolint:errorlint // See above.
			t.Errorf("error = %v, want %v", err, want)
		}
	case err.Error() != want.Error():
		t.Errorf("error = %v, want %v", err, want)
	}
}

// transports are the ways of wrapping a key, by name; 0 is PKCS #1 v1.5.
var transports = map[string]crypto.Hash{
	"pkcs1": 0, "oaep-sha1": crypto.SHA1, "oaep-sha224": crypto.SHA224, "oaep-sha256": crypto.SHA256,
	"oaep-sha384": crypto.SHA384, "oaep-sha512": crypto.SHA512,
}
