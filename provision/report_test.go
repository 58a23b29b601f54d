package provision_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/provision"
)

func TestReadyIsNeverSentAfterFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.StateDir = t.TempDir()
		fail := *r.options
		fail.Apply = func(context.Context, *provision.Machine) error { return errors.New("no") }
		if _, err := provision.Run(t.Context(), &fail); err == nil {
			t.Fatal("no error")
		}
		// Another process of the same boot.
		result, err := provision.Run(t.Context(), r.options)
		if !errors.Is(err, provision.ErrContradiction) || azprov.KindOf(err) != azprov.KindInternal ||
			result.Report.State != provision.ReportFailed || result.Report.AcceptedAt.IsZero() {
			t.Errorf("%v, %+v", err, result.Report)
		}
		if r.fabric.State() != emulator.StateFailed || len(r.fabric.Reports()) != 1 {
			t.Errorf("the fabric was told %+v", r.fabric.Reports())
		}
		// The next boot may try again.
		next := *r.options
		next.BootID = "boot-2"
		p, err := provision.New(&next)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Report(t.Context(), provision.Outcome{State: provision.ReportReady}); err != nil {
			t.Errorf("after a reboot: %v", err)
		}
	})
}

func TestReadyIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.StateDir = t.TempDir()
		first, err := provision.Run(t.Context(), r.options)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		second, err := provision.Run(t.Context(), r.options)
		if err != nil || second.Report.State != provision.ReportReady || !second.Report.Repeated || !second.Report.AcceptedAt.Equal(first.Report.AcceptedAt) || len(r.fabric.Reports()) != 1 {
			t.Errorf("%v, %+v, reports %+v", err, second.Report, r.fabric.Reports())
		}
		entries, err := os.ReadDir(r.options.StateDir)
		if err != nil || len(entries) == 0 {
			t.Fatalf("%v, %v", entries, err)
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", entry.Name(), info.Mode(), err)
			}
		}
	})
}

func TestUnwritableLatchDoesNotStopTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r.options.StateDir = filepath.Join(file, "below")
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Report.State != provision.ReportReady || len(result.Report.Warnings) == 0 {
			t.Errorf("%v, %+v", err, result.Report)
		}
	})
}

func TestSymbolicLinkIsNoLatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		dir := t.TempDir()
		r.options.StateDir = dir
		// What somebody else would have us believe.
		target := filepath.Join(dir, "target")
		believe := `{"state":"Ready","acceptedAt":"2026-01-02T03:04:05Z","vmId":"` + r.fabric.VM().ID.String() + `","bootId":"boot-1"}`
		if err := os.WriteFile(target, []byte(believe), 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "report-anything.json")
		if err := os.Symlink(target, link); err != nil {
			t.Skip("no symbolic links here: " + err.Error())
		}
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || result.Report.State != provision.ReportReady || result.Report.Repeated {
			t.Fatalf("%v, %+v", err, result.Report)
		}
		if b, err := os.ReadFile(target); err != nil || string(b) != believe {
			t.Error("the link was followed")
		}
	})
}

func TestInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		p, err := provision.New(r.options)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			after    time.Duration
			outcome  provision.Outcome
			repeated bool
		}{
			{0, provision.Outcome{State: provision.ReportInProgress}, false},
			{59 * time.Second, provision.Outcome{State: provision.ReportInProgress}, true}, // a loop says nothing new
			{time.Second, provision.Outcome{State: provision.ReportInProgress}, false},
			{time.Second, provision.Outcome{State: provision.ReportInProgress, Description: "mooring"}, false},
			{time.Second, provision.Outcome{State: provision.ReportInProgress, Description: "mooring"}, true}, // of the last text
			{time.Second, provision.Outcome{State: provision.ReportReady}, false},
		} {
			time.Sleep(row.after)
			result, err := p.Report(t.Context(), row.outcome)
			if err != nil || result.Repeated != row.repeated || result.State != row.outcome.State || result.AcceptedAt.IsZero() {
				t.Fatalf("%+v: %v, %+v", row.outcome, err, result)
			}
		}
		if _, err := p.Report(t.Context(), provision.Outcome{State: provision.ReportInProgress}); !errors.Is(err, provision.ErrContradiction) {
			t.Errorf("in progress after Ready: %v", err)
		}
		var got []string
		for _, report := range r.fabric.Reports() {
			got = append(got, string(report.State)+"/"+report.SubStatus+"/"+report.Description)
		}
		if want := []string{"InProgress/Provisioning/Starting", "InProgress/Provisioning/Starting", "InProgress/Provisioning/mooring", "Ready//"}; !slices.Equal(got, want) {
			t.Errorf("reports %q, want %q", got, want)
		}
	})
}

func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		p, err := provision.New(r.options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Report(t.Context(), provision.Outcome{State: "Done"}); azprov.KindOf(err) != azprov.KindInternal {
			t.Errorf("%v", err)
		}
	})
}

