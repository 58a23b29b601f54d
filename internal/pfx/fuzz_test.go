package pfx

import (
	"crypto"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
)

// What decodes can be encoded, and then decodes to the same. However many iterations the
// file asks for, it takes a second at most.
func FuzzDecode(f *testing.F) {
	i := edIdentity()
	id := []byte{1, 0, 0, 0}
	f.Add(encode(f, Contents{}))
	f.Add(encode(f, one(i)))
	f.Add(encode(f, Contents{Keys: []Key{i.key(Attributes{"oar", id})}, Certificates: []Certificate{i.certificate(Attributes{"oar", id})}}))
	f.Add(smallFile(f))
	f.Add(plainFile(keyBag(i), certBag(i), bag(oidSafeBag, seq(certBag(i)), Attributes{"sail", id})))
	f.Add(plainFile(shroudedBag(pbes2{prf: crypto.SHA1, keyLength: 32}.seal(f, i.pkcs8))))
	f.Add(plainFile(shroudedBag(algorithm(oidPBE+"6", seq(octets(testSalt), ber.EncodeInt(maxIterations))), make([]byte, 16)), certBag(i)))
	f.Add(pfxOf(append(append([]byte{0x30, 0x80}, indefinitePart(i)...), 0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Contents
		var err error
		boundtest.Check(t, func() { got, err = Decode(b) })
		// Encode's iterations add up as well.
		if err != nil || len(got.Keys) > 20 || len(b) > ber.MaxSize/4 {
			return
		}
		got.Passed = nil
		for n := range got.Keys {
			dropEmpty(&got.Keys[n].Attributes)
		}
		for n := range got.Certificates {
			dropEmpty(&got.Certificates[n].Attributes)
		}
		again, err := Decode(encode(t, got))
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	})
}

// dropEmpty makes an empty id none, which is what is written.
func dropEmpty(a *Attributes) {
	if len(a.LocalKeyID) == 0 {
		a.LocalKeyID = nil
	}
}
