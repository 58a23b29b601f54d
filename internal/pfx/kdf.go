package pfx

import (
	"crypto"
	"errors"
)

const (
	// maxIterations of one key derivation: Azure uses 2,000, openssl 2,048.
	maxIterations = 100_000
	// maxWork bounds the hash computations of one file, some 0.1 µs each (SHA-1) to
	// 0.5 µs (SHA-512): a hundred keys with Azure's iterations take two thirds of it.
	maxWork = 1 << 20
	// setupWork is what a derivation and a decryption cost beside the iterations:
	// thousands of one iteration each add up, too.
	setupWork = 128
)

var errWork = errors.New("too many iterations to derive the keys of the PFX")

// budget counts hash computations.
type budget int

// spend takes n iterations of that many computations each.
func (b *budget) spend(iterations, each int) error {
	if iterations < 1 || iterations > maxIterations {
		return errWork
	}
	*b += budget(iterations*each + setupWork)
	if *b > maxWork {
		return errWork
	}
	return nil
}

// What a key is derived for (RFC 7292, appendix B.3).
const (
	forKey byte = iota + 1
	forIV
	forMAC
)

// blocks is how many digests make up size bytes.
func blocks(h crypto.Hash, size int) int { return (size + h.Size() - 1) / h.Size() }

// derive is the key derivation of RFC 7292, appendix B.2. password is the BMPString with
// its terminator, or nothing.
func derive(h crypto.Hash, purpose byte, password, salt []byte, iterations, size int) []byte {
	hash := h.New()
	v := hash.BlockSize()
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = purpose
	}
	input := append(fill(salt, v), fill(password, v)...)
	var key, digest []byte
	for {
		hash.Reset()
		_, _ = hash.Write(diversifier) // a hash's Write never fails
		_, _ = hash.Write(input)
		digest = hash.Sum(digest[:0])
		for range iterations - 1 {
			hash.Reset()
			_, _ = hash.Write(digest)
			digest = hash.Sum(digest[:0])
		}
		key = append(key, digest...)
		if len(key) >= size {
			return key[:size]
		}
		addDigest(input, fill(digest, v)[:v], v)
	}
}

// fill repeats b to the next multiple of v bytes; nothing stays nothing.
func fill(b []byte, v int) []byte {
	whole := make([]byte, (len(b)+v-1)/v*v)
	for i := range whole {
		whole[i] = b[i%len(b)]
	}
	return whole
}

// addDigest adds digest and 1 to every block of v bytes, as big-endian numbers without
// the last carry.
func addDigest(input, digest []byte, v int) {
	for start := 0; start < len(input); start += v {
		carry := 1
		for i := v - 1; i >= 0; i-- {
			carry += int(input[start+i]) + int(digest[i])
			input[start+i] = byte(carry) //nolint:gosec // The low eight bits; the rest is carried on.
			carry >>= 8
		}
	}
}
