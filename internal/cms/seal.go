package cms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"

	"github.com/azprov/azprov/internal/ber"
)

// Envelope is what [Envelope.Seal] makes. The wire server's two layouts, as captured by
// WALinuxAgent, are AES128CBC with OAEP and SHA-1, and DESEDE3CBC with PKCS #1 v1.5, both
// with the recipient's subject key identifier.
type Envelope struct {
	Content *Cipher
	// OAEP is the digest of the key transport; 0 is PKCS #1 v1.5.
	OAEP crypto.Hash
	// ByIssuer names recipients by issuer and serial number, as certificates without a
	// subject key identifier always are.
	ByIssuer bool
}

// Seal encrypts for the recipients, whose keys must be RSA.
func (e Envelope) Seal(content []byte, recipients ...*x509.Certificate) ([]byte, error) {
	contentKey, iv := make([]byte, e.Content.KeySize), make([]byte, e.Content.BlockSize)
	_, _ = rand.Read(contentKey) // Never fails (crypto/rand, since Go 1.24).
	_, _ = rand.Read(iv)
	ciphertext, err := e.Content.Seal(contentKey, iv, content)
	if err != nil {
		return nil, err
	}
	version := 0 // it says whether there is a recipient by key identifier (RFC 5652, 6.1)
	var infos [][]byte
	for _, recipient := range recipients {
		info, err := e.wrap(contentKey, recipient)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
		if e.byKeyID(recipient) {
			version = 2
		}
	}
	return contentInfo(oidEnvelopedData, ber.Constructed(ber.Sequence,
		ber.EncodeInt(version),
		ber.Constructed(ber.Set, infos...),
		EncryptedContentInfo(e.Content.algorithm(iv), ciphertext))), nil
}

func contentInfo(oid string, content []byte) []byte {
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oid), ber.Constructed(ber.Context(0), content))
}

// EncryptedContentInfo encodes one that holds data.
func EncryptedContentInfo(algorithm, ciphertext []byte) []byte {
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oidData), algorithm, ber.Primitive(ber.Context(0), ciphertext))
}

// algorithm is the AlgorithmIdentifier of the cipher.
func (c *Cipher) algorithm(iv []byte) []byte {
	return ber.Constructed(ber.Sequence, ber.EncodeOID(c.OID), ber.Primitive(ber.OctetString, iv))
}

func (e Envelope) byKeyID(c *x509.Certificate) bool { return !e.ByIssuer && len(c.SubjectKeyId) > 0 }

// wrap makes the KeyTransRecipientInfo of one recipient.
func (e Envelope) wrap(contentKey []byte, recipient *x509.Certificate) ([]byte, error) {
	key, ok := recipient.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, &UnsupportedError{"recipient's key", recipient.PublicKeyAlgorithm.String()}
	}
	var encrypted []byte
	var err error
	if e.OAEP == 0 {
		encrypted, err = rsa.EncryptPKCS1v15(rand.Reader, key, contentKey) // As the platform does; deprecated since Go 1.26.
	} else {
		encrypted, err = rsa.EncryptOAEP(e.OAEP.New(), rand.Reader, key, contentKey, nil)
	}
	if err != nil {
		return nil, err
	}
	version, id := 2, ber.Primitive(ber.Context(0), recipient.SubjectKeyId)
	if !e.byKeyID(recipient) {
		version, id = 0, ber.Constructed(ber.Sequence, recipient.RawIssuer, ber.EncodeBigInt(recipient.SerialNumber))
	}
	return ber.Constructed(ber.Sequence,
		ber.EncodeInt(version), id, e.keyTransport(), ber.Primitive(ber.OctetString, encrypted)), nil
}

// keyTransport is the AlgorithmIdentifier of the key transport.
func (e Envelope) keyTransport() []byte {
	switch e.OAEP { //nolint:exhaustive // All others say which they are.
	case 0:
		return ber.Constructed(ber.Sequence, ber.EncodeOID(oidRSA), ber.EncodeNull())
	case crypto.SHA1: // the default, so that nothing is said
		return ber.Constructed(ber.Sequence, ber.EncodeOID(oidOAEP), ber.Constructed(ber.Sequence))
	}
	hash := ber.Constructed(ber.Sequence, ber.EncodeOID(HashOID(e.OAEP)), ber.EncodeNull())
	mask := ber.Constructed(ber.Sequence, ber.EncodeOID(oidMGF1), hash)
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oidOAEP), ber.Constructed(ber.Sequence,
		ber.Constructed(ber.Context(0), hash), ber.Constructed(ber.Context(1), mask)))
}

// HashOID is the OID of a digest that [LookupHash] knows.
func HashOID(h crypto.Hash) string {
	for oid, hash := range hashes {
		if hash == h {
			return oid
		}
	}
	return ""
}
