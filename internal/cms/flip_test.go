package cms_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// survey is where what matters to these tests lies in an envelope with one recipient.
type survey struct {
	t        *testing.T
	envelope []byte
	// ignored has the bits that say nothing, by offset.
	ignored map[int]byte
	// encrypted has the offsets of what is encrypted, or takes part in decrypting it.
	encrypted map[int]bool
}

// offset of a slice of the envelope.
func (s *survey) offset(b []byte) int { return cap(s.envelope) - cap(b) }

func (s *survey) ignore(b []byte, bits byte) {
	for i := range b {
		s.ignored[s.offset(b)+i] = bits
	}
}

func (s *survey) secret(b []byte) {
	for i := range b {
		s.encrypted[s.offset(b)+i] = true
	}
}

// surveyOf finds the fields that [cms.Open] does not look at. All other bits count.
func surveyOf(t *testing.T, envelope []byte) *survey {
	t.Helper()
	s := &survey{t, envelope, make(map[int]byte), make(map[int]bool)}
	const (
		every       = 0xff
		notNegative = 0x7f // A version, as long as it is one.
		constructed = 0x20
		otherTag    = every &^ constructed
	)
	document, err := ber.Parse(envelope)
	if err != nil {
		t.Fatal(err)
	}
	s.ignore(document.Raw[:1], otherTag) // There is nothing else that it could be.
	info := document.Children()
	authenticated := info.OID() == oidAuthEnveloped
	fields := info.Take(ber.Context(0)).Children().Take(ber.Sequence).Children()
	s.ignore(fields.Take(ber.Integer).Content, notNegative)
	recipient := fields.Take(ber.Set).Children().Next().Children()
	s.ignore(recipient.Take(ber.Integer).Content, notNegative)
	recipient.Next()
	transport := recipient.Take(ber.Sequence).Children()
	if transport.OID() == oidRSA {
		s.ignore(transport.Next().Raw[:1], every) // Its NULL.
	} else {
		s.ignore(transport.Next().Raw[:1], otherTag) // Else it counts as not there.
	}
	s.secret(recipient.Octets())
	content := fields.Take(ber.Sequence).Children()
	s.ignore(content.Take(ber.ObjectID).Content, every)
	algorithm := content.Take(ber.Sequence).Children()
	algorithm.OID()
	if authenticated {
		s.secret(algorithm.Take(ber.Sequence).Children().Octets())
	} else {
		s.secret(algorithm.Octets())
	}
	s.secret(content.Take(ber.Context(0)).Content)
	if attributes, there := fields.Optional(ber.Context(1)); there {
		// Their own tag is authenticated as that of a SET, whatever it is.
		s.ignore(attributes.Raw[:1], constructed)
	}
	if authenticated {
		s.secret(fields.Octets())
	}
	for _, c := range []*ber.Cursor{info, fields, recipient, transport, content, algorithm} {
		if c.Err() != nil || c.More() {
			t.Fatalf("%v, more: %t", c.Err(), c.More())
		}
	}
	return s
}

// Whichever bit is wrong: unless it is one that says nothing, the content does not come
// out. Where it is authenticated, or its key is, nothing comes out at all.
func TestOpenFlippedBits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		envelope []byte
		// strict is for what is authenticated.
		strict bool
	}{
		{"CBC, PKCS #1 v1.5", seal(t, cms.Envelope{Content: cms.AES128CBC}, secret, small().certificate), false},
		{"CBC, OAEP, by issuer", seal(t, cms.Envelope{Content: cms.DESEDE3CBC, OAEP: crypto.SHA1, ByIssuer: true}, secret, small().certificate), false},
		{"GCM", draftGCM(t, 16).encode(), true},
		{"GCM, attributes", draftGCM(t, 12, attribute()).encode(), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := surveyOf(t, tc.envelope)
			spoiled := bytes.Clone(tc.envelope)
			for i := range spoiled {
				for bit := byte(1); bit != 0; bit <<= 1 {
					spoiled[i] ^= bit
					got, err := cms.Open(spoiled, small().recipient())
					spoiled[i] ^= bit
					s.check(i, bit, got, err, tc.strict)
				}
			}
			opens(t, spoiled, small().recipient(), secret)
		})
	}
}

func (s *survey) check(i int, bit byte, got []byte, err error, strict bool) {
	s.t.Helper()
	switch {
	case s.ignored[i]&bit != 0:
		return
	case err != nil:
		if got != nil {
			s.t.Errorf("byte %d, bit %#x: %q beside %v", i, bit, got, err)
		}
		if s.encrypted[i] && !errors.Is(err, cms.ErrDecrypt) {
			s.t.Errorf("byte %d, bit %#x: %v", i, bit, err)
		}
	case strict || bytes.Equal(got, secret):
		s.t.Errorf("byte %d, bit %#x: it opens to %q", i, bit, got)
	}
}

func TestOpenTruncated(t *testing.T) {
	t.Parallel()
	chopped := draftCBC(t)
	chopped.content = bytes.Join([][]byte{{0xa0, 0x80}, octets(encryptCBC(t, pad(secret, 16))), {0, 0}}, nil)
	for name, envelope := range map[string][]byte{
		"CBC":     seal(t, cms.Envelope{Content: cms.AES256CBC, OAEP: crypto.SHA256}, secret, small().certificate, other().certificate),
		"chopped": chopped.encode(),
		"GCM":     draftGCM(t, 16, attribute()).encode(),
	} {
		opens(t, envelope, small().recipient(), secret)
		for n := range envelope {
			if got, err := cms.Open(envelope[:n], small().recipient()); err == nil || err.Error() != "truncated" {
				t.Errorf("%s, the first %d bytes: %q, %v", name, n, got, err)
			}
		}
	}
}
