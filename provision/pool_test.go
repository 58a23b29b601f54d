package provision_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/mediatest"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
)

// memoryStore keeps the marker as long as it lives.
type memoryStore struct {
	marker  *pps.Marker
	cleared int
	err     error
}

func (s *memoryStore) Load(context.Context) (pps.Marker, bool, error) {
	if s.marker == nil {
		return pps.Marker{}, false, s.err
	}
	return *s.marker, true, s.err
}

func (s *memoryStore) Save(_ context.Context, m pps.Marker) error {
	s.marker = &m
	return s.err
}

func (s *memoryStore) Clear(context.Context) error {
	s.marker = nil
	s.cleared++
	return s.err
}

// readies counts the reports of Ready, in the pool and after it.
func readies(f *emulator.Fabric) (pool, owner int) {
	for _, report := range f.Reports() {
		switch {
		case report.State != emulator.StateReady:
		case report.Pool:
			pool++
		default:
			owner++
		}
	}
	return pool, owner
}

// TestPool goes the whole way of each kind of pool, with and without the links' events.
func TestPool(t *testing.T) {
	for _, row := range []struct {
		scenario string
		kind     imds.PPSType
		host     string
	}{
		{"pps-running", imds.PPSTypeRunning, "jetty-21"},
		{"pps-savable", imds.PPSTypeSavable, "jetty-22"},
	} {
		for name, blind := range map[string]bool{"": false, ", without events": true} {
			t.Run(row.scenario+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, lookup(t, row.scenario))
					store := &memoryStore{}
					r.options.Pool.Store = store
					if blind {
						r.options.Pool.Links = nil
					}
					var states []pps.State
					r.options.Pool.OnState = func(s pps.Transition) { states = append(states, s.To) }
					drive := newCDROM(t, r.fabric)
					cache := &media.Cache{Path: filepath.Join(t.TempDir(), "medium.json")}
					r.options.Medium = provision.Disc(&media.Options{System: drive, Cache: cache})
					drive.OnEject = func() {
						if pool, _ := readies(r.fabric); pool != 0 {
							t.Error("the pool's medium was ejected after the report")
						}
					}
					r.options.Apply = func(_ context.Context, m *provision.Machine) error {
						if store.marker == nil || store.marker.Phase != pps.PhaseReused || m.HostName != row.host {
							t.Errorf("marker %+v, applying %s", store.marker, m.HostName)
						}
						return nil
					}
					result, err := provision.Run(t.Context(), r.options)
					if err != nil {
						t.Fatalf("%v, states %v", err, states)
					}
					m := result.Machine
					if m.HostName != row.host || m.PPSType != row.kind || m.Sources[provision.FieldCustomData] == provision.SourceOVF {
						t.Errorf("%s, %s, custom data of %s", m.HostName, m.PPSType, m.Sources[provision.FieldCustomData])
					}
					if pool, owner := readies(r.fabric); pool != 1 || owner != 1 {
						t.Errorf("Ready %d times in the pool, %d times for the owner", pool, owner)
					}
					if r.fabric.Phase() != emulator.PhaseProvisioned || len(violations(r.fabric)) > 0 {
						t.Errorf("%s, %q", r.fabric.Phase(), violations(r.fabric))
					}
					if store.marker != nil || store.cleared != 1 || drive.Ejected() != 1 || states[len(states)-1] != pps.StateDone {
						t.Errorf("marker %+v, cleared %d times, ejected %d times, states %v", store.marker, store.cleared, drive.Ejected(), states)
					}
					// What is kept for later boots is the owner's.
					cache.VMID = m.VMID
					if env, err := cache.Load(); err != nil || env.HostName != row.host {
						t.Errorf("%v, kept %+v", err, env)
					}
				})
			})
		}
	}
}

// violations are what the emulator holds against the conversation.
func violations(f *emulator.Fabric) (list []string) {
	for _, entry := range f.Journal() {
		list = append(list, entry.Verdicts...)
	}
	return list
}

