package provision_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
	"github.com/azprov/azprov/wireserver"
)

// reporterRig is a machine with a wire server and a pool file.
type reporterRig struct {
	*rig
	pool    *kvp.Pool
	options *provision.ReporterOptions
}

func newReporterRig(t *testing.T, change func(*emulator.WireServer)) *reporterRig {
	t.Helper()
	s := lookup(t, "linux-vm")
	if change != nil {
		change(&s.WireServer)
	}
	r := newRig(t, s)
	pool := kvp.Open(&kvp.Options{Path: filepath.Join(t.TempDir(), "pool"), Create: true})
	return &reporterRig{r, pool, &provision.ReporterOptions{
		WireServer: r.options.WireServer, Sysfs: r.options.Sysfs, StateDir: t.TempDir(), BootID: "boot-1",
		Host: kvp.Channel(pool, &kvp.ChannelOptions{Source: kvp.Source{Boot: time.Unix(1, 0)}}),
	}}
}

// process is another process of the same machine.
func (r *reporterRig) process(t *testing.T) *provision.Reporter {
	t.Helper()
	p, err := provision.NewReporter(r.options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record is the result and the reason of the only record in the pool.
func (r *reporterRig) record(t *testing.T) string {
	t.Helper()
	records, err := r.pool.List(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	records = slices.DeleteFunc(records, func(r kvp.Record) bool { return r.Key != kvp.ReportKey })
	switch len(records) {
	case 0:
		return ""
	case 1:
	default:
		t.Errorf("%d reports in the pool", len(records))
	}
	known, _, err := report.Parse(records[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(known.Result)+" "+known.Reason, " ")
}

func silent(w *emulator.WireServer) { w.Absent = true }

func refusing(d time.Duration) func(*emulator.WireServer) {
	return func(w *emulator.WireServer) { w.Faults = []emulator.Fault{{Refuse: emulator.Duration(d)}} }
}

func faulty(f emulator.Fault) func(*emulator.WireServer) {
	return func(w *emulator.WireServer) { w.Faults = []emulator.Fault{f} }
}

// sunk is a failure with a reason of its own.
var sunk = &azprov.Error{Op: "moor", Kind: azprov.KindInternal, Reason: "no berth", Message: "no berth"}

// TestChannels: which way takes which report, in which second, and when it is over. The
// record of a failure is there at once, whatever the wire server does.
func TestChannels(t *testing.T) {
	t.Parallel()
	const never = -1
	stale := emulator.Fault{Path: "comp=health", Status: http.StatusGone, Times: 10} // 1, 2, 4, 8, 8, … s: for a minute
	for _, row := range []struct {
		name    string
		wire    func(*emulator.WireServer)
		channel provision.Channel
		state   provision.ReportState
		// host and accepted are the seconds in which the channels take it; by is when the
		// call is over, within a second.
		host, accepted, by int
		kind               azprov.Kind
		told               provision.ReportState
		record             string
	}{
		{"failed", nil, "", provision.ReportFailed, 0, 0, 0, "", provision.ReportFailed, "error no berth"},
		{"failed, network absent", silent, "", provision.ReportFailed, 0, never, 120, azprov.KindTimeout, provision.ReportFailed, "error no berth"},
		{"failed, refusing for a minute", refusing(time.Minute), "", provision.ReportFailed, 0, 60, 90, "", provision.ReportFailed, "error no berth"},
		{"failed, refusing", refusing(time.Hour), "", provision.ReportFailed, 0, never, 120, azprov.KindTimeout, provision.ReportFailed, "error no berth"},
		{"failed, hanging", faulty(emulator.Fault{Kind: emulator.FaultHang, Always: true}), "", provision.ReportFailed, 0, never, 120, azprov.KindTimeout, provision.ReportFailed, "error no berth"},
		{"failed, 410 for a minute", faulty(stale), "", provision.ReportFailed, 0, 63, 66, "", provision.ReportFailed, "error no berth"},
		{"failed, denied", faulty(emulator.Fault{Status: http.StatusUnauthorized, Always: true}), "", provision.ReportFailed, 0, never, 1, azprov.KindUnauthenticated, provision.ReportFailed, "error no berth"},
		{"failed, wire server alone", nil, provision.ChannelWireServer, provision.ReportFailed, never, 0, 0, "", provision.ReportFailed, ""},
		{"failed, host alone", silent, provision.ChannelKVP, provision.ReportFailed, 0, never, 0, "", provision.ReportFailed, "error no berth"},
		{"ready", nil, "", provision.ReportReady, 0, 0, 0, "", provision.ReportReady, "success"},
		{"ready, network absent", silent, "", provision.ReportReady, never, never, 1200, azprov.KindTimeout, provision.ReportNone, ""},
		{"ready, refusing for a minute", refusing(time.Minute), "", provision.ReportReady, 60, 60, 90, "", provision.ReportReady, "success"},
		{"ready, 410 for a minute", faulty(stale), "", provision.ReportReady, 0, 63, 66, "", provision.ReportReady, "success"},
		// The wire server may have accepted it: the record stays.
		{"ready, the answer hangs", faulty(emulator.Fault{Path: "comp=health", Kind: emulator.FaultHang, Always: true}), "", provision.ReportReady, never, never, 1200, azprov.KindTimeout, provision.ReportNone, "success"},
		{"ready, refused", faulty(emulator.Fault{Path: "comp=health", Status: http.StatusUnauthorized, Always: true}), "", provision.ReportReady, 0, never, 1, azprov.KindUnauthenticated, provision.ReportFailed, "error unsigned request refused"},
		{"ready, wire server alone", nil, provision.ChannelWireServer, provision.ReportReady, never, 0, 0, "", provision.ReportReady, ""},
		{"ready, host alone", silent, provision.ChannelKVP, provision.ReportReady, 0, never, 0, "", provision.ReportReady, "success"},
		{"in progress", nil, "", provision.ReportInProgress, never, 0, 0, "", provision.ReportInProgress, ""},
		{"in progress, host alone", silent, provision.ChannelKVP, provision.ReportInProgress, 0, never, 0, "", provision.ReportInProgress, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newReporterRig(t, row.wire)
				r.options.Channel = row.channel
				start := time.Now()
				result, err := r.process(t).Report(t.Context(), provision.Outcome{State: row.state, Err: sunk})
				took := time.Since(start)
				if azprov.KindOf(err) != row.kind || result.State != row.told {
					t.Errorf("%v, %+v", err, result)
				}
				second := func(at time.Time) int {
					if at.IsZero() {
						return never
					}
					return int(at.Sub(start) / time.Second)
				}
				if got := second(result.HostAt); got < row.host || got > row.host+30 || (row.host <= 0) && got != row.host {
					t.Errorf("on the host in second %d, want %d", got, row.host)
				}
				if got := second(result.AcceptedAt); got < row.accepted || row.accepted == never && got != never || got > max(row.accepted, row.by) {
					t.Errorf("accepted in second %d, want %d", got, row.accepted)
				}
				// The last attempts are spread, and the last pause ends before the budget does.
				if bound := time.Duration(row.by+1) * time.Second; took > bound || took < bound-40*time.Second {
					t.Errorf("took %v, want %d s", took, row.by)
				}
				if got := r.record(t); got != row.record {
					t.Errorf("record %q, want %q", got, row.record)
				}
			})
		})
	}
}

// TestWhatIsToldIsFinal: a second report, by another process of the same boot.
func TestWhatIsToldIsFinal(t *testing.T) {
	t.Parallel()
	ready, failed := provision.Outcome{State: provision.ReportReady}, provision.Outcome{State: provision.ReportFailed, Err: sunk}
	other := provision.Outcome{State: provision.ReportFailed, Err: errors.New("fog")}
	forced := ready
	forced.Force = true
	deny := func(times int) func(*emulator.WireServer) {
		return faulty(emulator.Fault{Status: http.StatusUnauthorized, Times: times})
	}
	for _, row := range []struct {
		name          string
		wire          func(*emulator.WireServer)
		channel       provision.Channel
		first, second provision.Outcome
		// reports is how many the wire server has accepted in the end, record what the host has.
		contradicts, repeated bool
		reports               int
		record                string
	}{
		{"ready, ready", nil, "", ready, ready, false, true, 1, "success"},
		{"ready, failed", nil, "", ready, failed, true, false, 1, "success"},
		{"failed, ready", nil, "", failed, ready, true, false, 1, "error no berth"},
		{"failed, failed", nil, "", failed, other, false, true, 1, "error no berth"},
		{"failed and not taken, ready", deny(1), provision.ChannelWireServer, failed, ready, true, false, 0, ""},
		{"failed and not taken, failed", deny(1), provision.ChannelWireServer, failed, other, false, false, 1, ""},
		{"failed for the host alone, ready", deny(1), "", failed, ready, true, false, 0, "error no berth"},
		{"failed for the host alone, failed", deny(1), "", failed, other, false, false, 1, "error no berth"},
		{"ready and refused, ready", faulty(emulator.Fault{Path: "comp=health", Status: http.StatusUnauthorized}), "", ready, ready, true, false, 0, "error unsigned request refused"},
		{"ready and refused, failed", faulty(emulator.Fault{Path: "comp=health", Status: http.StatusUnauthorized}), "", ready, failed, false, false, 1, "error unsigned request refused"},
		{"ready and not taken, failed", faulty(emulator.Fault{Path: "comp=goalstate", Status: http.StatusUnauthorized}), provision.ChannelWireServer, ready, failed, false, false, 1, ""},
		{"failed, ready by force", nil, "", failed, forced, false, false, 2, "success"},
		{"host alone: failed, failed", nil, provision.ChannelKVP, failed, other, false, true, 0, "error no berth"},
		{"host alone: ready, failed", nil, provision.ChannelKVP, ready, failed, true, false, 0, "success"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newReporterRig(t, row.wire)
				r.options.Channel = row.channel
				_, _ = r.process(t).Report(t.Context(), row.first)
				time.Sleep(time.Second)
				result, err := r.process(t).Report(t.Context(), row.second)
				if errors.Is(err, provision.ErrContradiction) != row.contradicts || (err != nil) != row.contradicts || result.Repeated != row.repeated {
					t.Errorf("%v, %+v", err, result)
				}
				if got := len(r.fabric.Reports()); got != row.reports {
					t.Errorf("%d reports, want %d", got, row.reports)
				}
				if got := r.record(t); got != row.record {
					t.Errorf("record %q, want %q", got, row.record)
				}
			})
		})
	}
}

