package pfx

import (
	"bytes"
	"crypto"
	"crypto/des"
	"crypto/pbkdf2"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// What follows puts files together by hand, so that they can be wrong in one place.

var (
	testSalt = []byte("rope and")
	// bmpEmpty and nothing are the two empty passwords.
	bmpEmpty, nothing = []byte{0, 0}, []byte{}
)

func seq(children ...[]byte) []byte { return ber.Constructed(ber.Sequence, children...) }
func set(children ...[]byte) []byte { return ber.Constructed(ber.Set, children...) }
func octets(b []byte) []byte        { return ber.Primitive(ber.OctetString, b) }
func explicit(b ...[]byte) []byte   { return ber.Constructed(ber.Context(0), b...) }
func oid(dotted string) []byte      { return ber.EncodeOID(dotted) }

// algorithm is an AlgorithmIdentifier.
func algorithm(dotted string, parameters ...[]byte) []byte {
	return seq(append([][]byte{oid(dotted)}, parameters...)...)
}

// pfxOf is a whole file; rest is its MacData.
func pfxOf(safe []byte, rest ...[]byte) []byte {
	return seq(append([][]byte{ber.EncodeInt(version), dataInfo(safe)}, rest...)...)
}

// plainFile is a file of bags in the clear without a MAC.
func plainFile(bags ...[]byte) []byte { return pfxOf(seq(plainPart(bags...))) }

func plainPart(bags ...[]byte) []byte { return dataInfo(seq(bags...)) }

func encryptedPart(algorithm, ciphertext []byte) []byte {
	return seq(oid(oidEncryptedData), explicit(seq(ber.EncodeInt(0), cms.EncryptedContentInfo(algorithm, ciphertext))))
}

func certBag(i identity) []byte {
	return bag(oidCertBag, seq(oid(oidX509), explicit(octets(i.der))), Attributes{})
}

func keyBag(i identity) []byte { return bag(oidKeyBag, i.pkcs8, Attributes{}) }

func shroudedBag(algorithm, ciphertext []byte) []byte {
	return bag(oidShroudedBag, seq(algorithm, octets(ciphertext)), Attributes{})
}

// mac is a MacData with that password; without iterations the count is left out.
func mac(h crypto.Hash, password, salt []byte, iterations int, safe []byte) []byte {
	fields := [][]byte{nil, octets(salt)}
	if iterations != 0 {
		fields = append(fields, ber.EncodeInt(iterations))
	} else {
		iterations = 1
	}
	fields[0] = seq(algorithm(cms.HashOID(h), ber.EncodeNull()), octets(sign(h, password, salt, iterations, safe)))
	return seq(fields...)
}

// pbe3DES encrypts by the scheme of RFC 7292 with triple DES.
func pbe3DES(tb testing.TB, password []byte, iterations int, plain []byte) (scheme, ciphertext []byte) {
	tb.Helper()
	block, err := des.NewTripleDESCipher(derive(crypto.SHA1, forKey, password, testSalt, iterations, 24))
	if err != nil {
		tb.Fatal(err)
	}
	iv := derive(crypto.SHA1, forIV, password, testSalt, iterations, pbeBlock)
	return algorithm(oid3DESPBE, seq(octets(testSalt), ber.EncodeInt(iterations))), cms.SealCBC(block, iv, plain)
}

// pbes2 says how to encrypt by RFC 8018; its zero fields stand for what openssl does.
type pbes2 struct {
	password   []byte
	salt       []byte
	iterations int
	prf        crypto.Hash
	prfOID     string
	cipher     *cms.Cipher
	cipherOID  string
	kdfOID     string
	// keyLength is said in the parameters if it is not 0.
	keyLength int
}

func (p pbes2) seal(tb testing.TB, plain []byte) (scheme, ciphertext []byte) {
	tb.Helper()
	if p.cipher == nil {
		p.cipher = cms.AES256CBC
	}
	if p.prf == 0 {
		p.prf, p.prfOID = crypto.SHA256, oidHMAC+"9"
	}
	if p.iterations == 0 {
		p.iterations = 2
	}
	if p.salt == nil {
		p.salt = testSalt
	}
	key, err := pbkdf2.Key(p.prf.New, string(p.password), p.salt, p.iterations, p.cipher.KeySize)
	if err != nil {
		tb.Fatal(err)
	}
	iv := bytes.Repeat([]byte{9}, p.cipher.BlockSize)
	ciphertext, err = p.cipher.Seal(key, iv, plain)
	if err != nil {
		tb.Fatal(err)
	}
	return p.scheme(iv), ciphertext
}

// scheme is the AlgorithmIdentifier of PBES2.
func (p pbes2) scheme(iv []byte) []byte {
	fields := [][]byte{octets(p.salt), ber.EncodeInt(p.iterations)}
	if p.keyLength != 0 {
		fields = append(fields, ber.EncodeInt(p.keyLength))
	}
	if p.prfOID != "" {
		fields = append(fields, algorithm(p.prfOID, ber.EncodeNull()))
	}
	kdf, cipher := oidPBKDF2, p.cipher.OID
	if p.kdfOID != "" {
		kdf = p.kdfOID
	}
	if p.cipherOID != "" {
		cipher = p.cipherOID
	}
	return algorithm(oidPBES2, seq(algorithm(kdf, seq(fields...)), algorithm(cipher, octets(iv))))
}
