package provision_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/provision"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w x"

// resolver knows some keys, and when it was told of them and asked.
type resolver struct {
	keys            map[string]string
	err             error
	prepared, asked int
}

func (r *resolver) PrepareKeys() { r.prepared++ }

func (r *resolver) ResolveKeys(_ context.Context, thumbprints []string) (provision.ResolvedKeys, error) {
	r.asked++
	found := map[string]string{}
	for _, t := range thumbprints {
		if key, ok := r.keys[t]; ok {
			found[t] = key
		}
	}
	return provision.ResolvedKeys{Keys: found, Warnings: []string{"from the resolver"}}, r.err
}

// onMedium puts the scenario's medium there as change leaves it.
func (r *rig) onMedium(t *testing.T, change func(*ovf.Environment)) {
	t.Helper()
	document, err := environmentOf(t, r.fabric, change).Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.options.Medium = provision.MediumFS(fstest.MapFS{"ovf-env.xml": {Data: document}})
}

func TestKeysByFingerprint(t *testing.T) {
	fingerprint := func(e *ovf.Environment) {
		e.UserPassword, e.PublicKeys = azprov.Secret{}, []ovf.PublicKey{{Fingerprint: "ab:cd"}}
	}
	withPassword := func(e *ovf.Environment) { fingerprint(e); e.UserPassword = azprov.NewSecret([]byte("p")) }
	withValue := func(e *ovf.Environment) {
		fingerprint(e)
		e.PublicKeys = append(e.PublicKeys, ovf.PublicKey{Value: someKey})
	}
	known := map[string]string{"ABCD": someKey}
	unwell := &azprov.Error{Op: "test", Kind: azprov.KindTimeout, Message: "the wire server sleeps"}
	for _, row := range []struct {
		name     string
		scenario string
		change   func(*ovf.Environment)
		resolver resolver
		kind     azprov.Kind
		keys     []string
		source   provision.Source
		prepared int
		asked    int
		warning  string
	}{
		{"resolved", "no-imds", fingerprint, resolver{keys: known}, "", []string{someKey}, provision.SourceCertificates, 1, 1, "from the resolver"},
		{"not known, and no other way in", "no-imds", fingerprint, resolver{}, azprov.KindNotFound, nil, "", 1, 1, ""},
		{"not known, but a password", "no-imds", withPassword, resolver{}, "", []string{}, provision.SourceNone, 1, 1, "the medium's SSH key 1 was left out"},
		{"not to be had, and no other way in", "no-imds", fingerprint, resolver{err: unwell}, azprov.KindTimeout, nil, "", 1, 1, ""},
		{"not to be had, but a password", "no-imds", withPassword, resolver{err: unwell}, "", []string{}, provision.SourceNone, 1, 1, "the wire server sleeps"},
		{"not to be had, but another key", "no-imds", withValue, resolver{err: unwell}, "", []string{someKey}, provision.SourceOVF, 1, 1, "the wire server sleeps"},
		{"some of them, and an error", "no-imds", withPassword, resolver{keys: known, err: unwell}, "", []string{someKey}, provision.SourceCertificates, 1, 1, "the wire server sleeps"},
		{"IMDS has a key and a certificate: the medium's count", "fingerprint-keys", fingerprint, resolver{keys: known}, "", []string{someKey}, provision.SourceCertificates, 1, 1, ""},
		{"IMDS has keys: made ready, and not asked", "linux-vm", fingerprint, resolver{err: unwell}, "", nil, provision.SourceIMDS, 1, 0, ""},
		{"no fingerprint, nothing to do", "custom-data", func(*ovf.Environment) {}, resolver{err: unwell}, "", nil, provision.SourceIMDS, 0, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, row.scenario))
				r.onMedium(t, row.change)
				keys := row.resolver
				r.options.Keys = &keys
				result, err := provision.Run(t.Context(), r.options)
				if azprov.KindOf(err) != row.kind || keys.prepared != row.prepared || keys.asked != row.asked {
					t.Fatalf("%v; prepared %d times, want %d; asked %d times, want %d", err, keys.prepared, row.prepared, keys.asked, row.asked)
				}
				if err != nil {
					return
				}
				m := result.Machine
				if m.Sources[provision.FieldSSHKeys] != row.source || (row.keys != nil && !slices.Equal(m.User.SSHKeys, row.keys)) {
					t.Errorf("%q from %s, want %q from %s", m.User.SSHKeys, m.Sources[provision.FieldSSHKeys], row.keys, row.source)
				}
				if text := strings.Join(m.Warnings, "\n"); !strings.Contains(text, row.warning) {
					t.Errorf("warnings %q, want %q", text, row.warning)
				}
			})
		})
	}
}

// partlyUsable is a VM whose IMDS has one key as a line and one as a certificate.
func partlyUsable(t *testing.T) emulator.Scenario {
	t.Helper()
	s := lookup(t, "fingerprint-keys")
	s.VM.SSHKeys[0].KeyData = someKey
	return s
}

