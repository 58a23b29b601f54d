package cms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // The default of OAEP, which the platform uses.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/azprov/azprov/internal/ber"
)

const (
	oidRSA       = "1.2.840.113549.1.1.1"
	oidOAEP      = "1.2.840.113549.1.1.7"
	oidMGF1      = "1.2.840.113549.1.1.8"
	oidSpecified = "1.2.840.113549.1.1.9"
)

// hashes that OAEP may name.
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"2.16.840.1.101.3.4.2.4": crypto.SHA224,
}

// LookupHash returns the digest algorithm of that OID.
func LookupHash(oid string) (crypto.Hash, bool) {
	h, known := hashes[oid]
	return h, known
}

// ParseAlgorithm reads an AlgorithmIdentifier: its OID, and a cursor at its parameters.
func ParseAlgorithm(e ber.Element) (oid string, parameters *ber.Cursor, err error) {
	parameters = e.Children()
	oid = parameters.OID()
	return oid, parameters, parameters.Err()
}

// unwrap decrypts a content key of size bytes.
type unwrap func(key *rsa.PrivateKey, encrypted []byte, size int) ([]byte, error)

// parseKeyTransport reads the AlgorithmIdentifier of a key transport.
func parseKeyTransport(algorithm ber.Element) (unwrap, error) {
	oid, parameters, err := ParseAlgorithm(algorithm)
	if err != nil {
		return nil, err
	}
	switch oid {
	case oidRSA:
		if FIPSOnly() {
			return nil, ErrFIPS
		}
		return unwrapPKCS1v15, nil
	case oidOAEP:
		options, err := parseOAEP(parameters)
		if err != nil {
			return nil, err
		}
		if FIPSOnly() && (options.Hash == crypto.SHA1 || options.MGFHash == crypto.SHA1) {
			return nil, ErrFIPS
		}
		return unwrapOAEP(options), nil
	}
	return nil, &UnsupportedError{"key transport", oid}
}

// unwrapPKCS1v15 gives a random key for a padding that is wrong, so that the padding
// makes no difference that could be seen: the content then does not decrypt.
func unwrapPKCS1v15(key *rsa.PrivateKey, encrypted []byte, size int) ([]byte, error) {
	options := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size}
	contentKey, err := key.Decrypt(rand.Reader, encrypted, options) // The platform's way with DES_EDE3_CBC; deprecated since Go 1.26.
	if err != nil {
		return nil, ErrDecrypt
	}
	return contentKey, nil
}

func unwrapOAEP(options *rsa.OAEPOptions) unwrap {
	return func(key *rsa.PrivateKey, encrypted []byte, size int) ([]byte, error) {
		contentKey, err := key.Decrypt(nil, encrypted, options)
		if err != nil || len(contentKey) != size {
			return nil, ErrDecrypt
		}
		return contentKey, nil
	}
}

// parseOAEP reads RSAES-OAEP-params (RFC 8017, A.2.1). All are optional; the defaults
// are SHA-1 and no label.
func parseOAEP(parameters *ber.Cursor) (*rsa.OAEPOptions, error) {
	options := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	sequence, given := parameters.Optional(ber.Sequence)
	if !given {
		return options, parameters.Err()
	}
	params := sequence.Children()
	var err error
	if hash, given := params.Optional(ber.Context(0)); given {
		options.Hash, err = parseHash(hash.Children())
	}
	if mask, given := params.Optional(ber.Context(1)); given && err == nil {
		options.MGFHash, err = parseMGF1(mask.Children())
	}
	if source, given := params.Optional(ber.Context(2)); given && err == nil {
		options.Label, err = parseLabel(source.Children())
	}
	if err == nil {
		err = params.Err()
	}
	return options, err
}

// parseHash reads the AlgorithmIdentifier of a digest.
func parseHash(outer *ber.Cursor) (crypto.Hash, error) {
	oid, _, err := ParseAlgorithm(outer.Take(ber.Sequence))
	if err != nil {
		return 0, err
	}
	if h, known := LookupHash(oid); known {
		return h, nil
	}
	return 0, &UnsupportedError{"digest", oid}
}

func parseMGF1(outer *ber.Cursor) (crypto.Hash, error) {
	oid, parameters, err := ParseAlgorithm(outer.Take(ber.Sequence))
	switch {
	case err != nil:
		return 0, err
	case oid != oidMGF1:
		return 0, &UnsupportedError{"mask generation", oid}
	}
	return parseHash(parameters)
}

func parseLabel(outer *ber.Cursor) ([]byte, error) {
	oid, parameters, err := ParseAlgorithm(outer.Take(ber.Sequence))
	switch {
	case err != nil:
		return nil, err
	case oid != oidSpecified:
		return nil, &UnsupportedError{"label source", oid}
	}
	label := parameters.Octets()
	return label, parameters.Err()
}
