package provider_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	ignition "github.com/coreos/ignition/v2/config/shared/errors"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/examples/ignition/provider"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/wireserver"
)

// silent is a Logger.
type silent struct{}

func (silent) Info(string, ...any)  {}
func (silent) Debug(string, ...any) {}

// rig is a provider on an emulated platform, in virtual time.
type rig struct {
	fabric *emulator.Fabric
	p      provider.Provider
	// looks counts the looks for the medium.
	looks int
}

func newRig(t *testing.T, scenario emulator.Scenario, options provider.Options) *rig {
	t.Helper()
	fabric, err := emulator.NewFabric(scenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := fabric.ListenInMemory(t.Context())
	t.Cleanup(func() { _ = server.Close() })
	transport := azcore.ClientOptions{Transport: server.Client()}
	r := &rig{fabric: fabric}
	if options.IMDS, err = imds.NewClient(&imds.ClientOptions{ClientOptions: transport}); err != nil {
		t.Fatal(err)
	}
	if options.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport}); err != nil {
		t.Fatal(err)
	}
	options.Sysfs = fabric.DMI()
	options.Medium = func(context.Context) (*ovf.Environment, error) {
		r.looks++
		if disc, ok := fabric.Medium(); ok {
			return ovf.ReadFS(disc)
		}
		return nil, &azprov.Error{Op: "test", Kind: azprov.KindNotFound, Message: "no medium"}
	}
	if r.p, err = provider.New(&options); err != nil {
		t.Fatal(err)
	}
	return r
}

func scenario(t *testing.T, name string, change func(*emulator.Scenario)) emulator.Scenario {
	t.Helper()
	s, err := emulator.LookupScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&s)
	}
	return s
}

// config is one whose host name says where it came from.
func config(where string) azprov.Secret {
	return azprov.NewSecret([]byte(`{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/` + where + `"}]}}`))
}

func bare(s *emulator.Scenario) { s.VM.UserData, s.VM.CustomData = azprov.Secret{}, azprov.Secret{} }
func user(s *emulator.Scenario) { bare(s); s.VM.UserData = config("user") }
func both(s *emulator.Scenario) {
	s.VM.UserData, s.VM.CustomData = config("user"), config("custom")
}
func custom(s *emulator.Scenario) { bare(s); s.VM.CustomData = config("custom") }