// After a reboot in the pool the VM goes on where it was.
func TestPoolAfterAReboot(t *testing.T) {
	recovering := func(t *testing.T, s emulator.Scenario, marker *pps.Marker) (*rig, *memoryStore) {
		t.Helper()
		r := newRig(t, s)
		store := &memoryStore{marker: marker}
		r.options.Pool.Store = store
		// The medium was ejected before the reboot.
		r.options.Medium = provision.Disc(&media.Options{System: &mediatest.CDROM{At: time.Now().Add(time.Hour)}})
		return r, store
	}
	t.Run("with a marker", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := lookup(t, "pps-recovery")
			r, store := recovering(t, s, &pps.Marker{VMID: s.VM.ID.Swapped(), Phase: pps.PhaseReported})
			start := time.Now()
			result, err := provision.Run(t.Context(), r.options)
			if took := time.Since(start); err != nil || took > 4*time.Second {
				t.Fatalf("%v after %v", err, took)
			}
			if pool, owner := readies(r.fabric); pool != 0 || owner != 1 || result.Machine.HostName != "jetty-24" || store.marker != nil {
				t.Errorf("Ready %d and %d times, %s, marker %+v", pool, owner, result.Machine.HostName, store.marker)
			}
			if slices.Contains(steps(result), "medium") {
				t.Errorf("the medium was waited for: %q", steps(result))
			}
		})
	})
	t.Run("another VM's marker is removed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, store := recovering(t, lookup(t, "linux-vm"), &pps.Marker{VMID: azprov.VMID{1}, Phase: pps.PhaseReported})
			result, err := provision.Run(t.Context(), r.options)
			if err != nil || store.marker != nil || result.Machine.PPSType != imds.PPSTypeNone ||
				!strings.Contains(strings.Join(result.Machine.Warnings, "\n"), "and was removed") {
				t.Errorf("%v, marker %+v, %+v", err, store.marker, result.Machine)
			}
		})
	})
	t.Run("without a store, IMDS shows the owner", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := lookup(t, "pps-recovery")
			s.Pool.DataAfter, s.Pool.Owner.CustomData = 0, azprov.NewSecret([]byte("#bosun"))
			r, _ := recovering(t, s, nil)
			r.options.Pool.Store = nil
			result, err := provision.Run(t.Context(), r.options)
			if err != nil || result.Machine.CustomData.RevealString() != "#bosun" || string(result.Machine.PPSType) != "Unknown" {
				t.Errorf("%v, %+v", err, result.Machine)
			}
		})
	})
}

// A failure after the reuse is told, and leaves no marker behind: the next boot would wait
// for an owner for ever.
func TestPoolThatFails(t *testing.T) {
	for name, row := range map[string]struct {
		edit   func(*emulator.Scenario)
		apply  error
		kind   azprov.Kind
		reason string
	}{
		"the owner's document is none": {func(s *emulator.Scenario) { s.Pool.Document = azprov.NewSecret([]byte("<!!!!>")) }, nil, azprov.KindMalformed, "error parsing ovf-env.xml"},
		"IMDS still shows the pool": {
			func(s *emulator.Scenario) { s.Pool.Instance = []byte(`{"extended":{"compute":{"ppsType":"Running"}}}`) },
			nil, azprov.KindStale, "|key=extended.compute.ppsType|value=Running|type=str|",
		},
		"the owner's data cannot be applied": {func(*emulator.Scenario) {}, errors.New("aground"), azprov.KindInternal, "aground"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "pps-running")
				row.edit(&s)
				r := newRig(t, s)
				store := &memoryStore{}
				r.options.Pool.Store = store
				r.options.Apply = func(context.Context, *provision.Machine) error { return row.apply }
				result, err := provision.Run(t.Context(), r.options)
				if err == nil || azprov.KindOf(err) != row.kind || result.Report.State != provision.ReportFailed {
					t.Fatalf("%v, %+v", err, result.Report)
				}
				reports := r.fabric.Reports()
				if last := reports[len(reports)-1]; !strings.Contains(last.Description, row.reason) || last.Pool {
					t.Errorf("%+v", last)
				}
				if store.marker != nil || store.cleared == 0 {
					t.Errorf("marker %+v", store.marker)
				}
			})
		})
	}
}

