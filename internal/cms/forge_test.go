package cms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEnveloped     = "1.2.840.113549.1.7.3"
	oidAuthEnveloped = "1.2.840.113549.1.9.16.1.23"
	oidRSA           = "1.2.840.113549.1.1.1"
	oidOAEP          = "1.2.840.113549.1.1.7"
	oidMGF1          = "1.2.840.113549.1.1.8"
	oidSpecified     = "1.2.840.113549.1.1.9"
	oidAES128        = "2.16.840.1.101.3.4.1.2"
	oidAES128GCM     = "2.16.840.1.101.3.4.1.6"
	oidSHA1          = "1.3.14.3.2.26"
	oidSHA256        = "2.16.840.1.101.3.4.2.1"
)

// What forged envelopes hold, and what with.
var (
	secret     = []byte("a secret of over sixteen bytes")
	contentKey = []byte("sixteen byte key")
	contentIV  = []byte("an IV of 16 byte")
	gcmNonce   = []byte("twelve bytes")
)

// draft is an envelope field by field, so that any of them can be spoiled.
type draft struct {
	contentType string
	version     []byte
	originator  []byte
	recipients  [][]byte
	dataType    []byte
	algorithm   []byte
	content     []byte
	// rest follows the EncryptedContentInfo: attributes, the tag of GCM.
	rest [][]byte
}

func (d draft) encode() []byte {
	info := sequence(d.dataType, d.algorithm, d.content)
	data := sequence(d.version, d.originator, ber.Constructed(ber.Set, d.recipients...), info, bytes.Join(d.rest, nil))
	return sequence(ber.EncodeOID(d.contentType), ber.Constructed(ber.Context(0), data))
}

func sequence(children ...[]byte) []byte { return ber.Constructed(ber.Sequence, children...) }

func octets(b []byte) []byte { return ber.Primitive(ber.OctetString, b) }

// recipientInfo is a KeyTransRecipientInfo.
func recipientInfo(id, algorithm, wrapped []byte) []byte {
	return sequence(ber.EncodeInt(2), id, algorithm, octets(wrapped))
}

func byKeyID(i identity) []byte { return ber.Primitive(ber.Context(0), i.certificate.SubjectKeyId) }

func byIssuer(i identity) []byte {
	return sequence(i.certificate.RawIssuer, ber.EncodeBigInt(i.certificate.SerialNumber))
}

func pkcs1() []byte { return sequence(ber.EncodeOID(oidRSA), ber.EncodeNull()) }

func oaep(params ...[]byte) []byte { return sequence(ber.EncodeOID(oidOAEP), sequence(params...)) }

// wrapOAEP encrypts a content key with the defaults of OAEP, and so that a wrong key is
// always seen to be: PKCS #1 v1.5 gives a random one, with which one content in 256
// decrypts to something.
func wrapOAEP(tb testing.TB, i identity, key []byte) []byte {
	tb.Helper()
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &i.key.PublicKey, key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return wrapped
}

func wrapPKCS1(tb testing.TB, i identity, key []byte) []byte {
	tb.Helper()
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, &i.key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return wrapped
}

func pad(b []byte, size int) []byte {
	n := size - len(b)%size
	return append(bytes.Clone(b), bytes.Repeat([]byte{byte(n)}, n)...)
}

// encryptCBC encrypts whole blocks, padded in whichever way.
func encryptCBC(tb testing.TB, padded []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		tb.Fatal(err)
	}
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, contentIV).CryptBlocks(out, padded)
	return out
}

func primitiveContent(b []byte) []byte { return ber.Primitive(ber.Context(0), b) }

// draftCBC is a good envelope for small, with AES-128 and OAEP.
func draftCBC(tb testing.TB) draft {
	tb.Helper()
	return draft{
		contentType: oidEnveloped,
		version:     ber.EncodeInt(2),
		recipients:  [][]byte{recipientInfo(byKeyID(small()), oaep(), wrapOAEP(tb, small(), contentKey))},
		dataType:    ber.EncodeOID(oidData),
		algorithm:   sequence(ber.EncodeOID(oidAES128), octets(contentIV)),
		content:     primitiveContent(encryptCBC(tb, pad(secret, aes.BlockSize))),
	}
}

// attribute is a content-type attribute, which says that the content is data.
func attribute() []byte {
	return sequence(ber.EncodeOID("1.2.840.113549.1.9.3"), ber.Constructed(ber.Set, ber.EncodeOID(oidData)))
}

// draftGCM is a good envelope for small with AES-128-GCM and a tag of that size,
// attributes authenticated if there are any.
func draftGCM(tb testing.TB, tagSize int, attributes ...[]byte) draft {
	tb.Helper()
	d := draftCBC(tb)
	d.contentType = oidAuthEnveloped
	d.version = ber.EncodeInt(0)
	d.algorithm = sequence(ber.EncodeOID(oidAES128GCM), sequence(octets(gcmNonce), ber.EncodeInt(tagSize)))
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		tb.Fatal(err)
	}
	aead, err := cipher.NewGCMWithTagSize(block, tagSize)
	if err != nil {
		tb.Fatal(err)
	}
	var additional []byte
	if len(attributes) > 0 {
		additional = ber.Constructed(ber.Set, attributes...)
		d.rest = append(d.rest, ber.Constructed(ber.Context(1), attributes...))
	}
	sealed := aead.Seal(nil, gcmNonce, secret, additional)
	d.content = primitiveContent(sealed[:len(secret)])
	d.rest = append(d.rest, octets(sealed[len(secret):]))
	return d
}

// unsupported names what is not.
func unsupported(what, oid string) error { return &cms.UnsupportedError{What: what, OID: oid} }
