package cms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// blockCiphers have the two block sizes in use.
func blockCiphers(t *testing.T) map[string]cipher.Block {
	t.Helper()
	key := bytes.Repeat([]byte("0123456789"), 3)
	small, err := des.NewTripleDESCipher(key[:24])
	if err != nil {
		t.Fatal(err)
	}
	large, err := aes.NewCipher(key[:16])
	if err != nil {
		t.Fatal(err)
	}
	return map[string]cipher.Block{"8": small, "16": large}
}

// Every length of content, and so of padding.
func TestCBCRoundTrip(t *testing.T) {
	t.Parallel()
	for name, block := range blockCiphers(t) {
		size := block.BlockSize()
		iv := bytes.Repeat([]byte{7}, size)
		for n := range 3*size + 1 {
			plain := bytes.Repeat([]byte{byte(n)}, n)
			sealed := cms.SealCBC(block, iv, plain)
			if len(sealed) != n+size-n%size {
				t.Errorf("blocks of %s: %d bytes became %d", name, n, len(sealed))
			}
			if got, err := cms.OpenCBC(block, iv, sealed); err != nil || !bytes.Equal(got, plain) || got == nil {
				t.Errorf("blocks of %s: %d bytes became %d, %v", name, n, len(got), err)
			}
		}
	}
}

// Every value of the last byte, over padding that is right but for it, or not at all.
func TestCBCPadding(t *testing.T) {
	t.Parallel()
	for name, block := range blockCiphers(t) {
		t.Run("blocks of "+name, func(t *testing.T) {
			t.Parallel()
			size := block.BlockSize()
			iv := make([]byte, size)
			open := func(plain []byte) ([]byte, error) {
				sealed := make([]byte, len(plain))
				cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, plain)
				return cms.OpenCBC(block, iv, sealed)
			}
			for n := range 256 {
				plain := bytes.Repeat([]byte{0xee}, 3*size)
				for i := range min(n, len(plain)) {
					plain[len(plain)-1-i] = byte(n)
				}
				plain[len(plain)-1] = byte(n)
				got, err := open(plain)
				if n < 1 || n > size {
					if got != nil {
						t.Errorf("padding of %d: %d bytes", n, len(got))
					}
					checkError(t, err, cms.ErrDecrypt)
					continue
				}
				if err != nil || !bytes.Equal(got, plain[:3*size-n]) {
					t.Errorf("padding of %d: %d bytes, %v", n, len(got), err)
				}
				for i := 2; i <= n; i++ { // one byte of it wrong, the last excepted
					spoiled := bytes.Clone(plain)
					spoiled[len(spoiled)-i] ^= 1
					if got, err := open(spoiled); got != nil || err == nil {
						t.Errorf("padding of %d, wrong %d from the end: %d bytes", n, i, len(got))
					}
				}
			}
		})
	}
}

func TestCBCRefuses(t *testing.T) {
	t.Parallel()
	for name, block := range blockCiphers(t) {
		size := block.BlockSize()
		good := cms.SealCBC(block, make([]byte, size), make([]byte, size))
		for _, tc := range []struct {
			name           string
			iv, ciphertext []byte
		}{
			{"no ciphertext", make([]byte, size), nil},
			{"less than a block", make([]byte, size), good[:size-1]},
			{"not a whole number of blocks", make([]byte, size), good[:2*size-1]},
			{"one byte over", make([]byte, size), append(bytes.Clone(good), 0)},
			{"no initialization vector", nil, good},
			{"a short one", make([]byte, size-1), good},
			{"a long one", make([]byte, size+1), good},
		} {
			t.Run(fmt.Sprintf("blocks of %s, %s", name, tc.name), func(t *testing.T) {
				t.Parallel()
				_, err := cms.OpenCBC(block, tc.iv, tc.ciphertext)
				checkError(t, err, cms.ErrDecrypt)
			})
		}
	}
}

func TestCipherKeySize(t *testing.T) {
	t.Parallel()
	for _, c := range cms.Ciphers() {
		iv := make([]byte, c.BlockSize)
		sealed, err := c.Seal(make([]byte, c.KeySize), iv, secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(make([]byte, c.KeySize), iv, sealed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %q, %v", c.Name, got, err)
		}
		_, err = c.Open(make([]byte, c.KeySize-1), iv, sealed)
		checkError(t, err, cms.ErrDecrypt)
		if _, err := c.Seal(make([]byte, c.KeySize-1), iv, secret); err == nil {
			t.Errorf("%s takes a short key", c.Name)
		}
	}
}

func TestParseCipher(t *testing.T) {
	t.Parallel()
	parse := func(algorithm []byte) (*cms.Cipher, []byte, error) {
		e, err := ber.Parse(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		return cms.ParseCipher(e)
	}
	for _, c := range cms.Ciphers() {
		iv := bytes.Repeat([]byte{9}, c.BlockSize)
		got, gotIV, err := parse(sequence(ber.EncodeOID(c.OID), octets(iv)))
		if err != nil || got != c || !bytes.Equal(gotIV, iv) {
			t.Errorf("%s: %v, % x, %v", c.Name, got, gotIV, err)
		}
		for _, size := range []int{0, c.BlockSize - 1, c.BlockSize + 1} {
			_, _, err := parse(sequence(ber.EncodeOID(c.OID), octets(make([]byte, size))))
			checkError(t, err, cms.ErrDecrypt)
		}
	}
	for name, algorithm := range map[string][]byte{
		"no identifier":   sequence(),
		"no parameter":    sequence(ber.EncodeOID(oidAES128)),
		"NULL for one":    sequence(ber.EncodeOID(oidAES128), ber.EncodeNull()),
		"no AlgorithmID":  octets(nil),
		"a bad parameter": sequence(ber.EncodeOID(oidAES128), ber.Constructed(ber.OctetString, ber.EncodeNull())),
	} {
		if c, iv, err := parse(algorithm); err == nil || c != nil || iv != nil {
			t.Errorf("%s: %v, % x, %v", name, c, iv, err)
		}
	}
	_, _, err := parse(sequence(ber.EncodeOID("1.2.840.113549.3.2"), octets(make([]byte, 8))))
	checkError(t, err, unsupported("content cipher", "1.2.840.113549.3.2"))
}
