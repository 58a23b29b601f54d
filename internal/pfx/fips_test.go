package pfx

import (
	"crypto"
	"errors"
	"testing"

	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/programtest"
)

// The mode is set for a whole program, so that this test runs itself. What the mode
// cannot make is handed over in files.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	if cms.FIPSOnly() {
		checkFIPSOnly(t)
		return
	}
	dir := t.TempDir()
	i := edIdentity()
	programtest.Write(t, dir, "azure.pfx", encode(t, one(i)))
	programtest.Write(t, dir, "mixed.pfx", plainFile(shroudedBag(pbe3DES(t, bmpEmpty, 1, i.pkcs8)), certBag(i)))
	programtest.Write(t, dir, "sha1.pfx", plainFile(shroudedBag(pbes2{prfOID: oidSHA1, prf: crypto.SHA1}.seal(t, i.pkcs8))))
	programtest.Write(t, dir, "des.pfx", plainFile(shroudedBag(pbes2{cipher: cms.DESEDE3CBC, salt: make([]byte, 16)}.seal(t, i.pkcs8))))
	programtest.Rerun(t, dir, "GODEBUG=fips140=only")
}

func checkFIPSOnly(t *testing.T) {
	t.Helper()
	i := edIdentity()
	for name := range map[string]bool{"azure.pfx": true, "sha1.pfx": true, "des.pfx": true} {
		isError(t, programtest.Read(t, ".", name), cms.ErrFIPS)
	}
	if got, err := Decode(programtest.Read(t, ".", "mixed.pfx")); err != nil || len(got.Certificates) != 1 || len(got.Passed) != 1 {
		t.Errorf("mixed: %+v, %v", got, err)
	}
	// The mode wants salts of 16 bytes.
	short, long := pbes2{salt: testSalt, iterations: 1, prfOID: oidHMAC + "9", cipher: cms.AES256CBC}, pbes2{salt: make([]byte, 16)}
	isError(t, plainFile(shroudedBag(short.scheme(make([]byte, 16)), make([]byte, 16))), cms.ErrFIPS)
	decodesTo(t, plainFile(shroudedBag(long.seal(t, i.pkcs8))), Contents{Keys: []Key{i.key(Attributes{})}})
	for _, c := range []Contents{{}, one(i)} {
		if _, err := Encode(c); !errors.Is(err, cms.ErrFIPS) {
			t.Errorf("Encode: %v", err)
		}
	}
}
