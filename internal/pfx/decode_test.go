package pfx

import (
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
)

// isError says that Decode fails so, and gives nothing.
func isError(t *testing.T, b []byte, want error) {
	t.Helper()
	got, err := Decode(b)
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	if len(got.Keys)+len(got.Certificates)+len(got.Passed) != 0 {
		t.Errorf("something beside an error: %+v", got)
	}
}

// isUnsupported says that Decode fails with the OID of what it does not know.
func isUnsupported(t *testing.T, b []byte, oid string) {
	t.Helper()
	_, err := Decode(b)
	var unsupported *cms.UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.OID != oid {
		t.Errorf("%v, want an *UnsupportedError about %s", err, oid)
	}
}

// The empty password is two zero bytes to some programs, and nothing to others.
func TestDecodeBothEmptyPasswords(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	keys := Contents{Keys: []Key{i.key(Attributes{})}}
	for name, password := range map[string][]byte{"a terminator": bmpEmpty, "nothing": nothing} {
		for scheme, bag := range map[string][]byte{
			"PBE":   shroudedBag(pbe3DES(t, password, 3, i.pkcs8)),
			"PBES2": shroudedBag(pbes2{password: password}.seal(t, i.pkcs8)),
		} {
			t.Run(name+", "+scheme+", no MAC", func(t *testing.T) {
				t.Parallel()
				decodesTo(t, plainFile(bag), keys)
			})
			for macName, macPassword := range map[string][]byte{"a terminator": bmpEmpty, "nothing": nothing} {
				t.Run(name+", "+scheme+", MAC with "+macName, func(t *testing.T) {
					t.Parallel()
					safe := seq(plainPart(bag))
					decodesTo(t, pfxOf(safe, mac(crypto.SHA256, macPassword, testSalt, 3, safe)), keys)
				})
			}
			t.Run(name+", "+scheme+", certificates", func(t *testing.T) {
				t.Parallel()
				part := encryptedPart(pbe3DES(t, password, 3, seq(certBag(i))))
				decodesTo(t, pfxOf(seq(part)), Contents{Certificates: []Certificate{i.certificate(Attributes{})}})
			})
		}
	}
}

// What the MAC says about the password is tried first, which saves half of the work.
func TestDecodeTriesThePasswordOfTheMACFirst(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	const iterations = 90_000 // 3 computations each: enough for 3 tries and the MAC
	for name, password := range map[string][]byte{"a terminator": bmpEmpty, "nothing": nothing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			safe := seq(plainPart(
				shroudedBag(pbe3DES(t, password, iterations, i.pkcs8)),
				shroudedBag(pbe3DES(t, password, iterations, i.pkcs8)),
				shroudedBag(pbe3DES(t, password, iterations, i.pkcs8))))
			got, err := Decode(pfxOf(safe, mac(crypto.SHA1, password, testSalt, 1, safe)))
			if err != nil || len(got.Keys) != 3 {
				t.Errorf("%v, %d keys", err, len(got.Keys))
			}
		})
	}
}

func TestDecodePBES2(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	for behaviour, p := range map[string]pbes2{
		"default function, not named": {prf: crypto.SHA1, prfOID: ""},
		"SHA-1, named":                {prf: crypto.SHA1, prfOID: oidSHA1},
		"SHA-384":                     {prf: crypto.SHA384, prfOID: oidHMAC + "10"},
		"SHA-512":                     {prf: crypto.SHA512, prfOID: oidHMAC + "11"},
		"length of the key":           {keyLength: 32},
		"length, no function":         {keyLength: 32, prf: crypto.SHA1},
		"triple DES":                  {cipher: cms.DESEDE3CBC},
		"AES-128":                     {cipher: cms.AES128CBC},
		"AES-192":                     {cipher: cms.AES192CBC},
		"no salt":                     {salt: []byte{}},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			decodesTo(t, plainFile(shroudedBag(p.seal(t, i.pkcs8))), Contents{Keys: []Key{i.key(Attributes{})}})
		})
	}
}