// host records what the second channel was told, and how many reports the fabric had
// by then.
type host struct {
	fabric *emulator.Fabric
	mu     sync.Mutex
	told   []string
}

func (h *host) WriteReport(_ context.Context, record string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	result, _, _ := strings.Cut(record, "|")
	h.told = append(h.told, fmt.Sprintf("%s before report %d", result, len(h.fabric.Reports())+1))
	return nil
}

// records keeps what the second channel was told.
type records struct{ told []string }

func (r *records) WriteReport(_ context.Context, record string) error {
	r.told = append(r.told, record)
	return nil
}

// TestRecords asserts the one-line reports byte for byte; virtual time begins with 2000.
func TestRecords(t *testing.T) {
	const (
		agent = "|agent=azprov/" + azprov.Version
		id    = "|vm_id=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"
		stamp = "|timestamp=2000-01-01T00:00:00+00:00"
		link  = "|documentation_url=" + azprov.DocumentationURL
	)
	reason := &azprov.Error{Op: "x", Reason: "no disk", Details: []azprov.Detail{{Key: "disk", Value: "a|b"}}}
	for _, row := range []struct {
		name    string
		outcome provision.Outcome
		unknown bool // the VM's id is nowhere
		want    string
	}{
		{"success", provision.Outcome{State: provision.ReportReady}, false, "result=success" + agent + stamp + id},
		{"success of a VM without id", provision.Outcome{State: provision.ReportReady}, true, "result=success" + agent + stamp + "|vm_id=unknown"},
		{
			"failure without a cause",
			provision.Outcome{State: provision.ReportFailed},
			false,
			"result=error|reason=unhandled exception" + agent + "|exception=no cause was given" + id + stamp + link,
		},
		{
			"failure with a reason below",
			provision.Outcome{State: provision.ReportFailed, Err: &azprov.Error{Op: "y", Last: reason}, PPSType: "Running"},
			false,
			"result=error|reason=no disk" + agent + "|'disk=a|b'|pps_type=Running" + id + stamp + link,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "linux-vm")
				s.VM.ID = azprov.VMID{0x91, 0x26, 0x7c, 0x52, 0x9f, 0x02, 0x4c, 0xfe, 0xb1, 0xf4, 0xa4, 0xda, 0x7e, 0xba, 0xc2, 0xcf}
				r := newRig(t, s)
				if row.unknown {
					r.options.Sysfs = fstest.MapFS{}
				}
				told := &records{}
				r.options.Host = told
				p, err := provision.New(r.options)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Report(t.Context(), row.outcome); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(told.told, []string{row.want}) {
					t.Errorf("told %q, want %q", told.told, row.want)
				}
				if got := r.fabric.Reports()[0].Description; row.outcome.State == provision.ReportFailed && got != row.want {
					t.Errorf("description %q, want %q", got, row.want)
				}
			})
		})
	}
}

// deaf listens to no context for a while.
type deaf struct{ fabric *emulator.Fabric }

func (deaf) WriteReport(context.Context, string) error { time.Sleep(time.Hour); return nil }

func TestHostChannelThatHangsCostsTheReportNothing(t *testing.T) {
	for _, fail := range []error{nil, errors.New("no")} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lookup(t, "linux-vm"))
			r.options.Host = deaf{r.fabric}
			r.options.Apply = func(context.Context, *provision.Machine) error { return fail }
			start := time.Now()
			result, _ := provision.Run(t.Context(), r.options)
			if took := time.Since(start); took > 11*time.Second || len(r.fabric.Reports()) != 1 || len(result.Report.Warnings) != 1 {
				t.Errorf("took %v, %d reports, %+v", took, len(r.fabric.Reports()), result.Report)
			}
			time.Sleep(time.Hour) // what was left behind ends
		})
	}
}

func TestHostChannelComesFirst(t *testing.T) {
	refusing := func(s *emulator.Scenario) {
		body := "" // a page of IIS's would mean "too many requests"
		s.WireServer.Faults = []emulator.Fault{{Path: "comp=health", Status: 403, Body: &body, Always: true}}
	}
	for _, row := range []struct {
		name   string
		change func(*emulator.Scenario)
		apply  error
		want   []string
		kind   azprov.Kind
	}{
		{"success", nil, nil, []string{"result=success before report 1"}, ""},
		{"failure", nil, errors.New("no"), []string{"result=error before report 1"}, azprov.KindInternal},
		{"a success that is refused becomes a failure", refusing, nil, []string{"result=success before report 1", "result=error before report 1"}, azprov.KindDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lookup(t, "linux-vm")
				if row.change != nil {
					row.change(&s)
				}
				r := newRig(t, s)
				h := &host{fabric: r.fabric}
				r.options.Host = h
				r.options.Apply = func(context.Context, *provision.Machine) error { return row.apply }
				_, err := provision.Run(t.Context(), r.options)
				if azprov.KindOf(err) != row.kind || !slices.Equal(h.told, row.want) {
					t.Errorf("error %v, told %q, want %q", err, h.told, row.want)
				}
			})
		})
	}
}
