package provision

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
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

func TestPPSType(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		on       azprov.Switch
		fromOVF  ovf.PreprovisionedVMType
		fromIMDS imds.PPSType
		want     imds.PPSType
		warnings int
	}{
		{"nobody says", azprov.SwitchUnset, "", "", imds.PPSTypeNone, 0},
		{"None", azprov.SwitchOff, "", "None", imds.PPSTypeNone, 0},
		{"the switch alone is Running", azprov.SwitchOn, "", "None", imds.PPSTypeRunning, 0},
		{"Running of the medium", azprov.SwitchOff, "Running", "", imds.PPSTypeRunning, 0},
		{"Running of IMDS", azprov.SwitchOff, "", "Running", imds.PPSTypeRunning, 0},
		{"Savable beats Running", azprov.SwitchOn, "", "Savable", imds.PPSTypeSavable, 0},
		{"Savable beats the OS disk", azprov.SwitchOff, "PreprovisionedOSDisk", "Savable", imds.PPSTypeSavable, 0},
		{"the OS disk beats Running", azprov.SwitchOn, "Running", "PreprovisionedOSDisk", imds.PPSTypePreprovisionedOSDisk, 0},
		{"Unknown of IMDS", azprov.SwitchOff, "", "Unknown", imds.PPSTypeNone, 1},
		{"Savable beside an unknown word", azprov.SwitchOff, "Savable", "Future", imds.PPSTypeSavable, 1},
		{"another case is another word", azprov.SwitchOff, "running", "", imds.PPSTypeNone, 1},
		{"the switch counts beside an unknown word", azprov.SwitchOn, "running", "None", imds.PPSTypeRunning, 1},
		{"the switch counts beside None", azprov.SwitchOn, "None", "None", imds.PPSTypeRunning, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			env := environment(func(e *ovf.Environment) {
				e.Platform.PreprovisionedVM, e.Platform.PreprovisionedVMType = row.on, row.fromOVF
			})
			s := &sources{env: env, inst: instance(func(i *imds.Instance) { i.Extended.Compute.PPSType = row.fromIMDS })}
			if got := ppsType(s); got != row.want || len(s.notes) != row.warnings {
				t.Errorf("%s, notes %q", got, s.notes)
			}
		})
	}
}