// harbour is a network that has to be brought up.
type harbour struct {
	http.RoundTripper
	mu        sync.Mutex
	up        bool
	ups, down int
	fails     error
	takes     time.Duration
}

func (h *harbour) RoundTrip(req *http.Request) (*http.Response, error) {
	h.mu.Lock()
	up := h.up
	h.mu.Unlock()
	if !up {
		return nil, syscall.ENETUNREACH
	}
	return h.RoundTripper.RoundTrip(req)
}

func (h *harbour) Up(ctx context.Context) error {
	h.mu.Lock()
	h.ups++
	h.mu.Unlock()
	select {
	case <-time.After(h.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = h.fails == nil
	return h.fails
}

func (h *harbour) Down(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down++
	h.up = false
	return nil
}

// TestNetworkForAReport: it is brought up only where nobody answers, and taken down.
func TestNetworkForAReport(t *testing.T) {
	t.Parallel()
	noLease := &azprov.Error{Op: "up", Kind: azprov.KindTimeout, Message: "no lease"}
	for _, row := range []struct {
		name     string
		wire     func(*emulator.WireServer)
		up       bool // the operating system's network
		takes    time.Duration
		fails    error
		state    provision.ReportState
		ups      int
		kind     azprov.Kind
		from, to time.Duration
	}{
		{"there is one", nil, true, 0, nil, provision.ReportFailed, 0, "", 0, time.Second},
		{"there is none", nil, false, 3 * time.Second, nil, provision.ReportFailed, 1, "", 3 * time.Second, 9 * time.Second},
		{"there is none for Ready", nil, false, 3 * time.Second, nil, provision.ReportReady, 1, "", 3 * time.Second, 9 * time.Second},
		{"none is worth it for progress", nil, false, 0, nil, provision.ReportInProgress, 0, azprov.KindNetwork, time.Second, 20 * time.Minute},
		{"it does not come", nil, false, time.Second, noLease, provision.ReportFailed, 1, azprov.KindTimeout, time.Second, 7 * time.Second},
		{"it comes too late", nil, false, time.Hour, nil, provision.ReportFailed, 1, azprov.KindTimeout, 80 * time.Second, 100 * time.Second},
		{"somebody answers", faulty(emulator.Fault{Status: 503, Times: 6}), true, 0, nil, provision.ReportFailed, 0, "", 5 * time.Second, time.Minute},
		{"somebody refuses", faulty(emulator.Fault{Status: http.StatusUnauthorized, Always: true}), true, 0, nil, provision.ReportFailed, 0, azprov.KindUnauthenticated, 0, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newReporterRig(t, row.wire)
				server := r.fabric.ListenInMemory(t.Context())
				t.Cleanup(func() { _ = server.Close() })
				h := &harbour{RoundTripper: server.Client().Transport, up: row.up, fails: row.fails, takes: row.takes}
				client, err := wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: h}}})
				if err != nil {
					t.Fatal(err)
				}
				r.options.WireServer, r.options.Network = client, h
				start := time.Now()
				result, err := r.process(t).Report(t.Context(), provision.Outcome{State: row.state, Err: sunk})
				took := time.Since(start)
				if azprov.KindOf(err) != row.kind || (err == nil) == result.AcceptedAt.IsZero() || took < row.from || took > row.to {
					t.Errorf("%v, %+v after %v", err, result, took)
				}
				if h.ups != row.ups || h.down != row.ups {
					t.Errorf("up %d times and down %d times, want %d", h.ups, h.down, row.ups)
				}
			})
		})
	}
}

