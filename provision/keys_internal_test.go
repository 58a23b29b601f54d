package provision

import (
	"testing"

	"github.com/azprov/azprov/goalstate/certs"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
)

// TestTransportKeyIsMadeAheadAndOnce: what PrepareKeys begins is what ResolveKeys waits
// for.
func TestTransportKeyIsMadeAheadAndOnce(t *testing.T) {
	t.Parallel()
	k := &certificateKeys{transport: &certs.TransportKeyOptions{Bits: 1}} // which fails at once
	k.PrepareKeys()
	first := k.pending
	if first == nil {
		t.Fatal("nothing was begun")
	}
	if k.PrepareKeys(); k.start() != first {
		t.Error("a second key was begun")
	}
}

func TestHasOtherLogin(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		edit func(*ovf.Environment)
		inst func(*imds.Instance)
		want bool
	}{
		{"nothing", nil, nil, false},
		{"a fingerprint alone", func(e *ovf.Environment) { e.PublicKeys = []ovf.PublicKey{{Fingerprint: "AB"}} }, nil, false},
		{"a value that is none", func(e *ovf.Environment) { e.PublicKeys = []ovf.PublicKey{{Value: "no key"}} }, nil, false},
		{"a value", func(e *ovf.Environment) { e.PublicKeys = []ovf.PublicKey{{Value: keyA}} }, nil, true},
		{"a password", func(e *ovf.Environment) { e.UserPassword = secret("p") }, nil, true},
		{"a password that was redacted", func(e *ovf.Environment) { e.UserPasswordRedacted = true }, nil, true},
		{"a key of IMDS beside one that is none", nil, func(i *imds.Instance) {
			i.Compute.PublicKeys = []imds.PublicKey{{KeyData: keyA}, {KeyData: "no key"}}
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := hasOtherLogin(&sources{env: environment(row.edit), inst: instance(row.inst)}); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}
