package wireserver

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/internal/cms"
	"github.com/azprov/azprov/internal/pfx"
	"github.com/azprov/azprov/internal/scripttest"
)

// makeTransportKeys takes a while, so all tests share its keys: one that is used and one of somebody else's.
var makeTransportKeys = sync.OnceValues(func() (keys [2]*certs.TransportKey, err error) {
	for i := range keys {
		keys[i], err = certs.GenerateTransportKey(context.Background(), nil)
		if err != nil {
			break
		}
	}
	return keys, err
})

func transportKeys(t *testing.T) (ours, others *certs.TransportKey) {
	t.Helper()
	keys, err := makeTransportKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[0], keys[1]
}

// sealed is a certificate file for the key: its own certificate, as it happens.
func sealed(t *testing.T, key *certs.TransportKey, format string) answer {
	t.Helper()
	certificate, err := x509.ParseCertificate(key.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	b, err := pfx.Encode(pfx.Contents{Certificates: []pfx.Certificate{{DER: key.Certificate()}}})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := cms.Envelope{Content: cms.AES128CBC, OAEP: crypto.SHA1}.Seal(b, certificate)
	if err != nil {
		t.Fatal(err)
	}
	return answer{Body: string(goalstate.CertificateFile{Incarnation: "1", Format: format, Data: envelope}.Encode())}
}

const certificatesTarget = "GET /machine/c1/bc8b9d47%2Db5ed.%5Fvm?comp=certificates&incarnation=1"

// stateWithCertificates has an absolute URL to another host than the client's endpoint,
// with escapes that a client might undo.
func stateWithCertificates(container string) answer {
	gs := state(container, "1")
	gs.CertificatesURL = "http://192.0.2.1:80/machine/" + container + "/bc8b9d47%2Db5ed.%5Fvm?comp=certificates&incarnation=1"
	return answer{Body: string(gs.Encode())}
}

func TestGetCertificates(t *testing.T) {
	ours, others := transportKeys(t)
	gs := stateWithCertificates("c1")
	good, foreign := sealed(t, ours, ""), sealed(t, others, "")
	named, unknown := sealed(t, ours, goalstate.FormatPkcs7BlobWithPfxContents), sealed(t, ours, "Pkcs12Plain")
	empty := answer{Body: string(goalstate.CertificateFile{Incarnation: "1"}.Encode())}
	damaged := answer{Body: strings.Replace(good.Body, "<Data>MII", "<Data>AAA", 1)}
	refused, stale, gone, unwell := answer{Status: 400}, answer{Status: 410, Body: staleXML}, answer{Status: 404}, answer{Status: 500}
	const aes, des = "AES128_CBC", "DES_EDE3_CBC"
	for _, row := range []struct {
		name    string
		answers []answer
		options *GetCertificatesOptions
		kind    azprov.Kind
		ciphers []string // of the requests for certificates
		cipher  certs.Cipher
		count   int
		under   time.Duration
		warning string
	}{
		{"at once", []answer{gs, good}, nil, "", []string{aes}, aes, 1, time.Millisecond, ""},
		{"with the format named", []answer{gs, named}, nil, "", []string{aes}, aes, 1, time.Millisecond, ""},
		{"a format that is not known is passed over", []answer{gs, unknown}, nil, "", []string{aes}, "", 0, time.Millisecond, "the format Pkcs12Plain is not known"},
		{"no data, no certificates", []answer{gs, empty}, nil, "", []string{aes}, "", 0, time.Millisecond, ""},
		{"no URL, no certificates", []answer{stateAnswer("c1", "1")}, nil, "", nil, "", 0, time.Millisecond, ""},
		{"a refused cipher gives way at once", []answer{gs, refused, good}, nil, "", []string{aes, des}, des, 1, time.Millisecond, ""},
		{"both refused", []answer{gs, refused, refused}, nil, azprov.KindMalformed, []string{aes, des}, "", 0, time.Millisecond, ""},
		{"the hint is about the cipher", []answer{gs, refused}, &GetCertificatesOptions{Ciphers: []certs.Cipher{aes}}, azprov.KindMalformed, []string{aes}, "", 0, time.Millisecond, ""},
		{"one cipher asked for", []answer{gs, refused}, &GetCertificatesOptions{Ciphers: []certs.Cipher{des}}, azprov.KindMalformed, []string{des}, "", 0, time.Millisecond, ""},
		{"a cipher to come", []answer{gs, good}, &GetCertificatesOptions{Ciphers: []certs.Cipher{certs.CipherAES256CBC}}, "", []string{"AES256_CBC"}, certs.CipherAES256CBC, 1, time.Millisecond, ""},
		{"for somebody else", []answer{gs, foreign}, nil, azprov.KindProtected, []string{aes, des}, "", 0, time.Millisecond, ""},
		{"an answer that does not open, twice, then the other cipher", []answer{gs, damaged, damaged, good}, nil, "", []string{aes, aes, des}, des, 1, 2 * time.Second, ""},
		{"never one that opens", []answer{gs, damaged}, nil, azprov.KindMalformed, []string{aes, aes, des, des}, "", 0, 4 * time.Second, ""},
		{"a 500 for AES is its refusal", []answer{gs, unwell, unwell, good}, nil, "", []string{aes, aes, des}, des, 1, 2 * time.Second, ""},
		{"500s pass", []answer{gs, unwell, unwell, unwell, unwell, good}, nil, "", []string{aes, aes, des, des, aes}, aes, 1, 5 * time.Second, ""},
		{"500 for one and 400 for the other", []answer{gs, unwell, unwell, refused, unwell, good}, nil, "", []string{aes, aes, des, aes, aes}, aes, 1, 6 * time.Second, ""},
		{"500 for ever ends with the budget", []answer{gs, unwell}, nil, azprov.KindTimeout, nil, "", 0, readBudget, ""},
		{"throttling is no matter of ciphers", []answer{gs, {Status: 429}, {Status: 503}, good}, nil, "", []string{aes, aes, aes}, aes, 1, 7 * time.Second, ""},
		{"nor is a denial", []answer{gs, {Status: 403}}, nil, azprov.KindDenied, []string{aes}, "", 0, time.Millisecond, ""},
		{"nor a body that is too large", []answer{gs, {Body: strings.Repeat(" ", 2<<20)}}, nil, azprov.KindTooLarge, []string{aes}, "", 0, time.Millisecond, ""},
		{"stale: the goal state is read again", []answer{gs, stale, gs, good}, nil, "", []string{aes, aes}, aes, 1, 2 * time.Second, ""},
		{"stale for ever", []answer{gs, stale, gs, stale, gs, stale}, nil, azprov.KindStale, []string{aes, aes, aes}, "", 0, 3 * time.Second, ""},
		{"505 for AES is its refusal, too", []answer{gs, {Status: 505}, good}, nil, "", []string{aes, des}, des, 1, time.Millisecond, ""},
		{"gone, and the new goal state has none", []answer{gs, gone, stateAnswer("c1", "1")}, nil, "", []string{aes}, "", 0, 2 * time.Second, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				start := time.Now()
				resp, err := testClient(t, transport).GetCertificates(t.Context(), ours, row.options)
				if took := time.Since(start); took > row.under {
					t.Errorf("took %v, want %v at most", took, row.under)
				}
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				if row.name == "the hint is about the cipher" && !strings.Contains(err.Error(), "ask for another cipher") {
					t.Errorf("error %v", err)
				}
				var e *azprov.Error
				if errors.As(err, &e) && e.Op != "wireserver.Client.GetCertificates" {
					t.Errorf("the error names %s", e.Op)
				}
				if resp.Cipher != row.cipher || len(resp.Certificates) != row.count || !strings.Contains(strings.Join(resp.Warnings, "\n"), row.warning) {
					t.Errorf("%d certificates by %q, warnings %q", len(resp.Certificates), resp.Cipher, resp.Warnings)
				}
				var ciphers []string
				for _, r := range server.Requests() {
					if r.Method+" "+r.Target == certificatesTarget {
						ciphers = append(ciphers, r.Header.Get("x-ms-cipher-name"))
						if r.Header.Get("x-ms-guest-agent-public-x509-cert") != ours.HeaderValue() || r.Host != "192.0.2.1:80" || r.Header.Get("x-ms-version") != "2012-11-30" {
							t.Errorf("host %s, headers %v", r.Host, r.Header)
						}
					}
				}
				if row.under != readBudget && !slices.Equal(ciphers, row.ciphers) {
					t.Errorf("asked for %q, want %q", ciphers, row.ciphers)
				}
			})
		})
	}
}

