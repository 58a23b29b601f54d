package pfx

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/programtest"
)

// export has openssl write a PFX of that identity and, with a chain, of another
// certificate.
func export(t *testing.T, i identity, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	programtest.Write(t, dir, "in.pem", slices.Concat(i.keyPEM(), i.certificatePEM()))
	programtest.Write(t, dir, "chain.pem", edIdentity().certificatePEM())
	args = append([]string{"pkcs12", "-export", "-in", "in.pem", "-out", "out.pfx", "-passout", "pass:"}, args...)
	programtest.Run(t, dir, "openssl", args...)
	return programtest.Read(t, dir, "out.pfx")
}

func TestDecodeWhatOpenSSLWrites(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	both := func(scheme string) []string { return []string{"-keypbe", scheme, "-certpbe", scheme} }
	for behaviour, args := range map[string][]string{
		"its default":                       nil,
		"as before 2022":                    {"-legacy"},
		"as Azure's":                        append(both("PBE-SHA1-3DES"), "-macalg", "sha1", "-iter", "2000"),
		"triple DES of three keys":          both("PBE-SHA1-3DES"),
		"triple DES of two keys":            both("PBE-SHA1-2DES"),
		"RC2 of 40 bits":                    append(both("PBE-SHA1-RC2-40"), "-legacy"),
		"RC2 of 128 bits":                   append(both("PBE-SHA1-RC2-128"), "-legacy"),
		"PBES2 with AES-128":                both("aes-128-cbc"),
		"PBES2 with AES-192":                both("aes-192-cbc"),
		"PBES2 with AES-256":                both("aes-256-cbc"),
		"PBES2 with triple DES":             both("des-ede3-cbc"),
		"nothing encrypted":                 both("NONE"),
		"only the key encrypted":            {"-certpbe", "NONE"},
		"only the certificates encrypted":   {"-keypbe", "NONE"},
		"MAC with SHA-1":                    {"-macalg", "sha1"},
		"MAC with SHA-224":                  {"-macalg", "sha224"},
		"MAC with SHA-256":                  {"-macalg", "sha256"},
		"MAC with SHA-384":                  {"-macalg", "sha384"},
		"MAC with SHA-512":                  {"-macalg", "sha512"},
		"no MAC":                            {"-nomac"},
		"no MAC, triple DES":                append(both("PBE-SHA1-3DES"), "-nomac"),
		"no MAC, nothing encrypted":         append(both("NONE"), "-nomac"),
		"one iteration":                     {"-iter", "1"},
		"one iteration for the MAC":         {"-nomaciter"},
		"another count of iterations":       {"-iter", "4711"},
		"the most iterations of a MAC":      append(both("NONE"), "-iter", "100000"),
		"with a name for the browser's CSP": {"-CSP", "Harbour Provider", "-LMK"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			i := ecIdentity()
			got, err := Decode(export(t, i, append(args, "-name", "bow line", "-certfile", "chain.pem", "-caname", "stern line")...))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Keys) != 1 || len(got.Certificates) != 2 || len(got.Passed) != 0 {
				t.Fatalf("%d keys, %d certificates, %v", len(got.Keys), len(got.Certificates), got.Passed)
			}
			samePrivateKey(t, got.Keys[0].PKCS8, i.pkcs8)
			for n, want := range [][]byte{i.der, edIdentity().der} {
				if !bytes.Equal(got.Certificates[n].DER, want) {
					t.Errorf("certificate %d is another one", n)
				}
			}
			wantID := Attributes{"bow line", got.Keys[0].LocalKeyID}
			if len(wantID.LocalKeyID) != 20 {
				t.Errorf("local key id %x", wantID.LocalKeyID)
			}
			want := []Attributes{wantID, wantID, {FriendlyName: "stern line"}}
			if diff := cmp.Diff(want, []Attributes{
				got.Keys[0].Attributes, got.Certificates[0].Attributes, got.Certificates[1].Attributes,
			}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeKindsOfKeys(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	p521 := newIdentity("davit", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)))
	for behaviour, i := range map[string]identity{
		"RSA": rsaIdentity(), "P-256": ecIdentity(), "P-521": p521, "Ed25519": edIdentity(),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(export(t, i))
			if err != nil || len(got.Keys) != 1 || len(got.Certificates) != 1 {
				t.Fatalf("%v, %d keys, %d certificates", err, len(got.Keys), len(got.Certificates))
			}
			samePrivateKey(t, got.Keys[0].PKCS8, i.pkcs8)
			if got.Certificates[0].FriendlyName != "" {
				t.Errorf("friendly name %q from nowhere", got.Certificates[0].FriendlyName)
			}
		})
	}
}