func TestDecodeMAC(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	safe := seq(plainPart(certBag(i)))
	good := mac(crypto.SHA1, bmpEmpty, testSalt, 2, safe)
	certificates := Contents{Certificates: []Certificate{i.certificate(Attributes{})}}
	t.Run("iterations left out are one", func(t *testing.T) {
		t.Parallel()
		decodesTo(t, pfxOf(safe, mac(crypto.SHA1, bmpEmpty, testSalt, 0, safe)), certificates)
	})
	t.Run("no salt, no password", func(t *testing.T) {
		t.Parallel()
		decodesTo(t, pfxOf(safe, mac(crypto.SHA512, nothing, nil, 2, safe)), certificates)
	})
	for behaviour, b := range map[string][]byte{
		"of other contents": pfxOf(seq(plainPart(keyBag(i))), good),
		"with a password":   pfxOf(safe, mac(crypto.SHA1, []byte{0, 'x', 0, 0}, testSalt, 2, safe)),
		"with another salt": pfxOf(safe, seq(must(ber.Parse(good)).Children().Next().Raw, octets([]byte("another")), ber.EncodeInt(2))),
		"cut short":         pfxOf(safe, seq(seq(algorithm(cms.HashOID(crypto.SHA1)), octets(make([]byte, 10))), octets(testSalt))),
		"empty":             pfxOf(safe, seq(seq(algorithm(cms.HashOID(crypto.SHA1)), octets(nil)), octets(testSalt))),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, b, ErrMAC)
		})
	}
	for behaviour, macData := range map[string][]byte{
		"not a sequence":      octets(nil),
		"empty sequence":      seq(),
		"no digest":           seq(seq(algorithm(cms.HashOID(crypto.SHA1))), octets(testSalt)),
		"no salt":             seq(must(ber.Parse(good)).Children().Next().Raw),
		"no algorithm":        seq(seq(seq(), octets(testSalt)), octets(testSalt)),
		"iterations no count": seq(must(ber.Parse(good)).Children().Next().Raw, octets(testSalt), octets(nil)),
		"none in a set":       set(),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, pfxOf(safe, macData), nil)
		})
	}
	t.Run("unknown digest", func(t *testing.T) {
		t.Parallel()
		const md5 = "1.2.840.113549.2.5"
		isUnsupported(t, pfxOf(safe, seq(seq(algorithm(md5, ber.EncodeNull()), octets(make([]byte, 16))), octets(testSalt))), md5)
	})
}

// Without a MAC, that nothing decrypts is all that there is to see of a password.
func TestDecodePasswordWithoutMAC(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	password := []byte{0, 'x', 0, 0}
	// Two tries with one password each are all that the work allows.
	dear, wrong := pbes2{prf: crypto.SHA1, iterations: maxIterations}, pbes2{prf: crypto.SHA1, iterations: maxIterations, password: []byte("x")}
	for behaviour, b := range map[string][]byte{
		"PBES2, once":  plainFile(shroudedBag(dear.seal(t, i.pkcs8)), shroudedBag(wrong.seal(t, i.pkcs8))),
		"PBE":          plainFile(shroudedBag(pbe3DES(t, password, 2, i.pkcs8))),
		"PBES2":        plainFile(shroudedBag(pbes2{password: []byte("x")}.seal(t, i.pkcs8))),
		"certificates": pfxOf(seq(encryptedPart(pbe3DES(t, password, 2, seq(certBag(i)))))),
		"beside a key": plainFile(keyBag(i), shroudedBag(pbe3DES(t, password, 2, i.pkcs8))),
		"no element":   plainFile(shroudedBag(pbe3DES(t, bmpEmpty, 2, []byte("no element")))),
		"no block":     plainFile(shroudedBag(algorithm(oid3DESPBE, seq(octets(testSalt), ber.EncodeInt(1))), []byte("1234567"))),
		"empty":        plainFile(shroudedBag(algorithm(oid3DESPBE, seq(octets(testSalt), ber.EncodeInt(1))), nil)),
		"IV too short": plainFile(shroudedBag(pbes2{cipher: cms.AES128CBC, salt: testSalt, iterations: 1}.scheme([]byte("short")), make([]byte, 16))),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, b, cms.ErrDecrypt)
		})
	}
}

const unknownOID = "1.3.6.1.4.1.99999.1"

