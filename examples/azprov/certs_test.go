package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
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
	"github.com/azprov/azprov/wireserver"
)

// withCertificates makes the test platform's VM that of the scenario fingerprint-keys,
// with a private key that has no certificate in addition.
func withCertificates(t *testing.T) func(*emulator.Scenario) {
	t.Helper()
	from, err := emulator.LookupScenario("fingerprint-keys")
	if err != nil {
		t.Fatal(err)
	}
	_, key := testTransportKey(t)
	return func(s *emulator.Scenario) {
		s.VM.SSHKeys = from.VM.SSHKeys
		s.VM.Certificates = append(slices.Clone(from.VM.Certificates), emulator.Certificate{PrivateKey: azprov.NewSecret(key)})
	}
}

// makeTestKey is a transport key, and its private key in PEM.
var makeTestKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

func testTransportKey(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := makeTestKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// listed decodes s, which must be one JSON list of certificates and nothing else.
func listed(t *testing.T, s string) []certificateDocument {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(s))
	decoder.DisallowUnknownFields()
	var list []certificateDocument
	if err := decoder.Decode(&list); err != nil || decoder.More() {
		t.Fatalf("not a JSON list: %v\n%s", err, s)
	}
	return list
}

func TestCertsGet(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, withCertificates(t))
	dir := filepath.Join(t.TempDir(), "new", "certs")
	got := cli(t, p.flags("certs", "get", "--out", dir, "--reveal", "--agent-name", "dinghy")...).want(t, exitDone)
	if entries := p.fabric.Journal(); entries[len(entries)-1].Headers["X-Ms-Agent-Name"] != "dinghy" {
		t.Errorf("the agent is not named: %v", entries[len(entries)-1].Headers)
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	contains(t, got.stdout, "CN=pilot@example.test", "ecdsa-sha2-nistp256 SHA256:", "private key  yes", "no certificate\n", "warning: a private key without a certificate")
	contains(t, got.stderr, "6 files written to "+dir)
	list := listed(t, cli(t, p.flags("certs", "get", "--output", "json")...).want(t, exitDone).stdout)
	var names []string
	for i, c := range list {
		if c.Thumbprint != "" {
			names = append(names, c.Thumbprint+".crt")
			checkCertificateFile(t, filepath.Join(dir, c.Thumbprint+".crt"), c.Thumbprint)
		}
		if want := i == 2 || i == 4; c.HasPrivateKey != want || !strings.Contains(c.SSHKey, " AAAA") || c.Warnings == nil {
			t.Errorf("certificate %d: %+v", i, c)
		}
	}
	names = append(names, list[2].Thumbprint+".prv", "key-5.prv")
	slices.Sort(names)
	var written []string
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		written = append(written, file.Name())
		if info, err := file.Info(); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", file.Name(), info.Mode(), err)
		}
	}
	if diff := cmp.Diff(names, written); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	key, err := os.ReadFile(filepath.Join(dir, list[2].Thumbprint+".prv"))
	if want := p.fabric.VM().Certificates[0].PrivateKey.RevealString(); err != nil || string(key) != want {
		t.Errorf("the private key is not the scenario's, %v", err)
	}
	for _, text := range []string{got.stdout, got.stderr} {
		if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, strings.Split(string(key), "\n")[2]) {
			t.Errorf("the private key was printed:\n%s", text)
		}
	}
}

func checkCertificateFile(t *testing.T, path, thumbprint string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" || certs.Thumbprint(block.Bytes) != thumbprint {
		t.Errorf("%s holds another certificate", path)
	}
}

func TestCertsGetOfAVMWithoutAny(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(s *emulator.Scenario) { s.VM.Certificates = []emulator.Certificate{} })
	got := cli(t, p.flags("certs", "get")...).want(t, exitDone)
	if got.stdout != "" {
		t.Errorf("standard output has %q", got.stdout)
	}
	contains(t, got.stderr, "There are no certificates.")
	if text := cli(t, p.flags("certs", "get", "--output", "json")...).want(t, exitDone).stdout; text != "[]\n" {
		t.Errorf("JSON %q", text)
	}
}

func TestCertsGetInOneCipher(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, withCertificates(t))
	listed(t, cli(t, p.flags("certs", "get", "--cipher", "DES_EDE3_CBC", "--output", "json")...).want(t, exitDone).stdout)
	contains(t, cli(t, p.flags("certs", "get", "--cipher", "AES256_CBC")...).want(t, exitFailed).stderr, "cannot read the certificates", "400")
	contains(t, cli(t, p.flags("certs", "get", "--cipher", "ROT13")...).want(t, exitUsage).stderr, "AES128_CBC or DES_EDE3_CBC or AES256_CBC")
}

