package cms_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// rawRSA encrypts a block as it is, padded in whichever way.
func rawRSA(i identity, block []byte) []byte {
	e := big.NewInt(int64(i.key.E))
	return new(big.Int).Exp(new(big.Int).SetBytes(block), e, i.key.N).FillBytes(make([]byte, i.key.Size()))
}

func TestOpenFindsRecipient(t *testing.T) {
	t.Parallel()
	mine := func(id []byte) []byte { return recipientInfo(id, oaep(), wrapOAEP(t, small(), contentKey)) }
	// A stranger's key is damaged: whoever tries it, too, fails.
	strange := recipientInfo(byKeyID(other()), oaep(), []byte("nonsense"))
	broken := recipientInfo(byKeyID(small()), oaep(), []byte("nonsense"))
	strangeName := recipientInfo(byIssuer(other()), sequence(ber.EncodeOID(oidSpecified)), nil)
	kinds := [][]byte{
		ber.Constructed(ber.Context(1), ber.EncodeInt(3)), // key agreement
		ber.Constructed(ber.Context(2)),                   // a key that both have
		ber.Primitive(ber.Context(3), []byte("password")),
		ber.Constructed(ber.Context(4), ber.EncodeOID(oidData)), // whatever comes
	}
	bySerial := func(serial []byte) []byte { return sequence(small().certificate.RawIssuer, serial) }
	shortSerial := ber.EncodeBigInt(new(big.Int).Rsh(small().certificate.SerialNumber, 8))
	keyID := small().certificate.SubjectKeyId
	for _, tc := range []struct {
		name       string
		recipients [][]byte
		// The errors for the one with a certificate, and without; nil if it opens.
		with, without error
	}{
		{"by key identifier", [][]byte{mine(byKeyID(small()))}, nil, nil},
		{"by issuer and serial number", [][]byte{mine(byIssuer(small()))}, nil, nil},
		{
			"by a key identifier in pieces",
			[][]byte{mine(ber.Constructed(ber.Context(0), octets(keyID[:3]), octets(keyID[3:])))},
			nil, nil,
		},
		{"first of two", [][]byte{mine(byKeyID(small())), strange}, nil, cms.ErrRecipient},
		{"last of three", [][]byte{strange, strangeName, mine(byIssuer(small()))}, nil, cms.ErrRecipient},
		{"beside recipients of other kinds", append(kinds, mine(byKeyID(small()))), nil, nil},
		{"twice, only the first time right", [][]byte{mine(byKeyID(small())), broken}, nil, cms.ErrRecipient},
		{"twice, only the second time right", [][]byte{broken, mine(byKeyID(small()))}, cms.ErrDecrypt, cms.ErrRecipient},
		{"twice", [][]byte{mine(byKeyID(small())), mine(byIssuer(small()))}, nil, cms.ErrRecipient},
		{"not there, and no other", nil, cms.ErrRecipient, cms.ErrRecipient},
		{"not there", [][]byte{strange, strangeName}, cms.ErrRecipient, cms.ErrRecipient},
		{"among other kinds only", kinds, cms.ErrRecipient, cms.ErrRecipient},
		{"by another key identifier", [][]byte{mine(byKeyID(other()))}, cms.ErrRecipient, nil},
		{"by half the key identifier", [][]byte{mine(ber.Primitive(ber.Context(0), keyID[:10]))}, cms.ErrRecipient, nil},
		{
			"by a longer key identifier",
			[][]byte{mine(ber.Primitive(ber.Context(0), append(keyID[:20:20], 0)))},
			cms.ErrRecipient, nil,
		},
		{"by an empty key identifier", [][]byte{mine(ber.Primitive(ber.Context(0), nil))}, cms.ErrRecipient, nil},
		{
			"by a key identifier that is none",
			[][]byte{mine(ber.Constructed(ber.Context(0), ber.EncodeNull()))},
			cms.ErrRecipient, nil,
		},
		{"by another serial number", [][]byte{mine(bySerial(ber.EncodeInt(1)))}, cms.ErrRecipient, nil},
		{"by the serial number's beginning", [][]byte{mine(bySerial(shortSerial))}, cms.ErrRecipient, nil},
		{"by no serial number", [][]byte{mine(bySerial(nil))}, cms.ErrRecipient, nil},
		{"by a serial number that is none", [][]byte{mine(bySerial(octets([]byte{1})))}, cms.ErrRecipient, nil},
		{
			"by another issuer",
			[][]byte{mine(sequence(other().certificate.RawIssuer, ber.EncodeBigInt(small().certificate.SerialNumber)))},
			cms.ErrRecipient, nil,
		},
		{"by something unknown", [][]byte{mine(ber.Primitive(ber.Context(1), keyID))}, cms.ErrRecipient, nil},
		{"by an octet string", [][]byte{mine(octets(keyID))}, cms.ErrRecipient, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := draftCBC(t)
			d.recipients = tc.recipients
			for r, want := range map[*cms.Recipient]error{
				{Key: small().key, Certificate: small().certificate}: tc.with,
				{Key: small().key}: tc.without,
			} {
				if want == nil {
					opens(t, d.encode(), *r, secret)
				} else {
					refuses(t, d.encode(), *r, want)
				}
			}
		})
	}
}

// Without the extension, an empty identifier names nobody.
func TestOpenCertificateWithoutKeyIdentifier(t *testing.T) {
	t.Parallel()
	bare := certify(&x509.Certificate{SerialNumber: big.NewInt(300), Subject: pkix.Name{CommonName: "bare"}}, small().key)
	if len(bare.SubjectKeyId) > 0 {
		t.Fatal("it has a key identifier")
	}
	r := cms.Recipient{Key: small().key, Certificate: bare}
	d := draftCBC(t)
	d.recipients = [][]byte{recipientInfo(ber.Primitive(ber.Context(0), nil), oaep(), wrapOAEP(t, small(), contentKey))}
	refuses(t, d.encode(), r, cms.ErrRecipient)
	opens(t, seal(t, cms.Envelope{Content: cms.AES128CBC}, secret, bare), r, secret)
}

// A serial number that is missing is not one of zero.
func TestOpenCertificateWithSerialZero(t *testing.T) {
	t.Parallel()
	zero := certify(&x509.Certificate{SerialNumber: new(big.Int), Subject: pkix.Name{CommonName: "zero"}}, small().key)
	r := cms.Recipient{Key: small().key, Certificate: zero}
	opens(t, seal(t, cms.Envelope{Content: cms.AES128CBC}, secret, zero), r, secret)
	d := draftCBC(t)
	d.recipients = [][]byte{recipientInfo(sequence(zero.RawIssuer), oaep(), wrapOAEP(t, small(), contentKey))}
	refuses(t, d.encode(), r, cms.ErrRecipient)
}

// newECDSA is a certificate of a key that transports nothing.
func newECDSA(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "ECDSA"}, SubjectKeyId: []byte("ecdsa"),
	}, key)
}
