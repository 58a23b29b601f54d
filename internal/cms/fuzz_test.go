package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/cms"
)

// Whatever comes, it opens to no more than was in it, or fails in one of the ways that are
// promised, at little cost.
func FuzzOpen(f *testing.F) {
	to := []*x509.Certificate{small().certificate}
	for _, e := range []cms.Envelope{
		{Content: cms.DESEDE3CBC},
		{Content: cms.AES128CBC, OAEP: crypto.SHA1},
		{Content: cms.AES192CBC, OAEP: crypto.SHA224, ByIssuer: true},
		{Content: cms.AES256CBC, OAEP: crypto.SHA256},
	} {
		f.Add(seal(f, e, secret, to...))
		f.Add(seal(f, e, nil, append(to, ours().certificate)...))
	}
	chopped := draftCBC(f)
	chopped.originator = ber.Constructed(ber.Context(0))
	chopped.content = bytes.Join([][]byte{{0xa0, 0x80}, octets(encryptCBC(f, pad(secret, 16))), {0, 0}}, nil)
	f.Add(chopped.encode())
	f.Add(draftGCM(f, 12).encode())
	f.Add(draftGCM(f, 16, attribute()).encode())
	labelled := draftCBC(f)
	labelled.recipients = [][]byte{recipientInfo(
		byIssuer(small()),
		oaep(tagged(0, digest(oidSHA256)), tagged(1, mgf1(digest(oidSHA1))), tagged(2, label([]byte("x")))),
		wrapMixed(small(), crypto.SHA256, crypto.SHA1, []byte("x")),
	)}
	f.Add(labelled.encode())
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		for _, r := range []cms.Recipient{small().recipient(), {Key: small().key}} {
			boundtest.Check(t, func() {
				got, err := cms.Open(in, r)
				if err != nil {
					checkFailure(t, got, err)
				} else if len(got) > len(in) {
					t.Errorf("%d bytes out of %d", len(got), len(in))
				}
			})
		}
		if !bytes.Equal(in, before) {
			t.Error("the envelope was changed")
		}
	})
}

func checkFailure(t *testing.T, got []byte, err error) {
	t.Helper()
	if got != nil {
		t.Errorf("%d bytes beside %v", len(got), err)
	}
	var unsupported *cms.UnsupportedError
	switch {
	case errors.Is(err, cms.ErrFIPS):
		t.Error("FIPS-only, though nobody has asked for it")
	case errors.As(err, &unsupported) && (unsupported.What == "" || unsupported.OID == ""):
		t.Errorf("%#v", unsupported)
	case len(err.Error()) == 0 || len(err.Error()) > 300:
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}
