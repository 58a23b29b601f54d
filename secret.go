package azprov

import (
	"bytes"
	"crypto/subtle"
)

// Redacted is what a [Secret] shows of itself.
const Redacted = "[redacted]"

// Secret holds bytes that must not reach a log, a report or a file by accident:
// passwords, custom and user data, private keys, tokens. Printing it in any form
// and encoding it as text or JSON gives "[redacted]" (the zero Secret: ""), and
// decoding "[redacted]" is an error, so that a redacted document is never taken
// for a real one.
//
// The bytes live behind a closure because package fmt prints unexported byte
// fields, and follows pointers, but cannot look into a function.
type Secret struct {
	reveal func() []byte
}

// NewSecret returns a Secret with a copy of b. A nil or empty b gives a Secret
// that is set and empty; the zero Secret is "not there".
func NewSecret(b []byte) Secret {
	kept := bytes.Clone(b)
	return Secret{reveal: func() []byte { return kept }}
}

// Reveal returns a copy of the bytes, nil for the zero Secret.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return append([]byte{}, s.reveal()...)
}

// RevealString returns the bytes as a string.
func (s Secret) RevealString() string {
	if s.reveal == nil {
		return ""
	}
	return string(s.reveal())
}

// IsZero reports whether there is no secret at all. An empty one is not zero.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Len returns the number of bytes.
func (s Secret) Len() int {
	if s.reveal == nil {
		return 0
	}
	return len(s.reveal())
}

// Equal reports whether both hold the same bytes, or both are zero. It takes the
// same time wherever they differ.
func (s Secret) Equal(other Secret) bool {
	if s.IsZero() || other.IsZero() {
		return s.IsZero() == other.IsZero()
	}
	return subtle.ConstantTimeCompare(s.reveal(), other.reveal()) == 1
}

// String returns "[redacted]", or "" for the zero Secret.
func (s Secret) String() string {
	if s.reveal == nil {
		return ""
	}
	return Redacted
}

// GoString is [Secret.String] for %#v.
func (s Secret) GoString() string { return "azprov.Secret(" + s.String() + ")" }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText keeps text as the secret. Empty text gives the zero Secret, and
// "[redacted]" an error of [KindMalformed]: the value is gone.
func (s *Secret) UnmarshalText(text []byte) error {
	switch {
	case len(text) == 0:
		*s = Secret{}
	case string(text) == Redacted:
		return &Error{
			Op: "azprov.Secret.UnmarshalText", Kind: KindMalformed,
			Message: "the value was redacted when it was written",
			Hint:    "read the original document instead of a redacted copy",
		}
	default:
		*s = NewSecret(text)
	}
	return nil
}
