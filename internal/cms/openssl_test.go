package cms_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/programtest"
)

// desk is a directory with the files that openssl works with: the identities by name,
// and the content.
func desk(t *testing.T, content []byte) string {
	t.Helper()
	programtest.Need(t, "openssl")
	dir := t.TempDir()
	for name, i := range map[string]identity{"ours": ours(), "other": other(), "third": third()} {
		programtest.Write(t, dir, name, i.pem) // openssl takes certificate and key from the same.
	}
	programtest.Write(t, dir, "content", content)
	return dir
}

// encrypt has openssl make an envelope of the content; options follow the recipients, of
// whom they may say something.
func encrypt(t *testing.T, dir string, options ...string) []byte {
	t.Helper()
	args := []string{"cms", "-encrypt", "-binary", "-outform", "DER", "-in", "content"}
	return programtest.Run(t, dir, "openssl", append(args, options...)...)
}

func TestOpenSSLCiphers(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 20_000)
	smallDesk, largeDesk := desk(t, secret), desk(t, large)
	for _, c := range []string{"-des3", "-aes128", "-aes192", "-aes256", "-aes-128-gcm", "-aes-192-gcm", "-aes-256-gcm"} {
		for _, name := range []string{"-keyid", ""} {
			t.Run(strings.TrimSpace(c+" "+name), func(t *testing.T) {
				t.Parallel()
				args := strings.Fields(c + " " + name + " -recip ours")
				for _, r := range []cms.Recipient{ours().recipient(), {Key: ours().key}} {
					opens(t, encrypt(t, smallDesk, args...), r, secret)
				}
				streamed := encrypt(t, largeDesk, append([]string{"-stream", "-indef"}, args...)...)
				if !bytes.HasPrefix(streamed, []byte{0x30, 0x80}) {
					t.Errorf("it begins % x, which is no indefinite length", streamed[:2])
				}
				opens(t, streamed, ours().recipient(), large)
			})
		}
	}
}

func TestOpenSSLOAEP(t *testing.T) {
	t.Parallel()
	dir := desk(t, secret)
	for _, options := range []string{
		"",
		"rsa_oaep_md:sha1",
		"rsa_oaep_md:sha224",
		"rsa_oaep_md:sha256",
		"rsa_oaep_md:sha384",
		"rsa_oaep_md:sha512",
		"rsa_oaep_md:sha256 rsa_mgf1_md:sha1",
		"rsa_oaep_md:sha1 rsa_mgf1_md:sha512",
		"rsa_mgf1_md:sha256",
		"rsa_oaep_label:00ff10",
		"rsa_oaep_md:sha384 rsa_mgf1_md:sha224 rsa_oaep_label:6c6162656c",
	} {
		for _, c := range []string{"-aes128", "-des3", "-aes-256-gcm"} {
			t.Run(c+" "+options, func(t *testing.T) {
				t.Parallel()
				args := []string{c, "-keyid", "-recip", "ours", "-keyopt", "rsa_padding_mode:oaep"}
				for option := range strings.FieldsSeq(options) {
					args = append(args, "-keyopt", option)
				}
				envelope := encrypt(t, dir, args...)
				opens(t, envelope, ours().recipient(), secret)
				refuses(t, envelope, cms.Recipient{Key: other().key}, cms.ErrDecrypt)
			})
		}
	}
}

func TestOpenSSLRecipients(t *testing.T) {
	t.Parallel()
	dir := desk(t, secret)
	programtest.Write(t, dir, "ecdsa", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newECDSA(t).Raw}))
	for _, tc := range []struct {
		name, options string
		// alone is whether a key without its certificate finds what is for it.
		alone bool
	}{
		{"ours first", "-recip ours -recip other -recip third", false},
		{"ours last", "-recip other -recip third -recip ours", false},
		{"ours last, by OAEP", "-recip other -recip ours -keyopt rsa_padding_mode:oaep", false},
		{"a password beside", "-recip ours -pwri_password p", true},
		{"a secret key beside", "-recip ours -secretkey 000102030405060708090a0b0c0d0e0f -secretkeyid aabb", true},
		{"a key agreement before", "-recip ecdsa -recip ours", true},
		{"everything, and others", "-recip ecdsa -recip other -recip ours -pwri_password p -secretkey 000102030405060708090a0b0c0d0e0f -secretkeyid aabb", false},
	} {
		for _, name := range []string{"-keyid", ""} {
			t.Run(strings.TrimSpace(tc.name+" "+name), func(t *testing.T) {
				t.Parallel()
				envelope := encrypt(t, dir, strings.Fields("-aes128 "+name+" "+tc.options)...)
				opens(t, envelope, ours().recipient(), secret)
				refuses(t, envelope, small().recipient(), cms.ErrRecipient)
				if tc.alone {
					opens(t, envelope, cms.Recipient{Key: ours().key}, secret)
				} else {
					refuses(t, envelope, cms.Recipient{Key: ours().key}, cms.ErrRecipient)
				}
			})
		}
	}
}

// What Seal makes, openssl opens, for every one of the recipients.
func TestOpenSSLOpens(t *testing.T) {
	t.Parallel()
	dir := desk(t, nil)
	one := map[string]*x509.Certificate{"ours": ours().certificate}
	three := map[string]*x509.Certificate{"other": other().certificate, "ours": ours().certificate, "third": third().certificate}
	for _, c := range cms.Ciphers() {
		for transport, hash := range transports {
			for _, byIssuer := range []bool{false, true} {
				for _, to := range []map[string]*x509.Certificate{one, three} {
					name := strings.Join([]string{c.Name, transport, strconv.FormatBool(byIssuer), strconv.Itoa(len(to))}, "-")
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						var names []string
						var certificates []*x509.Certificate
						for name, certificate := range to {
							names, certificates = append(names, name), append(certificates, certificate)
						}
						envelope := seal(t, cms.Envelope{Content: c, OAEP: hash, ByIssuer: byIssuer}, secret, certificates...)
						programtest.Write(t, dir, name, envelope)
						who := names[0] // A map begins with any of them.
						got := programtest.Run(t, dir, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", name,
							"-inkey", who, "-recip", who)
						if !bytes.Equal(got, secret) {
							t.Errorf("%s has %q", who, got)
						}
					})
				}
			}
		}
	}
}

// The EncryptedData of openssl, which knows its key from elsewhere, as a PFX does.
func TestOpenSSLEncryptedData(t *testing.T) {
	t.Parallel()
	dir := desk(t, secret)
	for _, c := range cms.Ciphers() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			key := bytes.Repeat([]byte("01234567"), 4)[:c.KeySize]
			if c == cms.DESEDE3CBC {
				key = slices.Concat([]byte("01234567"), []byte("89abcdef"), []byte("ghijklmn"))
			}
			info := programtest.Run(t, dir, "openssl", "cms", "-EncryptedData_encrypt", "-binary", "-outform", "DER",
				"-in", "content", "-"+c.Name, "-secretkey", hex.EncodeToString(key))
			document, err := ber.Parse(info)
			if err != nil {
				t.Fatal(err)
			}
			fields := document.Children()
			fields.OID()
			algorithm, ciphertext, err := cms.OpenEncrypted(fields.Take(ber.Context(0)).Children().Take(ber.Sequence))
			if err != nil {
				t.Fatal(err)
			}
			found, iv, err := cms.ParseCipher(algorithm)
			if err != nil || found != c {
				t.Fatalf("%v, %v", found, err)
			}
			if got, err := c.Open(key, iv, ciphertext); err != nil || !bytes.Equal(got, secret) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
