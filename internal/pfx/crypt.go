package pfx

import (
	"crypto"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // What the platform, and every PFX of before 2020, is encrypted with.
	"crypto/hmac"
	"crypto/pbkdf2"
	"errors"
	"slices"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// The empty password is a BMPString with nothing but its terminator, or, as some
// programs have it, nothing at all.
var emptyPasswords = [][]byte{{0, 0}, {}}

// verify checks a MacData over the authenticated safe, and finds out which empty password
// the file goes with.
func (d *decoder) verify(mac ber.Element, safe []byte) error {
	fields := mac.Children()
	info := fields.Take(ber.Sequence).Children()
	algorithm := info.Take(ber.Sequence)
	want, salt, iterations := info.Octets(), fields.Octets(), 1
	if fields.More() {
		iterations = fields.Int()
	}
	oid, _, err := cms.ParseAlgorithm(algorithm)
	for _, failed := range []error{info.Err(), fields.Err(), err} {
		if failed != nil {
			return failed
		}
	}
	h, known := cms.LookupHash(oid)
	switch {
	case !known:
		return &cms.UnsupportedError{What: "MAC of a PFX", OID: oid}
	case h == crypto.SHA1 && cms.FIPSOnly():
		return cms.ErrFIPS
	}
	for _, password := range emptyPasswords {
		if err := d.work.spend(iterations, 1); err != nil {
			return err
		}
		if hmac.Equal(sign(h, password, salt, iterations, safe), want) {
			d.password = password
			return nil
		}
	}
	return ErrMAC
}

func sign(h crypto.Hash, password, salt []byte, iterations int, data []byte) []byte {
	mac := hmac.New(h.New, derive(h, forMAC, password, salt, iterations, h.Size()))
	_, _ = mac.Write(data) // a hash's Write never fails
	return mac.Sum(nil)
}

// passwords to try, the likeliest first.
func (d *decoder) passwords() [][]byte {
	if d.password != nil && len(d.password) == 0 {
		return [][]byte{emptyPasswords[1], emptyPasswords[0]}
	}
	return emptyPasswords
}

// decrypt decrypts what must be an encoded element. Where there is no MAC, that it is one
// is the only sign of the right password.
func (d *decoder) decrypt(algorithm ber.Element, ciphertext []byte) (ber.Element, error) {
	oid, parameters, err := cms.ParseAlgorithm(algorithm)
	if err != nil {
		return ber.Element{}, err
	}
	open, candidates := d.pbe, d.passwords()
	if oid == oidPBES2 {
		open, candidates = d.pbes2, emptyPasswords[1:] // HMAC fills keys up with zeros: both are one
	}
	scheme := parameters.Take(ber.Sequence) // if it is none, open says so, of an algorithm that it knows
	for _, password := range candidates {
		plain, err := open(oid, scheme.Children(), password, ciphertext)
		if err == nil {
			var element ber.Element
			if element, err = ber.Parse(plain); err == nil {
				return element, nil
			}
			err = cms.ErrDecrypt
		}
		if !errors.Is(err, cms.ErrDecrypt) {
			return ber.Element{}, err
		}
	}
	return ber.Element{}, cms.ErrDecrypt
}

// scheme is an encryption scheme of RFC 7292, appendix C.
type scheme struct {
	keySize int
	block   func(key []byte) (cipher.Block, error)
}

const (
	oidPBE      = "1.2.840.113549.1.12.1."
	pbeBlock    = 8 // of triple DES and of RC2
	twoKeyDES   = 16
	oid3DESPBE  = oidPBE + "3"
	bits40      = 40
	bits128     = 128
	bitsPerByte = 8
)

var schemes = map[string]scheme{
	oid3DESPBE:   {24, des.NewTripleDESCipher},
	oidPBE + "4": {twoKeyDES, func(key []byte) (cipher.Block, error) { return des.NewTripleDESCipher(append(key, key[:8]...)) }}, //nolint:gosec // As above.
	oidPBE + "5": {bits128 / bitsPerByte, func(key []byte) (cipher.Block, error) { return newRC2(key, bits128), nil }},
	oidPBE + "6": {bits40 / bitsPerByte, func(key []byte) (cipher.Block, error) { return newRC2(key, bits40), nil }},
}

// pbe decrypts by a scheme whose parameters are salt and iterations.
func (d *decoder) pbe(oid string, params *ber.Cursor, password, ciphertext []byte) ([]byte, error) {
	s, known := schemes[oid]
	if !known {
		return nil, &cms.UnsupportedError{What: "encryption of a PFX", OID: oid}
	}
	if cms.FIPSOnly() {
		return nil, cms.ErrFIPS
	}
	salt, iterations := params.Octets(), params.Int()
	if err := params.Err(); err != nil {
		return nil, err
	}
	const h = crypto.SHA1
	if err := d.work.spend(iterations, blocks(h, s.keySize)+blocks(h, pbeBlock)); err != nil {
		return nil, err
	}
	block, err := s.block(derive(h, forKey, password, salt, iterations, s.keySize))
	if err != nil {
		return nil, cms.ErrDecrypt
	}
	return cms.OpenCBC(block, derive(h, forIV, password, salt, iterations, pbeBlock), ciphertext)
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidHMAC   = "1.2.840.113549.2."
	oidSHA1   = oidHMAC + "7"
	// hmacWork is the hash computations of one HMAC.
	hmacWork = 2
)

// prfs of PBKDF2 (RFC 8018, B.1.2).
var prfs = map[string]crypto.Hash{
	oidSHA1: crypto.SHA1, oidHMAC + "9": crypto.SHA256, oidHMAC + "10": crypto.SHA384, oidHMAC + "11": crypto.SHA512,
}

// pbes2 decrypts by PBES2 (RFC 8018, 6.2) with PBKDF2.
func (d *decoder) pbes2(_ string, params *ber.Cursor, password, ciphertext []byte) ([]byte, error) {
	derivation, encryption := params.Take(ber.Sequence), params.Take(ber.Sequence)
	if err := params.Err(); err != nil {
		return nil, err
	}
	c, iv, err := cms.ParseCipher(encryption)
	if err != nil {
		return nil, err
	}
	salt, iterations, prf, err := parsePBKDF2(derivation)
	if err != nil {
		return nil, err
	}
	if err := d.work.spend(iterations, hmacWork*blocks(prf, c.KeySize)); err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(prf.New, string(password), salt, iterations, c.KeySize)
	if err != nil {
		return nil, cms.ErrFIPS // its only objection, to a short salt
	}
	return c.Open(key, iv, ciphertext)
}

func parsePBKDF2(algorithm ber.Element) (salt []byte, iterations int, prf crypto.Hash, err error) {
	oid, parameters, err := cms.ParseAlgorithm(algorithm)
	switch {
	case err != nil:
		return nil, 0, 0, err
	case oid != oidPBKDF2:
		return nil, 0, 0, &cms.UnsupportedError{What: "key derivation of a PFX", OID: oid}
	}
	fields := parameters.Take(ber.Sequence).Children()
	salt, iterations = fields.Octets(), fields.Int()
	fields.Optional(ber.Integer) // the key's length, which the cipher knows
	prfOID := oidSHA1
	if named, given := fields.Optional(ber.Sequence); given {
		if prfOID, _, err = cms.ParseAlgorithm(named); err != nil {
			return nil, 0, 0, err
		}
	}
	prf, known := prfs[prfOID]
	switch {
	case fields.Err() != nil:
		return nil, 0, 0, fields.Err()
	case !known:
		return nil, 0, 0, &cms.UnsupportedError{What: "pseudo-random function of a PFX", OID: prfOID}
	case prf == crypto.SHA1 && cms.FIPSOnly():
		return nil, 0, 0, cms.ErrFIPS
	}
	return slices.Clone(salt), iterations, prf, nil
}
