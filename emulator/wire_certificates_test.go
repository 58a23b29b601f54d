package emulator_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/internal/pfx"
	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/ovf"
)

// makeGuestKey takes a while, so all tests share one transport key.
var makeGuestKey = sync.OnceValues(func() (*certs.TransportKey, error) {
	return certs.GenerateTransportKey(context.Background(), nil)
})

func guestKey(t *testing.T) *certs.TransportKey {
	t.Helper()
	key, err := makeGuestKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificateHeader(t *testing.T) string {
	t.Helper()
	return "x-ms-guest-agent-public-x509-cert: " + guestKey(t).HeaderValue()
}

// selfSigned is a certificate in base64 for a key, with or without a key identifier.
func selfSigned(t *testing.T, key crypto.Signer, keyID []byte) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "test"}, SubjectKeyId: keyID,
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(2e9, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// certificatesOf asks for the certificates of the VM.
func certificatesOf(t *testing.T, f *emulator.Fabric, headers ...string) (int, string) {
	t.Helper()
	target := strings.TrimPrefix(goalState(t, f).CertificatesURL, "http://192.0.2.7:8080")
	status, body, _ := ask(t, f.WireServer(), http.MethodGet, target, "", append(headers, version2012)...)
	return status, body
}

// contentsOf opens the certificates of the VM.
func contentsOf(t *testing.T, f *emulator.Fabric) pfx.Contents {
	t.Helper()
	_, body := certificatesOf(t, f, certificateHeader(t))
	file, err := goalstate.ParseCertificateFile([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := guestKey(t).Open(file.Data)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := pfx.Decode(plain.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func TestCertificateRequests(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	const header, cipher = "x-ms-guest-agent-public-x509-cert: ", "x-ms-cipher-name: "
	good := guestKey(t).HeaderValue()
	for _, row := range []struct {
		name    string
		headers []string
		status  int
		verdict string
	}{
		{"no cipher named", []string{header + good}, 200, ""},
		{"AES", []string{header + good, cipher + "AES128_CBC"}, 200, ""},
		{"triple DES", []string{header + good, cipher + "DES_EDE3_CBC"}, 200, ""},
		{"a cipher to come", []string{header + good, cipher + "AES256_CBC"}, 400, "unsupported x-ms-cipher-name"},
		{"a cipher in lower case", []string{header + good, cipher + "aes128_cbc"}, 400, "unsupported x-ms-cipher-name"},
		{"no certificate", nil, 400, "missing x-ms-guest-agent-public-x509-cert"},
		{"an empty one", []string{header}, 400, "missing x-ms-guest-agent-public-x509-cert"},
		{"PEM with its header", []string{header + "-----BEGIN CERTIFICATE-----" + good}, 400, "x-ms-guest-agent-public-x509-cert is not base64 on one line"},
		{"cut", []string{header + good[:400]}, 400, "x-ms-guest-agent-public-x509-cert is no X.509 certificate in DER"},
		{"an EC key", []string{header + selfSigned(t, ec, nil)}, 400, "the key in x-ms-guest-agent-public-x509-cert is not RSA"},
		{
			"no key identifier",
			[]string{header + selfSigned(t, rsaKey, nil)},
			200, "certificate without a subject key identifier: what Azure does then is not known",
		},
	} {
		for _, scenario := range []string{"linux-vm", "fingerprint-keys"} {
			t.Run(row.name+" at "+scenario, func(t *testing.T) {
				t.Parallel()
				f := fabricOf(t, scenario)
				status, body := certificatesOf(t, f, row.headers...)
				if status != row.status {
					t.Errorf("status %d: %s", status, body)
				}
				wantVerdict(t, f, row.verdict)
			})
		}
	}
	t.Run("POST", func(t *testing.T) {
		t.Parallel()
		f := fabricOf(t, "fingerprint-keys")
		target := strings.TrimPrefix(goalState(t, f).CertificatesURL, "http://192.0.2.7:8080")
		if status, _, _ := ask(t, f.WireServer(), http.MethodPost, target, "", version2012, header+good); status != http.StatusMethodNotAllowed {
			t.Errorf("status %d", status)
		}
	})
}

func fabricOf(t *testing.T, scenario string) *emulator.Fabric {
	t.Helper()
	s, err := emulator.LookupScenario(scenario)
	if err != nil {
		t.Fatal(err)
	}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An older fabric knows triple DES alone, and uses it unasked.
func TestCiphersOfTheScenario(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("fingerprint-keys")
	if err != nil {
		t.Fatal(err)
	}
	s.WireServer.Ciphers = []string{"DES_EDE3_CBC"}
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := certificatesOf(t, f, certificateHeader(t), "x-ms-cipher-name: AES128_CBC"); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	status, body := certificatesOf(t, f, certificateHeader(t))
	file, err := goalstate.ParseCertificateFile([]byte(body))
	if err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	tripleDES := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07}
	if !bytes.Contains(file.Data, tripleDES) {
		t.Error("the envelope does not name triple DES")
	}
}

// TestEnvelopes: the key transport and the cipher that go with each name.
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	oid := func(last ...byte) []byte { return append([]byte{0x06, byte(len(last))}, last...) }
	pkcs1 := oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1)
	oaep := oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7)
	aes := func(last byte) []byte { return oid(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, last) }
	for cipher, row := range map[string]struct{ transport, content []byte }{
		"AES128_CBC":   {oaep, aes(2)},
		"AES256_CBC":   {oaep, aes(42)},
		"DES_EDE3_CBC": {pkcs1, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7)},
	} {
		s, err := emulator.LookupScenario("fingerprint-keys")
		if err != nil {
			t.Fatal(err)
		}
		s.WireServer.Ciphers = []string{cipher}
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, body := certificatesOf(t, f, certificateHeader(t), "x-ms-cipher-name: "+cipher)
		file, err := goalstate.ParseCertificateFile([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if head := file.Data[:min(500, len(file.Data))]; !bytes.Contains(head, row.transport) || !bytes.Contains(head, row.content) {
			t.Errorf("%s: % x", cipher, head)
		}
	}
}

// What is handed out beside one private key: ids that go with certificates, and a key
// that has none.
func TestPrivateKeysOfTheScenario(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("fingerprint-keys")
	if err != nil {
		t.Fatal(err)
	}
	tenant := s.VM.Certificates[0]
	open := func(certificates ...emulator.Certificate) pfx.Contents {
		s.VM.SSHKeys, s.VM.Certificates = nil, certificates
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		return contentsOf(t, f)
	}
	both := open(tenant, tenant)
	for i, want := range [][]byte{{1, 0, 0, 0}, {2, 0, 0, 0}} {
		if !bytes.Equal(both.Keys[i].LocalKeyID, want) || !bytes.Equal(both.Certificates[i].LocalKeyID, want) {
			t.Errorf("ids % x and % x, want % x", both.Keys[i].LocalKeyID, both.Certificates[i].LocalKeyID, want)
		}
	}
	if alone := open(emulator.Certificate{PrivateKey: tenant.PrivateKey}); len(alone.Keys) != 1 || len(alone.Certificates) != 0 {
		t.Errorf("%d keys, %d certificates", len(alone.Keys), len(alone.Certificates))
	}
}

// IMDS may have a key as a line that the medium names by fingerprint.
func TestKeyDataBesideACertificate(t *testing.T) {
	t.Parallel()
	s, err := emulator.LookupScenario("fingerprint-keys")
	if err != nil {
		t.Fatal(err)
	}
	s.VM.SSHKeys[0].KeyData = "ssh-ed25519 AAAA line"
	f, err := emulator.NewFabric(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	medium, _ := f.Medium()
	environment, err := ovf.ReadFS(medium)
	if err != nil || environment.PublicKeys[0].Value != "" || environment.PublicKeys[0].Fingerprint == "" {
		t.Errorf("%v, %+v", err, environment)
	}
	_, line, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/instance/compute/publicKeys/0/keyData?api-version=2021-02-01&format=text", "", "Metadata: true")
	if line != "ssh-ed25519 AAAA line" {
		t.Errorf("keyData %q", line)
	}
}

// TestFingerprintKeys holds medium, IMDS and wire server against each other.
func TestFingerprintKeys(t *testing.T) {
	t.Parallel()
	f := fabricOf(t, "fingerprint-keys")
	_, body := certificatesOf(t, f, certificateHeader(t))
	file, err := goalstate.ParseCertificateFile([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := certs.Decode(file.Data, guestKey(t))
	if err != nil || len(bundle.Warnings) > 0 {
		t.Fatal(err, bundle.Warnings)
	}
	type row struct {
		subject, kind, name string
		private             bool
	}
	var got []row
	for _, c := range bundle.Certificates {
		kind, _, _ := strings.Cut(c.SSHKey, " ")
		got = append(got, row{c.Subject, kind, c.FriendlyName, c.HasPrivateKey()})
	}
	want := []row{
		{"CN=pilot@example.test", "ssh-rsa", "", false},
		{"CN=spare@example.test", "ecdsa-sha2-nistp256", "", false},
		{"DC=Harbour Certificate Generator", "ssh-rsa", "TenantEncryptionCert", true},
		{"C=NL, O=Harbour, OU=Fabric, CN=CRP", "ssh-rsa", "", false},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	medium, _ := f.Medium()
	environment, err := ovf.ReadFS(medium)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range environment.PublicKeys {
		if key.Value != "" || key.Fingerprint != bundle.Certificates[i].Thumbprint {
			t.Errorf("key %d on the medium: %+v, want the fingerprint %s", i, key, bundle.Certificates[i].Thumbprint)
		}
	}
	_, imds, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/instance/compute/publicKeys/0/keyData?api-version=2021-02-01&format=text", "", "Metadata: true")
	if !strings.HasPrefix(imds, "-----BEGIN CERTIFICATE-----\r\n") {
		t.Errorf("keyData %.60q", imds)
	}
}

func TestCertificatesThatCannotBe(t *testing.T) {
	t.Parallel()
	key := azprov.NewSecret([]byte("no key"))
	for _, row := range []struct {
		name string
		edit func(*emulator.Scenario)
		want string
	}{
		{"an SSH key's certificate", func(s *emulator.Scenario) { s.VM.SSHKeys[1].Certificate = "no certificate" }, "vm.sshKeys[1].certificate"},
		{"a certificate", func(s *emulator.Scenario) {
			s.VM.Certificates = []emulator.Certificate{{Certificate: "no certificate"}}
		}, "vm.certificates[0].certificate"},
		{"a private key", func(s *emulator.Scenario) { s.VM.Certificates = []emulator.Certificate{{PrivateKey: key}} }, "vm.certificates[0].privateKey"},
		{"a key in place of a certificate", func(s *emulator.Scenario) {
			s.VM.Certificates = []emulator.Certificate{{Certificate: "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"}}
		}, "vm.certificates[0].certificate"},
		{"a private key of garbage", func(s *emulator.Scenario) {
			s.VM.Certificates = []emulator.Certificate{{PrivateKey: azprov.NewSecret([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))}}
		}, "vm.certificates[0].privateKey"},
		{"nothing at all", func(s *emulator.Scenario) { s.VM.Certificates = []emulator.Certificate{{}} }, "neither"},
		{"a cipher", func(s *emulator.Scenario) { s.WireServer.Ciphers = []string{"AES128_CBC", "ROT13"} }, "wireServer.ciphers[1]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := emulator.LookupScenario("linux-vm")
			if err != nil {
				t.Fatal(err)
			}
			row.edit(&s)
			if _, err = emulator.NewFabric(s, nil); azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %s", err, row.want)
			}
		})
	}
}

// TestAsTheOtherAgentsDo opens the certificates with the commands of WALinuxAgent, whose
// S/MIME reader is particular about the lines of the data, and of cloud-init.
func TestAsTheOtherAgentsDo(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	dir := t.TempDir()
	programtest.Run(t, dir, "openssl", "req", "-x509", "-nodes", "-subj", "/CN=LinuxTransport", "-days", "730",
		"-newkey", "rsa:2048", "-keyout", "TransportPrivate.pem", "-out", "TransportCert.pem")
	block, _ := pem.Decode(programtest.Read(t, dir, "TransportCert.pem"))
	header := "x-ms-guest-agent-public-x509-cert: " + base64.StdEncoding.EncodeToString(block.Bytes)
	for _, cipher := range []string{"AES128_CBC", "DES_EDE3_CBC"} {
		t.Run(cipher, func(t *testing.T) {
			t.Parallel()
			f := fabricOf(t, "fingerprint-keys")
			_, body := certificatesOf(t, f, header, "x-ms-cipher-name: "+cipher)
			_, data, _ := strings.Cut(body, "<Data>")
			data, _, _ = strings.Cut(data, "</Data>")
			mime := "MIME-Version:1.0\nContent-Disposition: attachment; filename=\"Certificates.p7m\"\n" +
				"Content-Type: application/x-pkcs7-mime; name=\"Certificates.p7m\"\nContent-Transfer-Encoding: base64\n\n" + data
			programtest.Write(t, dir, cipher+".p7m", []byte(mime))
			programtest.Run(t, dir, "openssl", "cms", "-decrypt", "-in", cipher+".p7m",
				"-inkey", "TransportPrivate.pem", "-recip", "TransportCert.pem", "-out", cipher+".pfx")
			text := programtest.Run(t, dir, "openssl", "pkcs12", "-nodes", "-password", "pass:", "-in", cipher+".pfx")
			kinds := map[string]int{}
			for rest := text; ; {
				var block *pem.Block
				if block, rest = pem.Decode(rest); block == nil {
					break
				}
				kinds[block.Type]++
			}
			if diff := cmp.Diff(map[string]int{"PRIVATE KEY": 1, "CERTIFICATE": 4}, kinds); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !bytes.Contains(text, []byte("friendlyName: TenantEncryptionCert")) || !bytes.Contains(text, []byte("localKeyID: 01 00 00 00")) {
				t.Errorf("attributes are missing:\n%s", text)
			}
		})
	}
}

// The lines of the data are as captured; openssl reads none of 1,024 columns.
func TestCertificateLines(t *testing.T) {
	t.Parallel()
	_, body := certificatesOf(t, fabricOf(t, "fingerprint-keys"), certificateHeader(t))
	_, data, _ := strings.Cut(body, "<Data>")
	data, _, _ = strings.Cut(data, "</Data>")
	lines := strings.Split(strings.TrimSpace(data), "\n")
	for i, line := range lines {
		if len(line) > 64 || len(line) < 64 && i < len(lines)-1 {
			t.Errorf("line %d has %d columns", i, len(line))
		}
	}
	if len(lines) < 60 {
		t.Errorf("%d lines only", len(lines))
	}
}

// The file system of a medium with fingerprints has nothing of the private key.
func TestPrivateKeysStayIn(t *testing.T) {
	t.Parallel()
	f := fabricOf(t, "fingerprint-keys")
	medium, _ := f.Medium()
	document, err := fs.ReadFile(medium, "ovf-env.xml")
	if err != nil {
		t.Fatal(err)
	}
	_, instance, _ := ask(t, f.IMDS(), http.MethodGet, "/metadata/instance?api-version=2023-11-15&extended=true", "", "Metadata: true")
	key := f.VM().Certificates[0].PrivateKey.RevealString()
	for name, text := range map[string]string{"the medium": string(document), "IMDS": instance} {
		if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, strings.Split(key, "\n")[3]) {
			t.Errorf("%s has the private key", name)
		}
	}
}

// TestTenantCertificate: a VM of which the scenario says nothing has its tenant's.
func TestTenantCertificate(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		certificates []emulator.Certificate
		want         []string
	}{
		"nothing said": {nil, []string{"CN=Emulated tenant encryption"}},
		"none":         {[]emulator.Certificate{}, nil},
	} {
		f := fabric(t, func(s *emulator.Scenario) { s.VM.Certificates = row.certificates })
		_, body := certificatesOf(t, f, certificateHeader(t))
		file, err := goalstate.ParseCertificateFile([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if len(file.Data) > 0 {
			bundle, err := certs.Decode(file.Data, guestKey(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range bundle.Certificates {
				if !c.HasPrivateKey() || c.FriendlyName != "TenantEncryptionCert" {
					t.Errorf("%s: %s is called %q, has a key: %t", name, c.Subject, c.FriendlyName, c.HasPrivateKey())
				}
				got = append(got, c.Subject)
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