// TestFetch: which source is the config, and what a source that fails comes to.
func TestFetch(t *testing.T) {
	t.Parallel()
	customFirst := []provider.Source{provider.CustomData, provider.UserData}
	for name, row := range map[string]struct {
		scenario string
		change   func(*emulator.Scenario)
		sources  []provider.Source
		offline  bool
		want     string // the file that the config makes
		err      error
		looks    int
	}{
		"user data first":             {"linux-vm", both, nil, false, "/user", nil, 0},
		"no user data":                {"linux-vm", custom, nil, false, "/custom", nil, 1},
		"custom data first":           {"linux-vm", both, customFirst, false, "/custom", nil, 1},
		"no custom data":              {"linux-vm", user, customFirst, false, "/user", nil, 1},
		"neither":                     {"linux-vm", bare, nil, false, "", ignition.ErrEmpty, 1},
		"custom data only":            {"stack-hub", custom, []provider.Source{provider.CustomData}, false, "/custom", nil, 1},
		"an IMDS without user data":   {"stack-hub", custom, nil, false, "/custom", nil, 1},
		"offline":                     {"linux-vm", both, nil, true, "", provider.ErrNeedNet, 0},
		"offline, custom data first":  {"linux-vm", both, customFirst, true, "/custom", nil, 1},
		"offline, and only user data": {"linux-vm", user, customFirst, true, "", provider.ErrNeedNet, 1},
		"offline, no medium":          {"no-ovf", nil, customFirst, true, "", provider.ErrNeedNet, 1},
		"offline, a damaged medium":   {"bad-ovf", bare, customFirst, true, "", provider.ErrNeedNet, 1},
		"no medium, and an IMDS that does not say": {"stack-hub", func(s *emulator.Scenario) {
			bare(s)
			s.Medium.Absent = true
		}, nil, false, "", azprov.ErrNotFound, 1},
		"a late and busy IMDS":                 {"slow-start", user, nil, false, "/user", nil, 0},
		"no medium, and IMDS promises nothing": {"no-ovf", bare, nil, false, "", ignition.ErrEmpty, 1},
		"no medium, and IMDS promises something": {"no-ovf", func(s *emulator.Scenario) {
			bare(s)
			s.IMDS.HasCustomData = azprov.NewSwitch(true)
		}, nil, false, "", azprov.ErrNotFound, 1},
		"no IMDS, which might have user data": {"no-imds", custom, nil, false, "", azprov.ErrTimeout, 0},
		"no medium, and no IMDS": {"no-imds", func(s *emulator.Scenario) {
			bare(s)
			s.Medium.Absent = true
		}, []provider.Source{provider.CustomData}, false, "", azprov.ErrNotFound, 1},
		"IMDS refuses":            {"imds-denied", user, nil, false, "", azprov.ErrDenied, 0},
		"a damaged medium":        {"bad-ovf", bare, nil, false, "", azprov.ErrMalformed, 1},
		"no config of Ignition's": {"linux-vm", nil, nil, false, "", ignition.ErrInvalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scenario(t, row.scenario, row.change), provider.Options{Sources: row.sources, FetchTimeout: 2 * time.Minute})
				started := time.Now()
				got, _, err := r.p.Fetch(&provider.Fetcher{Logger: silent{}, Offline: row.offline})
				if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) || r.looks != row.looks {
					t.Fatalf("%v after %d looks for the medium, want %v after %d", err, r.looks, row.err, row.looks)
				}
				if asked := len(r.fabric.Journal()); row.offline && asked > 0 {
					t.Errorf("%d requests were made offline", asked)
				}
				if took := time.Since(started); took > time.Minute && !errors.Is(row.err, azprov.ErrTimeout) {
					t.Errorf("it took %s", took)
				}
				if row.want != "" && (len(got.Storage.Files) != 1 || got.Storage.Files[0].Path != row.want) {
					t.Errorf("%+v, want %s", got.Storage.Files, row.want)
				}
			})
		})
	}
}

// protected is a token in the form of Azure's protected secrets, with nothing in it.
const protected = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"

