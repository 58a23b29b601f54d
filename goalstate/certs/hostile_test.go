package certs

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// plainPFX is one in the clear without a MAC, so that all of its 1 MiB is what is in it.
func plainPFX(keys, certificates [][]byte) []byte {
	const bags = "1.2.840.113549.1.12.10.1."
	var all [][]byte
	for _, key := range keys {
		all = append(all, ber.Constructed(ber.Sequence, ber.EncodeOID(bags+"1"), ber.Constructed(ber.Context(0), key)))
	}
	for _, certificate := range certificates {
		all = append(all, ber.Constructed(ber.Sequence, ber.EncodeOID(bags+"3"), ber.Constructed(ber.Context(0),
			ber.Constructed(ber.Sequence, ber.EncodeOID("1.2.840.113549.1.9.22.1"),
				ber.Constructed(ber.Context(0), ber.Primitive(ber.OctetString, certificate))))))
	}
	data := func(b []byte) []byte {
		return ber.Constructed(ber.Sequence, ber.EncodeOID("1.2.840.113549.1.7.1"), ber.Constructed(ber.Context(0), ber.Primitive(ber.OctetString, b)))
	}
	contents := ber.Constructed(ber.Sequence, all...)
	return ber.Constructed(ber.Sequence, ber.EncodeInt(3), data(ber.Constructed(ber.Sequence, data(contents))))
}

// rsaPrivateKey is a PrivateKeyInfo with a modulus of as many bytes.
func rsaPrivateKey(size int) []byte {
	number := ber.EncodeBigInt(new(big.Int).SetBytes(bytes.Repeat([]byte{0x7b}, size)))
	small := ber.EncodeInt(3)
	return ber.Constructed(ber.Sequence, ber.EncodeInt(0),
		ber.Constructed(ber.Sequence, ber.EncodeOID(oidRSA), ber.EncodeNull()),
		ber.Primitive(ber.OctetString, ber.Constructed(ber.Sequence,
			ber.EncodeInt(0), number, ber.EncodeInt(65537), small, small, small, small, small, small)))
}

// rsaCertificate is a certificate with a modulus of as many bytes.
func rsaCertificate(t *testing.T, size int) []byte {
	t.Helper()
	number := ber.EncodeBigInt(new(big.Int).SetBytes(bytes.Repeat([]byte{0x7b}, size)))
	key := ber.Constructed(ber.Sequence, number, ber.EncodeInt(65537))
	spki := ber.Constructed(ber.Sequence, ber.Constructed(ber.Sequence, ber.EncodeOID(oidRSA), ber.EncodeNull()),
		ber.Primitive(ber.BitString, append([]byte{0}, key...)))
	return edited(t, leaf().der, func(fields [][]byte) [][]byte {
		fields[6] = spki
		return fields
	})
}

// ecKeys are small in a file and dear to read: a public key is computed of each. The
// fields that are optional are left out.
func ecKeys(t *testing.T, curve string, size, n int) [][]byte {
	t.Helper()
	var all [][]byte
	for i := range n {
		d := bytes.Repeat([]byte{byte(i), 0x5a}, size)[:size]
		d[0] = 0
		key := ber.Constructed(ber.Sequence, ber.EncodeInt(1), ber.Primitive(ber.OctetString, d))
		all = append(all, ber.Constructed(ber.Sequence, ber.EncodeInt(0),
			ber.Constructed(ber.Sequence, ber.EncodeOID("1.2.840.10045.2.1"), ber.EncodeOID(curve)), ber.Primitive(ber.OctetString, key)))
	}
	if _, err := x509.ParsePKCS8PrivateKey(all[1]); err != nil {
		t.Fatal(err)
	}
	return all
}