// The usable key of IMDS is another way to log in.
func TestKeysThatAreNotToBeHadBesideOneOfIMDS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, partlyUsable(t))
		keys := &resolver{err: azprov.ErrTimeout}
		r.options.Keys = keys
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || keys.asked != 1 || !slices.Equal(result.Machine.User.SSHKeys, []string{someKey}) || result.Machine.Sources[provision.FieldSSHKeys] != provision.SourceIMDS {
			t.Errorf("%v, %+v", err, result.Machine)
		}
	})
}

// TestKeysLeaveTimeForTheRest: where there is another way to log in, a wire server that
// does not hand out the keys must not cost the report.
func TestKeysLeaveTimeForTheRest(t *testing.T) {
	for _, row := range []struct {
		deadline, under time.Duration
	}{{0, 2*time.Minute + time.Second}, {4 * time.Minute, 2*time.Minute + time.Second}, {time.Minute, 31 * time.Second}} {
		t.Run(row.deadline.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "fingerprint-keys")
				s.VM.Password = azprov.NewSecret([]byte("p"))
				s.WireServer.Faults = []emulator.Fault{{Path: "comp=certificates", Status: 500, Always: true}}
				r := newRig(t, s)
				ctx := t.Context()
				if row.deadline > 0 {
					var stop context.CancelFunc
					ctx, stop = context.WithTimeout(ctx, row.deadline)
					defer stop()
				}
				start := time.Now()
				result, err := provision.Run(ctx, r.options)
				if took := time.Since(start); err != nil || result.Report.State != provision.ReportReady || took > row.under {
					t.Errorf("%v after %v, %+v", err, took, result.Report)
				}
			})
		})
	}
}

// What the certificates' document says of itself reaches the Machine, and a fingerprint
// that is not among them has one warning, its own.
func TestWarningsOfTheCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "fingerprint-keys"))
		r.onMedium(t, func(e *ovf.Environment) {
			e.PublicKeys = append(e.PublicKeys, ovf.PublicKey{Fingerprint: "00ff"})
		})
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || len(result.Machine.Warnings) != 1 || !strings.Contains(result.Machine.Warnings[0], "SSH key 3 was left out") {
			t.Errorf("%v, %q", err, result.Machine.Warnings)
		}
		i := slices.IndexFunc(result.Timeline, func(s provision.Step) bool { return s.Name == provision.StepKeys })
		if i < 0 || result.Timeline[i].Note != "2 of 3 keys by fingerprint" {
			t.Errorf("steps %+v", result.Timeline)
		}
	})
}

// The size of the transport key may be chosen without a client of one's own.
func TestCertificateKeysWithTheClientOfOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "fingerprint-keys"))
		r.options.Keys = provision.CertificateKeys(nil, &certs.TransportKeyOptions{Bits: 3072})
		if _, err := provision.Run(t.Context(), r.options); err != nil {
			t.Fatal(err)
		}
		for _, e := range r.fabric.Journal() {
			if header := e.Headers["X-Ms-Guest-Agent-Public-X509-Cert"]; header != "" && !strings.Contains(header, "(13") && !strings.Contains(header, "(14") {
				t.Errorf("a certificate of %s, want the 1,400 or so of 3072 bits", header)
			}
		}
	})
}

// TestCertificateKeys goes the whole way: a medium with fingerprints, IMDS with the
// certificates themselves, and the wire server that encrypts them.
func TestCertificateKeys(t *testing.T) {
	for _, row := range []struct {
		name     string
		edit     func(*emulator.Scenario)
		kind     azprov.Kind
		kinds    []string
		warnings int
	}{
		{"both keys", func(*emulator.Scenario) {}, "", []string{"ssh-rsa", "ecdsa-sha2-nistp256"}, 0},
		{"by triple DES", func(s *emulator.Scenario) { s.WireServer.Ciphers = []string{"DES_EDE3_CBC"} }, "", []string{"ssh-rsa", "ecdsa-sha2-nistp256"}, 0},
		{"no IMDS", func(s *emulator.Scenario) { s.IMDS.Absent = true }, "", []string{"ssh-rsa", "ecdsa-sha2-nistp256"}, 1},
		{"without publicKeys in IMDS", func(s *emulator.Scenario) {
			s.IMDS.Instance = []byte(`{"compute":{"publicKeys":null}}`)
		}, "", []string{"ssh-rsa", "ecdsa-sha2-nistp256"}, 0},
		{"a wire server that is slow to start", func(s *emulator.Scenario) {
			s.WireServer.Faults = []emulator.Fault{{Status: 410, Times: 2}, {Status: 503, Times: 2}}
		}, "", []string{"ssh-rsa", "ecdsa-sha2-nistp256"}, 0},
		{"no wire server", func(s *emulator.Scenario) {
			s.WireServer.Faults = []emulator.Fault{{Status: 404, Always: true}}
		}, azprov.KindNotFound, nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "fingerprint-keys")
				row.edit(&s)
				r := newRig(t, s)
				r.options.FailureTimeout = time.Second
				result, err := provision.Run(t.Context(), r.options)
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v", err)
				}
				if err != nil {
					return
				}
				var kinds []string
				for _, key := range result.Machine.User.SSHKeys {
					kind, _, _ := strings.Cut(key, " ")
					kinds = append(kinds, kind)
				}
				if !slices.Equal(kinds, row.kinds) || result.Machine.Sources[provision.FieldSSHKeys] != provision.SourceCertificates {
					t.Errorf("%q from %s", kinds, result.Machine.Sources[provision.FieldSSHKeys])
				}
				if len(result.Machine.Warnings) != row.warnings {
					t.Errorf("warnings %q, want %d", result.Machine.Warnings, row.warnings)
				}
				for _, e := range r.fabric.Journal() {
					if len(e.Verdicts) > 0 && e.Verdicts[0] != "unsupported x-ms-cipher-name" {
						t.Errorf("%s %s: %q", e.Method, e.Path, e.Verdicts)
					}
				}
			})
		})
	}
}