// unsupportedParts are of kinds that cannot be read, with the OID that says so.
func unsupportedParts(t *testing.T) map[string]struct {
	oid  string
	part []byte
} {
	t.Helper()
	p := pbes2{salt: testSalt, iterations: 1, cipher: cms.AES128CBC}
	kdf, cipher, prf := p, p, p
	kdf.kdfOID, cipher.cipherOID, prf.prfOID = unknownOID, unknownOID, unknownOID
	iv := make([]byte, 16)
	return map[string]struct {
		oid  string
		part []byte
	}{
		"scheme":                      {unknownOID, encryptedPart(algorithm(unknownOID, seq()), iv)},
		"scheme without parameters":   {unknownOID, encryptedPart(algorithm(unknownOID), iv)},
		"scheme with other ones":      {unknownOID, encryptedPart(algorithm(unknownOID, octets(iv)), iv)},
		"RC4 of RFC 7292":             {oidPBE + "1", encryptedPart(algorithm(oidPBE+"1", seq(octets(testSalt), ber.EncodeInt(1))), iv)},
		"scheme of a key":             {unknownOID, plainPart(shroudedBag(algorithm(unknownOID, seq()), iv))},
		"key derivation":              {unknownOID, encryptedPart(kdf.scheme(iv), iv)},
		"cipher":                      {unknownOID, encryptedPart(cipher.scheme(iv), iv)},
		"pseudo-random function":      {unknownOID, encryptedPart(prf.scheme(iv), iv)},
		"part for a public key":       {"1.2.840.113549.1.7.3", seq(oid("1.2.840.113549.1.7.3"), explicit(seq()))},
		"part whose content is apart": {"detached content", seq(oid(oidEncryptedData), explicit(seq(ber.EncodeInt(0), seq(oid(oidData), algorithm(oid3DESPBE)))))},
	}
}

func TestDecodeUnsupported(t *testing.T) {
	t.Parallel()
	for behaviour, row := range unsupportedParts(t) {
		t.Run(behaviour+", alone", func(t *testing.T) {
			t.Parallel()
			isUnsupported(t, pfxOf(seq(row.part)), row.oid)
		})
		t.Run(behaviour+", beside a certificate", func(t *testing.T) {
			t.Parallel()
			for _, parts := range [][][]byte{{row.part, plainPart(certBag(edIdentity()))}, {plainPart(certBag(edIdentity())), row.part}} {
				got, err := Decode(pfxOf(seq(parts...)))
				if err != nil || len(got.Certificates) != 1 || len(got.Passed) != 1 {
					t.Fatalf("%v, %d certificates, passed %v", err, len(got.Certificates), got.Passed)
				}
				if !strings.Contains(got.Passed[0].Error(), row.oid) {
					t.Errorf("passed: %v", got.Passed[0])
				}
			}
		})
	}
	t.Run("integrity by a signature", func(t *testing.T) {
		t.Parallel()
		const signedData = "1.2.840.113549.1.7.2"
		isUnsupported(t, seq(ber.EncodeInt(version), seq(oid(signedData), explicit(seq()))), signedData)
	})
}

// Of thousands of things passed over, some are told.
func TestDecodePassedIsBounded(t *testing.T) {
	t.Parallel()
	odd := shroudedBag(algorithm(unknownOID, seq()), nil)
	got, err := Decode(plainFile(append(slices.Repeat([][]byte{odd}, 3*maxEntries), certBag(edIdentity()))...))
	if err != nil || len(got.Certificates) != 1 || len(got.Passed) != maxEntries {
		t.Errorf("%v, %d certificates, %d passed over", err, len(got.Certificates), len(got.Passed))
	}
}