// TestCertsDecode opens one container in all its wrappings.
func TestCertsDecode(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, withCertificates(t))
	key, keyPEM := testTransportKey(t)
	certificate, document := requestAs(t, p, key)
	file, err := goalstate.ParseCertificateFile(document)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(file.Data)
	mime := "MIME-Version:1.0\nContent-Disposition: attachment; filename=\"x\"\nContent-Transfer-Encoding: base64\n\n" + encoded + "\n"
	dir := t.TempDir()
	keyFile := writeFile(t, filepath.Join(dir, "key.pem"), string(keyPEM))
	certFile := writeFile(t, filepath.Join(dir, "cert.der"), string(certificate))
	for name, document := range map[string]string{
		"the document": string(document), "DER": string(file.Data), "base64": encoded, "S/MIME": mime,
		"the document with a mark and CR LF": "\ufeff" + strings.ReplaceAll(string(document), "\n", "\r\n"),
		"S/MIME with folded heads":           "Subject: x\r\n\ty\r\n\r\n" + encoded + "\r\n",
		"PEM":                                string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: file.Data})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"--key", keyFile, "--cert", certFile}, {"--key", keyFile}} {
				got := cliWith(t.Context(), document, slices.Concat([]string{"certs", "decode", "-", "--output", "json"}, args)...).want(t, exitDone)
				if list := listed(t, got.stdout); len(list) != 5 || list[0].Subject != "CN=pilot@example.test" {
					t.Errorf("%+v", list)
				}
			}
		})
	}
	t.Run("nothing inside", func(t *testing.T) {
		t.Parallel()
		empty := string(goalstate.CertificateFile{Incarnation: "1"}.Encode())
		contains(t, cliWith(t.Context(), empty, "certs", "decode", "--key", keyFile, "-").want(t, exitDone).stderr, "There are no certificates.")
	})
	t.Run("an unknown format", func(t *testing.T) {
		t.Parallel()
		odd := string(goalstate.CertificateFile{Format: "Odd", Data: []byte("x")}.Encode())
		contains(t, cliWith(t.Context(), odd, "certs", "decode", "--key", keyFile, "-").want(t, exitDone).stderr, "warning: the format Odd is not known: passed over\n")
	})
	other := writeFile(t, filepath.Join(dir, "other"), "no key")
	otherCert := writeFile(t, filepath.Join(dir, "other.crt"), p.fabric.VM().SSHKeys[0].Certificate)
	for _, row := range []struct {
		name     string
		args     []string
		document string
		code     int
		want     string
	}{
		{"no key named", []string{"-"}, encoded, exitUsage, "--key FILE is missing"},
		{"no document", []string{"--key", keyFile}, encoded, exitUsage, "the argument DOCUMENT is missing"},
		{"a key that is not there", []string{"--key", "/nonexistent", "-"}, encoded, exitNotFound, "cannot be read"},
		{"a key that is none", []string{"--key", other, "-"}, encoded, exitFailed, "no RSA private key"},
		{"a document that is none", []string{"--key", keyFile, "-"}, "no document", exitFailed, "not a sound CMS envelope"},
		{"another document", []string{"--key", keyFile, "-"}, hostingEnvironment, exitFailed, "goalstate.ParseCertificateFile"},
		{"a cut document", []string{"--key", keyFile, "-"}, string(file.Data[:100]), exitFailed, "truncated"},
		{"an empty document", []string{"--key", keyFile, "-"}, " \n", exitFailed, "the document is empty"},
		{"the head of S/MIME alone", []string{"--key", keyFile, "-"}, "MIME-Version: 1.0\n\n", exitFailed, "the document is empty"},
		{"a key in place of the document", []string{"--key", keyFile, "-"}, string(keyPEM), exitFailed, "the document is a PRIVATE KEY in PEM"},
		{"another key's certificate", []string{"--key", keyFile, "--cert", otherCert, "-"}, encoded, exitFailed, "the certificate is another key's"},
		{"standard input twice", []string{"--key", "-", "-"}, encoded, exitUsage, "only one of the files can be standard input"},
		{"--out for --output", []string{"--key", keyFile, "--out", "json", "-"}, encoded, exitUsage, "--output json is the form of the result"},
		{"a place that cannot be written", []string{"--key", keyFile, "--out", keyFile, "-"}, encoded, exitFailed, "cannot"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := cliWith(t.Context(), row.document, slices.Concat([]string{"certs", "decode", "--output", "json"}, row.args)...).want(t, row.code)
			contains(t, got.stderr, "azprov: cannot decode the certificates: ", row.want)
			at(t, oneObject(t, got.stdout), "error", "message")
		})
	}
}

// requestAs asks the platform for the certificates with a certificate of the key, and
// returns that and the document.
func requestAs(t *testing.T, p platform, key *rsa.PrivateKey) (certificate, document []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), SubjectKeyId: []byte("barge"), NotAfter: time.Unix(2e9, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := wireserver.NewClient(&wireserver.ClientOptions{Endpoint: p.wireServer})
	if err != nil {
		t.Fatal(err)
	}
	gs, err := client.GetGoalState(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gs.CertificatesURL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(goalstate.HeaderVersion, goalstate.ProtocolVersion)
	request.Header.Set(goalstate.HeaderGuestAgentCertificate, base64.StdEncoding.EncodeToString(certificate))
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if document, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, err)
	}
	return certificate, document
}
