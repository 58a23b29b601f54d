package pfx

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/azprov/azprov/internal/ber"
)

func bmp(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return ber.Primitive(ber.BMPString, b)
}

func TestDecodeBags(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	key, certificate := i.key(Attributes{}), i.certificate(Attributes{})
	nested := func(bags ...[]byte) []byte { return bag(oidSafeBag, seq(bags...), Attributes{}) }
	for behaviour, row := range map[string]struct {
		b    []byte
		want Contents
	}{
		"none":               {plainFile(), Contents{}},
		"no parts":           {pfxOf(seq()), Contents{}},
		"a key in the clear": {plainFile(keyBag(i)), Contents{Keys: []Key{key}}},
		"a certificate in the clear": {
			plainFile(certBag(i)), Contents{Certificates: []Certificate{certificate}},
		},
		"in any order, each in its own part": {
			pfxOf(seq(plainPart(certBag(i)), plainPart(keyBag(i)), plainPart(certBag(ecIdentity())))),
			Contents{Keys: []Key{key}, Certificates: []Certificate{certificate, ecIdentity().certificate(Attributes{})}},
		},
		"a list of revoked ones is skipped": {
			plainFile(bag(oidBags+"4", seq(oid("1.2.840.113549.1.9.23.1"), explicit(octets(nil))), Attributes{}), certBag(i)),
			Contents{Certificates: []Certificate{certificate}},
		},
		"a secret is skipped": {
			plainFile(bag(oidBags+"5", seq(oid(unknownOID), explicit(octets(nil))), Attributes{}), certBag(i)),
			Contents{Certificates: []Certificate{certificate}},
		},
		"a kind that nobody knows is skipped": {
			plainFile(bag(unknownOID, ber.EncodeNull(), Attributes{}), certBag(i)),
			Contents{Certificates: []Certificate{certificate}},
		},
		"a certificate that is not X.509 is skipped": {
			plainFile(bag(oidCertBag, seq(oid("1.2.840.113549.1.9.22.2"), explicit(octets(nil))), Attributes{}), certBag(i)),
			Contents{Certificates: []Certificate{certificate}},
		},
		"bags in bags in bags": {
			plainFile(nested(keyBag(i), nested(certBag(i)), nested()), certBag(ecIdentity())),
			Contents{Keys: []Key{key}, Certificates: []Certificate{certificate, ecIdentity().certificate(Attributes{})}},
		},
		"certificates encrypted in a chopped string of unknown length": {
			// 0x30 0x80 … 0x00 0x00, and the OCTET STRING in two pieces.
			pfxOf(append(append([]byte{0x30, 0x80}, indefinitePart(i)...), 0, 0)),
			Contents{Certificates: []Certificate{certificate}},
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			decodesTo(t, row.b, row.want)
		})
	}
}

func indefinitePart(i identity) []byte {
	contents := seq(certBag(i))
	half := len(contents) / 2
	chopped := ber.Constructed(ber.OctetString, octets(contents[:half]), octets(contents[half:]))
	return seq(oid(oidData), explicit(chopped))
}

func TestDecodeAttributes(t *testing.T) {
	t.Parallel()
	id := []byte{1, 0, 0, 0}
	named := func(name string) []byte { return attribute(oidFriendlyName, bmp(name)) }
	marked := attribute(oidLocalKeyID, octets(id))
	for behaviour, row := range map[string]struct {
		attributes [][]byte
		want       Attributes
	}{
		"an empty set":             {[][]byte{set()}, Attributes{}},
		"name and id":              {[][]byte{set(named("oar"), marked)}, Attributes{"oar", id}},
		"id only":                  {[][]byte{set(marked)}, Attributes{LocalKeyID: id}},
		"name only":                {[][]byte{set(named("oar"))}, Attributes{FriendlyName: "oar"}},
		"beyond the first plane":   {[][]byte{set(named("Möwe 🦊"))}, Attributes{FriendlyName: "Möwe 🦊"}},
		"a terminator, as Azure's": {[][]byte{set(named("oar\x00"))}, Attributes{FriendlyName: "oar"}},
		"nothing but a terminator": {[][]byte{set(named("\x00"))}, Attributes{}},
		"an empty name":            {[][]byte{set(named(""))}, Attributes{}},
		"half a letter":            {[][]byte{set(attribute(oidFriendlyName, ber.Primitive(ber.BMPString, []byte{0, 'o', 0})))}, Attributes{FriendlyName: "o"}},
		"half a surrogate pair":    {[][]byte{set(attribute(oidFriendlyName, ber.Primitive(ber.BMPString, []byte{0xd8, 0, 0, 'o'})))}, Attributes{FriendlyName: "\ufffdo"}},
		"one without values":       {[][]byte{set(seq(oid(oidLocalKeyID), set()), seq(oid(oidFriendlyName), set()))}, Attributes{}},
		"the first of two values":  {[][]byte{set(seq(oid(oidFriendlyName), set(bmp("oar"), bmp("sail"))))}, Attributes{FriendlyName: "oar"}},
		"others are left":          {[][]byte{set(attribute("1.3.6.1.4.1.311.17.1", bmp("Harbour Provider")), marked)}, Attributes{LocalKeyID: id}},
		"something else behind it": {[][]byte{ber.EncodeNull()}, Attributes{}},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			i := edIdentity()
			tail := func(dotted string, value []byte) []byte {
				return seq(append([][]byte{oid(dotted), explicit(value)}, row.attributes...)...)
			}
			decodesTo(t,
				plainFile(tail(oidKeyBag, i.pkcs8), tail(oidCertBag, seq(oid(oidX509), explicit(octets(i.der))))),
				Contents{Keys: []Key{i.key(row.want)}, Certificates: []Certificate{i.certificate(row.want)}})
		})
	}
}
