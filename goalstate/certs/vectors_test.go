package certs

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/pfx"
)

// sshFingerprint is what ssh-keygen -l shows of a line of authorized_keys.
func sshFingerprint(t *testing.T, line string) string {
	t.Helper()
	_, blob, _ := strings.Cut(line, " ")
	b, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// summary is what the tests compare of a certificate.
type summary struct {
	Thumbprint, Subject, FriendlyName, SSH string
	HasPrivateKey                          bool
}

func summaries(t *testing.T, b Bundle) []summary {
	t.Helper()
	var all []summary
	for i := range b.Certificates {
		c := &b.Certificates[i]
		if len(c.Warnings) != 0 {
			t.Errorf("%s: %q", c.Thumbprint, c.Warnings)
		}
		all = append(all, summary{c.Thumbprint, c.Subject, c.FriendlyName, sshFingerprint(t, c.SSHKey), c.HasPrivateKey()})
	}
	return all
}

func TestVectorCertificates(t *testing.T) {
	t.Parallel()
	const generator, crp = "DC=Windows Azure CRP Certificate Generator", "CN=CRP, OU=AzureRT, O=Microsoft Corporation, L=Redmond, ST=WA, C=US"
	wire := []summary{
		{"F6ABAA61098A301EBB8A571C3C7CF77F355F7FA9", generator, "TenantEncryptionCert", "SHA256:zdirlxasn8uUEWjLf9Op6wqfy/skYMDvwWk/+0pA2wI", true},
		{"8979F1AC8C4215827BF3B5A403E6137B504D02A4", crp, "", "SHA256:xT8t6FUwQEOTD+xNMsLPG6CcPyk9jcmEp1DZ/lWsejQ", false},
	}
	for _, tc := range []struct {
		path, key, certificate string
		want                   []summary
	}{
		{"wire/certs.xml", "wire/trans_prv", "wire/trans_cert", wire},
		{"wire/certs_no_format_specified.xml", "wire/trans_prv", "wire/trans_cert", wire},
		{"hibernate/goal_state_1/Certificates.xml", "hibernate/TransportPrivate.pem", "hibernate/TransportCert.pem", []summary{
			{"DC45A99039D4F9CFB0CD84D566BA065A763F3762", crp, "", "SHA256:L6aAXTF0uAV91exFD0ZwRni4//A49qBy26dET1QT56Q", false},
			{"1AF52E2E892C3A0DBC589F301F80073CBA924E26", generator, "TenantEncryptionCert", "SHA256:Mt3cC0u2fLgvx4EkxAE3LhyUZqmc2WfZsj/uc86xBmg", true},
		}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			t.Parallel()
			key, err := ParseTransportKey(vector(t, "walinuxagent/"+tc.key), vector(t, "walinuxagent/"+tc.certificate))
			if err != nil {
				t.Fatal(err)
			}
			file, err := goalstate.ParseCertificateFile(vector(t, "walinuxagent/"+tc.path))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(file.Data, key)
			if err != nil || len(got.Warnings) != 0 {
				t.Fatal(err, got.Warnings)
			}
			if diff := cmp.Diff(tc.want, summaries(t, got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, c := range got.Certificates {
				if Thumbprint(c.DER) != c.Thumbprint {
					t.Errorf("DER of another certificate than %s", c.Thumbprint)
				}
			}
		})
	}
}

// The agent keeps a summary of what it found.
func TestVectorSummaryOfTheAgent(t *testing.T) {
	t.Parallel()
	type row struct {
		Thumbprint    string `json:"thumbprint"`
		HasPrivateKey bool   `json:"hasPrivateKey"`
	}
	var want, got []row
	if err := json.Unmarshal(vector(t, "walinuxagent/hibernate/goal_state_1/Certificates.json"), &want); err != nil {
		t.Fatal(err)
	}
	key, err := ParseTransportKey(vector(t, "walinuxagent/hibernate/TransportPrivate.pem"), vector(t, "walinuxagent/hibernate/TransportCert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := goalstate.ParseCertificateFile(vector(t, "walinuxagent/hibernate/goal_state_1/Certificates.xml"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Decode(file.Data, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Certificates {
		got = append(got, row{b.Certificates[i].Thumbprint, b.Certificates[i].HasPrivateKey()})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The password of a just-in-time account is UTF-16 text in an envelope for the key alone.
func TestVectorEncryptedPassword(t *testing.T) {
	t.Parallel()
	key, err := ParseTransportKey(vector(t, "walinuxagent/wire/sample.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(vector(t, "walinuxagent/wire/encrypted.enc"))), ""))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Open(envelope)
	if err != nil {
		t.Fatal(err)
	}
	b := secret.Reveal()
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	if got := string(utf16.Decode(units)); got != "]aPPEv}uNg1FPnl?" {
		t.Errorf("%q", got)
	}
}

func TestVectorKeysHaveTheirPublicKeys(t *testing.T) {
	t.Parallel()
	for key, public := range map[string]string{"wire/rsa-key.pem": "wire/rsa-key.pub.pem", "wire/trans_prv": "wire/trans_pub"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			want, err := x509.ParsePKIXPublicKey(blocks(vector(t, "walinuxagent/"+public))[0])
			if err != nil {
				t.Fatal(err)
			}
			der := blocks(vector(t, "walinuxagent/"+key))[0]
			got, err := publicOfPKCS8(der)
			if err != nil || !want.(*rsa.PublicKey).Equal(got) {
				t.Errorf("%v, another public key", err)
			}
			parsed, err := ParseTransportKey(vector(t, "walinuxagent/"+key), nil)
			if err != nil || !parsed.key().PublicKey.Equal(want) {
				t.Errorf("%v, another public key", err)
			}
		})
	}
}

// cloud-init's test has four certificates and the keys of two, in no order.
func TestVectorsOfCloudInit(t *testing.T) {
	t.Parallel()
	var contents pfx.Contents
	for _, der := range blocks(vector(t, "cloud-init/parse_certificates_pem")) {
		if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
			contents.Keys = append(contents.Keys, pfx.Key{PKCS8: der})
		} else {
			contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: der})
		}
	}
	b := pair(contents)
	var thumbprints []string
	paired := 0
	for _, s := range summaries(t, b) {
		thumbprints = append(thumbprints, s.Thumbprint)
	}
	for i := range b.Certificates {
		c := &b.Certificates[i]
		if !c.HasPrivateKey() {
			continue
		}
		paired++
		private, err := x509.ParsePKCS8PrivateKey(c.PrivateKey.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(c.DER)
		if err != nil || !private.(*rsa.PrivateKey).PublicKey.Equal(certificate.PublicKey) {
			t.Errorf("%v, the key of another certificate than %s", err, c.Thumbprint)
		}
	}
	// Its list is in another order than its certificates.
	want := strings.Fields(string(vector(t, "cloud-init/parse_certificates_fingerprints")))
	slices.Sort(want)
	slices.Sort(thumbprints)
	if diff := cmp.Diff(want, thumbprints); diff != "" || paired != 2 {
		t.Errorf("%d keys, -want +got:\n%s", paired, diff)
	}
}

// What Encode writes is told from the platform's own by its salts only, in size.
func TestVectorIsAsLargeAsEncoded(t *testing.T) {
	t.Parallel()
	key, err := ParseTransportKey(vector(t, "walinuxagent/wire/trans_prv"), vector(t, "walinuxagent/wire/trans_cert"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := goalstate.ParseCertificateFile(vector(t, "walinuxagent/wire/certs.xml"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := key.Open(file.Data)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := pfx.Decode(plain.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pfx.Encode(contents)
	if err != nil {
		t.Fatal(err)
	}
	// The platform also names a provider, and says what the key is used for.
	if d := plain.Len() - len(encoded); d < 0 || d > 200 {
		t.Errorf("%d bytes, the platform's has %d", len(encoded), plain.Len())
	}
	if bytes.Equal(encoded, plain.Reveal()) {
		t.Error("the same salts")
	}
}
