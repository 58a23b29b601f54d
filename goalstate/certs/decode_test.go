package certs

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
)

const (
	leafThumbprint  = "2432739B91A02BA35C299EDEF24D765761BC82AC"
	chainThumbprint = "C653E1FD7D12AB1BD3BF79498E0060BE3FEC3DEE"
)

// The values are openssl's and ssh-keygen's.
func TestDecodeAzuresLayout(t *testing.T) {
	t.Parallel()
	got := decode(t, bundleData())
	want := []summary{
		{leafThumbprint, "C=NZ, ST=Otago, O=Harbour Works, OU=Ropes, CN=harbour", "Harbour leaf", "SHA256:sbX9noRAKb+QR0BdNkCoFcO/BHNGvbuVAH9sjwrH9Ho", true},
		{chainThumbprint, "DC=Harbour Works Certificate Generator", "", "SHA256:fGMrbLWC65lkyemfxPBfvaB2dimmM5wm26TC2hjjzsI", false},
	}
	if diff := cmp.Diff(want, summaries(t, got)); diff != "" || len(got.Warnings) != 0 {
		t.Errorf("%q, -want +got:\n%s", got.Warnings, diff)
	}
	if !bytes.Equal(got.Certificates[0].DER, leaf().der) {
		t.Error("another certificate")
	}
	private, err := publicOfPKCS8(got.Certificates[0].PrivateKey.Reveal())
	if err != nil || !private.Equal(leafPublic(t)) {
		t.Errorf("%v, another private key", err)
	}
	if got.Certificates[1].PrivateKey.Reveal() != nil {
		t.Error("a private key from nowhere")
	}
}

func TestDecodeNothing(t *testing.T) {
	t.Parallel()
	for behaviour, data := range map[string][]byte{"nil": nil, "empty": {}, "a PFX without anything": seal(t, pfx.Contents{})} {
		if diff := cmp.Diff(Bundle{}, decode(t, data)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", behaviour, diff)
		}
	}
}

