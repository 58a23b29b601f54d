package provision_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	"github.com/azprov/azprov/internal/memlinks"
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
	return newRigWithPool(t, scenario, "")
}

// newRigWithPool has a host that reads the pool file of Hyper-V KVP.
func newRigWithPool(t *testing.T, scenario emulator.Scenario, pool string) *rig {
	t.Helper()
	memory := emulator.NewMemoryLinks(scenario)
	f, err := emulator.NewFabric(scenario, &emulator.Options{Links: memory, KVPPool: pool})
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
	options.Pool.Links = memlinks.Links(memory)
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
				if alone := result.Machine != nil && slices.Contains(result.Machine.Warnings, "IMDS did not answer; the medium alone was used"); alone != (row.scenario == "no-imds") {
					t.Errorf("warnings %q", result.Machine.Warnings)
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
		var e *azprov.Error
		if !errors.As(err, &e) || e.Op != "provision.Collect" {
			t.Errorf("%v names no operation", err)
		}
		if !errors.Is(err, azprov.ErrNotAzure) || result.Report.State != provision.ReportNone || len(r.fabric.Journal()) != 0 {
			t.Errorf("%v, %+v, %d requests", err, result.Report, len(r.fabric.Journal()))
		}
		r.options.AssumeAzure = true
		if result, err = provision.Run(t.Context(), r.options); err != nil || result.Machine.Sources[provision.FieldVMID] != provision.SourceIMDS {
			t.Errorf("with AssumeAzure: %v", err)
		}
	})
}

// sealed is a view of /sys in which an ordinary user may not read one file.
type sealed struct{ fs.FS }

func (s sealed) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "product_uuid") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return s.FS.Open(name)
}

func TestFirmwareThatCannotBeReadIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Sysfs = sealed{r.options.Sysfs}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Machine.Sources[provision.FieldVMID] != provision.SourceIMDS {
			t.Fatalf("%v, %+v", err, result.Machine)
		}
		if !strings.Contains(strings.Join(result.Machine.Warnings, "\n"), "product_uuid") {
			t.Errorf("warnings %q", result.Machine.Warnings)
		}
	})
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	if provision.DefaultFailureTimeout != 2*time.Minute || provision.DefaultStateDir != "/run/azprov" {
		t.Errorf("%v, %s", provision.DefaultFailureTimeout, provision.DefaultStateDir)
	}
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
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || events != 2*len(result.Timeline) {
			t.Errorf("%v, %d events for %d steps", err, events, len(result.Timeline))
		}
		for _, s := range result.Timeline {
			want := time.Duration(0)
			if s.Name == provision.StepMedium {
				want = time.Second
			}
			if s.Duration != want || s.Start.Before(start) || s.Start.After(start.Add(time.Second)) {
				t.Errorf("%s began after %v and took %v, want %v", s.Name, s.Start.Sub(start), s.Duration, want)
			}
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
	for name, options := range map[string]provision.Options{
		"an unknown order":  {ConfigOrder: "alphabetical"},
		"an unknown format": {HealthFormat: "yaml"},
	} {
		p, err := provision.New(&options)
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != azprov.KindInternal || e.Op != "provision.New" || p != nil {
			t.Errorf("%s: %v", name, err)
		}
		if result, err := provision.Run(t.Context(), &options); err == nil || result.Report.State != provision.ReportNone {
			t.Errorf("%s: %v, %+v", name, err, result)
		}
	}
}

func TestStepAsJSON(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 4, 4, 5, 600, time.FixedZone("", 3600))
	for _, row := range []struct {
		name string
		step provision.Step
		want string
	}{
		{
			"that went well",
			provision.Step{Name: provision.StepIMDS, Start: start, Duration: 1500*time.Millisecond + 300, Note: "a <b> & c"},
			`{"step":"imds","start":"2026-01-02T03:04:05.0000006Z","seconds":1.5,"note":"a <b> & c"}`,
		},
		{
			"that failed",
			provision.Step{Name: provision.StepApply, Start: start, Err: errors.New("one\ntwo")},
			`{"step":"apply","start":"2026-01-02T03:04:05.0000006Z","seconds":0,"error":"one two"}`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b, err := row.step.MarshalJSON()
			if got := strings.TrimSuffix(string(b), "\n"); err != nil || got != row.want {
				t.Errorf("%s, %v, want %s", got, err, row.want)
			}
		})
	}
}

// stuckNetwork cannot be brought down in any time.
type stuckNetwork struct{ network }
