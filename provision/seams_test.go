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

// deafMedium does not listen to its context; ejecting it hangs too.
type deafMedium struct {
	provision.Medium
	read, eject time.Duration
}

func (m deafMedium) Read(ctx context.Context, missed func()) (*ovf.Environment, error) {
	time.Sleep(m.read)
	return m.Medium.Read(ctx, missed)
}
func (m deafMedium) Eject(context.Context) error { time.Sleep(m.eject); return nil }

func TestDeafMedium(t *testing.T) {
	for _, row := range []struct {
		name        string
		read, eject time.Duration
		under       time.Duration
		kind        azprov.Kind
	}{
		{"a read that hangs ends with the context", time.Hour, 0, 50 * time.Second, azprov.KindTimeout},
		{"an eject that hangs does not hold up Ready", 0, time.Hour, 31 * time.Second, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				r.options.Medium = deafMedium{r.options.Medium, row.read, row.eject}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
				defer cancel()
				start := time.Now()
				result, err := provision.Run(ctx, r.options)
				if took := time.Since(start); azprov.KindOf(err) != row.kind || took > row.under {
					t.Errorf("%v after %v, %+v", err, took, result.Report)
				}
				time.Sleep(time.Hour) // what was left behind ends
			})
		})
	}
}

func TestLateMediumAndIMDSInTrouble(t *testing.T) {
	unwell := []emulator.Fault{{Status: 503, Times: 15}}
	denied := []emulator.Fault{{Status: 403, Always: true}}
	answered := []emulator.Fault{{Status: 410, Times: 2}, {Kind: emulator.FaultReset, Always: true}}
	for _, row := range []struct {
		name   string
		faults []emulator.Fault
		after  time.Duration
		kind   azprov.Kind
		under  time.Duration
	}{
		{"IMDS that answers is waited for", unwell, 2 * time.Second, "", 2 * time.Minute},
		{"an answer, then silence, is no absence", answered, 2 * time.Second, azprov.KindTimeout, 6 * time.Minute},
		{"a denial does not wait for the medium", denied, time.Hour, azprov.KindDenied, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "no-imds") // its medium is complete
				s.IMDS.Absent, s.IMDS.Faults = false, row.faults
				r := newRig(t, s)
				medium, _ := r.fabric.Medium()
				r.options.Medium = lateMedium{fsys: medium, after: row.after}
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); azprov.KindOf(err) != row.kind || took > row.under {
					t.Errorf("%v after %v, %+v", err, took, result.Report)
				}
				if err == nil && result.Machine.Sources[provision.FieldUserName] != provision.SourceIMDS {
					t.Errorf("user from %s", result.Machine.Sources[provision.FieldUserName])
				}
			})
		})
	}
}

func TestCompleteMediumAfterIMDSGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		medium, _ := r.fabric.Medium()
		r.options.Medium = lateMedium{fsys: medium, after: 6 * time.Minute}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Report.State != provision.ReportReady || len(result.Machine.Warnings) == 0 {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

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

func TestProxyAgentThatIsNotWantedIsNotAwaited(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late medium %v", late), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				if late {
					medium, _ := r.fabric.Medium()
					r.options.Medium = lateMedium{fsys: medium, after: time.Second}
				}
				r.options.ProxyAgent = func(context.Context) error { return errors.New("no agent here") }
				if result, err := provision.Run(t.Context(), r.options); err != nil || slices.Contains(steps(result), "proxy-agent") || instanceReads(r.fabric) != 1 {
					t.Errorf("%v, steps %q, %d reads of IMDS", err, steps(result), instanceReads(r.fabric))
				}
			})
		})
	}
}

// TestLateMediumAsksForTheProxyAgent: what IMDS refused before the agent was up is asked
// for again after it.
func TestLateMediumAsksForTheProxyAgent(t *testing.T) {
	for _, wanted := range []azprov.Switch{azprov.SwitchOn, azprov.SwitchOff} {
		synctest.Test(t, func(t *testing.T) {
			s := lookup(t, "linux-vm")
			s.IMDS.Faults = []emulator.Fault{{Status: 403}}
			r := newRig(t, s)
			document, err := environmentOf(t, r.fabric, func(e *ovf.Environment) {
				e.Platform.ProvisionGuestProxyAgent = wanted
			}).Encode()
			if err != nil {
				t.Fatal(err)
			}
			r.options.Medium = lateMedium{fsys: fstest.MapFS{"ovf-env.xml": {Data: document}}, after: 10 * time.Second}
			r.options.ProxyAgent = func(context.Context) error { return nil }
			_, err = provision.Run(t.Context(), r.options)
			if want := wanted == azprov.SwitchOn; (err == nil) != want {
				t.Errorf("asked for %v: %v", wanted, err)
			}
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
