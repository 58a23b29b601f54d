package certs

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
)

func asPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParseTransportKey(t *testing.T) {
	t.Parallel()
	pkcs8, certificate := blocks(transportKeyPEM)[0], blocks(transportCertPEM)[0]
	pkcs1 := x509.MarshalPKCS1PrivateKey(transport().key())
	text := []byte("Bag Attributes\n    friendlyName: harbour\n")
	both := slices.Concat(transportCertPEM, transportKeyPEM)
	for behaviour, row := range map[string]struct{ key, certificate []byte }{
		"PEM":                           {transportKeyPEM, transportCertPEM},
		"DER":                           {pkcs8, certificate},
		"PKCS #1 in PEM":                {asPEM("RSA PRIVATE KEY", pkcs1), transportCertPEM},
		"PKCS #1 in DER":                {pkcs1, certificate},
		"PEM and DER":                   {transportKeyPEM, certificate},
		"text before the blocks":        {append(bytes.Clone(text), transportKeyPEM...), append(bytes.Clone(text), transportCertPEM...)},
		"text behind the blocks":        {append(bytes.Clone(transportKeyPEM), text...), append(bytes.Clone(transportCertPEM), text...)},
		"lines that end as in Windows":  {bytes.ReplaceAll(transportKeyPEM, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(transportCertPEM, []byte("\n"), []byte("\r\n"))},
		"key and certificate in a file": {both, both},
		"other blocks before it":        {slices.Concat(asPEM("DH PARAMETERS", []byte{1}), transportKeyPEM), transportCertPEM},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			key, err := ParseTransportKey(row.key, row.certificate)
			if err != nil {
				t.Fatal(err)
			}
			if !key.key().Equal(transport().key()) || !bytes.Equal(key.Certificate(), certificate) {
				t.Error("another key or certificate")
			}
			alone, err := ParseTransportKey(row.key, nil)
			if err != nil || !alone.key().Equal(transport().key()) || alone.Certificate() != nil {
				t.Errorf("without certificate: %v", err)
			}
		})
	}
}

func TestParseTransportKeyRefuses(t *testing.T) {
	t.Parallel()
	ec := ecIdentity("buoy", elliptic.P256())
	for behaviour, row := range map[string]struct {
		key, certificate []byte
		kind             azprov.Kind
		message          string
	}{
		"nothing":                     {nil, nil, azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"text":                        {[]byte("no key today"), nil, azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"a certificate for a key":     {transportCertPEM, transportCertPEM, azprov.KindMalformed, "no RSA private key: there is PEM, but none of it is a PRIVATE KEY"},
		"a key that is cut":           {blocks(transportKeyPEM)[0][:400], nil, azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"an encrypted key":            {asPEM("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), nil, azprov.KindMalformed, "no RSA private key: it is encrypted: take its passphrase off first"},
		"an EC key":                   {asPEM("PRIVATE KEY", ec.pkcs8), asPEM("CERTIFICATE", ec.der), azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"a key for a certificate":     {transportKeyPEM, transportKeyPEM, azprov.KindMalformed, "no X.509 certificate"},
		"text for a certificate":      {transportKeyPEM, []byte("no certificate today"), azprov.KindMalformed, "no X.509 certificate"},
		"a certificate that is cut":   {transportKeyPEM, blocks(transportCertPEM)[0][:100], azprov.KindMalformed, "no X.509 certificate"},
		"another key's certificate":   {transportKeyPEM, leafCertPEM, azprov.KindMalformed, "the certificate is another key's"},
		"an EC certificate":           {transportKeyPEM, ec.der, azprov.KindMalformed, "the certificate is another key's"},
		"a key that is too large":     {make([]byte, maxKeyFile+1), nil, azprov.KindTooLarge, "a key or certificate of over 16 KiB"},
		"a key of 20 KiB":             {make([]byte, 20<<10), nil, azprov.KindTooLarge, "a key or certificate of over 16 KiB"},
		"an old encrypted key":        {[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n"), nil, azprov.KindMalformed, "it is encrypted"},
		"a certificate too large":     {transportKeyPEM, make([]byte, maxKeyFile+1), azprov.KindTooLarge, "a key or certificate of over 16 KiB"},
		"text of just the allowed":    {bytes.Repeat([]byte("-----BEGIN "), maxKeyFile/11), nil, azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"zeros of just the allowed":   {make([]byte, maxKeyFile), nil, azprov.KindMalformed, "no RSA private key in PKCS #8 or PKCS #1"},
		"a public key for the secret": {asPEM("PUBLIC KEY", []byte{0x30, 0}), nil, azprov.KindMalformed, "no RSA private key: there is PEM"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			key, err := ParseTransportKey(row.key, row.certificate)
			if key != nil {
				t.Error("a key beside an error")
			}
			isError(t, err, "certs.ParseTransportKey", row.kind)
			if err != nil && !strings.Contains(err.Error(), row.message) {
				t.Errorf("%q, want %q", err, row.message)
			}
		})
	}
}
