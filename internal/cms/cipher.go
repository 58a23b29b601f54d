package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // The platform encrypts PFX contents with it, and envelopes when asked to.
	"crypto/subtle"

	"github.com/azprov/azprov/internal/ber"
)

// Cipher is a block cipher in CBC mode with the padding of RFC 5652, section 6.3. Its
// parameter is the initialization vector.
type Cipher struct {
	// Name as openssl has it.
	Name string
	OID  string
	// KeySize and BlockSize are in bytes.
	KeySize, BlockSize int
	block              func(key []byte) (cipher.Block, error)
}

// The content ciphers.
var (
	AES128CBC  = &Cipher{"aes-128-cbc", "2.16.840.1.101.3.4.1.2", 16, aes.BlockSize, aes.NewCipher}
	AES192CBC  = &Cipher{"aes-192-cbc", "2.16.840.1.101.3.4.1.22", 24, aes.BlockSize, aes.NewCipher}
	AES256CBC  = &Cipher{"aes-256-cbc", "2.16.840.1.101.3.4.1.42", 32, aes.BlockSize, aes.NewCipher}
	DESEDE3CBC = &Cipher{"des-ede3-cbc", "1.2.840.113549.3.7", 24, des.BlockSize, des.NewTripleDESCipher}
)

// Ciphers returns all.
func Ciphers() []*Cipher { return []*Cipher{AES128CBC, AES192CBC, AES256CBC, DESEDE3CBC} }

func lookupCipher(oid string) (*Cipher, bool) {
	for _, c := range Ciphers() {
		if c.OID == oid {
			return c, true
		}
	}
	return nil, false
}

// ParseCipher reads the AlgorithmIdentifier of a cipher and its initialization vector.
// It is an [*UnsupportedError] that is not known, [ErrFIPS] if it may not be used.
func ParseCipher(algorithm ber.Element) (c *Cipher, iv []byte, err error) {
	oid, parameters, err := ParseAlgorithm(algorithm)
	if err != nil {
		return nil, nil, err
	}
	c, known := lookupCipher(oid)
	if !known {
		return nil, nil, &UnsupportedError{"content cipher", oid}
	}
	iv = parameters.Octets()
	switch {
	case parameters.Err() != nil:
		return nil, nil, parameters.Err()
	case len(iv) != c.BlockSize:
		return nil, nil, ErrDecrypt
	case c == DESEDE3CBC && FIPSOnly():
		return nil, nil, ErrFIPS
	}
	return c, iv, nil
}

// Open decrypts and takes the padding off. Every failure is [ErrDecrypt].
func (c *Cipher) Open(key, iv, ciphertext []byte) ([]byte, error) {
	block, err := c.block(key)
	if err != nil {
		return nil, ErrDecrypt
	}
	return OpenCBC(block, iv, ciphertext)
}

// OpenCBC is [Cipher.Open] for a cipher that only the caller knows.
func OpenCBC(block cipher.Block, iv, ciphertext []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(ciphertext) == 0 || len(ciphertext)%size != 0 {
		return nil, ErrDecrypt
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	n := int(plain[len(plain)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i := 1; i <= size; i++ { // all of the last block, whatever n is
		right := subtle.ConstantTimeByteEq(plain[len(plain)-i], byte(n)) //nolint:gosec // It was a byte.
		good &= right | subtle.ConstantTimeLessOrEq(n+1, i)
	}
	if good != 1 {
		return nil, ErrDecrypt
	}
	return plain[:len(plain)-n], nil
}

// Seal pads and encrypts.
func (c *Cipher) Seal(key, iv, plain []byte) ([]byte, error) {
	block, err := c.block(key)
	if err != nil {
		return nil, err
	}
	return SealCBC(block, iv, plain), nil
}

// SealCBC is [Cipher.Seal] for a cipher that only the caller knows.
func SealCBC(block cipher.Block, iv, plain []byte) []byte {
	n := block.BlockSize() - len(plain)%block.BlockSize()
	padded := make([]byte, len(plain)+n)
	copy(padded, plain)
	for i := len(plain); i < len(padded); i++ {
		padded[i] = byte(n) //nolint:gosec // 16 at most.
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded
}
