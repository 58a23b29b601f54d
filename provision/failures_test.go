package provision_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/unitfailure"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/crash"
	"github.com/azprov/azprov/report/kvp"
)

// failure is a row: what goes wrong, and what the platform hears of it.
type failure struct {
	// entry is the catalogue's, name the row's.
	entry, name string
	scenario    string
	change      func(*emulator.Scenario)
	options     func(*rig, *provision.Options)
	// reason is the text, details the keys of the supporting data, in order.
	reason  string
	details string
	// from and to are the seconds in which both channels have it.
	from, to int
	// within is the caller's deadline, if it has one.
	within time.Duration
	// unheard: there is no wire server; the host alone has it.
	unheard bool
}

// failApply fails where the machine is set up: what the caller's own code, and what is
// only called from there, can return.
func failApply(err error) func(*rig, *provision.Options) {
	return func(_ *rig, o *provision.Options) {
		o.Apply = func(context.Context, *provision.Machine) error { return err }
	}
}

// broken is a network that does not come up, with an error as package ephemeral has it.
type broken struct{ err error }

func (b broken) Up(context.Context) error   { return b.err }
func (b broken) Down(context.Context) error { return nil }

func failNetwork(reason string, keys ...string) func(*rig, *provision.Options) {
	e := &azprov.Error{Op: "ephemeral.Network.Up", Kind: azprov.KindTimeout, Reason: reason}
	for _, key := range keys {
		e.Details = append(e.Details, azprov.Detail{Key: key, Value: "1"})
	}
	return func(_ *rig, o *provision.Options) { o.Network = broken{e} }
}

func failProxyAgent(reason string) func(*rig, *provision.Options) {
	asked := onMedium(func(e *ovf.Environment) { e.Platform.ProvisionGuestProxyAgent = azprov.SwitchOn }, "", "")
	return func(r *rig, o *provision.Options) {
		asked(r, o)
		o.ProxyAgent = func(context.Context) error {
			return &azprov.Error{Op: "agent", Kind: azprov.KindInternal, Reason: reason}
		}
	}
}

// onMedium changes the medium's environment, and then a text of its document.
func onMedium(change func(*ovf.Environment), old, replacement string) func(*rig, *provision.Options) {
	return func(r *rig, o *provision.Options) {
		env, err := ovf.ReadFS(must(r.fabric.Medium()))
		if err == nil {
			change(env)
			var b []byte
			if b, err = env.Encode(); err == nil {
				b = []byte(strings.Replace(string(b), old, replacement, 1))
				o.Medium = provision.MediumFS(fstest.MapFS{"ovf-env.xml": {Data: b}})
			}
		}
		if err != nil {
			panic(err)
		}
	}
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("not there")
	}
	return v
}

// password puts one on the medium that the platform would refuse.
func password(text string) func(*rig, *provision.Options) {
	return onMedium(func(e *ovf.Environment) { e.UserPassword = azprov.NewSecret([]byte("PASSWORD")) }, "PASSWORD", text)
}

func imdsFault(f emulator.Fault) func(*emulator.Scenario) {
	return func(s *emulator.Scenario) { s.IMDS.Faults, s.Medium.Absent = []emulator.Fault{f}, true }
}

func imdsPatch(patch string) func(*emulator.Scenario) {
	return func(s *emulator.Scenario) { s.IMDS.Instance = []byte(patch) }
}

