package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// vector reads a document that WALinuxAgent has captured.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS names no directory of captured documents")
	}
	b, err := os.ReadFile(filepath.Join(dir, "walinuxagent", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectorPEM(t *testing.T, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(vector(t, name))
	if block == nil {
		t.Fatalf("no PEM in %s", name)
	}
	return block.Bytes
}

func vectorKey(t *testing.T, name string) *rsa.PrivateKey {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(vectorPEM(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func decodeBase64(t *testing.T, text []byte) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mask zeroes what is random in an EnvelopedData: wrapped keys, the initialization vector,
// the ciphertext.
func mask(t *testing.T, envelope []byte) []byte {
	t.Helper()
	masked := bytes.Clone(envelope)
	document, err := ber.Parse(masked)
	if err != nil {
		t.Fatal(err)
	}
	info := document.Children()
	info.OID()
	fields := info.Take(ber.Context(0)).Children().Take(ber.Sequence).Children()
	fields.Int()
	for recipients := fields.Take(ber.Set).Children(); recipients.More(); {
		recipient := recipients.Next().Children()
		recipient.Int()
		recipient.Next()
		recipient.Next()
		clear(recipient.Octets())
	}
	content := fields.Take(ber.Sequence).Children()
	content.OID()
	algorithm := content.Take(ber.Sequence).Children()
	algorithm.OID()
	clear(algorithm.Octets())
	clear(content.Take(ber.Context(0)).Content)
	if fields.Err() != nil || content.Err() != nil || algorithm.Err() != nil {
		t.Fatal(fields.Err(), content.Err(), algorithm.Err())
	}
	return masked
}

var dataElement = regexp.MustCompile(`<Data>([^<]*)</Data>`)

// The captured envelopes open, and ours are laid out as they are, to the byte.
func TestCapturedCertificates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, key, certificate string
		as                     cms.Envelope
	}{
		{"wire/certs.xml", "wire/trans_prv", "wire/trans_cert", cms.Envelope{Content: cms.DESEDE3CBC}},
		{"wire/certs_no_format_specified.xml", "wire/trans_prv", "wire/trans_cert", cms.Envelope{Content: cms.DESEDE3CBC}},
		{
			"hibernate/goal_state_1/Certificates.xml", "hibernate/TransportPrivate.pem", "hibernate/TransportCert.pem",
			cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			data := dataElement.FindSubmatch(vector(t, tc.name))
			if data == nil {
				t.Fatal("no Data in it")
			}
			envelope := decodeBase64(t, data[1])
			r := cms.Recipient{Key: vectorKey(t, tc.key), Certificate: parseCertificate(vectorPEM(t, tc.certificate))}
			content, err := cms.Open(envelope, r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ber.Parse(content); err != nil || len(content) != 3341 {
				t.Errorf("%d bytes that begin % x are no PFX: %v", len(content), content[:4], err)
			}
			opens(t, envelope, cms.Recipient{Key: r.Key}, content)
			made := seal(t, tc.as, content, r.Certificate)
			opens(t, made, r, content)
			if diff := cmp.Diff(mask(t, envelope), mask(t, made)); diff != "" {
				t.Errorf("-captured +made:\n%s", diff)
			}
			if bytes.Equal(made, seal(t, tc.as, content, r.Certificate)) {
				t.Error("two envelopes are the same: nothing in them is random")
			}
		})
	}
}

// A password for just-in-time access comes with the transport key's name only.
func TestCapturedPassword(t *testing.T) {
	t.Parallel()
	envelope := decodeBase64(t, vector(t, "wire/encrypted.enc"))
	var want []byte
	for _, letter := range "]aPPEv}uNg1FPnl?" {
		want = append(want, byte(letter), 0)
	}
	opens(t, envelope, cms.Recipient{Key: vectorKey(t, "wire/sample.pem")}, want)
	refuses(t, envelope, ours().recipient(), cms.ErrRecipient)
}
