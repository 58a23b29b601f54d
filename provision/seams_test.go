package provision_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/provision"
)

// lateMedium appears after a while.
type lateMedium struct {
	fsys  fs.FS
	after time.Duration
	err   error
}

func (m lateMedium) Read(ctx context.Context, missed func()) (*ovf.Environment, error) {
	missed()
	missed() // once is enough, twice does no harm
	select {
	case <-time.After(m.after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.err != nil {
		return nil, m.err
	}
	return ovf.ReadFS(m.fsys)
}

func (lateMedium) Eject(context.Context) error { return errors.New("tray is stuck") }

func TestLateMedium(t *testing.T) {
	malformed := &azprov.Error{Op: "test", Kind: azprov.KindMalformed, Message: "scratched"}
	for _, row := range []struct {
		name     string
		scenario string
		err      error
		kind     azprov.Kind
		custom   provision.Source
		under    time.Duration
	}{
		{"IMDS is read meanwhile", "custom-data", nil, "", provision.SourceOVF, 11 * time.Second},
		{"a complete medium ends the wait for an IMDS that is not there", "no-imds", nil, "", provision.SourceOVF, 41 * time.Second},
		{"a damaged one ends everything", "linux-vm", malformed, azprov.KindMalformed, "", 11 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, row.scenario))
				medium, _ := r.fabric.Medium()
				r.options.Medium = lateMedium{fsys: medium, after: 10 * time.Second, err: row.err}
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); took < 10*time.Second || took > row.under {
					t.Errorf("took %v, want 10s to %v", took, row.under)
				}
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v", err)
				}
				if err == nil && (result.Machine.Sources[provision.FieldCustomData] != row.custom || result.Report.State != provision.ReportReady) {
					t.Errorf("%+v, %+v", result.Machine.Sources, result.Report)
				}
			})
		})
	}
}

func TestProxyAgentIsAwaitedBeforeIMDS(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late medium %v", late), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				document, err := environmentOf(t, r.fabric, func(e *ovf.Environment) {
					e.Platform.ProvisionGuestProxyAgent = azprov.SwitchOn
				}).Encode()
				if err != nil {
					t.Fatal(err)
				}
				fsys := fstest.MapFS{"ovf-env.xml": {Data: document}}
				r.options.Medium = provision.MediumFS(fsys)
				if late {
					r.options.Medium = lateMedium{fsys: fsys, after: time.Second}
				}
				before := -1
				r.options.ProxyAgent = func(context.Context) error {
					before = instanceReads(r.fabric)
					return nil
				}
				result, err := provision.Run(t.Context(), r.options)
				if err != nil || before < 0 || instanceReads(r.fabric) != before+1 {
					t.Errorf("%v; %d reads of IMDS before the agent, %d in all; steps %q", err, before, instanceReads(r.fabric), steps(result))
				}
			})
		})
	}
}

func environmentOf(t *testing.T, f *emulator.Fabric, change func(*ovf.Environment)) *ovf.Environment {
	t.Helper()
	medium, _ := f.Medium()
	env, err := ovf.ReadFS(medium)
	if err != nil {
		t.Fatal(err)
	}
	change(env)
	return env
}

func instanceReads(f *emulator.Fabric) (n int) {
	for _, entry := range f.Journal() {
		if strings.HasPrefix(entry.Path, "/metadata/instance") {
			n++
		}
	}
	return n
}

type preprovisioner struct{ env *ovf.Environment }

func (p preprovisioner) Preprovision(context.Context, imds.PPSType) (*ovf.Environment, error) {
	return p.env, nil
}

func TestPoolVM(t *testing.T) {
	pool := func(r *rig) {
		medium, _ := r.fabric.Medium()
		env, _ := ovf.ReadFS(medium)
		env.Platform.PreprovisionedVM = azprov.SwitchOn
		document, _ := env.Encode()
		r.options.Medium = provision.MediumFS(fstest.MapFS{"ovf-env.xml": {Data: document}})
	}
	t.Run("without a Preprovisioner it is an error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			pool(r)
			result, err := provision.Run(t.Context(), r.options)
			if azprov.KindOf(err) != azprov.KindInternal || result.Report.State != provision.ReportFailed {
				t.Errorf("%v, %+v", err, result.Report)
			}
		})
	})
	t.Run("the owner's document replaces the pool's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			owner := environmentOf(t, r.fabric, func(e *ovf.Environment) { e.CustomData = azprov.NewSecret([]byte("owner's")) })
			pool(r)
			r.options.Preprovision = preprovisioner{owner}
			result, err := provision.Run(t.Context(), r.options)
			if err != nil {
				t.Fatal(err)
			}
			m := result.Machine
			if m.CustomData.RevealString() != "owner's" || m.Sources[provision.FieldCustomData] != provision.SourceReprovision || m.PPSType != imds.PPSTypeRunning {
				t.Errorf("custom data from %s, type %s", m.Sources[provision.FieldCustomData], m.PPSType)
			}
			if instanceReads(r.fabric) != 2 {
				t.Errorf("%d reads of IMDS, want 2: its document changes with the owner", instanceReads(r.fabric))
			}
		})
	})
}

type resolver map[string]string

func (r resolver) ResolveKeys(_ context.Context, thumbprints []string) (map[string]string, error) {
	found := map[string]string{}
	for _, t := range thumbprints {
		if key, ok := r[t]; ok {
			found[t] = key
		}
	}
	return found, nil
}

func TestKeysByFingerprint(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w x"
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		document, err := environmentOf(t, r.fabric, func(e *ovf.Environment) {
			e.PublicKeys = []ovf.PublicKey{{Fingerprint: "ab:cd"}}
		}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		r.options.Medium = provision.MediumFS(fstest.MapFS{"ovf-env.xml": {Data: document}})
		r.options.Keys = resolver{"ABCD": key}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || !slices.Equal(result.Machine.User.SSHKeys, []string{key}) || result.Machine.Sources[provision.FieldSSHKeys] != provision.SourceCertificates {
			t.Errorf("%v, %+v", err, result.Machine)
		}
	})
}
