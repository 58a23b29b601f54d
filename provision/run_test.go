package provision_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// rig is a VM against the emulator, in virtual time.
type rig struct {
	fabric  *emulator.Fabric
	options *provision.Options
}

func newRig(t *testing.T, scenario emulator.Scenario) *rig {
	t.Helper()
	f, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := f.ListenInMemory(t.Context())
	t.Cleanup(func() { _ = server.Close() })
	transport := azcore.ClientOptions{Transport: server.Client()}
	i, err := imds.NewClient(&imds.ClientOptions{ClientOptions: transport})
	if err != nil {
		t.Fatal(err)
	}
	w, err := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport})
	if err != nil {
		t.Fatal(err)
	}
	options := &provision.Options{IMDS: i, WireServer: w, Sysfs: f.DMI(), StateDir: provision.NoStateDir, BootID: "boot-1"}
	if medium, ok := f.Medium(); ok {
		options.Medium = provision.MediumFS(medium)
	}
	return &rig{f, options}
}

func lookup(t *testing.T, name string) emulator.Scenario {
	t.Helper()
	s, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func steps(result provision.Result) (list []string) {
	for _, s := range result.Timeline {
		name := string(s.Name)
		if s.Err != nil {
			name += "!"
		}
		list = append(list, name)
	}
	return list
}

// TestScenarios runs the whole course against each scenario of the emulator.
func TestScenarios(t *testing.T) {
	whole := []string{"identify", "medium", "imds", "merge", "apply", "eject", "report"}
	for _, row := range []struct {
		scenario string
		kind     azprov.Kind
		state    provision.ReportState
		steps    []string
		under    time.Duration
		host     string
		report   string // in the last report's description
	}{
		{"linux-vm", "", provision.ReportReady, whole, time.Millisecond, "harbour-01", ""},
		{"custom-data", "", provision.ReportReady, whole, time.Millisecond, "jetty-07", ""},
		{"no-imds", "", provision.ReportReady, whole, 31 * time.Second, "quay-02", ""},
		{"no-ovf", "", provision.ReportReady, []string{"identify", "medium", "imds", "merge", "apply", "report"}, time.Millisecond, "", ""},
		{"stack-hub", "", provision.ReportReady, whole, time.Millisecond, "", ""},
		{"slow-start", "", provision.ReportReady, whole, time.Minute, "", ""},
		{"bad-ovf", azprov.KindMalformed, provision.ReportFailed, []string{"identify", "medium!", "report"}, time.Millisecond, "", "reason=error parsing ovf-env.xml"},
		{"imds-denied", azprov.KindDenied, provision.ReportFailed, []string{"identify", "medium", "imds!", "report"}, time.Millisecond, "", "reason=http error 403 querying IMDS"},
	} {
		t.Run(row.scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, row.scenario))
				start := time.Now()
				result, err := provision.Run(t.Context(), r.options)
				if took := time.Since(start); took > row.under {
					t.Errorf("took %v, want %v at most", took, row.under)
				}
				if azprov.KindOf(err) != row.kind || result.Report.State != row.state || result.ReportErr != nil {
					t.Fatalf("error %v, report %+v, report error %v", err, result.Report, result.ReportErr)
				}
				if string(r.fabric.State()) != string(row.state) || result.Report.AcceptedAt.IsZero() {
					t.Errorf("the fabric was told %s, accepted at %v", r.fabric.State(), result.Report.AcceptedAt)
				}
				if got := steps(result); !slices.Equal(got, row.steps) {
					t.Errorf("steps %q, want %q", got, row.steps)
				}
				reports := r.fabric.Reports()
				if len(reports) != 1 || !strings.Contains(reports[0].Description, row.report) {
					t.Errorf("reports %+v", reports)
				}
				if row.host != "" && result.Machine.HostName != row.host {
					t.Errorf("host name %q, want %q", result.Machine.HostName, row.host)
				}
				for _, entry := range r.fabric.Journal() {
					// A version too new for the host is how the negotiation begins.
					if len(entry.Verdicts) > 0 && entry.Status != 400 {
						t.Errorf("%s %s: %q", entry.Method, entry.Path, entry.Verdicts)
					}
				}
			})
		})
	}
}

func TestApplyThatFailsIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		broken := errors.New("useradd: exit status 1\nsecond line")
		r.options.Apply = func(_ context.Context, m *provision.Machine) error {
			if m.User.Name != "pilot" {
				t.Errorf("user %q", m.User.Name)
			}
			return broken
		}
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, broken) || result.Report.State != provision.ReportFailed || result.Machine == nil {
			t.Fatalf("%v, %+v", err, result.Report)
		}
		want := []string{
			"result=error|reason=unhandled exception|agent=azprov/" + azprov.Version + "|exception=useradd: exit status 1 second line|pps_type=None|vm_id=" + result.Machine.VMID.String() + "|timestamp=",
			"|documentation_url=" + azprov.DocumentationURL,
		}
		for _, part := range want {
			if got := r.fabric.Reports()[0].Description; !strings.Contains(got, part) {
				t.Errorf("description %q lacks %q", got, part)
			}
		}
		if slices.Contains(steps(result), "eject") {
			t.Error("the medium was ejected before its data was applied")
		}
	})
}

func TestNotAzure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Sysfs = fstest.MapFS{}
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, azprov.ErrNotAzure) || result.Report.State != provision.ReportNone || len(r.fabric.Journal()) != 0 {
			t.Errorf("%v, %+v, %d requests", err, result.Report, len(r.fabric.Journal()))
		}
		r.options.AssumeAzure = true
		if result, err = provision.Run(t.Context(), r.options); err != nil || result.Machine.Sources[provision.FieldVMID] != provision.SourceIMDS {
			t.Errorf("with AssumeAzure: %v", err)
		}
	})
}

// network fails, or counts.
type network struct {
	err      error
	up, down int
	hangs    time.Duration // Down listens to no context
}

func (n *network) Up(context.Context) error   { n.up++; return n.err }
func (n *network) Down(context.Context) error { n.down++; time.Sleep(n.hangs); return nil }

func TestNetworkIsBroughtUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network = n
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || n.up != 1 || n.down != 1 || !slices.Contains(steps(result), "network") {
			t.Errorf("%v, up %d, down %d, %q", err, n.up, n.down, steps(result))
		}
	})
}

func TestNetworkThatWillNotGoDownIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Network = &network{hangs: time.Hour}
		start := time.Now()
		if _, err := provision.Run(t.Context(), r.options); err != nil || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(time.Hour) // what was left behind ends
	})
}

func TestNetworkIsNotTouchedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network, r.options.Sysfs = n, fstest.MapFS{}
		if _, err := provision.Run(t.Context(), r.options); !errors.Is(err, azprov.ErrNotAzure) || n.up+n.down != 0 {
			t.Errorf("%v, up %d, down %d", err, n.up, n.down)
		}
	})
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	if provision.DefaultFailureTimeout != 2*time.Minute || provision.DefaultStateDir != "/run/azprov" {
		t.Errorf("%v, %s", provision.DefaultFailureTimeout, provision.DefaultStateDir)
	}
}

func TestCancelReportsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(5*time.Second, cancel)
		result, err := provision.Run(ctx, r.options)
		if azprov.KindOf(err) != azprov.KindCanceled || result.Report.State != provision.ReportNone || len(r.fabric.Reports()) != 0 {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestWhoCancelsIsNotReported(t *testing.T) {
	for name, fail := range map[string]error{
		"the context's error":  context.Canceled,
		"what a program says":  errors.New("signal: killed"),
		"an error of our kind": &azprov.Error{Op: "x", Kind: azprov.KindTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lookup(t, "linux-vm"))
				ctx, cancel := context.WithCancel(t.Context())
				r.options.Apply = func(context.Context, *provision.Machine) error { cancel(); return fail }
				result, err := provision.Run(ctx, r.options)
				if !errors.Is(err, fail) || result.Report.State != provision.ReportNone || len(r.fabric.Reports()) != 0 {
					t.Errorf("%v, %+v", err, result.Report)
				}
			})
		})
	}
}

