package cms

import (
	"crypto/des" //nolint:gosec // Only asked whether it may be used.
	"errors"
)

var (
	// ErrDecrypt is the one error of a content that does not decrypt: a wrong key, a
	// wrong padding and damaged data cannot be told apart.
	ErrDecrypt = errors.New("it does not decrypt: the key is another one, or the data is damaged")
	// ErrRecipient is the error for an envelope that was made for others, or for several
	// of whom r cannot be told without a certificate.
	ErrRecipient = errors.New("none of its recipients is known to be this key")
	// ErrFIPS is the error for an algorithm that FIPS-only mode (GODEBUG=fips140=only)
	// does not allow.
	ErrFIPS = errors.New("FIPS-only mode does not allow it")
)

// UnsupportedError is the error for an algorithm, or a form, that this package does not
// know.
type UnsupportedError struct {
	// What it is for: "content cipher", "key transport".
	What string
	// OID of the algorithm in dotted form, or a word.
	OID string
}

// Error names both.
func (e *UnsupportedError) Error() string { return "unsupported " + e.What + " " + e.OID }

// FIPSOnly reports whether the program runs in FIPS-only mode, in which SHA-1 panics
// and triple DES and PKCS #1 v1.5 are refused. Go says so by such a refusal only.
func FIPSOnly() bool {
	_, err := des.NewTripleDESCipher(make([]byte, 24)) //nolint:gosec // See above.
	return err != nil
}