// Not parallel: what else allocates would be counted.
func TestPairHostileFilesAreCheap(t *testing.T) {
	const room = ber.MaxSize - 2048
	many := func(element []byte, n int) [][]byte { return slices.Repeat([][]byte{element}, n) }
	ec := ecIdentity("davit", elliptic.P521())
	n := 256 // as many as a file may have
	if boundtest.RaceDetector {
		n = 50
	}
	for behaviour, plain := range map[string][]byte{
		"a private key of 8 million bits":         plainPFX([][]byte{rsaPrivateKey(room)}, nil),
		"a certificate of 8 million bits":         plainPFX(nil, [][]byte{rsaCertificate(t, room)}),
		"both of 4 million bits":                  plainPFX([][]byte{rsaPrivateKey(room / 2)}, [][]byte{rsaCertificate(t, room/2-1024)}),
		"128 keys of 128 other certificates":      plainPFX(many(rsaPrivateKey(256), 128), many(rsaCertificate(t, 257), 128)),
		"128 keys of 128 certificates":            plainPFX(many(leaf().pkcs8, 128), many(leaf().der, 128)),
		"many keys on P-256":                      plainPFX(ecKeys(t, "1.2.840.10045.3.1.7", 32, n), nil),
		"many keys on P-384":                      plainPFX(ecKeys(t, "1.3.132.0.34", 48, n), nil),
		"many keys on P-521":                      plainPFX(ecKeys(t, "1.3.132.0.35", 66, n), nil),
		"many keys on P-224":                      plainPFX(ecKeys(t, "1.3.132.0.33", 28, n), nil),
		"256 certificates on P-521":               plainPFX(nil, many(ec.der, 256)),
		"256 of no bytes":                         plainPFX(many(ber.Constructed(ber.Sequence), 128), many(nil, 128)),
		"a subject of 1 MiB":                      plainPFX(nil, [][]byte{longSubject(t, room-2048)}),
		"a certificate that is text":              plainPFX(nil, [][]byte{bytes.Repeat([]byte("rope "), room/5)}),
		"a certificate nested as deep as allowed": plainPFX(nil, [][]byte{bytes.Repeat([]byte{0x30, 0x80}, room/2)}),
	} {
		if len(plain) > ber.MaxSize {
			t.Fatalf("%s: %d bytes are refused for their size", behaviour, len(plain))
		}
		t.Run(behaviour, func(t *testing.T) {
			boundtest.Check(t, func() {
				contents, err := pfx.Decode(plain)
				if err != nil {
					t.Fatal(err)
				}
				pair(contents)
			})
		})
	}
}

func longSubject(t *testing.T, size int) []byte {
	t.Helper()
	one := ber.Constructed(ber.Set, ber.Constructed(ber.Sequence, ber.EncodeOID("2.5.4.3"), ber.Primitive(ber.UTF8String, []byte("x"))))
	return edited(t, leaf().der, func(fields [][]byte) [][]byte {
		fields[5] = ber.Constructed(ber.Sequence, slices.Repeat([][]byte{one}, size/len(one))...)
		return fields
	})
}

func TestDecodeHostileEnvelopesAreCheap(t *testing.T) {
	half := ber.MaxSize / 2
	for behaviour, data := range map[string][]byte{
		"nested deeper than allowed":   bytes.Repeat([]byte{0x30, 0x80}, half),
		"text":                         bytes.Repeat([]byte("rope"), half/2),
		"zeros":                        make([]byte, ber.MaxSize),
		"too large":                    make([]byte, 64*ber.MaxSize),
		"a PFX of zeros":               sealPlain(t, make([]byte, ber.MaxSize-1024)),
		"a PFX of nested elements":     sealPlain(t, bytes.Repeat([]byte{0x30, 0x80}, half-512)),
		"a thousand wrong recipients":  must(cms.Envelope{Content: cms.AES128CBC}.Seal(nil, slices.Repeat([]*x509.Certificate{generated().certificate}, 1000)...)),
		"a thousand recipients, us it": must(cms.Envelope{Content: cms.AES128CBC}.Seal(nil, slices.Repeat([]*x509.Certificate{transport().certificate}, 1000)...)),
	} {
		t.Run(behaviour, func(t *testing.T) {
			boundtest.Check(t, func() { _, _ = Decode(data, transport()) })
		})
	}
}