// TestOddCustomData: what is no base64 is for the parser to refuse, or to take; what is
// encrypted for somebody else is no config.
func TestOddCustomData(t *testing.T) {
	t.Parallel()
	text := azprov.NewSecret([]byte(`{"ignition": {"version": "3.0.0"}}`))
	for name, row := range map[string]struct {
		env ovf.Environment
		err error
	}{
		"no base64": {ovf.Environment{CustomDataText: text}, nil},
		"protected": {ovf.Environment{CustomData: azprov.NewSecret([]byte(protected))}, azprov.ErrProtected},
	} {
		p, err := provider.New(&provider.Options{
			Sources: []provider.Source{provider.CustomData},
			Medium:  func(context.Context) (*ovf.Environment, error) { return &row.env, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := p.Fetch(&provider.Fetcher{Logger: silent{}}); !errors.Is(err, row.err) || (err == nil) != (got.Ignition.Version != "") {
			t.Errorf("%s: %v %v", name, got.Ignition, err)
		}
	}
}

// TestStatus: what the platform hears of a boot, and how long the machine waits for it.
func TestStatus(t *testing.T) {
	t.Parallel()
	// As Ignition has it for a group that the image does not have, and more.
	const cause = `failed to create users/groups: failed to configure users: failed to create user "pilot": exit status 6: Cmd: "useradd" "--root" "/sysroot" "--password" `
	useradd := errors.New(cause + `"$6$rounds=10000$salt$hidden/.0" "pilot" Stdout: ""` +
		` from https://hidden@example.test/c?sig=hidden or data:,hidden`)
	denied := &azprov.Error{Op: "imds.Client.GetUserData", Kind: azprov.KindDenied, Message: "no", Reason: "http error 403 querying IMDS", Details: []azprov.Detail{{Key: "path", Value: "/x"}}}
	for name, row := range map[string]struct {
		change  func(*emulator.Scenario)
		options provider.Options
		stages  []string
		err     error
		want    []string // state and text of each report
		fails   bool     // Status has an error
		within  time.Duration
	}{
		"a good boot": {
			nil,
			provider.Options{},
			provider.Stages(), nil,
			[]string{"InProgress Ignition has started", "Ready "},
			false, 0,
		},
		"with a check-in of its own": {
			nil, provider.Options{ReadyAfter: provider.NoReady}, provider.Stages(), nil, []string{"InProgress "}, false, 0,
		},
		"ready earlier": {
			nil, provider.Options{ReadyAfter: provider.StageFiles}, provider.Stages(), nil, []string{"InProgress ", "Ready "}, false, 0,
		},
		"a stage fails": {
			nil,
			provider.Options{AgentName: "Ignition/2.27.0"},
			[]string{"files"},
			useradd,
			[]string{"Failed result=error|reason=provisioning program ignition-files.service failed|agent=Ignition/2.27.0|stage=files|" +
				"error=" + cause + `"[redacted]" "pilot" Stdout: ""` +
				" from https://[redacted]@example.test/c?[redacted] or data:[redacted]|vm_id=2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20|"},
			false, 0,
		},
		"the last stage fails": {
			nil, provider.Options{}, []string{"umount"}, errors.New("device is busy"), []string{"Failed result=error|"}, false, 0,
		},
		"an error of the SDK": {
			nil,
			provider.Options{},
			[]string{"fetch"},
			fmt.Errorf("failed to fetch config: %w", denied),
			[]string{"Failed result=error|reason=http error 403 querying IMDS|agent=Ignition|stage=fetch|path=/x|"},
			false, 0,
		},
		"a wire server that is busy": {
			func(s *emulator.Scenario) { s.WireServer.Faults = []emulator.Fault{{Status: 503, Times: 2}} },
			provider.Options{},
			[]string{"disks"},
			useradd,
			[]string{"Failed "},
			false, 10 * time.Second,
		},
		"a wire server that is not there": {
			func(s *emulator.Scenario) { s.WireServer.Faults = []emulator.Fault{{Status: 503, Always: true}} },
			provider.Options{},
			[]string{"disks"},
			useradd, nil, true, 10 * time.Second,
		},
		"and less patience": {
			func(s *emulator.Scenario) { s.WireServer.Faults = []emulator.Fault{{Status: 503, Always: true}} },
			provider.Options{ReportTimeout: 3 * time.Second},
			[]string{"fetch"},
			nil, nil, true, 3 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scenario(t, "linux-vm", row.change), row.options)
				started := time.Now()
				for _, stage := range row.stages {
					if err := r.p.Status(stage, provider.Fetcher{Logger: silent{}}, row.err); (err != nil) != row.fails {
						t.Errorf("%s: %v", stage, err)
					}
				}
				if took := time.Since(started); took > row.within {
					t.Errorf("it took %s, want %s at most", took, row.within)
				}
				reports := r.fabric.Reports()
				if len(reports) != len(row.want) {
					t.Fatalf("%+v", reports)
				}
				for i, want := range row.want {
					got := string(reports[i].State) + " " + reports[i].Description
					if !strings.HasPrefix(got, want) || strings.Contains(got, "hidden") {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				}
			})
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]*provider.Options{
		"a source": {Sources: []provider.Source{"floppy"}}, "a stage": {ReadyAfter: "lunch"},
	} {
		if _, err := provider.New(options); err == nil {
			t.Errorf("%s that is not there was taken", name)
		}
	}
	if p, err := provider.New(nil); err != nil || p.Name != "azure" || p.Fetch == nil || p.Status == nil {
		t.Errorf("%+v %v", p, err)
	}
}