func TestDecodeHalves(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	for _, tc := range []struct {
		behaviour    string
		args         []string
		keys, others int
	}{
		{"certificates only", []string{"-nokeys", "-certfile", "chain.pem"}, 0, 2},
		{"a key only", []string{"-nocerts"}, 1, 0},
	} {
		t.Run(tc.behaviour, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(export(t, ecIdentity(), tc.args...))
			if err != nil || len(got.Keys) != tc.keys || len(got.Certificates) != tc.others {
				t.Errorf("%v, %d keys, %d certificates", err, len(got.Keys), len(got.Certificates))
			}
		})
	}
}

func TestDecodeFriendlyNames(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	for _, name := range []string{"plain", "Möwe 港", "Ωмега"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(export(t, ecIdentity(), "-name", name))
			if err != nil || got.Keys[0].FriendlyName != name || got.Certificates[0].FriendlyName != name {
				t.Errorf("%v, %+q", err, got.Keys[0].FriendlyName)
			}
		})
	}
}

// openssl pkcs12 has no choice of the pseudo-random function, openssl pkcs8 has.
func TestDecodePseudoRandomFunctions(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	i := ecIdentity()
	for _, prf := range []string{"hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"} {
		t.Run(prf, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			programtest.Write(t, dir, "in.pem", i.keyPEM())
			shrouded := programtest.Run(t, dir, "openssl", "pkcs8", "-topk8", "-in", "in.pem", "-outform", "DER",
				"-v2", "aes-256-cbc", "-v2prf", prf, "-passout", "pass:")
			got, err := Decode(plainFile(bag(oidShroudedBag, shrouded, Attributes{})))
			if err != nil || len(got.Keys) != 1 {
				t.Fatalf("%v, %d keys", err, len(got.Keys))
			}
			samePrivateKey(t, got.Keys[0].PKCS8, i.pkcs8)
		})
	}
}

func TestDecodePasswordsAreRefused(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	for behaviour, args := range map[string][]string{
		"default":    nil,
		"triple DES": {"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, export(t, ecIdentity(), append(args, "-passout", "pass:halyard")...), ErrMAC)
		})
	}
}

func TestOpenSSLReadsWhatEncodeWrites(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	id := []byte{1, 0, 0, 0}
	for behaviour, c := range map[string]Contents{
		"nothing":             {},
		"a key only":          {Keys: []Key{ecIdentity().key(Attributes{})}},
		"a certificate only":  {Certificates: []Certificate{ecIdentity().certificate(Attributes{})}},
		"one of each, bare":   one(rsaIdentity()),
		"one of each, marked": {Keys: []Key{rsaIdentity().key(Attributes{"keel", id})}, Certificates: []Certificate{rsaIdentity().certificate(Attributes{"keel", id})}},
		"many": {
			Keys: []Key{edIdentity().key(Attributes{}), rsaIdentity().key(Attributes{"mast", nil}), ecIdentity().key(Attributes{"", id})},
			Certificates: []Certificate{
				ecIdentity().certificate(Attributes{"", id}), edIdentity().certificate(Attributes{"boom", nil}),
				rsaIdentity().certificate(Attributes{}), rsaIdentity().certificate(Attributes{}),
			},
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			programtest.Write(t, dir, "in.pfx", encode(t, c))
			out := programtest.Run(t, dir, "openssl", "pkcs12", "-in", "in.pfx", "-passin", "pass:", "-nodes")
			checkOpenSSLOutput(t, out, c)
		})
	}
}

// checkOpenSSLOutput compares PEM blocks with attributes as text before them.
func checkOpenSSLOutput(t *testing.T, out []byte, want Contents) {
	t.Helper()
	var keys, certificates int
	for rest := out; ; {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		head, _, _ := strings.Cut(string(rest), "-----BEGIN")
		switch {
		case block.Type == "PRIVATE KEY" && keys < len(want.Keys):
			samePrivateKey(t, block.Bytes, want.Keys[keys].PKCS8)
			checkAttributes(t, head, want.Keys[keys].Attributes)
			keys++
		case block.Type == "CERTIFICATE" && certificates < len(want.Certificates):
			if !bytes.Equal(block.Bytes, want.Certificates[certificates].DER) {
				t.Error("another certificate")
			}
			checkAttributes(t, head, want.Certificates[certificates].Attributes)
			certificates++
		default:
			t.Errorf("a %s too many", block.Type)
		}
		rest = after
	}
	if keys != len(want.Keys) || certificates != len(want.Certificates) {
		t.Errorf("%d keys, %d certificates, want %d, %d", keys, certificates, len(want.Keys), len(want.Certificates))
	}
}

func checkAttributes(t *testing.T, head string, a Attributes) {
	t.Helper()
	for label, want := range map[string]bool{
		"friendlyName: " + a.FriendlyName: a.FriendlyName != "", "localKeyID: 01 00 00 00": a.LocalKeyID != nil,
	} {
		if got := strings.Contains(head, label); got != want {
			t.Errorf("%q there: %t, want %t, in %q", label, got, want, head)
		}
	}
}