func TestDecodeEveryCipher(t *testing.T) {
	t.Parallel()
	plain := must(pfx.Encode(pfx.Contents{Certificates: []pfx.Certificate{leaf().certificate()}}))
	for _, content := range cms.Ciphers() {
		for name, e := range map[string]cms.Envelope{
			"PKCS #1 v1.5": {Content: content}, "OAEP": {Content: content, OAEP: crypto.SHA1},
			"OAEP with SHA-256": {Content: content, OAEP: crypto.SHA256}, "by issuer": {Content: content, ByIssuer: true},
		} {
			t.Run(content.Name+", "+name, func(t *testing.T) {
				t.Parallel()
				data := must(e.Seal(plain, transport().certificate))
				if got := decode(t, data); len(got.Certificates) != 1 || got.Certificates[0].Thumbprint != leafThumbprint {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	b := decode(t, bundleData())
	for _, thumbprint := range []string{leafThumbprint, strings.ToLower(leafThumbprint), leafThumbprint[:20] + strings.ToLower(leafThumbprint[20:])} {
		if c, found := b.Lookup(thumbprint); !found || c != &b.Certificates[0] {
			t.Errorf("%s: %v, %t", thumbprint, c, found)
		}
	}
	if c, found := b.Lookup(chainThumbprint); !found || c != &b.Certificates[1] {
		t.Errorf("%v, %t", c, found)
	}
	alone := pair(pfx.Contents{Keys: []pfx.Key{leaf().key()}})
	for _, thumbprint := range []string{"", " ", leafThumbprint[:39], leafThumbprint + "0", "sha1:" + leafThumbprint} {
		for _, b := range []*Bundle{&b, &alone, {}} {
			if c, found := b.Lookup(thumbprint); found || c != nil {
				t.Errorf("%q: %v", thumbprint, c)
			}
		}
	}
}

func TestThumbprint(t *testing.T) {
	t.Parallel()
	for der, want := range map[string]string{"": "", string(leaf().der): leafThumbprint} {
		if got := Thumbprint([]byte(der)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if Thumbprint(nil) != "" {
		t.Error("a thumbprint of nothing")
	}
}

// A private key never shows in what is printed.
func TestBundleDoesNotPrintKeys(t *testing.T) {
	t.Parallel()
	b := decode(t, bundleData())
	secret := leaf().pkcs8[700:720] // of a prime; what is before the primes is public
	for _, text := range printed(b) {
		for _, needle := range []string{string(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"), hex.EncodeToString(secret), strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}")} {
			if strings.Contains(text, needle) {
				t.Errorf("%.200q", text)
			}
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	const op = "certs.Decode"
	plain := must(pfx.Encode(pfx.Contents{Certificates: []pfx.Certificate{leaf().certificate()}}))
	sealed := sealPlain(t, plain)
	broken := bytes.Clone(plain)
	broken[len(broken)/2] ^= 1
	lastOctet := bytes.Clone(sealed)
	lastOctet[len(lastOctet)-1] ^= 1
	keyOctet := bytes.Clone(sealed)
	keyOctet[300] ^= 1 // in the encrypted content key
	unknownCipher := bytes.Replace(sealed, ber.EncodeOID(cms.AES128CBC.OID), ber.EncodeOID("2.16.840.1.101.3.4.1.9"), 1)
	for behaviour, row := range map[string]struct {
		data []byte
		kind azprov.Kind
		is   error
	}{
		"text":                            {[]byte("no certificates today"), azprov.KindMalformed, nil},
		"an empty sequence":               {[]byte{0x30, 0}, azprov.KindMalformed, nil},
		"a wrong padding":                 {lastOctet, azprov.KindMalformed, cms.ErrDecrypt},
		"a wrong content key":             {keyOctet, azprov.KindMalformed, cms.ErrDecrypt},
		"no PFX inside":                   {sealPlain(t, []byte("no certificates today")), azprov.KindMalformed, nil},
		"nothing inside":                  {sealPlain(t, nil), azprov.KindMalformed, nil},
		"a PFX that was damaged":          {sealPlain(t, broken), azprov.KindMalformed, nil},
		"for another certificate":         {must(cms.Envelope{Content: cms.AES128CBC}.Seal(plain, generated().certificate)), azprov.KindProtected, cms.ErrRecipient},
		"for nobody":                      {must(cms.Envelope{Content: cms.AES128CBC}.Seal(plain)), azprov.KindProtected, cms.ErrRecipient},
		"an unknown cipher":               {unknownCipher, azprov.KindProtected, &UnsupportedError{}},
		"no envelope but signed data":     {ber.Constructed(ber.Sequence, ber.EncodeOID("1.2.840.113549.1.7.2"), ber.Constructed(ber.Context(0))), azprov.KindProtected, &UnsupportedError{}},
		"a PFX whose cipher is not known": {sealPlain(t, bytes.ReplaceAll(oddPFX(), ber.EncodeOID("1.2.840.113549.1.12.1.3"), ber.EncodeOID("1.2.840.113549.1.12.1.1"))), azprov.KindProtected, &UnsupportedError{}},
		"over 1 MiB":                      {make([]byte, ber.MaxSize+1), azprov.KindTooLarge, ber.ErrTooLarge},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(row.data, transport())
			if !cmp.Equal(got, Bundle{}) {
				t.Errorf("something beside an error: %+v", got)
			}
			isError(t, err, op, row.kind)
			if want := (*UnsupportedError)(nil); errors.As(row.is, &want) {
				if !errors.As(err, &want) || want.OID == "" {
					t.Errorf("%v, want an *UnsupportedError", err)
				}
			} else if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("%v, want %v", err, row.is)
			}
		})
	}
}

// oddPFX has a certificate that is encrypted, and no MAC.
func oddPFX() []byte {
	whole := must(ber.Parse(must(pfx.Encode(pfx.Contents{Certificates: []pfx.Certificate{leaf().certificate()}})))).Children()
	return ber.Constructed(ber.Sequence, whole.Next().Raw, whole.Next().Raw)
}

// Nobody may find out with this program whether a padding was right.
func TestDecodeErrorsTellNothing(t *testing.T) {
	t.Parallel()
	sealed := sealPlain(t, must(pfx.Encode(pfx.Contents{})))
	forAnother := must(cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1}.Seal(nil, generated().certificate))
	wrongKey := newTransportKey(transport().key(), nil) // a single recipient is taken for it
	wrongPadding := bytes.Clone(sealed)
	wrongPadding[len(wrongPadding)-1] ^= 1
	wrongLength := bytes.Clone(sealed)
	wrongLength = bytes.Replace(wrongLength, ber.EncodeOID(cms.AES128CBC.OID), ber.EncodeOID(cms.AES128CBC.OID[:len(cms.AES128CBC.OID)-1]+"22"), 1)
	messages := map[string]string{}
	for behaviour, row := range map[string]struct {
		data []byte
		key  *TransportKey
	}{
		"another key": {forAnother, wrongKey}, "padding": {wrongPadding, transport()}, "length of the content key": {wrongLength, transport()},
		// With PKCS #1 v1.5 a wrong key is a random one, under which one padding in 256 fits.
		"a padding that fits by chance": {sealPlain(t, []byte("not even an element")), transport()},
	} {
		_, err := Decode(row.data, row.key)
		isError(t, err, "certs.Decode", azprov.KindMalformed)
		messages[err.Error()] += behaviour + ", "
	}
	if len(messages) != 1 {
		t.Errorf("%q", messages)
	}
	for range 8 {
		data := must(cms.Envelope{Content: cms.DESEDE3CBC}.Seal([]byte("x"), generated().certificate))
		_, err := Decode(data, wrongKey)
		if err == nil || messages[err.Error()] == "" {
			t.Errorf("a wrong key with PKCS #1 v1.5: %v", err)
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	t.Parallel()
	data := bundleData()
	for n := 1; n < len(data); n += 1 + n/40 {
		if _, err := Decode(data[:n], transport()); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(data))
		}
	}
}

// Without a MAC over the envelope a flipped bit may go unseen in what is not looked at;
// the PFX inside sees those in the contents.
func TestDecodeWithAFlippedBit(t *testing.T) {
	t.Parallel()
	data := bundleData()
	want := decode(t, data)
	for n := 0; n < len(data); n += 1 + n/60 {
		flipped := slices.Clone(data)
		flipped[n] ^= 1 << (n % 8)
		got, err := Decode(flipped, transport())
		if err != nil {
			if azprov.KindOf(err) != azprov.KindMalformed && azprov.KindOf(err) != azprov.KindProtected {
				t.Errorf("byte %d: %v", n, err)
			}
		} else if !cmp.Equal(want, got) {
			t.Errorf("byte %d: something else without an error", n)
		}
	}
}
