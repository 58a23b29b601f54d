package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/programtest"
)

// generated is made once: it takes a good part of a second.
var generated = sync.OnceValue(func() *TransportKey { return must(generate(DefaultBits)) })

func TestGenerateTransportKey(t *testing.T) {
	t.Parallel()
	for behaviour, row := range map[string]struct {
		options *TransportKeyOptions
		bits    int
	}{
		"no options":           {nil, 2048},
		"options without size": {&TransportKeyOptions{}, 2048},
		"2048 bits":            {&TransportKeyOptions{Bits: 2048}, 2048},
		"3072 bits":            {&TransportKeyOptions{Bits: 3072}, 3072},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			key, err := GenerateTransportKey(t.Context(), row.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := key.key().N.BitLen(); got != row.bits {
				t.Errorf("%d bits", got)
			}
			checkTransportCertificate(t, key)
		})
	}
}

// checkTransportCertificate holds it against what openssl req -x509 makes.
func checkTransportCertificate(t *testing.T, key *TransportKey) {
	t.Helper()
	c, err := x509.ParseCertificate(key.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.String() != "CN=LinuxTransport" || c.Issuer.String() != "CN=LinuxTransport" {
		t.Errorf("subject %s, issuer %s", c.Subject, c.Issuer)
	}
	if c.Version != 3 || !c.IsCA || !c.BasicConstraintsValid || c.SerialNumber.Sign() <= 0 || len(c.SerialNumber.Bytes()) > 20 {
		t.Errorf("version %d, authority %t, serial number %x", c.Version, c.IsCA, c.SerialNumber)
	}
	if len(c.SubjectKeyId) != 20 || !bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId) {
		t.Errorf("key ids %x, %x", c.SubjectKeyId, c.AuthorityKeyId)
	}
	if err := c.CheckSignatureFrom(c); err != nil || c.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("%v, %v", err, c.SignatureAlgorithm)
	}
	if !key.key().PublicKey.Equal(c.PublicKey) {
		t.Error("the certificate of another key")
	}
	now := time.Now()
	before, after := now.Sub(c.NotBefore), c.NotAfter.Sub(now)
	if before < 23*time.Hour || before > 25*time.Hour || after < 729*24*time.Hour || after > 731*24*time.Hour {
		t.Errorf("valid since %v, for %v", before, after)
	}
}

func TestGenerateTransportKeyIsNewEachTime(t *testing.T) {
	t.Parallel()
	other := must(GenerateTransportKey(t.Context(), nil))
	if bytes.Equal(generated().Certificate(), other.Certificate()) || generated().key().Equal(other.key()) {
		t.Error("the same key twice")
	}
}

func TestGenerateTransportKeyRefusesSizes(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{-1, 1, 512, 1024, 2047, 2049, 8192, 1 << 30} {
		key, err := GenerateTransportKey(t.Context(), &TransportKeyOptions{Bits: bits})
		if key != nil {
			t.Errorf("a key of %d bits", bits)
		}
		isError(t, err, opGenerate, azprov.KindInternal)
	}
}

// The key is still being made when the context ends, and nobody waits for it any more.
// The bubble does not end before the goroutine does.
func TestGenerateTransportKeyAfterTheContext(t *testing.T) {
	t.Parallel()
	for behaviour, row := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		kind azprov.Kind
		is   error
	}{
		"canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, azprov.KindCanceled, context.Canceled},
		"expired": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, -time.Second)
		}, azprov.KindTimeout, context.DeadlineExceeded},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := row.end(t.Context())
				defer cancel()
				key, err := GenerateTransportKey(ctx, nil)
				if key != nil || !errors.Is(err, row.is) {
					t.Errorf("%v, %v", key, err)
				}
				isError(t, err, opGenerate, row.kind)
			})
		})
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := &PendingTransportKey{done: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		started := time.Now()
		_, err := never.Wait(ctx)
		isError(t, err, opGenerate, azprov.KindTimeout)
		if took := time.Since(started); took != time.Minute {
			t.Errorf("after %v", took)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = never.Wait(ctx)
		isError(t, err, opGenerate, azprov.KindCanceled)
	})
}

// What is made is handed out, even if the context has ended: a caller that polls.
func TestWaitPrefersTheKey(t *testing.T) {
	t.Parallel()
	p := &PendingTransportKey{done: make(chan struct{}), key: generated()}
	close(p.done)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if key, err := p.Wait(ctx); key != generated() || err != nil {
			t.Fatalf("%v, %v", key, err)
		}
	}
}