// TestStepsAreEvents: what a run did is in the pool, in order and before its report.
func TestStepsAreEvents(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{nil, sunk} {
		synctest.Test(t, func(t *testing.T) {
			r := newReporterRig(t, nil)
			o := r.rig.options
			o.Host = r.options.Host
			o.Apply = func(context.Context, *provision.Machine) error { return fail }
			result, err := provision.Run(t.Context(), o)
			if !errors.Is(err, fail) || result.Report.HostAt.IsZero() {
				t.Fatalf("%v, %+v", err, result.Report)
			}
			records, err := r.pool.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, record := range records {
				if record.Key == kvp.ReportKey {
					got = append(got, "report")
					continue
				}
				field := strings.Split(record.Key, "|")
				if field[0] != "AZPROV" || field[4] != r.fabric.VM().ID.String() {
					t.Errorf("key %q", record.Key)
				}
				event := field[2] + " " + strings.TrimPrefix(field[3], "azprov/")
				if strings.Contains(record.Value, `"result":"FAIL"`) {
					event += "!"
				}
				got = append(got, event)
			}
			want := []string{
				"start identify", "finish identify", "start medium", "finish medium", "start imds", "finish imds", "start merge", "finish merge",
				"start apply", "finish apply", "start eject", "finish eject", "start report", "report",
			}
			if fail != nil {
				want = []string{
					"start identify", "finish identify", "start medium", "finish medium", "start imds", "finish imds", "start merge", "finish merge",
					"start apply", "finish apply!", "start report", "report",
				}
			}
			if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
				t.Errorf("events %q, want %q", got, want)
			}
		})
	}
}