func TestDecodeIterations(t *testing.T) {
	t.Parallel()
	i := edIdentity()
	safe := seq(plainPart(certBag(i)))
	key := func(iterations int) []byte {
		return shroudedBag(algorithm(oid3DESPBE, seq(octets(testSalt), ber.EncodeInt(iterations))), make([]byte, 16))
	}
	prf := func(iterations int) []byte {
		return shroudedBag(pbes2{salt: testSalt, iterations: iterations, cipher: cms.AES128CBC}.scheme(make([]byte, 16)), make([]byte, 16))
	}
	macOf := func(n int) []byte {
		return seq(seq(algorithm(cms.HashOID(crypto.SHA1)), octets(make([]byte, 20))), octets(testSalt), ber.EncodeInt(n))
	}
	for behaviour, b := range map[string][]byte{
		"none for a key":            plainFile(key(0)),
		"too many for a key":        plainFile(key(maxIterations + 1)),
		"very many for a key":       plainFile(key(1<<31 - 1)),
		"none, PBES2":               plainFile(prf(0)),
		"too many, PBES2":           plainFile(prf(maxIterations + 1)),
		"none for a MAC":            pfxOf(safe, macOf(0)),
		"too many for a MAC":        pfxOf(safe, macOf(maxIterations+1)),
		"too many in sum":           plainFile(slices.Repeat([][]byte{shroudedBag(pbe3DES(t, bmpEmpty, maxIterations, i.pkcs8))}, 4)...),
		"too many in sum, PBES2":    plainFile(slices.Repeat([][]byte{shroudedBag(pbes2{iterations: maxIterations}.seal(t, i.pkcs8))}, 6)...),
		"too many in sum with MACs": pfxOf(seq(encryptedPart(pbe3DES(t, bmpEmpty, 90_000, seq(slices.Repeat([][]byte{shroudedBag(pbe3DES(t, bmpEmpty, 90_000, i.pkcs8))}, 3)...))))),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, b, errWork)
		})
	}
	t.Run("negative", func(t *testing.T) {
		t.Parallel()
		negative := ber.Primitive(ber.Integer, []byte{0xff})
		isError(t, plainFile(shroudedBag(algorithm(oid3DESPBE, seq(octets(testSalt), negative)), make([]byte, 16))), nil)
	})
	t.Run("over an int", func(t *testing.T) {
		t.Parallel()
		huge := ber.Primitive(ber.Integer, []byte{1, 0, 0, 0, 0, 0, 0, 0, 1})
		isError(t, plainFile(shroudedBag(algorithm(oid3DESPBE, seq(octets(testSalt), huge)), make([]byte, 16))), nil)
	})
	t.Run("a hundred of Azure's keys", func(t *testing.T) {
		t.Parallel()
		got, err := Decode(encode(t, Contents{Keys: slices.Repeat([]Key{i.key(Attributes{})}, 100)}))
		if err != nil || len(got.Keys) != 100 {
			t.Errorf("%v, %d keys", err, len(got.Keys))
		}
	})
}

func TestDecodeEntriesAreBounded(t *testing.T) {
	t.Parallel()
	tiny := bag(oidCertBag, seq(oid(oidX509), explicit(octets(nil))), Attributes{})
	t.Run("as many as allowed", func(t *testing.T) {
		t.Parallel()
		got, err := Decode(plainFile(slices.Repeat([][]byte{tiny}, maxEntries)...))
		if err != nil || len(got.Certificates) != maxEntries {
			t.Errorf("%v, %d", err, len(got.Certificates))
		}
	})
	t.Run("one more", func(t *testing.T) {
		t.Parallel()
		isError(t, plainFile(slices.Repeat([][]byte{tiny}, maxEntries+1)...), errEntries)
	})
	t.Run("one more, keys and certificates in two parts", func(t *testing.T) {
		t.Parallel()
		isError(t, pfxOf(seq(
			plainPart(slices.Repeat([][]byte{keyBag(edIdentity())}, maxEntries/2)...),
			plainPart(slices.Repeat([][]byte{tiny}, maxEntries/2+1)...))), errEntries)
	})
}

func TestDecodeVersions(t *testing.T) {
	t.Parallel()
	for _, v := range []int{0, 1, 2, 4, 300} {
		isError(t, seq(ber.EncodeInt(v), dataInfo(seq())), errVersion)
	}
}