func TestGetCertificatesWithAGoalState(t *testing.T) {
	ours, _ := transportKeys(t)
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, sealed(t, ours, ""))
		gs, err := goalstate.ParseGoalState([]byte(stateWithCertificates("c1").Body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := testClient(t, transport).GetCertificates(t.Context(), ours, &GetCertificatesOptions{GoalState: &gs})
		if err != nil || !slices.Equal(trace(server), []string{certificatesTarget}) {
			t.Errorf("%v, requests %q", err, trace(server))
		}
		if c, found := resp.Lookup(certs.Thumbprint(ours.Certificate())); !found || !strings.HasPrefix(c.SSHKey, "ssh-rsa ") {
			t.Errorf("certificates %+v", resp.Certificates)
		}
	})
}

func TestGetCertificatesRefuses(t *testing.T) {
	ours, _ := transportKeys(t)
	bare := bareKey(t)
	for _, row := range []struct {
		name    string
		key     *certs.TransportKey
		options *GetCertificatesOptions
	}{
		{"no key", nil, nil},
		{"a key without a certificate", bare, nil},
		{"a line break in a cipher", ours, &GetCertificatesOptions{Ciphers: []certs.Cipher{"AES\r\nX-Evil: 1"}}},
		{"an empty cipher", ours, &GetCertificatesOptions{Ciphers: []certs.Cipher{certs.CipherAES128CBC, ""}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, transport := scripttest.Start(t, stateWithCertificates("c1"))
			_, err := testClient(t, transport).GetCertificates(t.Context(), row.key, row.options)
			if azprov.KindOf(err) != azprov.KindInternal || server.Attempts() != 0 {
				t.Errorf("%s: %v after %d requests", row.name, err, server.Attempts())
			}
		})
	}
}