// A certificate whose key OpenSSH does not know costs no other.
func TestCertificateWithoutAnSSHKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "fingerprint-keys")
		s.VM.SSHKeys = append(s.VM.SSHKeys, emulator.SSHKey{Certificate: p224Certificate})
		r := newRig(t, s)
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || len(result.Machine.User.SSHKeys) != 2 {
			t.Fatalf("%v, %+v", err, result.Machine)
		}
		if text := strings.Join(result.Machine.Warnings, "\n"); !strings.Contains(text, "OpenSSH knows no such curve") || !strings.Contains(text, "SSH key 3 was left out") {
			t.Errorf("warnings %s", text)
		}
	})
}

// The transport key is no business of a machine that has its keys.
func TestNoTransportKeyWithoutNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		keys := provision.CertificateKeys(r.options.WireServer, nil)
		if _, can := keys.(provision.KeyPreparer); !can {
			t.Fatal("it has nothing to prepare")
		}
		// A size that is not offered fails as soon as a key is made.
		r.options.Keys = provision.CertificateKeys(r.options.WireServer, &certs.TransportKeyOptions{Bits: 1})
		if _, err := provision.Run(t.Context(), r.options); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "fingerprint-keys"))
		r.options.Keys = provision.CertificateKeys(r.options.WireServer, &certs.TransportKeyOptions{Bits: 1})
		if _, err := provision.Run(t.Context(), r.options); azprov.KindOf(err) != azprov.KindInternal || !strings.Contains(err.Error(), "2048") {
			t.Errorf("error %v", err)
		}
	})
}

type preparing struct {
	provision.KeyResolver
	events *events
}

func (p preparing) PrepareKeys() { p.events.add("prepare") }

// TestKeysArePreparedBeforeTheNetworkIsUp: what takes a while is done while the network
// is waited for.
func TestKeysArePreparedBeforeTheNetworkIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "fingerprint-keys"))
		var happened events
		r.options.Network = slowNetwork{&happened, nil, 10 * time.Second}
		r.options.Keys = preparing{provision.CertificateKeys(r.options.WireServer, nil), &happened}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || !happened.are("prepare", "up", "down") {
			t.Errorf("%v, %q, steps %q", err, happened.list, steps(result))
		}
	})
}

// p224Certificate is about a key on a curve that OpenSSH does not know.
const p224Certificate = `-----BEGIN CERTIFICATE-----
MIIBejCCASigAwIBAgIUZ7J4QQ3KlEkWL/X2TjMqQaytIUowCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQb2RkQGV4YW1wbGUudGVzdDAgFw0yNjExMjMxODMzNDhaGA8y
MTI2MTAzMDE4MzM0OFowGzEZMBcGA1UEAwwQb2RkQGV4YW1wbGUudGVzdDBOMBAG
ByqGSM49AgEGBSuBBAAhAzoABI/mTnqt3Ki0S7ffigQahREnMK8gEIS9AhaaKYje
zryr6TDM2UDfp04i7AvPy0tKqH9KZXPm4YSSo1MwUTAdBgNVHQ4EFgQUoyjRxkNv
RPSIIQ6JeKoTFAP/N4QwHwYDVR0jBBgwFoAUoyjRxkNvRPSIIQ6JeKoTFAP/N4Qw
DwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNAADA9Ah0AlwKWOf8MpkclGPLc
gVyg+x70x4WDlZUqane5vgIccpGuJ1VTLY2Js1j7Jy2d6X+rreyLiFjdUhrjhg==
-----END CERTIFICATE-----
`
