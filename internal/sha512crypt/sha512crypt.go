// Package sha512crypt makes password hashes for /etc/shadow: crypt(3) with the prefix
// "$6$", as specified in Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512",
// version 0.6. Every crypt library of Linux knows it.
package sha512crypt

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
)

const (
	prefix  = "$6$"
	maxSalt = 16
	// alphabet is that of salts and of the encoded digest.
	alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// The bounds of the number of rounds: the specification's own below, about a second of
// work above.
const (
	MinRounds = 1000
	MaxRounds = 1_000_000
)

// ErrInvalid is the error of what cannot be hashed: a NUL in the password, which ends it
// for crypt(3); a salt that is empty, too long, or not of the alphabet; too few or too
// many rounds.
var ErrInvalid = errors.New("sha512crypt: the password, the salt or the number of rounds cannot be used")

// New hashes a password with a random salt of 16 characters.
func New(password []byte, rounds int) (string, error) {
	seed := make([]byte, maxSalt)
	_, _ = rand.Read(seed) // it never fails
	return Hash(password, Salt(seed), rounds)
}

// Salt makes a salt of 16 characters out of random bytes, or of others that differ from
// machine to machine. It need not be secret.
func Salt(seed []byte) string {
	sum := sha512.Sum512(seed)
	salt := make([]byte, maxSalt)
	for i := range salt {
		salt[i] = alphabet[sum[i]%64]
	}
	return string(salt)
}

// Hash hashes a password: "$6$rounds=10000$SALT$DIGEST". rounds is written always, also
// where it is the 5000 that a reader would assume.
func Hash(password []byte, salt string, rounds int) (string, error) {
	outside := func(r rune) bool { return !strings.ContainsRune(alphabet, r) }
	if strings.ContainsRune(string(password), 0) || salt == "" || len(salt) > maxSalt ||
		strings.ContainsFunc(salt, outside) || rounds < MinRounds || rounds > MaxRounds {
		return "", ErrInvalid
	}
	digest := digest(password, []byte(salt), rounds)
	return prefix + "rounds=" + strconv.Itoa(rounds) + "$" + salt + "$" + encode(digest), nil
}

// Matches reports whether hash, in the form that Hash writes, is one of the password.
func Matches(hash string, password []byte) bool {
	fields := strings.Split(hash, "$") // "", "6", "rounds=N", salt, digest
	if len(fields) != 5 {
		return false
	}
	rounds, err := strconv.Atoi(strings.TrimPrefix(fields[2], "rounds="))
	if err != nil {
		return false
	}
	own, err := Hash(password, fields[3], rounds)
	return err == nil && subtle.ConstantTimeCompare([]byte(own), []byte(hash)) == 1
}

// digest is the specification's steps 1 to 21.
func digest(password, salt []byte, rounds int) []byte {
	sum := func(parts ...[]byte) []byte {
		h := sha512.New()
		for _, part := range parts {
			_, _ = h.Write(part)
		}
		return h.Sum(nil)
	}
	b := sum(password, salt, password)
	parts := [][]byte{password, salt, repeat(b, len(password))}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			parts = append(parts, b)
		} else {
			parts = append(parts, password)
		}
	}
	a := sum(parts...)

	copies := make([][]byte, len(password))
	for i := range copies {
		copies[i] = password
	}
	p := repeat(sum(copies...), len(password))
	salts := make([][]byte, 16+int(a[0]))
	for i := range salts {
		salts[i] = salt
	}
	s := repeat(sum(salts...), len(salt))

	for round := range rounds {
		first, last := a, p
		if round%2 == 1 {
			first, last = p, a
		}
		mix := [][]byte{first}
		if round%3 != 0 {
			mix = append(mix, s)
		}
		if round%7 != 0 {
			mix = append(mix, p)
		}
		a = sum(append(mix, last)...)
	}
	return a
}

// repeat repeats a digest until it has n bytes.
func repeat(digest []byte, n int) []byte {
	out := make([]byte, 0, n+len(digest))
	for len(out) < n {
		out = append(out, digest...)
	}
	return out[:n]
}

// encode writes a digest in the specification's order of bytes: triples (i, i+21, i+42)
// whose roles rotate, and the last byte by itself.
func encode(digest []byte) string {
	var out strings.Builder
	put := func(bits uint32, characters int) {
		for range characters {
			out.WriteByte(alphabet[bits&0x3f])
			bits >>= 6
		}
	}
	high, middle, low := 0, 21, 42
	for range 21 {
		put(uint32(digest[high])<<16|uint32(digest[middle])<<8|uint32(digest[low]), 4)
		high, middle, low = middle+1, low+1, high+1
	}
	put(uint32(digest[63]), 2)
	return out.String()
}
