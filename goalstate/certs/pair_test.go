package certs

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/pfx"
)

// printed is a value in every form in which it might reach a log.
func printed(v any) []string {
	return []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s", v), fmt.Sprintf("%x", v)}
}

// outcome is what the tests of pairing look at.
type outcome struct {
	// Certificate and Key are names.
	Certificate, Key string
	SSH              bool
	Warnings         []string
}

// outcomes gives names to what pair makes of the contents.
func outcomes(names map[string]identity, b Bundle) []outcome {
	var all []outcome
	for i := range b.Certificates {
		c := &b.Certificates[i]
		o := outcome{SSH: c.SSHKey != "", Warnings: c.Warnings}
		for name, i := range names {
			if bytes.Equal(c.DER, i.der) && c.DER != nil && c.Thumbprint == Thumbprint(i.der) {
				o.Certificate = name
			}
			if c.HasPrivateKey() && i.pkcs8 != nil && bytes.Equal(c.PrivateKey.Reveal(), i.pkcs8) {
				o.Key = name
			}
		}
		all = append(all, o)
	}
	return all
}

const (
	warnAlone   = "a private key without a certificate"
	warnNotX509 = "not quite an X.509 certificate: …"
	warnKind    = "its public key is of a kind that is not known"
	warnCurve   = "no SSH key: certs.SSHKey: OpenSSH knows no such curve"
	warnNoSSH   = "no SSH key: certs.SSHKey: OpenSSH knows no such kind of key"
	warnKey     = "its private key cannot be read: …"
	warnKeyOnly = "the private key cannot be read: …"
)

// sameWarnings compares warnings up to the "…" behind which Go's own words are.
func sameWarnings(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if strings.HasSuffix(y, "…") {
			x, y = y, x
		}
		start, open := strings.CutSuffix(x, "…")
		if open && (!strings.HasPrefix(y, start) || strings.Contains(y, "\n")) || !open && x != y {
			return false
		}
	}
	return true
}