// bareKey is a private key without its certificate.
func bareKey(t *testing.T) *certs.TransportKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	key, err := certs.ParseTransportKey(x509.MarshalPKCS1PrivateKey(private), nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What a refetch has found is not forgotten: the old URL would be refused once more.
func TestTheNextCipherGoesOnFromTheNewGoalState(t *testing.T) {
	ours, _ := transportKeys(t)
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t,
			stateWithCertificates("c1"), answer{Status: 410, Body: staleXML}, stateWithCertificates("c2"), answer{Status: 400}, sealed(t, ours, ""))
		if _, err := testClient(t, transport).GetCertificates(t.Context(), ours, nil); err != nil {
			t.Fatal(err)
		}
		moved := strings.Replace(certificatesTarget, "c1", "c2", 1)
		if want := []string{goalStateTarget, certificatesTarget, goalStateTarget, moved, moved}; !slices.Equal(trace(server), want) {
			t.Errorf("requests %q, want %q", trace(server), want)
		}
	})
}

// A goal state of the caller's stays as it is.
func TestGetCertificatesLeavesTheCallersGoalState(t *testing.T) {
	ours, _ := transportKeys(t)
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Status: 410, Body: staleXML}, stateWithCertificates("c2"), sealed(t, ours, ""))
		given, err := goalstate.ParseGoalState([]byte(stateWithCertificates("c1").Body))
		if err != nil {
			t.Fatal(err)
		}
		_, err = testClient(t, transport).GetCertificates(t.Context(), ours, &GetCertificatesOptions{GoalState: &given})
		if err != nil || given.ContainerID != "c1" {
			t.Errorf("%v, container %s", err, given.ContainerID)
		}
	})
}

// The pauses between the ciphers' turns grow, to an end.
func TestTurnsOfCiphersArePaused(t *testing.T) {
	ours, _ := transportKeys(t)
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, stateWithCertificates("c1"), answer{Status: 500})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _ = testClient(t, transport).GetCertificates(ctx, ours, &GetCertificatesOptions{Ciphers: []certs.Cipher{certs.CipherAES128CBC}})
		var at []time.Duration
		for i, r := range server.Requests()[1:] {
			if i%2 == 0 { // each turn has two
				at = append(at, r.At)
			}
		}
		for i := 1; i < len(at); i++ {
			// The second try of a turn comes after a second, give or take a fifth.
			want := min(time.Second<<(i-1), 8*time.Second) + time.Second
			if got := at[i] - at[i-1]; got < want-300*time.Millisecond || got > want+300*time.Millisecond {
				t.Errorf("turn %d came after %v, want %v", i, got, want)
			}
		}
		if len(at) < 7 {
			t.Errorf("%d turns", len(at))
		}
	})
}

func TestGetCertificatesEndsWithItsContext(t *testing.T) {
	ours, _ := transportKeys(t)
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, stateWithCertificates("c1"), answer{Status: 500})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := testClient(t, transport).GetCertificates(ctx, ours, nil)
		if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > 20*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