func TestWaitByMany(t *testing.T) {
	t.Parallel()
	p := StartTransportKey(nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	contexts := []context.Context{t.Context(), t.Context(), t.Context(), ended}
	keys := make([]*TransportKey, 32)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			keys[i], _ = p.Wait(contexts[i%len(contexts)])
			if keys[i] != nil {
				_ = keys[i].HeaderValue()
			}
		})
	}
	wg.Wait()
	want, err := p.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if key != want && (contexts[i%len(contexts)] != ended || key != nil) {
			t.Errorf("goroutine %d has key %v", i, key)
		}
	}
}

func TestHeaderValue(t *testing.T) {
	t.Parallel()
	for behaviour, key := range map[string]*TransportKey{"made": generated(), "read": transport()} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			value := key.HeaderValue()
			der, err := base64.StdEncoding.DecodeString(value)
			if err != nil || !bytes.Equal(der, key.Certificate()) || strings.ContainsAny(value, "\r\n ") || value == "" {
				t.Errorf("%v, %q", err, value)
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		t.Parallel()
		key := must(ParseTransportKey(transportKeyPEM, nil))
		if key.HeaderValue() != "" || key.Certificate() != nil {
			t.Errorf("%q, %x", key.HeaderValue(), key.Certificate())
		}
	})
}

func TestCertificateIsACopy(t *testing.T) {
	t.Parallel()
	key := must(ParseTransportKey(transportKeyPEM, transportCertPEM))
	clear(key.Certificate())
	if key.Certificate()[0] != 0x30 {
		t.Error("a caller can change the key's certificate")
	}
}

// openssl is what the wire server is in other emulators.
func TestOpenWhatOpenSSLEncrypts(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "openssl")
	for behaviour, args := range map[string][]string{
		"AES-128 with OAEP, as Azure":        {"-aes-128-cbc", "-keyid", "-recip", "cert.pem", "-keyopt", "rsa_padding_mode:oaep"},
		"AES-256 with OAEP":                  {"-aes-256-cbc", "-keyid", "-recip", "cert.pem", "-keyopt", "rsa_padding_mode:oaep"},
		"triple DES, as Azure":               {"-des3", "-keyid", "-recip", "cert.pem"},
		"triple DES, by issuer and number":   {"-des3", "-recip", "cert.pem"},
		"AES-128, streamed in pieces":        {"-aes-128-cbc", "-stream", "-indef", "-keyid", "-recip", "cert.pem"},
		"for another recipient in the first": {"-aes-128-cbc", "-keyid", "-recip", "other.pem", "-recip", "cert.pem"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			programtest.Write(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: generated().Certificate()}))
			programtest.Write(t, dir, "other.pem", transportCertPEM)
			programtest.Write(t, dir, "in", []byte("hoist the blue one"))
			programtest.Run(t, dir, "openssl", append([]string{"cms", "-encrypt", "-binary", "-outform", "DER", "-in", "in", "-out", "out"}, args...)...)
			secret, err := generated().Open(programtest.Read(t, dir, "out"))
			if err != nil || secret.RevealString() != "hoist the blue one" {
				t.Errorf("%v, %q", err, secret.RevealString())
			}
		})
	}
}

// No verb shows the key: neither its bytes, nor its numbers in any base.
func TestTransportKeyDoesNotPrint(t *testing.T) {
	t.Parallel()
	key := transport()
	private := key.key()
	needles := []string{}
	for _, number := range append([]*big.Int{private.D}, private.Primes...) {
		needles = append(needles, number.String()[:40], number.Text(16)[:40], fmt.Sprintf("%d", number.Bytes()[:12]), hex.EncodeToString(number.Bytes())[:40])
	}
	type holder struct {
		Name    string
		Key     *TransportKey
		Pending *PendingTransportKey
		hidden  *TransportKey
		value   any
	}
	pending := &PendingTransportKey{done: make(chan struct{}), key: key}
	h := holder{"h", key, pending, key, key}
	for _, v := range []any{key, *key, h, &h, []*TransportKey{key}, map[string]*TransportKey{"k": key}, pending, *pending} {
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		if b, err := json.Marshal(v); err == nil {
			texts = append(texts, string(b))
		}
		for _, text := range texts {
			for _, needle := range needles {
				if strings.Contains(strings.ToLower(text), needle) {
					t.Errorf("%T shows the key: %.100q", v, text)
				}
			}
		}
	}
	const want = "certs.TransportKey(" // and the thumbprint, which tells which it is
	if got := fmt.Sprintf("%v %#v", key, key); !strings.HasPrefix(got, want) || !strings.Contains(got, Thumbprint(key.Certificate())) {
		t.Errorf("%s", got)
	}
}
