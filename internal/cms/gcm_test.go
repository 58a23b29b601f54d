package cms_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

func TestOpenGCM(t *testing.T) {
	t.Parallel()
	for size := 12; size <= 16; size++ {
		opens(t, draftGCM(t, size).encode(), small().recipient(), secret)
		opens(t, draftGCM(t, size, attribute()).encode(), cms.Recipient{Key: small().key}, secret)
	}
	shortest := draftGCM(t, 12)
	shortest.algorithm = sequence(ber.EncodeOID(oidAES128GCM), sequence(octets(gcmNonce)))
	opens(t, shortest.encode(), small().recipient(), secret)
	unauthenticated := draftGCM(t, 16, attribute(), attribute())
	unauthenticated.rest = append(unauthenticated.rest, ber.Constructed(ber.Context(2), attribute()))
	opens(t, unauthenticated.encode(), small().recipient(), secret)
}

func TestOpenGCMRefuses(t *testing.T) {
	t.Parallel()
	algorithm := func(params ...[]byte) []byte { return sequence(ber.EncodeOID(oidAES128GCM), sequence(params...)) }
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	tagError := unsupported("tag of AES-GCM", "that has not 12 to 16 bytes")
	nonceError := unsupported("nonce of AES-GCM", "that has not 12 bytes")
	for _, tc := range []struct {
		name  string
		spoil func(*draft)
		want  error
	}{
		{"another tag", func(d *draft) { d.rest[1] = flip(d.rest[1]) }, cms.ErrDecrypt},
		{"another ciphertext", func(d *draft) { d.content = flip(d.content) }, cms.ErrDecrypt},
		{"no ciphertext", func(d *draft) { d.content = primitiveContent(nil) }, cms.ErrDecrypt},
		{"another nonce", func(d *draft) { d.algorithm = algorithm(octets(flip(gcmNonce)), ber.EncodeInt(16)) }, cms.ErrDecrypt},
		{"other attributes", func(d *draft) { d.rest[0] = flip(d.rest[0]) }, cms.ErrDecrypt},
		{"attributes left out", func(d *draft) { d.rest = d.rest[1:] }, cms.ErrDecrypt},
		{"attributes with another tag", func(d *draft) { d.rest[0][0] = 0xa2 }, errors.New("tag 130 where 4 belongs")},
		{"a tag of another size than it says", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce), ber.EncodeInt(12)) }, cms.ErrDecrypt},
		{"a tag shorter than it says", func(d *draft) { d.rest[1] = octets(make([]byte, 12)) }, cms.ErrDecrypt},
		{"a tag of the size that is left out", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce)) }, cms.ErrDecrypt},
		{"ciphertext in front of the tag", func(d *draft) {
			d.content, d.rest[1] = primitiveContent(d.content[2:28]), octets(append(d.content[28:32:32], d.rest[1][2:]...))
		}, cms.ErrDecrypt},
		{"a piece of the tag behind the ciphertext", func(d *draft) {
			d.content, d.rest[1] = primitiveContent(append(d.content[2:32:32], d.rest[1][2:6]...)), octets(d.rest[1][6:])
		}, cms.ErrDecrypt},
		{"no tag", func(d *draft) { d.rest = d.rest[:1] }, errTruncated},
		{"an empty tag", func(d *draft) { d.rest[1] = octets(nil) }, cms.ErrDecrypt},
		{"a tag of 11 bytes", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce), ber.EncodeInt(11)) }, tagError},
		{"a tag of 17 bytes", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce), ber.EncodeInt(17)) }, tagError},
		{"a tag of no bytes", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce), ber.EncodeInt(0)) }, tagError},
		{"a tag of less", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce), bin("02 01 ff")) }, errors.New("an INTEGER below 0 or over 2147483647")},
		{"a nonce of 11 bytes", func(d *draft) { d.algorithm = algorithm(octets(gcmNonce[1:]), ber.EncodeInt(16)) }, nonceError},
		{"a nonce of 13 bytes", func(d *draft) { d.algorithm = algorithm(octets(make([]byte, 13)), ber.EncodeInt(16)) }, nonceError},
		{"no nonce", func(d *draft) { d.algorithm = algorithm() }, errTruncated},
		{"no parameters", func(d *draft) { d.algorithm = sequence(ber.EncodeOID(oidAES128GCM)) }, errPrimitive},
		{"no cipher", func(d *draft) { d.algorithm = sequence() }, errTruncated},
		{"a key for another cipher", func(d *draft) {
			d.algorithm = sequence(ber.EncodeOID("2.16.840.1.101.3.4.1.26"), sequence(octets(gcmNonce), ber.EncodeInt(16)))
		}, cms.ErrDecrypt},
		{"an unknown cipher", func(d *draft) {
			d.algorithm = sequence(ber.EncodeOID("2.16.840.1.101.3.4.1.7"), sequence(octets(gcmNonce)))
		}, unsupported("authenticated content cipher", "2.16.840.1.101.3.4.1.7")},
		{"CBC's container", func(d *draft) { d.contentType = oidEnveloped }, unsupported("content cipher", oidAES128GCM)},
		{"detached content", func(d *draft) { d.content = nil }, unsupported("form", "detached content")},
		{"an unknown key transport", func(d *draft) {
			d.recipients = [][]byte{recipientInfo(byKeyID(small()), digest(oidMGF1), nil)}
		}, unsupported("key transport", oidMGF1)},
		{"another key", func(d *draft) {
			d.recipients = [][]byte{recipientInfo(byKeyID(small()), pkcs1(), wrapPKCS1(t, small(), []byte("another 16 bytes")))}
		}, cms.ErrDecrypt},
		{"no recipient", func(d *draft) { d.recipients = nil }, cms.ErrRecipient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := draftGCM(t, 16, attribute())
			tc.spoil(&d)
			refuses(t, d.encode(), small().recipient(), tc.want)
		})
	}
}