func TestWhoDoesNotCancelIsReported(t *testing.T) {
	redirect := func(s *emulator.Scenario) { s.IMDS.Faults = []emulator.Fault{{Status: 302, Always: true}} }
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		apply  error
	}{
		{"Apply says canceled, and nobody did", nil, context.Canceled},
		{"Apply says not Azure", nil, &azprov.Error{Op: "x", Kind: azprov.KindNotAzure}},
		{"something else answers for IMDS", redirect, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "linux-vm")
				if row.change != nil {
					row.change(&s)
				}
				r := newRig(t, s)
				r.options.Apply = func(context.Context, *provision.Machine) error { return row.apply }
				result, err := provision.Run(t.Context(), r.options)
				if err == nil || result.Report.State != provision.ReportFailed || r.fabric.State() != emulator.StateFailed {
					t.Errorf("%v, %+v", err, result.Report)
				}
			})
		})
	}
}

func TestCancelEndsTheReportOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "bad-ovf")
		s.WireServer.Absent = true
		r := newRig(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		result, err := provision.Run(ctx, r.options)
		if took := time.Since(start); took > 10*time.Second || !errors.Is(err, azprov.ErrMalformed) || !errors.Is(result.ReportErr, azprov.ErrCanceled) {
			t.Errorf("after %v: %v, %v", took, err, result.ReportErr)
		}
	})
}

func TestSilentIMDSLeavesTimeToReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result, err := provision.Run(ctx, r.options)
		if err != nil || result.Report.State != provision.ReportReady {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestTimeoutIsReportedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Apply = func(ctx context.Context, _ *provision.Machine) error {
			<-ctx.Done()
			return &azprov.Error{Op: "test.Apply", Kind: azprov.KindTimeout, Context: ctx.Err(), Message: "the disk was too slow"}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result, err := provision.Run(ctx, r.options)
		if !errors.Is(err, azprov.ErrTimeout) || result.Report.State != provision.ReportFailed || r.fabric.State() != emulator.StateFailed {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestFailureThatCannotBeReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "bad-ovf")
		s.WireServer.Absent = true
		r := newRig(t, s)
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, azprov.ErrMalformed) || result.Report.State != provision.ReportNone || !errors.Is(result.ReportErr, azprov.ErrTimeout) {
			t.Errorf("%v, %+v, %v", err, result.Report, result.ReportErr)
		}
		if took := time.Since(start); took > provision.DefaultFailureTimeout {
			t.Errorf("took %v", took)
		}
	})
}

func TestStepEventsComeInPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		medium, _ := r.fabric.Medium()
		r.options.Medium = lateMedium{fsys: medium, after: time.Second}
		open := map[provision.StepName]int{}
		events := 0
		r.options.OnStep = func(e provision.StepEvent) {
			events++
			if e.Done {
				open[e.Step.Name]--
			} else {
				open[e.Step.Name]++
			}
		}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || events != 2*len(result.Timeline) {
			t.Errorf("%v, %d events for %d steps", err, events, len(result.Timeline))
		}
		for name, n := range open {
			if n != 0 {
				t.Errorf("%s: %d more starts than ends", name, n)
			}
		}
	})
}

func TestMachineAsJSONHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "no-imds"))
		result, err := provision.Run(t.Context(), r.options)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(result.Machine)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b) + fmt.Sprintf("%v %+v %#v", result, *result.Machine, result)
		for _, s := range []azprov.Secret{result.Machine.User.Password, result.Machine.CustomData} {
			if s.Len() == 0 || strings.Contains(text, s.RevealString()) {
				t.Errorf("a secret of %d bytes is in %s", s.Len(), text)
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := provision.New(&provision.Options{ConfigOrder: "alphabetical"}); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("%v", err)
	}
}
