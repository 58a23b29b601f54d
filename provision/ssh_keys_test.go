package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/provision"
)

// someMedium is a medium with these keys, or an error, that knows whether it was read.
type someMedium struct {
	keys []ovf.PublicKey
	err  error
	read bool
}

func (m *someMedium) Read(context.Context, func()) (*ovf.Environment, error) {
	m.read = true
	if m.err != nil {
		return nil, m.err
	}
	return &ovf.Environment{PublicKeys: m.keys}, nil
}

func (*someMedium) Eject(context.Context) error { return nil }

func TestSSHKeys(t *testing.T) {
	t.Parallel()
	other := strings.TrimSuffix(someKey, "x") + "other"
	absent := &azprov.Error{Op: "media.Open", Kind: azprov.KindNotFound, Message: "no medium"}
	refused := errors.New("no certificates")
	value, fingerprint := ovf.PublicKey{Value: other}, ovf.PublicKey{Fingerprint: "ab:cd"}
	for _, row := range []struct {
		name     string
		imds     []string
		medium   someMedium
		known    map[string]string
		resolve  error
		want     []string
		warnings int
		err      error
		read     bool
		asked    int
	}{
		{name: "IMDS's", imds: []string{someKey, other}, medium: someMedium{err: absent}, want: []string{someKey, other}},
		{name: "the medium's", medium: someMedium{keys: []ovf.PublicKey{value}}, want: []string{other}, read: true},
		{name: "the medium's before a part of IMDS's", imds: []string{someKey, "X.509"}, medium: someMedium{keys: []ovf.PublicKey{value}}, want: []string{other}, read: true},
		{name: "by fingerprint", imds: []string{"X.509"}, medium: someMedium{keys: []ovf.PublicKey{fingerprint, value}}, known: map[string]string{"ABCD": someKey}, want: []string{someKey, other}, warnings: 1, read: true, asked: 1},
		{name: "a fingerprint of nothing", medium: someMedium{keys: []ovf.PublicKey{fingerprint, value}}, want: []string{other}, warnings: 2, read: true, asked: 1},
		{name: "no answer, and another key", medium: someMedium{keys: []ovf.PublicKey{fingerprint, value}}, resolve: refused, want: []string{other}, warnings: 1, read: true, asked: 1},
		{name: "no answer, and a part of IMDS's", imds: []string{someKey, "X.509"}, medium: someMedium{keys: []ovf.PublicKey{fingerprint}}, resolve: refused, want: []string{someKey}, warnings: 1, read: true, asked: 1},
		{name: "no answer", medium: someMedium{keys: []ovf.PublicKey{fingerprint}}, resolve: refused, err: refused, read: true, asked: 1},
		{name: "no medium, and a part of IMDS's", imds: []string{"X.509", someKey}, medium: someMedium{err: absent}, want: []string{someKey}, warnings: 1, read: true},
		{name: "no medium", imds: []string{"X.509"}, medium: someMedium{err: absent}, err: azprov.ErrNotFound, read: true},
		{name: "none", medium: someMedium{}, want: []string{}, read: true},
	} {
		var compute imds.Compute
		for _, key := range row.imds {
			compute.PublicKeys = append(compute.PublicKeys, imds.PublicKey{KeyData: key})
		}
		keys := &resolver{keys: row.known, err: row.resolve}
		got, warnings, err := provision.SSHKeys(t.Context(), compute, &row.medium, keys)
		if !slices.Equal(got, row.want) || len(warnings) != row.warnings || !errors.Is(err, row.err) || (err != nil) != (row.err != nil) {
			t.Errorf("%s: %q, %q, %v", row.name, got, warnings, err)
		}
		if row.medium.read != row.read || keys.asked != row.asked {
			t.Errorf("%s: medium read %t, certificates asked for %d times", row.name, row.medium.read, keys.asked)
		}
	}
}

// TestSSHKeysCanceled: who gives up does not get half of the keys.
func TestSSHKeysCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	compute := imds.Compute{PublicKeys: []imds.PublicKey{{KeyData: someKey}, {KeyData: "X.509"}}}
	keys, _, err := provision.SSHKeys(ctx, compute, &someMedium{err: ctx.Err()}, &resolver{})
	if keys != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", keys, err)
	}
}
