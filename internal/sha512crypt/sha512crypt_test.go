package sha512crypt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/internal/sha512crypt"
)

// TestHash has vectors of the specification, those whose number of rounds and whose salt
// are written out.
func TestHash(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		password, salt string
		rounds         int
		want           string
	}{
		{"Hello world!", "saltstringsaltst", 10000, "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
		{"This is just a test", "toolongsaltstrin", 5000, "lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
		{"we have a short salt string but not a short password", "short", 77777, "WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0"},
		{"the minimum number is still observed", "roundstoolow", 1000, "kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."},
	} {
		got, err := sha512crypt.Hash([]byte(row.password), row.salt, row.rounds)
		_, digest, _ := strings.Cut(got, "$"+row.salt+"$")
		if err != nil || digest != row.want || !sha512crypt.Matches(got, []byte(row.password)) {
			t.Errorf("%q: %s, %v", row.password, got, err)
		}
	}
}

// TestHashAsOpenssl covers the lengths at which the digest is repeated.
func TestHashAsOpenssl(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	for _, length := range []int{1, 15, 63, 64, 65, 72, 128, 129} {
		for _, salt := range []string{"a", "./AZaz09", "0123456789abcdef"} {
			password := strings.Repeat("Höhe", 40)[:length]
			want := string(programtest.Run(t, "", "openssl", "passwd", "-6", "-salt", "rounds=1000$"+salt, password))
			if got, err := sha512crypt.Hash([]byte(password), salt, 1000); err != nil || got != strings.TrimSpace(want) {
				t.Errorf("%d bytes, salt %s: %s, %v; openssl has %s", length, salt, got, err, want)
			}
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	one, err := sha512crypt.New([]byte("Bilge"), 1000)
	other, otherErr := sha512crypt.New([]byte("Bilge"), 1000)
	if err != nil || otherErr != nil || one == other || !sha512crypt.Matches(one, []byte("Bilge")) || sha512crypt.Matches(one, []byte("bilge")) {
		t.Errorf("%s, %s: %v, %v", one, other, err, otherErr)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, hash := range map[string]func() (string, error){
		"NUL":             func() (string, error) { return sha512crypt.Hash([]byte("a\x00b"), "salt", 5000) },
		"no salt":         func() (string, error) { return sha512crypt.Hash(nil, "", 5000) },
		"long salt":       func() (string, error) { return sha512crypt.Hash(nil, "0123456789abcdefg", 5000) },
		"a salt with $":   func() (string, error) { return sha512crypt.Hash(nil, "sa$lt", 5000) },
		"too few rounds":  func() (string, error) { return sha512crypt.Hash(nil, "salt", 999) },
		"too many rounds": func() (string, error) { return sha512crypt.Hash(nil, "salt", 1_000_001) },
	} {
		if got, err := hash(); got != "" || !errors.Is(err, sha512crypt.ErrInvalid) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, hash := range []string{"", "*", "$6$salt$digest", "$6$rounds=x$salt$digest", "$6$rounds=99999999$salt$digest", "$6$rounds=1000$salt$digest$"} {
		if sha512crypt.Matches(hash, nil) {
			t.Errorf("%q matches", hash)
		}
	}
}

func TestSalt(t *testing.T) {
	t.Parallel()
	a, b := sha512crypt.Salt([]byte("a")), sha512crypt.Salt([]byte("b"))
	if a == b || a != sha512crypt.Salt([]byte("a")) || len(a) != 16 {
		t.Errorf("%s %s", a, b)
	}
}