// failures is every failure that the packages can produce; the network's, the agent's and
// the units' are made elsewhere and go through here.
func failures() []failure {
	unit := func(f unitfailure.Failure) func(*rig, *provision.Options) {
		f.Unit = "ignition-files.service"
		return failApply(f.Err())
	}
	_, badID := azprov.ParseVMID("no id")
	text := "not json"
	rows := []failure{
		{entry: "dhcp-no-interface", options: failNetwork("failure to find DHCP interface", "duration"), reason: "failure to find DHCP interface", details: "duration"},
		{entry: "dhcp-no-lease", options: failNetwork("failure to obtain DHCP lease", "driver", "duration", "interface", "mac_address"), reason: "failure to obtain DHCP lease", details: "driver duration interface mac_address"},
		{entry: "dhcp-not-primary", options: failNetwork("failure to find primary DHCP interface", "interface"), reason: "failure to find primary DHCP interface", details: "interface"},
		{entry: "imds-connect", change: func(s *emulator.Scenario) { s.IMDS.Absent, s.Medium.Absent = true, true }, reason: "connection error querying IMDS", details: "duration exception url", from: 200, to: 301},
		{entry: "imds-read-timeout", change: imdsFault(emulator.Fault{Kind: emulator.FaultHang, Always: true}), reason: "read timeout querying IMDS", details: "duration exception url", from: 200, to: 301},
		{entry: "imds-http-error", change: imdsFault(emulator.Fault{Status: 403, Always: true}), reason: "http error 403 querying IMDS", details: "http_code duration exception url", to: 301},
		{entry: "imds-parse", change: imdsFault(emulator.Fault{Body: &text, Always: true}), reason: "error parsing IMDS metadata", details: "exception", to: 301},
		{entry: "imds-invalid", change: imdsPatch(`{"compute": null}`), reason: "invalid IMDS metadata for key=compute", details: "key value", to: 301},
		{entry: "imds-invalid", name: "the pool stays", scenario: "pps-running", change: func(s *emulator.Scenario) { s.Pool.StaleReads = 100_000 }, reason: "invalid IMDS metadata for key=extended.compute.ppsType", details: "key value type", from: 290, to: 400},
		{entry: "custom-data-missing", change: func(s *emulator.Scenario) {
			s.IMDS.HasCustomData, s.VM.CustomData = azprov.SwitchOn, azprov.Secret{}
		}, reason: "failure to read customData while hasCustomData=true", details: "pps_type provisioning_media"},
		{entry: "os-disk-pool", scenario: "pps-osdisk", reason: "error waiting for host shutdown", within: time.Hour, from: 3600, to: 3601},
		{entry: "ovf-invalid", scenario: "no-imds", options: onMedium(func(e *ovf.Environment) { e.HostName = "HOST" }, "HOST</", "HOST</wa:HostName><wa:HostName>HOST</"), reason: "unexpected metadata parsing ovf-env.xml: ", details: ""},
		{entry: "ovf-parse", scenario: "bad-ovf", reason: "error parsing ovf-env.xml: ", details: ""},
		{entry: "password-too-long", options: password(strings.Repeat("x", 73)), reason: "unsupported password length=73 max=72", details: "length max_length"},
		{entry: "proxy-agent-missing", options: failProxyAgent("azure-proxy-agent not found"), reason: "azure-proxy-agent not found"},
		{entry: "proxy-agent-status", options: failProxyAgent("azure-proxy-agent status failure"), reason: "azure-proxy-agent status failure"},
		{entry: "vm-id", options: failApply(badID), reason: "failure to identify Azure VM ID", details: "system_uuid"},
		{entry: "unhandled", options: failApply(errors.New("no berth")), reason: "unhandled exception", details: "exception"},
		{entry: "protected-value", options: password(protected), reason: "unsupported protected password"},
		{entry: "agent-crashed", options: failApply(crash.Panicked("the mast is down", []byte("goroutine 1"))), reason: "provisioning agent crashed", details: "exception traceback_base64"},
		{entry: "unit-out-of-memory", options: unit(unitfailure.Failure{Result: "oom-kill"}), reason: "provisioning program ignition-files.service ran out of memory", details: "unit unit_result"},
		{entry: "unit-timed-out", options: unit(unitfailure.Failure{Result: "timeout"}), reason: "provisioning program ignition-files.service timed out", details: "unit unit_result"},
		{entry: "unit-failed", options: unit(unitfailure.Failure{Result: "exit-code", Status: 1, Error: "no berth"}), reason: "provisioning program ignition-files.service failed", details: "unit unit_result status error"},
		{entry: "network", name: "no wire server, no IMDS", change: func(s *emulator.Scenario) { s.WireServer.Absent = true }, options: failApply(&azprov.Error{Op: "x", Kind: azprov.KindNetwork}), reason: "network error", details: "exception", unheard: true},
	}
	for _, kind := range azprov.PossibleKindValues() { // each has its sentinel
		entry := report.ForKind(kind)
		rows = append(rows, failure{
			entry: entry.ID, name: "an error of kind " + string(kind), options: failApply(&azprov.Error{Op: "x", Kind: kind}),
			reason: entry.Text, details: "exception",
		})
	}
	return rows
}

// protected is a value that is encrypted for somebody else.
const protected = "eyJhbGciOiJub25lIn0.e30.eA"

// elsewhere is what no package of this module produces, and why.
var elsewhere = map[string]string{
	"import-library":       "Go programs need no library at run time",
	"imds-unexpected":      "it needs a transport that fails in a way of its own; imds has the row",
	"imds-connect-timeout": "a connection that is not answered needs a network that drops packets; imds has the row",
}