// TestPanicInApplyIsAFailure: the platform hears of it, and where it was.
func TestPanicInApplyIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Apply = func(context.Context, *provision.Machine) error { panic("the mast is down") }
		result, err := provision.Run(t.Context(), r.options)
		if reason, _ := azprov.ReasonOf(err); reason != "provisioning agent crashed" || result.Report.State != provision.ReportFailed {
			t.Errorf("%v, %+v", err, result.Report)
		}
		known, _, err := report.Parse(r.fabric.Reports()[0].Description)
		if err != nil {
			t.Fatal(err)
		}
		var stack []byte
		for _, d := range known.Supporting {
			if d.Key == "traceback_base64" {
				stack, err = base64.StdEncoding.DecodeString(d.Value)
			}
		}
		if err != nil || known.Supporting[0].Value != "panic: the mast is down" || !strings.Contains(string(stack), "TestPanicInApplyIsAFailure") {
			t.Errorf("%v, %+v\n%s", err, known.Supporting, stack)
		}
	})
}

func TestReportFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReporterRig(t, nil)
		if err := r.process(t).ReportFailure(t.Context(), sunk); err != nil || r.record(t) != "error no berth" {
			t.Errorf("%v, %s", err, r.record(t))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newReporterRig(t, nil)
		if _, err := r.process(t).Report(t.Context(), provision.Outcome{State: provision.ReportReady}); err != nil {
			t.Fatal(err)
		}
		if err := r.process(t).ReportFailure(t.Context(), sunk); err != nil || r.record(t) != "success" || len(r.fabric.Reports()) != 1 {
			t.Errorf("after Ready: %v, %s", err, r.record(t))
		}
	})
}

