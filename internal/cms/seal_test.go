package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

func TestSealOpens(t *testing.T) {
	t.Parallel()
	all := []*x509.Certificate{other().certificate, ours().certificate, third().certificate}
	for _, c := range cms.Ciphers() {
		for transport, hash := range transports {
			t.Run(c.Name+" "+transport, func(t *testing.T) {
				t.Parallel()
				for _, n := range []int{0, 1, c.BlockSize, 5000} {
					content := bytes.Repeat([]byte{0xc0}, n)
					for _, byIssuer := range []bool{false, true} {
						envelope := seal(t, cms.Envelope{Content: c, OAEP: hash, ByIssuer: byIssuer}, content, all...)
						for _, i := range []identity{ours(), other(), third()} {
							opens(t, envelope, i.recipient(), content)
						}
						refuses(t, envelope, cms.Recipient{Key: ours().key}, cms.ErrRecipient)
						refuses(t, envelope, small().recipient(), cms.ErrRecipient)
					}
				}
			})
		}
	}
}

// The whole of an envelope, but for what is random.
func TestSealLayout(t *testing.T) {
	t.Parallel()
	bare := certify(&x509.Certificate{SerialNumber: big.NewInt(300), Subject: pkix.Name{CommonName: "bare"}}, small().key)
	bareID := sequence(bare.RawIssuer, ber.EncodeInt(300))
	hash := sequence(ber.EncodeOID(oidSHA256), ber.EncodeNull())
	sha256 := oaep(tagged(0, hash), tagged(1, mgf1(hash)))
	ktri := func(version int, id, transport []byte) []byte {
		return sequence(ber.EncodeInt(version), id, transport, octets(make([]byte, 128)))
	}
	for _, tc := range []struct {
		name       string
		envelope   cms.Envelope
		to         []*x509.Certificate
		version    int
		recipients [][]byte
	}{
		{
			"by key identifier, PKCS #1 v1.5",
			cms.Envelope{Content: cms.AES128CBC},
			[]*x509.Certificate{small().certificate},
			2,
			[][]byte{ktri(2, byKeyID(small()), pkcs1())},
		},
		{
			"by issuer, OAEP as by default",
			cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1, ByIssuer: true},
			[]*x509.Certificate{small().certificate},
			0,
			[][]byte{ktri(0, byIssuer(small()), oaep())},
		},
		{
			"by both, as one has no key identifier, OAEP otherwise",
			cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA256},
			[]*x509.Certificate{small().certificate, bare},
			2,
			[][]byte{ktri(2, byKeyID(small()), sha256), ktri(0, bareID, sha256)},
		},
		{
			"without a key identifier",
			cms.Envelope{Content: cms.AES128CBC},
			[]*x509.Certificate{bare},
			0,
			[][]byte{ktri(0, bareID, pkcs1())},
		},
		{"for nobody", cms.Envelope{Content: cms.AES128CBC}, nil, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := draftCBC(t)
			want.version, want.recipients = ber.EncodeInt(tc.version), tc.recipients
			got := seal(t, tc.envelope, secret, tc.to...)
			if diff := cmp.Diff(mask(t, want.encode()), mask(t, got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Content key and initialization vector are new each time.
func TestSealIsRandom(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{string(make([]byte, 16)): true}
	for range 3 {
		envelope, err := ber.Parse(seal(t, cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1}, secret, small().certificate))
		if err != nil {
			t.Fatal(err)
		}
		info := envelope.Children()
		info.OID()
		fields := info.Take(ber.Context(0)).Children().Take(ber.Sequence).Children()
		fields.Int()
		recipient := fields.Take(ber.Set).Children().Take(ber.Sequence).Children()
		for range 3 {
			recipient.Next()
		}
		key, err := rsa.DecryptOAEP(crypto.SHA1.New(), nil, small().key, recipient.Octets(), nil)
		if err != nil {
			t.Fatal(err)
		}
		content := fields.Take(ber.Sequence).Children()
		content.OID()
		_, iv, err := cms.ParseCipher(content.Take(ber.Sequence))
		if err != nil {
			t.Fatal(err)
		}
		if len(key) != 16 || seen[string(key)] || seen[string(iv)] {
			t.Errorf("key % x, initialization vector % x", key, iv)
		}
		seen[string(key)], seen[string(iv)] = true, true
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	_, err := cms.Envelope{Content: cms.AES128CBC}.Seal(secret, small().certificate, newECDSA(t))
	checkError(t, err, unsupported("recipient's key", "ECDSA"))
	// A key of 1,024 bits takes no key by OAEP with SHA-512.
	_, err = cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA512}.Seal(secret, small().certificate)
	if !errors.Is(err, rsa.ErrMessageTooLong) {
		t.Errorf("error = %v", err)
	}
}

// EncryptedData, which is what a PFX has, in an envelope of openssl's is in openssl_test.go.
func TestOpenEncryptedRefuses(t *testing.T) {
	t.Parallel()
	info := cms.EncryptedContentInfo(sequence(ber.EncodeOID(oidAES128), octets(contentIV)), secret)
	for _, tc := range []struct {
		name string
		data []byte
		want error
	}{
		{"good", sequence(ber.EncodeInt(0), info), nil},
		{"no version", sequence(info), errors.New("tag 16 where 2 belongs")},
		{"no content", sequence(ber.EncodeInt(0)), errTruncated},
		{"detached", sequence(ber.EncodeInt(0), sequence(ber.EncodeOID(oidData), sequence())), unsupported("form", "detached content")},
		{"primitive", octets(nil), errPrimitive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			data, err := ber.Parse(tc.data)
			if err != nil {
				t.Fatal(err)
			}
			algorithm, ciphertext, err := cms.OpenEncrypted(data)
			if tc.want != nil {
				if !cmp.Equal(algorithm, ber.Element{}) || ciphertext != nil {
					t.Errorf("%+v, % x beside the error", algorithm, ciphertext)
				}
				checkError(t, err, tc.want)
				return
			}
			if err != nil || !bytes.Equal(ciphertext, secret) || algorithm.Tag != ber.Sequence {
				t.Errorf("%+v, %q, %v", algorithm, ciphertext, err)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	content := make([]byte, 4<<10)
	_, _ = rand.Read(content)
	for _, e := range []cms.Envelope{{Content: cms.DESEDE3CBC}, {Content: cms.AES128CBC, OAEP: crypto.SHA1}} {
		envelope := seal(b, e, content, ours().certificate)
		b.Run(e.Content.Name+" "+strconv.Itoa(len(content)), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(envelope)))
			for b.Loop() {
				if _, err := cms.Open(envelope, ours().recipient()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
