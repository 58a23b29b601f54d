package pfx

import (
	"crypto"
	"crypto/des" //nolint:gosec // As the platform does.
	"crypto/rand"
	"encoding/binary"
	"unicode/utf16"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// What Azure uses, as captured by WALinuxAgent.
const (
	azureIterations = 2000
	azureSalt       = 20
)

// Encode writes a PFX as Azure does: triple DES and a MAC with SHA-1, 2,000 iterations
// each, the empty password; keys shrouded one by one, certificates encrypted together.
func Encode(c Contents) ([]byte, error) {
	if cms.FIPSOnly() { // where SHA-1 panics
		return nil, cms.ErrFIPS
	}
	var keys, certificates, parts [][]byte
	for _, key := range c.Keys {
		algorithm, ciphertext, err := seal(key.PKCS8)
		if err != nil {
			return nil, err
		}
		shrouded := ber.Constructed(ber.Sequence, algorithm, ber.Primitive(ber.OctetString, ciphertext))
		keys = append(keys, bag(oidShroudedBag, shrouded, key.Attributes))
	}
	for _, certificate := range c.Certificates {
		value := ber.Constructed(ber.Sequence, ber.EncodeOID(oidX509),
			ber.Constructed(ber.Context(0), ber.Primitive(ber.OctetString, certificate.DER)))
		certificates = append(certificates, bag(oidCertBag, value, certificate.Attributes))
	}
	if len(keys) > 0 {
		parts = append(parts, dataInfo(ber.Constructed(ber.Sequence, keys...)))
	}
	if len(certificates) > 0 {
		algorithm, ciphertext, err := seal(ber.Constructed(ber.Sequence, certificates...))
		if err != nil {
			return nil, err
		}
		encrypted := ber.Constructed(ber.Sequence, ber.EncodeInt(0), cms.EncryptedContentInfo(algorithm, ciphertext))
		parts = append(parts, ber.Constructed(ber.Sequence,
			ber.EncodeOID(oidEncryptedData), ber.Constructed(ber.Context(0), encrypted)))
	}
	safe := ber.Constructed(ber.Sequence, parts...)
	return ber.Constructed(ber.Sequence, ber.EncodeInt(version), dataInfo(safe), macData(safe)), nil
}

// dataInfo is a ContentInfo of plain data.
func dataInfo(data []byte) []byte {
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oidData),
		ber.Constructed(ber.Context(0), ber.Primitive(ber.OctetString, data)))
}

// seal encrypts with the scheme that Azure uses, and returns its AlgorithmIdentifier.
func seal(plain []byte) (algorithm, ciphertext []byte, err error) {
	salt := randomSalt()
	password := emptyPasswords[0]
	block, err := des.NewTripleDESCipher(derive(crypto.SHA1, forKey, password, salt, azureIterations, schemes[oid3DESPBE].keySize)) //nolint:gosec // As the platform does.
	if err != nil {
		return nil, nil, cms.ErrFIPS
	}
	iv := derive(crypto.SHA1, forIV, password, salt, azureIterations, pbeBlock)
	parameters := ber.Constructed(ber.Sequence, ber.Primitive(ber.OctetString, salt), ber.EncodeInt(azureIterations))
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oid3DESPBE), parameters), cms.SealCBC(block, iv, plain), nil
}

func macData(safe []byte) []byte {
	salt := randomSalt()
	digest := sign(crypto.SHA1, emptyPasswords[0], salt, azureIterations, safe)
	algorithm := ber.Constructed(ber.Sequence, ber.EncodeOID(cms.HashOID(crypto.SHA1)), ber.EncodeNull())
	return ber.Constructed(ber.Sequence,
		ber.Constructed(ber.Sequence, algorithm, ber.Primitive(ber.OctetString, digest)),
		ber.Primitive(ber.OctetString, salt),
		ber.EncodeInt(azureIterations))
}

func randomSalt() []byte {
	salt := make([]byte, azureSalt)
	_, _ = rand.Read(salt) // Never fails (crypto/rand, since Go 1.24).
	return salt
}

func bag(oid string, value []byte, a Attributes) []byte {
	fields := [][]byte{ber.EncodeOID(oid), ber.Constructed(ber.Context(0), value)}
	var attributes [][]byte
	if len(a.LocalKeyID) > 0 {
		attributes = append(attributes, attribute(oidLocalKeyID, ber.Primitive(ber.OctetString, a.LocalKeyID)))
	}
	if a.FriendlyName != "" {
		var text []byte
		for _, unit := range utf16.Encode([]rune(a.FriendlyName)) {
			text = binary.BigEndian.AppendUint16(text, unit)
		}
		attributes = append(attributes, attribute(oidFriendlyName, ber.Primitive(ber.BMPString, text)))
	}
	if len(attributes) > 0 {
		fields = append(fields, ber.Constructed(ber.Set, attributes...))
	}
	return ber.Constructed(ber.Sequence, fields...)
}

func attribute(oid string, value []byte) []byte {
	return ber.Constructed(ber.Sequence, ber.EncodeOID(oid), ber.Constructed(ber.Set, value))
}
