package provision

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/wireserver"
)

// CertificateKeys returns the KeyResolver that is used where Options names none: it
// takes the keys from the VM's certificates, which the wire server hands out. The
// transport key is made while the network is waited for, and only if the medium names a
// key by its fingerprint. A nil client is that of Options; transport may be nil, too.
func CertificateKeys(client *wireserver.Client, transport *certs.TransportKeyOptions) KeyResolver {
	return &certificateKeys{client: client, transport: transport}
}

// keysOrDefault fills in what the caller has left to Options.
func keysOrDefault(keys KeyResolver, client *wireserver.Client) KeyResolver {
	if keys == nil {
		return CertificateKeys(client, nil)
	}
	if k, own := keys.(*certificateKeys); own && k.client == nil {
		return CertificateKeys(client, k.transport)
	}
	return keys
}

type certificateKeys struct {
	client    *wireserver.Client
	transport *certs.TransportKeyOptions

	mu      sync.Mutex
	pending *certs.PendingTransportKey
}

// PrepareKeys begins to make the transport key.
func (k *certificateKeys) PrepareKeys() { k.start() }

func (k *certificateKeys) start() *certs.PendingTransportKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pending == nil {
		k.pending = certs.StartTransportKey(k.transport)
	}
	return k.pending
}

// ResolveKeys reads the VM's certificates.
func (k *certificateKeys) ResolveKeys(ctx context.Context, thumbprints []string) (ResolvedKeys, error) {
	key, err := k.start().Wait(ctx)
	if err != nil {
		return ResolvedKeys{}, err
	}
	resp, err := k.client.GetCertificates(ctx, key, nil)
	if err != nil {
		return ResolvedKeys{}, err
	}
	resolved := ResolvedKeys{Keys: map[string]string{}, Warnings: resp.Warnings}
	for _, thumbprint := range thumbprints {
		c, found := resp.Lookup(thumbprint)
		switch {
		case !found:
		case c.SSHKey != "":
			resolved.Keys[thumbprint] = c.SSHKey
		default:
			resolved.Warnings = append(resolved.Warnings, "certificate "+c.Thumbprint+": "+strings.Join(c.Warnings, "; "))
		}
	}
	return resolved, nil
}

// prepareKeys tells the resolver that it may be needed, once the medium is known.
func (p *Provisioner) prepareKeys(env *ovf.Environment) {
	preparer, can := p.o.Keys.(KeyPreparer)
	if can && len(byFingerprint(env)) > 0 {
		preparer.PrepareKeys()
	}
}

// keysTime bounds the wait for keys where there is another way to log in.
const keysTime = 2 * time.Minute

// resolveKeys gets the keys that the medium names by fingerprint only. That there are
// none to be had is a failure unless there is another way to log in; then there must be
// time left to apply and to report.
func (p *Provisioner) resolveKeys(ctx context.Context, t *timeline, s *sources) error {
	wanted := unresolved(s)
	if len(wanted) == 0 {
		return nil
	}
	return t.step(ctx, StepKeys, func(ctx context.Context) (string, error) {
		other, resolving := hasOtherLogin(s), ctx
		if other {
			var stop context.CancelFunc
			resolving, stop = context.WithTimeout(ctx, atMost(ctx, keysTime))
			defer stop()
		}
		resolved, err := p.o.Keys.ResolveKeys(resolving, wanted)
		s.keys, s.notes = resolved.Keys, append(s.notes, resolved.Warnings...)
		if err != nil && ctx.Err() == nil && other {
			s.notes = append(s.notes, "SSH keys named by fingerprint cannot be had: "+err.Error())
			err = nil
		}
		return strconv.Itoa(len(s.keys)) + " of " + strconv.Itoa(len(wanted)) + " keys by fingerprint", err
	})
}

// unresolved lists the thumbprints of the medium's keys that have no value, if the
// medium's keys count at all.
func unresolved(s *sources) []string {
	if _, count := usableKeys(s.inst); count {
		return nil
	}
	return byFingerprint(s.env)
}

// byFingerprint lists the thumbprints of the keys that have no usable value.
func byFingerprint(env *ovf.Environment) []string {
	if env == nil {
		return nil
	}
	var thumbprints []string
	for _, key := range env.PublicKeys {
		if !hasValue(key) && key.Fingerprint != "" {
			thumbprints = append(thumbprints, key.Thumbprint())
		}
	}
	return thumbprints
}

// hasOtherLogin reports whether somebody could log in without the keys by fingerprint.
func hasOtherLogin(s *sources) bool {
	if usable, _ := usableKeys(s.inst); len(usable) > 0 {
		return true
	}
	return s.env.UserPassword.Len() > 0 || s.env.UserPasswordRedacted || slices.ContainsFunc(s.env.PublicKeys, hasValue)
}

// hasValue reports whether the medium gives the key itself.
func hasValue(key ovf.PublicKey) bool {
	_, usable := mediumKey(key)
	return usable
}

// keysLost is the error of a machine whose creator asked for keys, all of which were left
// out, and that has no password.
func keysLost(lost int) error {
	return &azprov.Error{
		Op: "provision.Collect", Kind: azprov.KindNotFound,
		Message: "none of the " + strconv.Itoa(lost) + " SSH keys that the medium names can be had, and there is no password",
		Hint:    "nobody could log in; compare the fingerprints with the certificates of the VM (azprov certs get)",
	}
}