func TestPair(t *testing.T) {
	t.Parallel()
	a, b := edIdentity("anchor", 1), edIdentity("buoy", 2)
	twin := edIdentity("anchor, renewed", 1)
	odd, dsaOne, x := pemIdentity(secp256k1PEM), pemIdentity(dsaPEM), pemIdentity(x25519PEM)
	p224, p256, p384, p521 := ecIdentity("p224", elliptic.P224()), ecIdentity("p256", elliptic.P256()), ecIdentity("p384", elliptic.P384()), ecIdentity("p521", elliptic.P521())
	garbage := identity{pkcs8: []byte("no key"), der: []byte("no certificate")}
	names := map[string]identity{
		"a": a, "b": b, "twin": {der: twin.der}, "odd": odd, "dsa": dsaOne, "x25519": x, "leaf": leaf(),
		"p224": p224, "p256": p256, "p384": p384, "p521": p521, "garbage": garbage,
	}
	keys := func(k ...pfx.Key) []pfx.Key { return k }
	certificates := func(c ...pfx.Certificate) []pfx.Certificate { return c }
	for behaviour, row := range map[string]struct {
		contents pfx.Contents
		want     []outcome
	}{
		"several of each, in another order": {
			pfx.Contents{Keys: keys(b.key(), leaf().key(), a.key()), Certificates: certificates(a.certificate(), b.certificate(), leaf().certificate())},
			[]outcome{{"a", "a", true, nil}, {"b", "b", true, nil}, {"leaf", "leaf", true, nil}},
		},
		"ids that say otherwise": {
			pfx.Contents{Keys: keys(a.key(1), b.key(2)), Certificates: certificates(a.certificate(2), b.certificate(1))},
			[]outcome{{"a", "a", true, nil}, {"b", "b", true, nil}},
		},
		"certificates without keys": {
			pfx.Contents{Certificates: certificates(b.certificate(), a.certificate())},
			[]outcome{{"b", "", true, nil}, {"a", "", true, nil}},
		},
		"keys without certificates come last": {
			pfx.Contents{Keys: keys(b.key(), a.key(), leaf().key()), Certificates: certificates(a.certificate())},
			[]outcome{{"a", "a", true, nil}, {"", "b", true, []string{warnAlone}}, {"", "leaf", true, []string{warnAlone}}},
		},
		"the same id is not enough": {
			pfx.Contents{Keys: keys(b.key(1)), Certificates: certificates(a.certificate(1))},
			[]outcome{{"a", "", true, nil}, {"", "b", true, []string{warnAlone}}},
		},
		"two certificates with one key": {
			pfx.Contents{Keys: keys(a.key()), Certificates: certificates(twin.certificate(), a.certificate())},
			[]outcome{{"twin", "a", true, nil}, {"a", "a", true, nil}},
		},
		"the same key twice": {
			pfx.Contents{Keys: keys(a.key(), a.key()), Certificates: certificates(a.certificate())},
			[]outcome{{"a", "a", true, nil}, {"", "a", true, []string{warnAlone}}},
		},
		"elliptic curves": {
			pfx.Contents{Keys: keys(p521.key(), p384.key(), p256.key()), Certificates: certificates(p256.certificate(), p384.certificate(), p521.certificate())},
			[]outcome{{"p256", "p256", true, nil}, {"p384", "p384", true, nil}, {"p521", "p521", true, nil}},
		},
		"a curve that OpenSSH does not know": {
			pfx.Contents{Keys: keys(p224.key()), Certificates: certificates(p224.certificate())},
			[]outcome{{"p224", "p224", false, []string{warnCurve}}},
		},
		"a curve that Go does not know, by its id": {
			pfx.Contents{Keys: keys(odd.key(1)), Certificates: certificates(a.certificate(2), odd.certificate(1))},
			[]outcome{{"a", "", true, nil}, {"odd", "odd", false, []string{warnNotX509, warnKind, warnKey}}},
		},
		"a curve that Go does not know, without an id": {
			pfx.Contents{Keys: keys(odd.key()), Certificates: certificates(odd.certificate())},
			[]outcome{{"odd", "", false, []string{warnNotX509, warnKind}}, {"", "odd", false, []string{warnAlone, warnKeyOnly}}},
		},
		"a key that cannot be read takes no certificate from one that can": {
			pfx.Contents{Keys: keys(odd.key(1), a.key(1)), Certificates: certificates(a.certificate(1), odd.certificate(1))},
			[]outcome{{"a", "a", true, nil}, {"odd", "odd", false, []string{warnNotX509, warnKind, warnKey}}},
		},
		"a key that cannot be read goes to one certificate": {
			pfx.Contents{Keys: keys(odd.key(1)), Certificates: certificates(odd.certificate(1), dsaOne.certificate(1))},
			[]outcome{{"odd", "odd", false, []string{warnNotX509, warnKind, warnKey}}, {"dsa", "", false, []string{warnKind}}},
		},
		"DSA": {
			pfx.Contents{Keys: keys(dsaOne.key(3)), Certificates: certificates(dsaOne.certificate(3), a.certificate())},
			[]outcome{{"dsa", "dsa", false, []string{warnKind, warnKey}}, {"a", "", true, nil}},
		},
		// Go tells the public key of such a private key, and not that of its certificate.
		"X25519, which signs nothing": {
			pfx.Contents{Keys: keys(x.key()), Certificates: certificates(x.certificate(), a.certificate())},
			[]outcome{{"x25519", "", false, []string{warnKind}}, {"a", "", true, nil}, {"", "x25519", false, []string{warnAlone, warnNoSSH}}},
		},
		"no certificate at all, and others": {
			pfx.Contents{Keys: keys(garbage.key(), a.key()), Certificates: certificates(garbage.certificate(), a.certificate())},
			[]outcome{
				{"garbage", "", false, []string{warnNotX509, warnKind}},
				{"a", "a", true, nil},
				{"", "garbage", false, []string{warnAlone, warnKeyOnly}},
			},
		},
		"nothing in the bags": {
			pfx.Contents{Keys: []pfx.Key{{}}, Certificates: []pfx.Certificate{{}}},
			[]outcome{{"", "", false, []string{warnNotX509, warnKind}}, {"", "", false, []string{warnAlone, warnKeyOnly}}},
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			ordered := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Warnings" }, cmp.Comparer(sameWarnings))
			if diff := cmp.Diff(row.want, outcomes(names, pair(row.contents)), ordered); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An entry of a key alone is found by nothing and has the key's name and SSH key.
func TestPairKeyAlone(t *testing.T) {
	t.Parallel()
	key := leaf().key()
	key.FriendlyName = "bow line"
	got := pair(pfx.Contents{Keys: []pfx.Key{key}})
	want := Bundle{Certificates: []Certificate{{
		SSHKey: must(SSHKey(leafPublic(t))), FriendlyName: "bow line",
		PrivateKey: azprov.NewSecret(key.PKCS8), Warnings: []string{warnAlone},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPairTellsWhatWasPassedOver(t *testing.T) {
	t.Parallel()
	got := pair(pfx.Contents{Passed: []error{errors.New("one"), &UnsupportedError{What: "rope", OID: "1.2.3"}}})
	if diff := cmp.Diff(Bundle{Warnings: []string{"passed over: one", "passed over: unsupported rope 1.2.3"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// edited is a certificate whose first part was changed; its signature is no longer right,
// which nobody looks at.
func edited(t *testing.T, der []byte, edit func(fields [][]byte) [][]byte) []byte {
	t.Helper()
	document, err := ber.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	parts := document.Children()
	var fields [][]byte
	for list := parts.Take(ber.Sequence).Children(); list.More(); {
		fields = append(fields, list.Next().Raw)
	}
	return ber.Constructed(ber.Sequence, ber.Constructed(ber.Sequence, edit(fields)...), parts.Next().Raw, parts.Next().Raw)
}

// Go refuses these; openssl and ssh-keygen do not.
func TestPairCertificatesThatGoRefuses(t *testing.T) {
	t.Parallel()
	for behaviour, edit := range map[string]func([][]byte) [][]byte{
		"a negative serial number": func(fields [][]byte) [][]byte {
			fields[1] = ber.Primitive(ber.Integer, []byte{0xff})
			return fields
		},
		"two extensions of a kind": func(fields [][]byte) [][]byte {
			last := must(ber.Parse(fields[len(fields)-1])).Children().Next()
			fields[len(fields)-1] = ber.Constructed(ber.Context(3), ber.Constructed(ber.Sequence, last.Content, last.Content))
			return fields
		},
		"a version that nobody knows": func(fields [][]byte) [][]byte {
			fields[0] = ber.Constructed(ber.Context(0), ber.EncodeInt(7))
			return fields
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			i := leaf()
			i.der = edited(t, i.der, edit)
			if _, err := x509.ParseCertificate(i.der); err == nil {
				t.Fatal("Go parses it")
			}
			got := decode(t, seal(t, pfx.Contents{Keys: []pfx.Key{i.key()}, Certificates: []pfx.Certificate{i.certificate()}}))
			if len(got.Certificates) != 1 {
				t.Fatalf("%d entries", len(got.Certificates))
			}
			c := &got.Certificates[0]
			if c.Thumbprint != Thumbprint(i.der) || c.SSHKey != must(SSHKey(leafPublic(t))) || !c.HasPrivateKey() || !sameWarnings(c.Warnings, []string{warnNotX509}) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A subject is one line, whatever is in it.
func TestSubjects(t *testing.T) {
	t.Parallel()
	name := func(parts ...[]byte) []byte {
		var sets [][]byte
		for i := 0; i < len(parts); i += 2 {
			sets = append(sets, ber.Constructed(ber.Set, ber.Constructed(ber.Sequence, parts[i], parts[i+1])))
		}
		return ber.Constructed(ber.Sequence, sets...)
	}
	text := func(s string) []byte { return ber.Primitive(ber.UTF8String, []byte(s)) }
	for want, subject := range map[string][]byte{
		"":                           name(),
		"CN=harbour":                 name(ber.EncodeOID("2.5.4.3"), text("harbour")),
		"C=NZ, O=Möwe, CN=a b":       name(ber.EncodeOID("2.5.4.6"), text("NZ"), ber.EncodeOID("2.5.4.10"), text("Möwe"), ber.EncodeOID("2.5.4.3"), text("a\n\x1b b")),
		"DC=example, UID=7":          name(ber.EncodeOID("0.9.2342.19200300.100.1.25"), text("example"), ber.EncodeOID("0.9.2342.19200300.100.1.1"), text("7")),
		"1.3.6.1.4.1.99999=rope":     name(ber.EncodeOID("1.3.6.1.4.1.99999"), text("rope")),
		"emailAddress=a@example.com": name(ber.EncodeOID("1.2.840.113549.1.9.1"), text("a@example.com")),
		"serialNumber=1, L=x, ST=y":  name(ber.EncodeOID("2.5.4.5"), text("1"), ber.EncodeOID("2.5.4.7"), text("x"), ber.EncodeOID("2.5.4.8"), text("y")),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			der := edited(t, leaf().der, func(fields [][]byte) [][]byte {
				fields[5] = subject
				return fields
			})
			got := newCertificate(pfx.Certificate{DER: der})
			if got.Subject != want || len(got.Warnings) != 0 {
				t.Errorf("%q, %q", got.Subject, got.Warnings)
			}
		})
	}
}

func TestPublicOfPKCS8(t *testing.T) {
	t.Parallel()
	for behaviour, i := range map[string]identity{"RSA": leaf(), "Ed25519": edIdentity("a", 1), "X25519": pemIdentity(x25519PEM), "P-224": ecIdentity("p", elliptic.P224())} {
		private, err := x509.ParsePKCS8PrivateKey(i.pkcs8)
		if err != nil {
			t.Fatal(err)
		}
		got, err := publicOfPKCS8(i.pkcs8)
		if err != nil || got == nil || !samePublic(got, private) {
			t.Errorf("%s: %v, %v", behaviour, got, err)
		}
	}
	rsaAlgorithm := ber.Constructed(ber.Sequence, ber.EncodeOID(oidRSA), ber.EncodeNull())
	for behaviour, der := range map[string][]byte{
		"nothing":       nil,
		"empty":         ber.Constructed(ber.Sequence),
		"primitive":     ber.Primitive(ber.OctetString, nil),
		"no algorithm":  ber.Constructed(ber.Sequence, ber.EncodeInt(0), ber.Constructed(ber.Sequence), ber.Primitive(ber.OctetString, nil)),
		"no key":        ber.Constructed(ber.Sequence, ber.EncodeInt(0), rsaAlgorithm),
		"key no PKCS#1": ber.Constructed(ber.Sequence, ber.EncodeInt(0), rsaAlgorithm, ber.Primitive(ber.OctetString, []byte("x"))),
		"key is empty":  ber.Constructed(ber.Sequence, ber.EncodeInt(0), rsaAlgorithm, ber.Primitive(ber.OctetString, ber.Constructed(ber.Sequence))),
		"DSA":           pemIdentity(dsaPEM).pkcs8,
		"secp256k1":     pemIdentity(secp256k1PEM).pkcs8,
	} {
		if got, err := publicOfPKCS8(der); err == nil || got != nil {
			t.Errorf("%s: %v, %v", behaviour, got, err)
		}
	}
}

func samePublic(public publicKey, private any) bool {
	signer, ok := private.(interface{ Public() crypto.PublicKey })
	return ok && public.Equal(signer.Public())
}