func TestDecodeRefusesOtherDocuments(t *testing.T) {
	t.Parallel()
	for behaviour, b := range map[string][]byte{
		"nothing":                    nil,
		"text":                       []byte("no certificates today"),
		"empty sequence":             seq(),
		"version only":               seq(ber.EncodeInt(version)),
		"version in words":           seq(octets([]byte("3")), dataInfo(seq())),
		"not constructed":            octets([]byte("harbour")),
		"no content":                 seq(ber.EncodeInt(version), seq(oid(oidData))),
		"content of another kind":    seq(ber.EncodeInt(version), seq(oid(oidData), explicit(ber.EncodeNull()))),
		"data after the end":         append(plainFile(), 0),
		"over 1 MiB":                 make([]byte, ber.MaxSize+1),
		"safe is no element":         pfxOf([]byte("x")),
		"safe is primitive":          pfxOf(octets(nil)),
		"part is primitive":          pfxOf(seq(octets(nil))),
		"part without a kind":        pfxOf(seq(seq())),
		"part without content":       pfxOf(seq(seq(oid(oidData)))),
		"encrypted, without content": pfxOf(seq(seq(oid(oidEncryptedData)))),
		"encrypted, empty":           pfxOf(seq(seq(oid(oidEncryptedData), explicit(seq())))),
		"encrypted, no algorithm":    pfxOf(seq(encryptedPart(seq(), nil))),
		"encrypted, no salt":         pfxOf(seq(encryptedPart(algorithm(oid3DESPBE, seq()), nil))),
		"encrypted, no parameters":   pfxOf(seq(encryptedPart(algorithm(oid3DESPBE), nil))),
		"PBES2, no parameters":       pfxOf(seq(encryptedPart(algorithm(oidPBES2), nil))),
		"PBES2, empty":               pfxOf(seq(encryptedPart(algorithm(oidPBES2, seq()), nil))),
		"PBES2, no derivation":       pfxOf(seq(encryptedPart(algorithm(oidPBES2, seq(seq(), algorithm(cms.AES128CBC.OID, octets(make([]byte, 16))))), nil))),
		"PBES2, salt elsewhere":      pfxOf(seq(encryptedPart(algorithm(oidPBES2, seq(algorithm(oidPBKDF2, seq(seq(), ber.EncodeInt(1))), algorithm(cms.AES128CBC.OID, octets(make([]byte, 16))))), nil))),
		"PBES2, function no name":    pfxOf(seq(encryptedPart(algorithm(oidPBES2, seq(algorithm(oidPBKDF2, seq(octets(nil), ber.EncodeInt(1), seq())), algorithm(cms.AES128CBC.OID, octets(make([]byte, 16))))), nil))),
		"contents no element":        pfxOf(seq(dataInfo([]byte("x")))),
		"contents primitive":         pfxOf(seq(dataInfo(octets(nil)))),
		"bag is primitive":           plainFile(octets(nil)),
		"bag without a kind":         plainFile(seq()),
		"bag without a value":        plainFile(seq(oid(oidCertBag))),
		"key bag empty":              plainFile(seq(oid(oidKeyBag), explicit())),
		"key bag with text":          plainFile(seq(oid(oidKeyBag), explicit(octets(nil)))),
		"shrouded bag empty":         plainFile(seq(oid(oidShroudedBag), explicit(seq()))),
		"shrouded, no algorithm":     plainFile(shroudedBag(seq(), nil)),
		"certificate bag empty":      plainFile(seq(oid(oidCertBag), explicit(seq()))),
		"certificate of no bytes":    plainFile(seq(oid(oidCertBag), explicit(seq(oid(oidX509))))),
		"certificate no octets":      plainFile(seq(oid(oidCertBag), explicit(seq(oid(oidX509), explicit(seq()))))),
		"bags in a bag, no sequence": plainFile(seq(oid(oidSafeBag), explicit(octets(nil)))),
		"attributes of no kind":      plainFile(seq(oid(oidKeyBag), explicit(edIdentity().pkcs8), set(seq()))),
		"attributes primitive":       plainFile(seq(oid(oidKeyBag), explicit(edIdentity().pkcs8), ber.Primitive(ber.Set, nil))),
		"attribute primitive":        plainFile(seq(oid(oidKeyBag), explicit(edIdentity().pkcs8), set(octets(nil)))),
		"attribute without a set":    plainFile(seq(oid(oidKeyBag), explicit(edIdentity().pkcs8), set(seq(oid(oidLocalKeyID))))),
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			isError(t, b, nil)
		})
	}
	t.Run("over 1 MiB is told", func(t *testing.T) {
		t.Parallel()
		isError(t, make([]byte, ber.MaxSize+1), ber.ErrTooLarge)
	})
}