// TestFailures: what the platform hears of each failure, by both channels, and when.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, row := range failures() {
		t.Run(strings.TrimSpace(row.entry+" "+row.name), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, row.check)
		})
	}
}

func (row failure) check(t *testing.T) {
	t.Helper()
	s := lookup(t, "linux-vm")
	if row.scenario != "" {
		s = lookup(t, row.scenario)
	}
	if row.change != nil {
		row.change(&s)
	}
	pool := filepath.Join(t.TempDir(), "pool")
	r := newRigWithPool(t, s, pool)
	r.options.Host = kvp.Channel(kvp.Open(&kvp.Options{Path: pool, Create: true}), &kvp.ChannelOptions{Source: kvp.Source{Boot: time.Unix(1, 0)}})
	if row.options != nil {
		row.options(r, r.options)
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), max(row.within, time.Nanosecond))
	if row.within == 0 {
		ctx = t.Context()
	}
	defer cancel()
	result, err := provision.Run(ctx, r.options)
	if err == nil || result.Report.State != provision.ReportFailed || (result.ReportErr != nil) != row.unheard {
		t.Fatalf("%v, %+v, %v", err, result.Report, result.ReportErr)
	}
	if err := r.fabric.CollectKVP(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := r.fabric.HostReports()
	if len(host) != 1 {
		t.Fatalf("the host has %d reports", len(host))
	}
	heard := []string{host[0].Raw}
	moments := map[string]time.Time{"host": result.Report.HostAt}
	if !row.unheard {
		last := r.fabric.Reports()[len(r.fabric.Reports())-1]
		heard = append(heard, last.Description)
		moments["wire server"] = last.Time
	}
	for channel, at := range moments {
		if second := int(at.Sub(start) / time.Second); at.IsZero() || second < row.from || second > row.to {
			t.Errorf("%s: heard in second %d, want %d to %d", channel, second, row.from, row.to)
		}
	}
	for _, text := range heard {
		row.compare(t, text)
	}
	if n := len(r.fabric.HostEvents()); n < 4 || n > 60 { // a loop does not fill the file
		t.Errorf("the host has %d events", n)
	}
	if r.fabric.State() != emulator.StateFailed {
		t.Errorf("the platform shows %s", r.fabric.State())
	}
	for _, entry := range r.fabric.Journal() {
		if (entry.Report != nil || entry.Service == emulator.ServiceKVP) && len(entry.Verdicts) > 0 {
			t.Errorf("the platform minds: %q", entry.Verdicts)
		}
	}
}

// compare holds a record against the row.
func (row failure) compare(t *testing.T, text string) {
	t.Helper()
	got, _, err := report.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	open := strings.HasSuffix(row.reason, ": ") // the detail is a parser's
	if got.Result != report.ResultError || got.Reason != row.reason && (!open || !strings.HasPrefix(got.Reason, row.reason)) {
		t.Errorf("%s, reason %q, want %q", got.Result, got.Reason, row.reason)
	}
	if entry, ok := report.Lookup(got.Reason); !ok || entry.ID != row.entry {
		t.Errorf("%q is the reason %q", got.Reason, entry.ID)
	}
	var keys []string
	for _, d := range got.Supporting {
		keys = append(keys, d.Key)
	}
	if have := strings.Join(keys, " "); have != row.details {
		t.Errorf("details %q, want %q", have, row.details)
	}
}

// TestEveryFailureHasARow walks the catalogue: no reason of this module's is without a row.
func TestEveryFailureHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, row := range failures() {
		rows[row.entry] = true
	}
	ours := map[string]bool{}
	for _, kind := range azprov.PossibleKindValues() {
		ours[report.ForKind(kind).ID] = true
	}
	for _, entry := range report.Catalogue() {
		// azure-init's reasons are there for people to look up.
		foreign := entry.Source == report.SourceAzureInit && !ours[entry.ID]
		_, excused := elsewhere[entry.ID]
		if got := rows[entry.ID]; got == (foreign || excused) {
			t.Errorf("%s: has a row: %v, foreign: %v, excused: %v", entry.ID, got, foreign, excused)
		}
		delete(rows, entry.ID)
	}
	if len(rows) > 0 {
		t.Errorf("rows without an entry: %v", slices.Sorted(maps.Keys(rows)))
	}
}
