package pfx

import (
	"bytes"
	"testing"
)

func TestEncodeIsDecoded(t *testing.T) {
	t.Parallel()
	id := []byte{2, 0, 0, 0}
	ed, ec, rsa := edIdentity(), ecIdentity(), rsaIdentity()
	for behaviour, c := range map[string]Contents{
		"nothing":             {},
		"a key":               {Keys: []Key{ed.key(Attributes{})}},
		"a certificate":       {Certificates: []Certificate{ed.certificate(Attributes{})}},
		"one of each, marked": {Keys: []Key{rsa.key(Attributes{"keel", id})}, Certificates: []Certificate{rsa.certificate(Attributes{"keel", id})}},
		"a name in any letters": {
			Certificates: []Certificate{ed.certificate(Attributes{FriendlyName: "Möwe 港 🦊"})},
		},
		"several keys and certificates, in their order": {
			Keys:         []Key{rsa.key(Attributes{}), ed.key(Attributes{LocalKeyID: id}), ec.key(Attributes{}), ed.key(Attributes{})},
			Certificates: []Certificate{ec.certificate(Attributes{}), ed.certificate(Attributes{"boom", nil}), ec.certificate(Attributes{})},
		},
		"a certificate that is none": {Certificates: []Certificate{{DER: []byte("no certificate")}, {DER: []byte{}}}},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			decodesTo(t, encode(t, c), c)
		})
	}
}

// Salts are new every time, and keys are not in the clear.
func TestEncodeHides(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	c := one(i)
	a, b := encode(t, c), encode(t, c)
	if bytes.Equal(a, b) {
		t.Error("the same twice")
	}
	if bytes.Contains(a, i.pkcs8) || bytes.Contains(a, i.der) {
		t.Error("in the clear")
	}
}
