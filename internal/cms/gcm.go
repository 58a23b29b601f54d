package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"slices"

	"github.com/azprov/azprov/internal/ber"
)

// gcmKeySizes of AES-GCM (RFC 5084).
var gcmKeySizes = map[string]int{
	"2.16.840.1.101.3.4.1.6":  16,
	"2.16.840.1.101.3.4.1.26": 24,
	"2.16.840.1.101.3.4.1.46": 32,
}

const (
	gcmNonce      = 12
	gcmDefaultTag = 12
	gcmMaxTag     = 16
)

// openGCM decrypts the content of an AuthEnvelopedData; rest is what follows it.
func openGCM(info ber.Element, rest *ber.Cursor, key *rsa.PrivateKey, wrapped *wrappedKey) ([]byte, error) {
	algorithm, ciphertext, err := encryptedContent(info)
	if err != nil {
		return nil, err
	}
	size, nonce, tagSize, err := parseGCM(algorithm)
	if err != nil {
		return nil, err
	}
	attributes, _ := rest.Optional(ber.Context(1))
	tag := rest.Octets()
	if err := rest.Err(); err != nil {
		return nil, err
	}
	if len(tag) != tagSize {
		return nil, ErrDecrypt
	}
	contentKey, err := wrapped.open(key, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, ErrDecrypt
	}
	aead, err := cipher.NewGCMWithTagSize(block, tagSize)
	if err != nil {
		return nil, ErrFIPS // its only objection: sizes have been looked at
	}
	additional := slices.Clone(attributes.Raw)
	if len(additional) > 0 {
		additional[0] = 0x31 // they are authenticated as the SET that they are (RFC 5083, 2.2)
	}
	plain, err := aead.Open(nil, nonce, slices.Concat(ciphertext, tag), additional)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plain, nil
}

// parseGCM reads the AlgorithmIdentifier of AES-GCM.
func parseGCM(algorithm ber.Element) (keySize int, nonce []byte, tagSize int, err error) {
	oid, parameters, err := ParseAlgorithm(algorithm)
	if err != nil {
		return 0, nil, 0, err
	}
	keySize, known := gcmKeySizes[oid]
	if !known {
		return 0, nil, 0, &UnsupportedError{"authenticated content cipher", oid}
	}
	params := parameters.Take(ber.Sequence).Children()
	nonce, tagSize = params.Octets(), gcmDefaultTag
	if params.More() {
		tagSize = params.Int()
	}
	switch {
	case params.Err() != nil:
		return 0, nil, 0, params.Err()
	case len(nonce) != gcmNonce:
		return 0, nil, 0, &UnsupportedError{"nonce of AES-GCM", "that has not 12 bytes"}
	case tagSize < gcmDefaultTag || tagSize > gcmMaxTag:
		return 0, nil, 0, &UnsupportedError{"tag of AES-GCM", "that has not 12 to 16 bytes"}
	}
	return keySize, nonce, tagSize, nil
}
