package certs

import (
	"bytes"
	"crypto"
	"crypto/dsa" //nolint:staticcheck // As old certificates have it.
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/programtest"
)

func leafPublic(t *testing.T) *rsa.PublicKey {
	t.Helper()
	c, err := x509.ParseCertificate(leaf().der)
	if err != nil {
		t.Fatal(err)
	}
	return c.PublicKey.(*rsa.PublicKey)
}

// ssh-keygen converts RSA and ECDSA keys, as WALinuxAgent and cloud-init have it do.
func TestSSHKeyAsSSHKeygen(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "ssh-keygen")
	shortRSA := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(0x1357), 1030, 1), E: 3}
	for behaviour, key := range map[string]crypto.PublicKey{
		"RSA":                                leafPublic(t),
		"RSA, first octet below 0x80":        shortRSA,
		"RSA, large exponent":                &rsa.PublicKey{N: leafPublic(t).N, E: 0x8000_0001 >> 1},
		"RSA, exponent with a leading one":   &rsa.PublicKey{N: leafPublic(t).N, E: 0x8001},
		"P-256":                              &must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey,
		"P-384":                              &must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey,
		"P-521, whose first octet is 0 or 1": &must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)).PublicKey,
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			spki, err := x509.MarshalPKIXPublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			programtest.Write(t, dir, "pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
			want := strings.TrimSpace(string(programtest.Run(t, dir, "ssh-keygen", "-i", "-m", "PKCS8", "-f", "pub.pem")))
			got, err := SSHKey(key)
			if err != nil || got != want {
				t.Errorf("%v\n%s, want\n%s", err, got, want)
			}
			sshAccepts(t, got)
		})
	}
}

// sshAccepts has ssh-keygen read a line of ours.
func sshAccepts(t *testing.T, line string) {
	t.Helper()
	dir := t.TempDir()
	programtest.Write(t, dir, "line.pub", []byte(line+"\n"))
	out := programtest.Run(t, dir, "ssh-keygen", "-l", "-f", "line.pub")
	if want := sshFingerprint(t, line); !strings.Contains(string(out), want) {
		t.Errorf("%s, want %s", out, want)
	}
}

// ssh-keygen cannot convert Ed25519; the key is 32 bytes behind their length.
func TestSSHKeyEd25519(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl", "ssh-keygen")
	dir := t.TempDir()
	programtest.Run(t, dir, "openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
	spki := programtest.Run(t, dir, "openssl", "pkey", "-in", "key.pem", "-pubout", "-outform", "DER")
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	line, err := SSHKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sshAccepts(t, line)
	blob, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "ssh-ed25519 "))
	want := append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), spki[len(spki)-32:]...)
	if err != nil || !bytes.Equal(blob, want) {
		t.Errorf("%v, %x, want %x", err, blob, want)
	}
}

// Without ssh-keygen: the layout of an mpint (RFC 4251, section 5).
func TestMPInt(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "", 1: "\x01", 0x7f: "\x7f", 0x80: "\x00\x80", 0x8000: "\x00\x80\x00", 65537: "\x01\x00\x01"} {
		if got := string(mpint(big.NewInt(n))); got != want {
			t.Errorf("%x: %x, want %x", n, got, want)
		}
	}
}

func TestSSHKeyIsRefused(t *testing.T) {
	t.Parallel()
	x := must(ecdh.X25519().GenerateKey(rand.Reader))
	for behaviour, key := range map[string]crypto.PublicKey{
		"P-224":          &must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)).PublicKey,
		"not a point":    &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)},
		"no point":       &ecdsa.PublicKey{},
		"X25519":         x.PublicKey(),
		"DSA":            &dsa.PublicKey{},
		"nothing":        nil,
		"a private key":  ed25519.NewKeyFromSeed(make([]byte, 32)),
		"no key at all":  "ssh-rsa",
		"RSA by value":   rsa.PublicKey{},
		"a pointer less": ecdsa.PublicKey{},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			got, err := SSHKey(key)
			if got != "" {
				t.Errorf("%q", got)
			}
			isError(t, err, "certs.SSHKey", azprov.KindMalformed)
		})
	}
}
