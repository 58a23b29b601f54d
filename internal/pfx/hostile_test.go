package pfx

import (
	"bytes"
	"crypto"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/cms"
)

// smallFile has everything in it, and one iteration each, so that it can be decoded
// thousands of times.
func smallFile(tb testing.TB) []byte {
	tb.Helper()
	i := edIdentity()
	safe := seq(
		plainPart(shroudedBag(pbe3DES(tb, bmpEmpty, 1, i.pkcs8)),
			bag(oidKeyBag, i.pkcs8, Attributes{"oar", []byte{1, 0, 0, 0}})),
		encryptedPart(pbes2{iterations: 1}.seal(tb, seq(certBag(i)))))
	return pfxOf(safe, mac(crypto.SHA1, bmpEmpty, testSalt, 1, safe))
}

func TestDecodeTruncated(t *testing.T) {
	t.Parallel()
	b := smallFile(t)
	if _, err := Decode(b); err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(b))
		}
	}
}

// The MAC covers the contents. Of what is around them, two things are not looked at: the
// tag of the whole file, as long as it is one of something constructed, and the
// parameters of the MAC's digest, a NULL.
func TestDecodeWithAFlippedBit(t *testing.T) {
	t.Parallel()
	b := smallFile(t)
	null := bytes.LastIndex(b, ber.EncodeNull())
	for n := range b {
		for bit := range 8 {
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << bit
			_, err := Decode(flipped)
			if err == nil && n != 0 && n != null {
				t.Errorf("byte %d, bit %d: no error", n, bit)
			}
		}
	}
}

// Without a MAC a change may go unseen, and still nothing may break.
func TestDecodeWithAFlippedBitAndNoMAC(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	b := pfxOf(seq(plainPart(shroudedBag(pbe3DES(t, bmpEmpty, 1, i.pkcs8))), encryptedPart(pbes2{iterations: 1}.seal(t, seq(certBag(i))))))
	for n := range b {
		for bit := range 8 {
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << bit
			if got, err := Decode(flipped); err != nil && len(got.Keys)+len(got.Certificates) > 0 {
				t.Errorf("byte %d, bit %d: something beside %v", n, bit, err)
			}
		}
	}
}

// slower is how much slower the race detector makes what is tested here: then files are
// smaller by as much, and the bound itself is checked without it.
const slower = 8

func scaled(n int) int {
	if boundtest.RaceDetector {
		return n / slower
	}
	return n
}

// fill1MiB repeats an element as often as it fits into a document, with room for what is
// around it.
func fill1MiB(element []byte) [][]byte {
	return slices.Repeat([][]byte{element}, scaled(ber.MaxSize-512)/len(element))
}

// dearest is a file whose work is nearly all that is allowed, in the slowest digest.
func dearest(t *testing.T) []byte {
	t.Helper()
	i := edIdentity()
	p := pbes2{password: bmpEmpty, prf: crypto.SHA512, prfOID: oidHMAC + "11", iterations: scaled(maxIterations)}
	safe := seq(plainPart(slices.Repeat([][]byte{shroudedBag(p.seal(t, i.pkcs8))}, 4)...))
	b := pfxOf(safe, mac(crypto.SHA512, nothing, testSalt, scaled(maxIterations), safe))
	if got, err := Decode(b); err != nil || len(got.Keys) != 4 {
		t.Fatalf("%v, %d keys", err, len(got.Keys))
	}
	return b
}

func nestedBags(levels int) []byte {
	b := bytes.Join(fill1MiB(bag(unknownOID, nil, Attributes{}))[200:], nil)
	for range levels {
		b = bag(oidSafeBag, seq(b), Attributes{})
	}
	return b
}

