package certs

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // The protocol names certificates by it.
	"encoding/hex"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// Certificate is one entry of a [Bundle].
type Certificate struct {
	// Thumbprint is the SHA-1 of DER in 40 hexadecimal digits, upper case: what the
	// medium calls a fingerprint. It is empty for a private key without a certificate.
	Thumbprint string
	// Subject is the certificate's subject in one line, "CN=harbour, O=Example".
	Subject string
	// SSHKey is the public key as OpenSSH writes it, without a comment; empty if it is
	// none that OpenSSH knows.
	SSHKey string
	// FriendlyName is what the platform calls it, if it does.
	FriendlyName string
	// DER is the certificate, nil for a private key without one.
	DER []byte
	// PrivateKey is a PKCS #8 PrivateKeyInfo in DER, zero if there is none.
	PrivateKey azprov.Secret
	// Warnings is what is odd about this entry.
	Warnings []string
}

// HasPrivateKey reports whether the private key came with it.
func (c *Certificate) HasPrivateKey() bool { return !c.PrivateKey.IsZero() }

// Bundle is what the wire server hands out: certificates in its order, then the private
// keys that came without one.
type Bundle struct {
	Certificates []Certificate
	// Warnings is what was passed over, and why.
	Warnings []string
}

// Lookup returns the certificate of that thumbprint, in upper or lower case.
func (b *Bundle) Lookup(thumbprint string) (*Certificate, bool) {
	for i := range b.Certificates {
		if c := &b.Certificates[i]; c.Thumbprint != "" && strings.EqualFold(c.Thumbprint, thumbprint) {
			return c, true
		}
	}
	return nil, false
}

// Thumbprint returns the SHA-1 of a certificate in DER as the platform writes it. It is
// empty for no certificate, and in FIPS-only mode, where Go refuses SHA-1.
func Thumbprint(der []byte) string {
	if len(der) == 0 || cms.FIPSOnly() {
		return ""
	}
	sum := sha1.Sum(der) //nolint:gosec // See the import.
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// DecodeFile opens a CertificateFile, the wire server's document. One in a format that is
// not known is passed over with a warning, as WALinuxAgent passes it over.
//
// Errors are those of [Decode], and Malformed for a document that is none.
func DecodeFile(document []byte, key *TransportKey) (Bundle, error) {
	file, err := goalstate.ParseCertificateFile(document)
	switch {
	case err != nil:
		return Bundle{}, err
	case !file.HasPkcs7Blob():
		return Bundle{Warnings: []string{"the format " + azprov.OneLine(file.Format) + " is not known: passed over"}}, nil
	}
	return Decode(file.Data, key)
}

// Decode opens the Data of a certificate file with the key that the request for it
// carried. No data is no certificates. Private keys are paired with certificates by
// their public key.
//
// Errors: Malformed (it does not decrypt, whatever the cause; or what is inside is no
// PFX with an empty password), Protected (it is for another key, in algorithms that are
// not known, or not allowed in FIPS-only mode), TooLarge (over 1 MiB), Internal (no key).
func Decode(data []byte, key *TransportKey) (Bundle, error) {
	const op = "certs.Decode"
	if len(data) == 0 {
		return Bundle{}, nil
	}
	if cms.FIPSOnly() {
		return Bundle{}, containerError(op, whatEnvelope, ErrFIPSOnly)
	}
	plain, err := key.open(data)
	if err == nil {
		// With a wrong key one padding in 256 looks right, but what is inside does not.
		if _, wrong := ber.Parse(plain); wrong != nil {
			err = cms.ErrDecrypt
		}
	}
	if err != nil {
		return Bundle{}, containerError(op, whatEnvelope, err)
	}
	contents, err := pfx.Decode(plain)
	if err != nil {
		return Bundle{}, containerError(op, "PFX", err)
	}
	return pair(contents), nil
}

// privateKey is a key that waits for its certificate.
type privateKey struct {
	pfx.Key
	public publicKey
	spki   string // of public
	err    error
	paired bool
}

// pair puts keys to their certificates. One whose public key cannot be told goes by the
// id that the file gives to both.
func pair(contents pfx.Contents) Bundle {
	keys := make([]privateKey, 0, len(contents.Keys))
	for _, key := range contents.Keys {
		public, err := publicOfPKCS8(key.PKCS8)
		keys = append(keys, privateKey{Key: key, public: public, spki: spkiText(public), err: err})
	}
	var bundle Bundle
	for _, c := range contents.Certificates {
		entry := newCertificate(c)
		if key := find(keys, c, spkiText(entry.public)); key != nil {
			key.paired = true
			entry.PrivateKey = azprov.NewSecret(key.PKCS8)
			entry.warnIf("its private key cannot be read", key.err)
		}
		bundle.Certificates = append(bundle.Certificates, entry.Certificate)
	}
	for i := range keys {
		if !keys[i].paired {
			bundle.Certificates = append(bundle.Certificates, keys[i].alone())
		}
	}
	for _, err := range contents.Passed {
		bundle.Warnings = append(bundle.Warnings, "passed over: "+err.Error())
	}
	return bundle
}

// find returns the key of a certificate, or nil. The public key goes before the id, which
// a file may have given to several.
func find(keys []privateKey, c pfx.Certificate, spki string) *privateKey {
	for i := range keys {
		if spki != "" && keys[i].spki == spki {
			return &keys[i]
		}
	}
	for i := range keys {
		k := &keys[i]
		if k.err != nil && !k.paired && len(k.LocalKeyID) > 0 && bytes.Equal(k.LocalKeyID, c.LocalKeyID) {
			return k
		}
	}
	return nil
}

// alone is the entry of a key without a certificate.
func (k *privateKey) alone() Certificate {
	entry := entry{Certificate: Certificate{FriendlyName: azprov.OneLine(k.FriendlyName), PrivateKey: azprov.NewSecret(k.PKCS8)}}
	entry.warn("a private key without a certificate")
	entry.warnIf("the private key cannot be read", k.err)
	if k.err == nil {
		entry.convert(k.public)
	}
	return entry.Certificate
}

// entry is a Certificate in the making.
type entry struct {
	Certificate
	public publicKey // nil if it cannot be told
}

func newCertificate(c pfx.Certificate) *entry {
	e := &entry{Certificate: Certificate{
		Thumbprint: Thumbprint(c.DER), DER: c.DER, FriendlyName: azprov.OneLine(c.FriendlyName),
	}}
	var err error
	e.Subject, e.public, err = readCertificate(c.DER)
	e.warnIf("not quite an X.509 certificate", err)
	if e.public == nil {
		e.warn("its public key is of a kind that is not known")
		return e
	}
	e.convert(e.public)
	return e
}

func (e *entry) convert(public publicKey) {
	text, err := SSHKey(public)
	if err != nil {
		e.warn("no SSH key: " + err.Error())
	}
	e.SSHKey = text
}

func (e *entry) warn(text string) { e.Warnings = append(e.Warnings, azprov.OneLine(text)) }

func (e *entry) warnIf(text string, err error) {
	if err != nil {
		e.warn(text + ": " + err.Error())
	}
}