// TestDialect: the platform has the record in the dialect that was asked for.
func TestDialect(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[report.Dialect]string{
		"":                      `|'error=it''s "x"'|`,
		report.DialectCloudInit: `|'error=it''s "x"'|`,
		report.DialectAzureInit: `|"error=it's ""x"""|`,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newReporterRig(t, nil)
			r.options.Dialect = dialect
			failure := &azprov.Error{Op: "test", Kind: azprov.KindInternal, Reason: "unhandled error", Details: []azprov.Detail{{Key: "error", Value: `it's "x"`}}}
			if err := r.process(t).ReportFailure(t.Context(), failure); err != nil {
				t.Fatal(err)
			}
			if got := r.fabric.Reports(); len(got) != 1 || !strings.Contains(got[0].Description, want) {
				t.Errorf("%q: the reports are %+v, want %s", dialect, got, want)
			}
		})
	}
}

func TestNewReporterRefuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]provision.ReporterOptions{
		"an unknown format":      {HealthFormat: "yaml"},
		"an unknown dialect":     {Dialect: "latin"},
		"an unknown channel":     {Channel: "flags"},
		"the host, with no host": {Channel: provision.ChannelKVP, Host: provision.NoHost()},
	} {
		r, err := provision.NewReporter(&options)
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != azprov.KindInternal || e.Op != "provision.NewReporter" || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLatchPrefersWhatCountsMore: a machine that learns its id has two entries.
func TestLatchPrefersWhatCountsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReporterRig(t, nil)
		known := r.options.Sysfs
		r.options.Sysfs = fstest.MapFS{}
		if _, err := r.process(t).Report(t.Context(), provision.Outcome{State: provision.ReportInProgress}); err != nil {
			t.Fatal(err)
		}
		r.options.Sysfs = known
		if _, err := r.process(t).Report(t.Context(), provision.Outcome{State: provision.ReportFailed, Err: sunk}); err != nil {
			t.Fatal(err)
		}
		for _, state := range []provision.ReportState{provision.ReportInProgress, provision.ReportReady} {
			if _, err := r.process(t).Report(t.Context(), provision.Outcome{State: state, Description: "again"}); !errors.Is(err, provision.ErrContradiction) {
				t.Errorf("%s after Failed: %v", state, err)
			}
		}
	})
}

// TestNetworkOfTheRunIsNotBroughtUpAgain: what took five seconds to try would take them
// from the report.
func TestNetworkOfTheRunIsNotBroughtUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := lookup(t, "linux-vm")
		s.WireServer.Faults = []emulator.Fault{{Kind: emulator.FaultHang, Times: 1}}
		r := newRig(t, s)
		h := &harbour{}
		r.options.Network = h
		r.options.Apply = func(context.Context, *provision.Machine) error { return sunk }
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, sunk) || result.ReportErr != nil || h.ups != 1 || h.down != 1 {
			t.Errorf("%v, %v, up %d times and down %d times", err, result.ReportErr, h.ups, h.down)
		}
	})
}
