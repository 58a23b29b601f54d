package certs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

func TestContainerError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		kind azprov.Kind
		hint bool // for an envelope
		deep bool // and for what is inside
	}{
		{ber.ErrTooLarge, azprov.KindTooLarge, false, false},
		{fmt.Errorf("deep: %w", ber.ErrTooLarge), azprov.KindTooLarge, false, false},
		{&cms.UnsupportedError{What: "content cipher", OID: "1.2.3"}, azprov.KindProtected, true, false},
		{ErrFIPSOnly, azprov.KindProtected, true, true},
		{cms.ErrRecipient, azprov.KindProtected, true, true},
		{cms.ErrDecrypt, azprov.KindMalformed, true, false},
		{pfx.ErrMAC, azprov.KindMalformed, false, false},
		{errors.New("truncated"), azprov.KindMalformed, false, false},
	} {
		t.Run(row.err.Error(), func(t *testing.T) {
			t.Parallel()
			for what, hint := range map[string]bool{whatEnvelope: row.hint, "PFX": row.deep} {
				err := containerError("certs.Decode", what, row.err)
				isError(t, err, "certs.Decode", row.kind)
				var e *azprov.Error
				if !errors.Is(err, row.err) || !errors.As(err, &e) || (e.Hint != "") != hint {
					t.Errorf("%s: %#v", what, err)
				}
				if strings.Count(err.Error(), row.err.Error()) != 1 {
					t.Errorf("%s: %q", what, err)
				}
			}
		})
	}
}

func TestOpenErrorsAreItsOwn(t *testing.T) {
	t.Parallel()
	secret, err := transport().Open([]byte("no envelope"))
	isError(t, err, "certs.TransportKey.Open", azprov.KindMalformed)
	if !secret.IsZero() {
		t.Error("a secret beside an error")
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]*TransportKey{"nil": nil, "zero": {}} {
		_, err := Decode([]byte("sealed"), key)
		isError(t, err, "certs.Decode", azprov.KindInternal)
		if !strings.Contains(err.Error(), "make one with GenerateTransportKey") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoKeyHasNoCertificate(t *testing.T) {
	t.Parallel()
	var none *TransportKey
	if none.Certificate() != nil || none.HeaderValue() != "" || none.String() != "certs.TransportKey()" {
		t.Error("a nil key has a certificate")
	}
}

func TestPossibleCipherValues(t *testing.T) {
	t.Parallel()
	want := []Cipher{"AES128_CBC", "DES_EDE3_CBC"}
	if diff := cmp.Diff(want, PossibleCipherValues()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if PossibleCipherValues()[0] = "x"; PossibleCipherValues()[0] != CipherAES128CBC {
		t.Error("a caller can change the list")
	}
}
