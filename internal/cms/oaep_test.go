package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// digest is an AlgorithmIdentifier without parameters, as openssl has it.
func digest(oid string) []byte { return sequence(ber.EncodeOID(oid)) }

func tagged(number byte, content ...[]byte) []byte {
	return ber.Constructed(ber.Context(number), content...)
}

func mgf1(hash []byte) []byte { return sequence(ber.EncodeOID(oidMGF1), hash) }

func label(value []byte) []byte { return sequence(ber.EncodeOID(oidSpecified), octets(value)) }

// wrapMixed encrypts the content key by the book (RFC 8017, 7.1.1), with a mask of another
// digest than the label's, which crypto/rsa only does since Go 1.26.
func wrapMixed(i identity, hash, mask crypto.Hash, label []byte) []byte {
	sum := func(h crypto.Hash, b []byte) []byte {
		state := h.New()
		_, _ = state.Write(b)
		return state.Sum(nil)
	}
	mix := func(b, seed []byte) {
		var stream []byte
		for counter := byte(0); len(stream) < len(b); counter++ {
			stream = append(stream, sum(mask, append(bytes.Clone(seed), 0, 0, 0, counter))...)
		}
		subtle.XORBytes(b, b, stream)
	}
	seed := make([]byte, hash.Size())
	_, _ = rand.Read(seed)
	data := make([]byte, i.key.Size()-hash.Size()-1)
	copy(data, sum(hash, label))
	message := data[len(data)-len(contentKey)-1:]
	message[0] = 1
	copy(message[1:], contentKey)
	mix(data, seed)
	mix(seed, data)
	return rawRSA(i, slices.Concat([]byte{0}, seed, data))
}

func TestOAEPMixed(t *testing.T) {
	t.Parallel()
	for digestName, hash := range transports {
		for maskName, mask := range transports {
			if hash == 0 || mask == 0 {
				continue
			}
			t.Run(digestName+" mask "+maskName, func(t *testing.T) {
				t.Parallel()
				text := []byte("label")
				hashField, maskField := tagged(0, digest(cms.HashOID(hash))), tagged(1, mgf1(digest(cms.HashOID(mask))))
				open := func(parameters []byte) ([]byte, error) {
					d := draftCBC(t)
					d.recipients = [][]byte{recipientInfo(byKeyID(ours()), parameters, wrapMixed(ours(), hash, mask, text))}
					return cms.Open(d.encode(), ours().recipient())
				}
				got, err := open(oaep(hashField, maskField, tagged(2, label(text))))
				if err != nil || !bytes.Equal(got, secret) {
					t.Errorf("%q, %v", got, err)
				}
				_, err = open(oaep(hashField, maskField))
				checkError(t, err, cms.ErrDecrypt)
				_, err = open(oaep(hashField, maskField, tagged(2, label([]byte("Label")))))
				checkError(t, err, cms.ErrDecrypt)
			})
		}
	}
}

// The ways to say that all is as it is by default, and to say nothing that is known.
func TestOAEPParameters(t *testing.T) {
	t.Parallel()
	const oidMD5 = "1.2.840.113549.2.5"
	notThere := errors.New("truncated")
	for _, tc := range []struct {
		name      string
		algorithm []byte
		want      error
	}{
		{"empty", oaep(), nil},
		{"none", sequence(ber.EncodeOID(oidOAEP)), nil},
		{"NULL, as for other algorithms", sequence(ber.EncodeOID(oidOAEP), ber.EncodeNull()), nil},
		{"a digest", oaep(tagged(0, digest(oidSHA1))), nil},
		{"a digest with NULL", oaep(tagged(0, sequence(ber.EncodeOID(oidSHA1), ber.EncodeNull()))), nil},
		{"a mask", oaep(tagged(1, mgf1(digest(oidSHA1)))), nil},
		{"a label of nothing", oaep(tagged(2, label(nil))), nil},
		{"all", oaep(tagged(0, digest(oidSHA1)), tagged(1, mgf1(digest(oidSHA1))), tagged(2, label(nil))), nil},
		{"another digest", oaep(tagged(0, digest(oidSHA256))), cms.ErrDecrypt},
		{"another mask", oaep(tagged(1, mgf1(digest(oidSHA256)))), cms.ErrDecrypt},
		{"a label", oaep(tagged(2, label([]byte("x")))), cms.ErrDecrypt},
		{"an unknown digest", oaep(tagged(0, digest(oidMD5))), unsupported("digest", oidMD5)},
		{"an unknown digest, all else good", oaep(
			tagged(0, digest(oidMD5)), tagged(1, mgf1(digest(oidSHA1))), tagged(2, label(nil)),
		), unsupported("digest", oidMD5)},
		{"a mask of an unknown digest", oaep(tagged(1, mgf1(digest(oidMD5))), tagged(2, label(nil))), unsupported("digest", oidMD5)},
		{"an unknown mask", oaep(tagged(1, digest(oidSHA1))), unsupported("mask generation", oidSHA1)},
		{"an unknown source of the label", oaep(tagged(2, digest(oidSHA1))), unsupported("label source", oidSHA1)},
		{"a digest that is not there", oaep(tagged(0)), errPrimitive},
		{"a digest without a name", oaep(tagged(0, sequence())), notThere},
		{"a mask without a digest", oaep(tagged(1, digest(oidMGF1))), errPrimitive},
		{"a mask that is not there", oaep(tagged(1)), errPrimitive},
		{"a label without a source", oaep(tagged(2, sequence())), notThere},
		{"a label that is not there", oaep(tagged(2, digest(oidSpecified))), notThere},
		{"a label that is no OCTET STRING", oaep(tagged(2, sequence(ber.EncodeOID(oidSpecified), ber.EncodeNull()))), errors.New("tag 5 where 4 belongs")},
		{"primitive", sequence(ber.EncodeOID(oidOAEP), ber.Primitive(ber.Sequence, nil)), errPrimitive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := draftCBC(t)
			d.recipients = [][]byte{recipientInfo(byKeyID(small()), tc.algorithm, wrapOAEP(t, small(), contentKey))}
			if tc.want == nil {
				opens(t, d.encode(), small().recipient(), secret)
			} else {
				refuses(t, d.encode(), small().recipient(), tc.want)
			}
		})
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	for name, hash := range transports {
		if hash == 0 {
			continue
		}
		oid := cms.HashOID(hash)
		if got, known := cms.LookupHash(oid); !known || got != hash || !hash.Available() {
			t.Errorf("%s: %s, %v, %t", name, oid, got, known)
		}
	}
	if got := cms.HashOID(crypto.SHA1); got != oidSHA1 {
		t.Errorf("SHA-1 is %s", got)
	}
	if got := cms.HashOID(crypto.MD5); got != "" {
		t.Errorf("MD5 is %s", got)
	}
	if hash, known := cms.LookupHash(oidMGF1); known || hash != 0 {
		t.Errorf("MGF1 is %v", hash)
	}
}