// A marker that cannot be removed does not take the report back.
func TestMarkerThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Pool.Store = &memoryStore{err: errors.New("read-only")}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Report.State != provision.ReportReady || !strings.Contains(strings.Join(result.Report.Warnings, "\n"), "the marker of the pool cannot be removed") {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestTypeThatNobodyKnows(t *testing.T) {
	t.Run("is read again, and then taken as None", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := lookup(t, "linux-vm")
			s.IMDS.PPSType = "Future"
			r := newRig(t, s)
			start := time.Now()
			result, err := provision.Run(t.Context(), r.options)
			if took := time.Since(start); err != nil || took < 4*time.Minute || took > 5*time.Minute || instanceReads(r.fabric) < 50 {
				t.Fatalf("%v after %v and %d reads", err, took, instanceReads(r.fabric))
			}
			if result.Machine.PPSType != imds.PPSTypeNone || len(result.Machine.Warnings) != 1 {
				t.Errorf("%s, %q", result.Machine.PPSType, result.Machine.Warnings)
			}
		})
	})
	for name, fault := range map[string]emulator.Fault{
		"silence while it is read again is no absence": {Kind: emulator.FaultReset, Always: true},
		"a refusal while it is read again ends it":     {Status: 403, Always: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "no-imds") // its medium is complete
				s.IMDS.Absent, s.IMDS.PPSType = false, "Future"
				s.IMDS.Faults = []emulator.Fault{{Delay: 1}, fault} // the first read is fine
				want := azprov.KindTimeout
				if fault.Status != 0 {
					want = azprov.KindDenied
				}
				r := newRig(t, s)
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); azprov.KindOf(err) != want || result.Report.State != provision.ReportFailed || took > 6*time.Minute {
					t.Errorf("%v after %v, steps %q", err, took, steps(result))
				}
			})
		})
	}
}

// A pool VM's owner may name keys that the pool's medium did not, and ask for the guest
// proxy agent: it is waited for before the pool's IMDS is read, and before the owner's.
func TestKeysAndProxyAgentOfTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "pps-running")
		s.Pool.Instance = []byte(`{"compute":{"publicKeys":null}}`)
		owner := &ovf.Environment{
			HostName: "jetty-21", UserName: "pilot", PublicKeys: []ovf.PublicKey{{Fingerprint: "ABCD"}},
			CustomData: azprov.NewSecret([]byte("owner's")),
			Platform:   ovf.PlatformSettings{ProvisionGuestProxyAgent: azprov.SwitchOn},
		}
		document, err := owner.Encode()
		if err != nil {
			t.Fatal(err)
		}
		s.Pool.Document = azprov.NewSecret(document)
		r := newRig(t, s)
		r.onMedium(t, func(e *ovf.Environment) { e.Platform.ProvisionGuestProxyAgent = azprov.SwitchOn })
		keys := &resolver{keys: map[string]string{"ABCD": someKey}}
		r.options.Keys = keys
		var phases []emulator.Phase
		r.options.ProxyAgent = func(context.Context) error {
			phases = append(phases, r.fabric.Phase())
			return nil
		}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || keys.prepared != 1 || keys.asked != 1 || !slices.Equal(result.Machine.User.SSHKeys, []string{someKey}) {
			t.Errorf("%v, prepared %d times, asked %d times", err, keys.prepared, keys.asked)
		}
		if !slices.Equal(phases, []emulator.Phase{emulator.PhasePooled, emulator.PhaseOwned}) {
			t.Errorf("waited for the proxy agent when %v", phases)
		}
		if m := result.Machine; m.CustomData.RevealString() != "owner's" || m.Sources[provision.FieldCustomData] != provision.SourceReprovision {
			t.Errorf("custom data from %s", m.Sources[provision.FieldCustomData])
		}
	})
}
