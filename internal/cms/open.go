package cms

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"github.com/azprov/azprov/internal/ber"
)

const (
	oidData              = "1.2.840.113549.1.7.1"
	oidEnvelopedData     = "1.2.840.113549.1.7.3"
	oidAuthEnvelopedData = "1.2.840.113549.1.9.16.1.23"
)

// Recipient is who opens an envelope.
type Recipient struct {
	Key *rsa.PrivateKey
	// Certificate is the key's, nil if it is not at hand.
	Certificate *x509.Certificate
}

// Open decrypts an envelope. Among its recipients r is found by its certificate; without
// one there must be a single recipient.
//
// The errors are [ErrDecrypt], [ErrRecipient], [ErrFIPS], an [*UnsupportedError], or
// what is wrong with the encoding.
func Open(envelope []byte, r Recipient) ([]byte, error) {
	document, err := ber.Parse(envelope)
	if err != nil {
		return nil, err
	}
	info := document.Children()
	oid := info.OID()
	content := info.Take(ber.Context(0))
	if err := info.Err(); err != nil {
		return nil, err
	}
	if oid != oidEnvelopedData && oid != oidAuthEnvelopedData {
		return nil, &UnsupportedError{"content type", oid}
	}
	fields := content.Children()
	data := fields.Take(ber.Sequence).Children()
	data.Int() // version: it follows from what else is there
	data.Optional(ber.Context(0))
	recipients := data.Take(ber.Set)
	encrypted := data.Take(ber.Sequence)
	if fields.Err() != nil || data.Err() != nil {
		return nil, firstError(fields.Err(), data.Err())
	}
	key, err := r.find(recipients)
	if err != nil {
		return nil, err
	}
	if oid == oidAuthEnvelopedData {
		return openGCM(encrypted, data, r.Key, key)
	}
	return openCBC(encrypted, r.Key, key)
}

// wrappedKey is the content key as one recipient gets it.
type wrappedKey struct {
	algorithm ber.Element
	encrypted []byte
}

func (w *wrappedKey) open(key *rsa.PrivateKey, size int) ([]byte, error) {
	transport, err := parseKeyTransport(w.algorithm)
	if err != nil {
		return nil, err
	}
	return transport(key, w.encrypted, size)
}

// find returns the key of the first recipient that is r.
func (r *Recipient) find(recipients ber.Element) (*wrappedKey, error) {
	var candidates []*wrappedKey
	list := recipients.Children()
	for list.More() {
		info := list.Next()
		if info.Tag != ber.Sequence {
			continue // a key agreement, a password: nothing for an RSA key
		}
		fields := info.Children()
		fields.Int() // version
		id := fields.Next()
		w := &wrappedKey{algorithm: fields.Take(ber.Sequence), encrypted: fields.Octets()}
		if err := fields.Err(); err != nil {
			return nil, err
		}
		if r.Certificate == nil || is(r.Certificate, id) {
			candidates = append(candidates, w)
		}
	}
	if list.Err() != nil {
		return nil, list.Err()
	}
	if len(candidates) == 0 || r.Certificate == nil && len(candidates) > 1 {
		return nil, ErrRecipient
	}
	return candidates[0], nil
}

// is compares a RecipientIdentifier with a certificate.
func is(c *x509.Certificate, id ber.Element) bool {
	switch id.Tag {
	case ber.Context(0):
		keyID, err := id.Octets()
		return err == nil && len(keyID) > 0 && bytes.Equal(keyID, c.SubjectKeyId)
	case ber.Sequence:
		fields := id.Children()
		issuer, serial := fields.Next(), fields.Take(ber.Integer)
		return fields.Err() == nil && bytes.Equal(issuer.Raw, c.RawIssuer) &&
			new(big.Int).SetBytes(serial.Content).Cmp(c.SerialNumber) == 0
	default:
		return false
	}
}

// openCBC decrypts an EncryptedContentInfo.
func openCBC(info ber.Element, key *rsa.PrivateKey, wrapped *wrappedKey) ([]byte, error) {
	algorithm, ciphertext, err := encryptedContent(info)
	if err != nil {
		return nil, err
	}
	c, iv, err := ParseCipher(algorithm)
	if err != nil {
		return nil, err
	}
	contentKey, err := wrapped.open(key, c.KeySize)
	if err != nil {
		return nil, err
	}
	return c.Open(contentKey, iv, ciphertext)
}

// encryptedContent reads an EncryptedContentInfo.
func encryptedContent(info ber.Element) (algorithm ber.Element, ciphertext []byte, err error) {
	fields := info.Children()
	fields.OID() // of the content, which is data
	algorithm = fields.Take(ber.Sequence)
	content, there := fields.Optional(ber.Context(0))
	switch {
	case fields.Err() != nil:
		return ber.Element{}, nil, fields.Err()
	case !there:
		return ber.Element{}, nil, &UnsupportedError{"form", "detached content"}
	}
	ciphertext, err = content.Octets()
	return algorithm, ciphertext, err
}

// OpenEncrypted returns algorithm and ciphertext of an EncryptedData (RFC 5652, section
// 8), which a PFX uses.
func OpenEncrypted(data ber.Element) (algorithm ber.Element, ciphertext []byte, err error) {
	fields := data.Children()
	fields.Int() // version
	info := fields.Take(ber.Sequence)
	if err := fields.Err(); err != nil {
		return ber.Element{}, nil, err
	}
	return encryptedContent(info)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