// Not parallel: what else allocates would be counted.
func TestDecodeHostileFilesAreCheap(t *testing.T) {
	i := edIdentity()
	megabyte := make([]byte, scaled(ber.MaxSize-512))
	pbe := func(salt []byte, iterations int) []byte {
		return algorithm(oid3DESPBE, seq(octets(salt), ber.EncodeInt(iterations)))
	}
	half := make([]byte, len(megabyte)/2)
	chopped := ber.Constructed(ber.OctetString, slices.Repeat([][]byte{octets([]byte{0x30})}, scaled(ber.MaxSize-512)/3)...)
	someSafe := seq(plainPart(certBag(i)))
	for behaviour, b := range map[string][]byte{
		"tiny bags of no known kind":        plainFile(fill1MiB(seq([]byte{6, 1, 42}, explicit()))...),
		"tiny certificates":                 plainFile(fill1MiB(bag(oidCertBag, seq(oid(oidX509), explicit(octets(nil))), Attributes{}))...),
		"empty parts":                       pfxOf(seq(fill1MiB(plainPart())...)),
		"parts of no known kind":            pfxOf(seq(fill1MiB(seq([]byte{6, 1, 42}))...)),
		"shrouded with the most iterations": plainFile(fill1MiB(shroudedBag(pbe(testSalt, maxIterations), make([]byte, 16)))...),
		"shrouded with one iteration":       plainFile(fill1MiB(shroudedBag(pbe3DES(t, nothing, 1, octets(nil))))...),
		"parts encrypted with one":          pfxOf(seq(fill1MiB(encryptedPart(pbe3DES(t, nothing, 1, seq())))...)),
		"shrouded by nobody knows what":     plainFile(fill1MiB(shroudedBag(algorithm(unknownOID, seq()), nil))...),
		"all the work that is allowed":      dearest(t),
		"bags in bags":                      plainFile(nestedBags(ber.MaxDepth/3 - 2)),
		"bags in too many bags":             plainFile(nestedBags(ber.MaxDepth)),
		"attributes in one bag":             plainFile(seq(oid(oidKeyBag), explicit(i.pkcs8), set(fill1MiB(attribute(oidLocalKeyID, octets(nil)))...))),
		"a name of 1 MiB":                   plainFile(bag(oidKeyBag, i.pkcs8, Attributes{FriendlyName: string(bytes.Repeat([]byte("oar "), len(half)/4-100))})),
		"a salt of 1 MiB":                   plainFile(shroudedBag(pbe(megabyte, maxIterations), make([]byte, 16))),
		"a salt of 1 MiB, RC2":              plainFile(shroudedBag(algorithm(oidPBE+"6", seq(octets(megabyte), ber.EncodeInt(1))), make([]byte, 16))),
		"a salt of 1 MiB, PBES2":            plainFile(shroudedBag(pbes2{salt: megabyte, iterations: maxIterations, cipher: cms.AES256CBC}.scheme(make([]byte, 16)), make([]byte, 16))),
		"a salt of half, for two":           plainFile(shroudedBag(pbe3DES(t, nothing, 1, octets(half))), shroudedBag(pbe(half, 1), make([]byte, 16))),
		"a MAC with a salt of 1 MiB":        pfxOf(someSafe, seq(seq(algorithm(cms.HashOID(crypto.SHA512)), octets(make([]byte, 64))), octets(megabyte), ber.EncodeInt(maxIterations))),
		"a MAC over 1 MiB":                  pfxOf(megabyte, mac(crypto.SHA1, nothing, nil, 1, megabyte)),
		"a ciphertext of 1 MiB":             pfxOf(seq(encryptedPart(pbe3DES(t, nothing, 1, seq(fill1MiB(seq([]byte{6, 1, 42}, explicit()))...))))),
		"a ciphertext of 1 MiB, RC2":        pfxOf(seq(encryptedPart(algorithm(oidPBE+"6", seq(octets(testSalt), ber.EncodeInt(1))), make([]byte, scaled(ber.MaxSize-1024)/8*8)))),
		"contents in pieces of one byte":    pfxOf(seq(seq(oid(oidData), explicit(chopped)))),
	} {
		if len(b) > ber.MaxSize {
			t.Fatalf("%s: %d bytes are refused for their size", behaviour, len(b))
		}
		t.Run(behaviour, func(t *testing.T) {
			boundtest.Check(t, func() { _, _ = Decode(b) })
		})
	}
}
