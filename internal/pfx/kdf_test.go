package pfx

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/programtest"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The answers are those of openssl kdf; those for "smeg" are also in its own tests.
func TestDerive(t *testing.T) {
	t.Parallel()
	const smeg, salt = "0073006d006500670000", "0a58cf64530d823f"
	for _, tc := range []struct {
		behaviour      string
		hash           crypto.Hash
		purpose        byte
		password, salt string
		iterations     int
		want           string
	}{
		{"key of two digests", crypto.SHA1, forKey, smeg, salt, 1, "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3"},
		{"empty password with its terminator", crypto.SHA1, forKey, "0000", "0102030405060708", 2000, "6869fa0a35add74b2222078e40ce11cd57f407071dac8b24"},
		{"nothing for a password", crypto.SHA1, forKey, "", "0102030405060708", 2000, "3373a7c7bf8712edbe7bf7ccec2fcd429bf3ecb3b61b8abe"},
		{"less than a digest", crypto.SHA1, forKey, "0000", salt, 3, "3139338c35"},
		{
			"four digests", crypto.SHA1, forIV, "0000", salt, 3,
			"c9448fbcc91b0b34ecb0169c9890e1bde28f629a315f692514775c67c515fd99baceb4ecfa0233e256047a74a7f4f579b36d9d6628978ea12cafa5973e296c50",
		},
		{"SHA-224", crypto.SHA224, forMAC, "0000", salt, 3, "42257fa2d2edfcca7f4f760a9a42df5cd9f43810db3027f9"},
		{"SHA-256", crypto.SHA256, forMAC, "0000", salt, 3, "a317ef4f8014570a33a6012e9e209b5aa06b8d39c4fc8ef1"},
		{"SHA-384", crypto.SHA384, forMAC, "0000", salt, 3, "b5e4ac865db67d4ca466dfa49341c59c4f28ae23b0d6563e"},
		{"SHA-512", crypto.SHA512, forMAC, "0000", salt, 3, "02c84e2b5171025df27456e53d265ad21e8b1975c0e7ea8b"},
	} {
		t.Run(tc.behaviour, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, tc.want)
			got := derive(tc.hash, tc.purpose, unhex(t, tc.password), unhex(t, tc.salt), tc.iterations, len(want))
			if !bytes.Equal(got, want) {
				t.Errorf("%x, want %x", got, want)
			}
		})
	}
}

// 200 bytes take several digests of every kind, a salt over a block several blocks.
func TestDeriveAsOpenSSL(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	const size = 200
	for name, h := range map[string]crypto.Hash{
		"SHA1": crypto.SHA1, "SHA224": crypto.SHA224, "SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512,
	} {
		for purpose := forKey; purpose <= forMAC; purpose++ {
			t.Run(name+" "+strconv.Itoa(int(purpose)), func(t *testing.T) {
				t.Parallel()
				salt := bytes.Repeat([]byte{0xff, purpose, 0xfe}, 47)
				out := programtest.Run(t, t.TempDir(), "openssl", "kdf", "-keylen", strconv.Itoa(size),
					"-kdfopt", "digest:"+name, "-kdfopt", "hexpass:0000", "-kdfopt", "hexsalt:"+hex.EncodeToString(salt),
					"-kdfopt", "iter:5", "-kdfopt", "id:"+strconv.Itoa(int(purpose)), "PKCS12KDF")
				want := unhex(t, string(out))
				if got := derive(h, purpose, bmpEmpty, salt, 5, size); !bytes.Equal(got, want) {
					t.Errorf("%x, want %x", got, want)
				}
			})
		}
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		behaviour        string
		iterations, each int
		times            int
		over             bool
	}{
		{"one iteration", 1, 1, 1, false},
		{"no iteration", 0, 1, 1, true},
		{"the most iterations", maxIterations, 1, 1, false},
		{"one more", maxIterations + 1, 1, 1, true},
		{"all the work", (maxWork - setupWork) / 16, 16, 1, false},
		{"all the work, and one", maxWork/16 + 1 - setupWork/16, 16, 1, true},
		{"thousands of one iteration", 1, 1, 5000, false},
		{"ten thousand of one iteration", 1, 1, 10_000, true},
		{"a hundred of Azure's keys", azureIterations, 3, 100, false},
		{"two hundred of them", azureIterations, 3, 200, true},
	} {
		t.Run(tc.behaviour, func(t *testing.T) {
			t.Parallel()
			var b budget
			var err error
			for range tc.times {
				if err == nil {
					err = b.spend(tc.iterations, tc.each)
				}
			}
			if (err != nil) != tc.over {
				t.Errorf("%v", err)
			}
		})
	}
}
