package provision

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// TestComplete: which media give a way in, so that IMDS need not be waited for.
func TestComplete(t *testing.T) {
	t.Parallel()
	medium := func(user, password string, keys ...ovf.PublicKey) *ovf.Environment {
		return environment(func(e *ovf.Environment) {
			e.UserName, e.PublicKeys = user, keys
			if password != "" {
				e.UserPassword = secret(password)
			}
		})
	}
	for _, row := range []struct {
		name string
		env  *ovf.Environment
		want bool
	}{
		{"no medium", nil, false},
		{"nobody", medium("", "p", ovf.PublicKey{Value: keyA}), false},
		{"a user alone", medium("u", ""), false},
		{"a password", medium("u", "p"), true},
		{"a key", medium("u", "", ovf.PublicKey{Value: "no key"}, ovf.PublicKey{Value: keyA}), true},
		{"no usable key", medium("u", "", ovf.PublicKey{Value: "no key"}), false},
		{"a fingerprint", medium("u", "", ovf.PublicKey{Fingerprint: "ab"}), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := &Provisioner{}
			if got := p.complete(row.env); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

// TestRefused: only what the wire server itself will never take makes a failure of a
// success.
func TestRefused(t *testing.T) {
	t.Parallel()
	definite := []azprov.Kind{azprov.KindDenied, azprov.KindUnauthenticated, azprov.KindNotFound, azprov.KindNotAzure}
	for _, kind := range azprov.PossibleKindValues() {
		if got, want := refused(&azprov.Error{Op: "test", Kind: kind}), slices.Contains(definite, kind); got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	for status, want := range map[int]bool{0: false, 200: false, 400: true, 405: true} {
		if got := refused(&azprov.Error{Op: "test", Kind: azprov.KindMalformed, Status: status}); got != want {
			t.Errorf("Malformed with status %d: %v, want %v", status, got, want)
		}
	}
	if refused(errors.New("not ours")) {
		t.Error("another error says nothing about the wire server")
	}
}

// TestWords asserts what stands in JSON, logs and reports, where others read it.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		got  string
		want string
	}{
		{"sources", words(PossibleSourceValues()), "imds ovf certificates dmi reprovision default none"},
		{"fields", words(PossibleFieldValues()), "vmId hostname user.name user.password user.sshKeys passwordAuthentication customData userData config region zone network"},
		{"steps", words(PossibleStepNameValues()), "identify network medium proxy-agent imds preprovision keys merge apply eject report"},
		{"states", words(PossibleReportStateValues()), "None InProgress Ready Failed"},
		{"orders", words(PossibleConfigOrderValues()), "customDataFirst userDataFirst"},
	} {
		if row.got != row.want {
			t.Errorf("%s are %q, want %q", row.name, row.got, row.want)
		}
	}
}

func words[T ~string](values []T) string {
	var texts []string
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return strings.Join(texts, " ")
}
