package certs

import (
	"errors"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

// UnsupportedError is in the tree of an error about an algorithm, or a form of document,
// that is not known here; its OID names it.
type UnsupportedError = cms.UnsupportedError

// ErrFIPSOnly is in the tree of an error about an algorithm that the program's FIPS-only
// mode (GODEBUG=fips140=only) refuses. The platform's containers cannot be read in that
// mode: they are encrypted with triple DES and named by SHA-1.
var ErrFIPSOnly = cms.ErrFIPS

// errNoKey is the error for a nil or zero TransportKey.
var errNoKey = errors.New("there is no transport key")

const whatEnvelope = "CMS envelope"

// containerError says what is wrong with a container. That it is for others, or in a form
// that cannot be opened here, is [azprov.KindProtected].
func containerError(op, what string, err error) error {
	var unsupported *cms.UnsupportedError
	e := &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: err.Error(), Last: err}
	switch {
	case errors.Is(err, errNoKey):
		e.Kind, e.Hint = azprov.KindInternal, "make one with GenerateTransportKey or ParseTransportKey"
	case errors.Is(err, cms.ErrDecrypt) && what == whatEnvelope:
		e.Hint = "use the key whose certificate was sent with the request"
	case errors.Is(err, cms.ErrDecrypt), errors.Is(err, pfx.ErrMAC):
	case errors.Is(err, ber.ErrTooLarge):
		e.Kind = azprov.KindTooLarge
	case errors.As(err, &unsupported):
		e.Kind = azprov.KindProtected
		if what == whatEnvelope {
			e.Hint = "ask for another cipher"
		}
	case errors.Is(err, ErrFIPSOnly):
		e.Kind = azprov.KindProtected
		e.Hint = "the platform's certificates cannot be read with GODEBUG=fips140=only; fips140=on allows it"
	case errors.Is(err, cms.ErrRecipient):
		e.Kind = azprov.KindProtected
		e.Hint = "use the key and the certificate that were sent with the request"
	default:
		e.Message = "not a sound " + what // Error adds why
	}
	return e
}
