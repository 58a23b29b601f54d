package certs

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/ber"
)

// publicKey is what all of Go's public keys are.
type publicKey interface {
	Equal(x crypto.PublicKey) bool
}

// spkiText encodes a public key, by which hundreds of keys are compared with hundreds of
// certificates: Equal makes copies of the numbers each time. It is empty for none.
func spkiText(public publicKey) string {
	if public == nil {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	return string(der)
}

// readCertificate returns a certificate's subject and public key. Go is strict about
// certificates, and some that it refuses (a negative serial number, two extensions of a
// kind) are still about a good key: then err says why, and public is that key.
func readCertificate(der []byte) (subject string, public publicKey, err error) {
	c, err := x509.ParseCertificate(der)
	if err == nil {
		public, _ = c.PublicKey.(publicKey)
		return subjectText(c.Subject), public, nil
	}
	spki, walkErr := subjectPublicKeyInfo(der)
	if walkErr != nil {
		return "", nil, err
	}
	parsed, parseErr := x509.ParsePKIXPublicKey(spki)
	if parseErr == nil {
		public, _ = parsed.(publicKey)
	}
	return "", public, err
}

// subjectPublicKeyInfo finds the key in a certificate (RFC 5280, section 4.1).
func subjectPublicKeyInfo(der []byte) ([]byte, error) {
	document, err := ber.Parse(der)
	if err != nil {
		return nil, err
	}
	tbs := document.Children().Take(ber.Sequence).Children()
	tbs.Optional(ber.Context(0)) // version
	tbs.Take(ber.Integer)        // serial number
	for range 4 {                // signature, issuer, validity, subject
		tbs.Take(ber.Sequence)
	}
	spki := tbs.Take(ber.Sequence)
	return spki.Raw, tbs.Err()
}

// attributeNames of the subject, as openssl has them.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.1": "UID",
	"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

// subjectText is the name in its own order; pkix.Name's would be the other way round,
// and its DC, which the platform uses, in hexadecimal.
func subjectText(name pkix.Name) string {
	parts := make([]string, 0, len(name.Names))
	for _, attribute := range name.Names {
		label, known := attributeNames[attribute.Type.String()]
		if !known {
			label = attribute.Type.String()
		}
		parts = append(parts, fmt.Sprintf("%s=%v", label, attribute.Value))
	}
	return azprov.OneLine(strings.Join(parts, ", "))
}

const oidRSA = "1.2.840.113549.1.1.1"

// publicOfPKCS8 returns the public key of a private one. That of RSA is taken as it is
// written there: to check the key against its factors could take minutes for a large one.
func publicOfPKCS8(der []byte) (publicKey, error) {
	document, err := ber.Parse(der)
	if err != nil {
		return nil, err
	}
	fields := document.Children()
	fields.Int() // version
	algorithm := fields.Take(ber.Sequence).Children()
	oid, key := algorithm.OID(), fields.Octets()
	if err := errors.Join(fields.Err(), algorithm.Err()); err != nil {
		return nil, err
	}
	if oid == oidRSA {
		return publicOfPKCS1(key)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	if private, ok := parsed.(interface{ Public() crypto.PublicKey }); ok {
		if public, ok := private.Public().(publicKey); ok {
			return public, nil
		}
	}
	return nil, &UnsupportedError{What: "kind of private key", OID: oid}
}

// publicOfPKCS1 reads the first fields of an RSAPrivateKey (RFC 8017, A.1.2).
func publicOfPKCS1(der []byte) (publicKey, error) {
	document, err := ber.Parse(der)
	if err != nil {
		return nil, err
	}
	fields := document.Children()
	fields.Int() // version
	n, e := fields.Take(ber.Integer), fields.Int()
	if err := fields.Err(); err != nil {
		return nil, err
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n.Content), E: e}, nil
}
