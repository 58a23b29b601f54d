package provision_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// What is planted. Each has characters that every encoding on the way writes otherwise.
const (
	plantedPassword = `Capst@n-9 "Rope" & 50%+<Bollard>'s`
	plantedSAS      = "sv=2025-01-05&sp=r&sig=Wh4rf%2FKeel%2BMast7Oakum%3D"
	plantedBearer   = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYXN0aGVhZCJ9.TWFzdGhlYWQtYW5kLWp1cnktcmlnLTE"
	plantedTag      = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxnZSJ9.QmlsZ2UtYW5kLWJhbGxhc3QtMjI"
	plantedSig      = "Fo4c%2FsleStaysailHalyard0%3D" // in the URLs of the goal state

	plantedCustomData = "#cloud-config\nruncmd:\n  - [curl, -H, \"Authorization: Bearer " + plantedBearer + "\"]\n# Försterling-9\n"
	plantedUserData   = "#!/bin/sh\nset -e\ncurl 'https://harbour.blob.core.example.test/c/b?" + plantedSAS + "'\n# Lazarette<4>\n"
)

// A secret is recognized by any of its fragments, because half of one is a leak too.
type secret struct {
	name, whole string
	fragments   []string
}

func plantedSecrets(t *testing.T) []secret {
	t.Helper()
	secrets := []secret{
		{"password", plantedPassword, []string{"Capst@n-9", `"Rope" & 50%+`, "<Bollard>"}},
		{"custom data", plantedCustomData, []string{"[curl, -H", "Försterling-9"}},
		{"user data", plantedUserData, []string{"harbour.blob.core", "Lazarette<4>"}},
		{"bearer token", plantedBearer, []string{"eyJzdWIiOiJtYXN0aGVhZCJ9", "TWFzdGhlYWQtYW5kLWp1cnktcmlnLTE", "masthead"}},
		{"SAS", plantedSAS, []string{"Wh4rf%2FKeel", "Mast7Oakum", "Wh4rf/Keel+Mast7Oakum="}},
		{"token in a tag", plantedTag, []string{"eyJzdWIiOiJiaWxnZSJ9", "QmlsZ2UtYW5kLWJhbGxhc3QtMjI"}},
		{"signature in a URL", plantedSig, []string{"Fo4c%2FsleStaysail", "StaysailHalyard0"}},
	}
	for i, s := range secrets {
		third := len(s.whole) / 3
		secrets[i].fragments = append(secrets[i].fragments, s.whole[:third], s.whole[third:2*third], s.whole[2*third:])
	}
	return append(secrets, privateKeySecret(t))
}

// plantedCertificates have a private key.
func plantedCertificates(t *testing.T) []emulator.Certificate {
	t.Helper()
	return lookup(t, "fingerprint-keys").VM.Certificates
}

func privateKeySecret(t *testing.T) secret {
	t.Helper()
	text := plantedCertificates(t)[0].PrivateKey.RevealString()
	block, _ := pem.Decode([]byte(text))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("%T is no RSA key", parsed)
	}
	// Not its beginning: the modulus is in the certificate, and so is no secret.
	lines := strings.Split(strings.TrimSpace(text), "\n")
	d, p := key.D.Bytes(), key.Primes[0].Bytes()
	return secret{"private key", text, []string{
		string(d[:24]), string(d[120:144]), string(p[40:64]), key.D.String()[:40],
		lines[len(lines)-3], lines[len(lines)-9],
	}}
}

// needle is one way to write a fragment.
type needle struct{ of, as, text string }

func needles(secrets []secret) (list []needle) {
	for _, s := range secrets {
		for _, fragment := range append([]string{s.whole}, s.fragments...) {
			forms := written(fragment)
			for _, as := range append([]string{"plain"}, slices.Sorted(maps.Keys(forms))...) { // whose names say most
				for _, form := range forms[as] {
					// What is shorter than this is found by chance.
					if len(form) >= 7 && !slices.ContainsFunc(list, func(n needle) bool { return n.text == form }) {
						list = append(list, needle{s.name, as, form})
					}
				}
			}
		}
	}
	return list
}

// written is a text in every form in which it could come to light.
func written(s string) map[string][]string {
	escaped := func(s string, html bool) string {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(html)
		_ = encoder.Encode(s) // A string has no error.
		return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
	}
	var inXML bytes.Buffer
	_ = xml.EscapeText(&inXML, []byte(s)) // A buffer has no error.
	inHex := hex.EncodeToString([]byte(s))
	bare := func(s string) string { return s[1 : len(s)-1] }
	return map[string][]string{
		"plain":           {s, azprov.OneLine(s), strings.ReplaceAll(s, `'`, `''`), strings.ReplaceAll(s, `"`, `""`)},
		"base64":          base64Forms(s),
		"hex":             {inHex, strings.ToUpper(inHex), fmt.Sprintf("% x", s)},
		"JSON":            {escaped(s, true), escaped(s, false), escaped(escaped(s, true), true), escaped(escaped(s, false), false)},
		"Go":              {bare(strconv.Quote(s)), bare(strconv.QuoteToASCII(s))},
		"URL":             {url.QueryEscape(s), url.PathEscape(s)},
		"XML":             {inXML.String()},
		"a list of bytes": {bare(fmt.Sprintf("%d", []byte(s))), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(s)), "[]byte{"), "}")},
	}
}

// base64Forms are what base64 makes of s wherever it begins in a longer text.
func base64Forms(s string) (forms []string) {
	for shift, unsure := range []int{0, 2, 3} {
		b := append(make([]byte, shift), s...)
		b = b[:len(b)/3*3]
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			forms = append(forms, encoding.EncodeToString(b)[unsure:])
		}
	}
	return forms
}

// leaks says which needles are in which of the texts, by the names of both.
func leaks(texts map[string]string, all []needle) (found []string) {
	for name, text := range texts {
		for _, n := range all {
			if at := strings.Index(text, n.text); at >= 0 {
				found = append(found, fmt.Sprintf("%s: %s (%s): …%q…", name, n.of, n.as, text[max(0, at-120):min(len(text), at+len(n.text)+40)]))
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// TestSearchForSecrets: what TestPlantedSecretsAppearNowhere relies on.
func TestSearchForSecrets(t *testing.T) {
	t.Parallel()
	secrets := plantedSecrets(t)
	all := needles(secrets)
	for name, write := range map[string]func(string) string{
		"plain":             func(s string) string { return s },
		"one line":          azprov.OneLine,
		"%q":                strconv.Quote,
		"%x":                func(s string) string { return fmt.Sprintf("%x", s) },
		"%v of bytes":       func(s string) string { return fmt.Sprintf("%d", []byte(s)) },
		"%#v of bytes":      func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
		"JSON":              func(s string) string { b, _ := json.Marshal(s); return string(b) },
		"base64, embedded":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xxx" + s + "y")) },
		"base64, shifted":   func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte("x" + s)) },
		"base64url, by two": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("xx" + s)) },
		"a query":           url.QueryEscape,
		"a path":            url.PathEscape,
		"the first half":    func(s string) string { return s[:len(s)/2+1] },
		"the second half":   func(s string) string { return s[len(s)/2-1:] },
	} {
		for _, s := range secrets {
			if len(leaks(map[string]string{"log": `{"msg":"` + write(s.whole) + `"}`}, all)) == 0 {
				t.Errorf("%s is not found as %s", s.name, name)
			}
		}
	}
	if found := leaks(map[string]string{"log": "step merge: password [redacted], harbour-01, eyJhbGciOiJIUzI1NiJ9"}, all); len(found) > 0 {
		t.Errorf("found where there is none: %q", found)
	}
}
