package certs

import (
	"crypto"
	"errors"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/programtest"
)

// SHA-1 panics in that mode: what needs it must not be called. The mode is set for a whole
// program, so that this test runs itself.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if cms.FIPSOnly() {
		checkFIPSOnly(t)
		return
	}
	programtest.Rerun(t, ".", "GODEBUG=fips140=only")
}

func checkFIPSOnly(t *testing.T) {
	t.Helper()
	_, err := Decode(bundleData(), transport())
	isFIPSError(t, err, "certs.Decode")
	_, err = transport().Open(bundleData())
	isFIPSError(t, err, "certs.TransportKey.Open")
	if b, err := Decode(nil, transport()); err != nil || len(b.Certificates) != 0 {
		t.Errorf("no data: %v", err)
	}
	if got := Thumbprint(leaf().der); got != "" {
		t.Errorf("thumbprint %s", got)
	}
	if got := transport().String(); got != "certs.TransportKey()" {
		t.Errorf("%s", got)
	}
	if c := newCertificate(leaf().certificate()); c.SSHKey == "" || len(c.Warnings) != 0 {
		t.Errorf("%+v", c.Certificate)
	}
	// A key can be made and used with what the mode allows.
	key, err := GenerateTransportKey(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkTransportCertificate(t, key)
	sealed, err := cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA256}.Seal([]byte("rope"), key.certificate)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := key.Open(sealed); err != nil || secret.RevealString() != "rope" {
		t.Errorf("%v, %q", err, secret.RevealString())
	}
}

func isFIPSError(t *testing.T, err error, op string) {
	t.Helper()
	isError(t, err, op, azprov.KindProtected)
	var e *azprov.Error
	if !errors.Is(err, ErrFIPSOnly) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("%v", err)
	}
}
