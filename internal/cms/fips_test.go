package cms_test

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/programtest"
)

// Go says with a panic, an error, or nothing at all that an algorithm is not allowed. We
// say it with ErrFIPS. The mode is set for a whole program, so that this test runs itself.
// What the mode cannot make is handed over in files.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if cms.FIPSOnly() {
		checkFIPSOnly(t, ".")
		return
	}
	dir := t.TempDir()
	for name, envelope := range fipsEnvelopes(t) {
		programtest.Write(t, dir, name, envelope)
		opens(t, envelope, ours().recipient(), secret)
	}
	programtest.Rerun(t, dir, "GODEBUG=fips140=only")
}

// fipsEnvelopes are for ours, by the names of their files, which begin with what the mode
// makes of them.
func fipsEnvelopes(t *testing.T) map[string][]byte {
	t.Helper()
	sealed := func(c *cms.Cipher, hash crypto.Hash) []byte {
		return seal(t, cms.Envelope{Content: c, OAEP: hash}, secret, ours().certificate)
	}
	wrapped := func(d draft, digestHash, maskHash crypto.Hash) []byte {
		parameters := oaep(tagged(0, digest(cms.HashOID(digestHash))), tagged(1, mgf1(digest(cms.HashOID(maskHash)))))
		d.recipients = [][]byte{recipientInfo(byKeyID(ours()), parameters, wrapMixed(ours(), digestHash, maskHash, nil))}
		return d.encode()
	}
	return map[string][]byte{
		"refuses triple DES":                   sealed(cms.DESEDE3CBC, crypto.SHA256),
		"refuses triple DES with PKCS #1 v1.5": sealed(cms.DESEDE3CBC, 0),
		"refuses PKCS #1 v1.5":                 sealed(cms.AES128CBC, 0),
		"refuses OAEP with SHA-1":              sealed(cms.AES128CBC, crypto.SHA1),
		"refuses OAEP with a mask of SHA-1":    wrapped(draftCBC(t), crypto.SHA256, crypto.SHA1),
		"refuses OAEP with a digest of SHA-1":  wrapped(draftCBC(t), crypto.SHA1, crypto.SHA256),
		"refuses GCM":                          wrapped(draftGCM(t, 16), crypto.SHA256, crypto.SHA256),
		"opens AES-128 with SHA-256":           sealed(cms.AES128CBC, crypto.SHA256),
		"opens AES-256 with SHA-512":           sealed(cms.AES256CBC, crypto.SHA512),
	}
}

// checkFIPSOnly runs in FIPS-only mode.
func checkFIPSOnly(t *testing.T, dir string) {
	t.Helper()
	if !cms.FIPSOnly() {
		t.Fatal("not in FIPS-only mode")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d envelopes, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			t.Parallel()
			envelope := programtest.Read(t, dir, filepath.Base(file.Name()))
			if strings.HasPrefix(file.Name(), "opens") {
				opens(t, envelope, ours().recipient(), secret)
				return
			}
			refuses(t, envelope, ours().recipient(), cms.ErrFIPS)
		})
	}
	for _, c := range cms.Ciphers() {
		for transport, hash := range transports {
			allowed := c != cms.DESEDE3CBC && hash != 0 && hash != crypto.SHA1
			envelope, err := cms.Envelope{Content: c, OAEP: hash}.Seal(secret, ours().certificate)
			if (err == nil) != allowed {
				t.Errorf("%s, %s: sealed with %v", c.Name, transport, err)
			}
			if allowed {
				opens(t, envelope, ours().recipient(), secret)
			}
		}
	}
}
