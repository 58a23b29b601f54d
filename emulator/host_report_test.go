package emulator_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	outcome "github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
)

const fog, gale = "fog in the harbour", "gale in the harbour"

// tellings are what a guest tells the host and the wire server, and what is wrong about it.
type telling struct {
	name  string
	steps []step
	want  []string
	state emulator.ReportState
}

func (row telling) test(t *testing.T) {
	t.Parallel()
	vm := newHostVM(t, theTestScenario(t), emulator.Options{})
	for _, step := range row.steps {
		step(vm)
	}
	if diff := cmp.Diff(row.want, vm.observed()); diff != "" {
		t.Error(diff)
	}
	if got := vm.fabric.State(); got != row.state {
		t.Errorf("state %s, want %s", got, row.state)
	}
}

func TestHostReportsThatAreFine(t *testing.T) {
	t.Parallel()
	for _, row := range []telling{
		{"no file, Ready", []step{post(ready)}, []string{"wireserver | Ready"}, emulator.StateReady},
		{"nothing but a look", []step{collect}, nil, emulator.StateNone},
		{"success, then Ready", []step{upsert(good()), post(ready)}, []string{"kvp | success", "wireserver | Ready"}, emulator.StateReady},
		{"success without a Ready", []step{upsert(good()), collect}, []string{"kvp | success"}, emulator.StateNone},
		{"a failure on both", []step{upsert(bad(fog)), failure(bad(fog))}, []string{"kvp | error", "wireserver | Failed"}, emulator.StateFailed},
		{"a failure by KVP alone", []step{upsert(bad(fog)), collect}, []string{"kvp | error"}, emulator.StateFailed},
		{"a failure by KVP while in progress", []step{post(busy), upsert(bad(fog)), collect}, []string{"wireserver | InProgress", "kvp | error"}, emulator.StateFailed},
		{"a failure by wire alone", []step{failure(bad(fog))}, []string{"wireserver | Failed"}, emulator.StateFailed},
		{"a description that is no record", []step{upsert(bad(fog)), failure("it is foggy")}, []string{"kvp | error", "wireserver | Failed"}, emulator.StateFailed},
		{
			"a description cut inside the reason",
			[]step{upsert(bad(fog)), failure(bad(fog)[:len("result=error|reason=fog")])},
			[]string{"kvp | error", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"a KVP report cut inside the reason",
			[]step{upsert(bad(fog)[:len("result=error|reason=fog")]), failure(bad(fog))},
			[]string{"kvp | error", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"a success that the wire server refused",
			[]step{upsert(good()), collect, upsert(bad(fog)), collect, failure(bad(fog))},
			[]string{"kvp | success", "kvp | error", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"the same twice",
			[]step{upsert(bad(fog)), collect, collect, failure(bad(fog)), failure(bad(fog))},
			[]string{"kvp | error", "wireserver | Failed", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"a report for each attempt",
			[]step{add(bad(fog)), add(bad(gale)), collect, add(bad(fog)), failure(bad(fog))},
			[]string{"kvp | error", "kvp | error", "kvp | error", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"the first of several removed",
			[]step{add("result=error|reason=fog"), add("result=error|reason=gale"), collect, empty, add("result=error|reason=gale"), collect},
			[]string{"kvp | error", "kvp | error"},
			emulator.StateFailed,
		},
		{
			"the last of several replaced",
			[]step{add("result=error|reason=fog"), add("result=error|reason=gale"), collect, empty, add("result=error|reason=fog"), add("result=error|reason=ice"), collect},
			[]string{"kvp | error", "kvp | error", "kvp | error"},
			emulator.StateFailed,
		},
		{
			"failures for the host alone after the wire's",
			[]step{upsert(bad(fog)), failure(bad(fog)), upsert(bad(gale)), collect},
			[]string{"kvp | error", "wireserver | Failed", "kvp | error"},
			emulator.StateFailed,
		},
		{"no VM id", []step{upsert(good(vmID(""))), post(ready)}, []string{"kvp | success", "wireserver | Ready"}, emulator.StateReady},
		{
			"the id in the other byte order and case",
			[]step{upsert(good(vmID("527C2691-029F-FE4C-B1F4-A4DA7EBAC2CF"))), post(ready)},
			[]string{"kvp | success", "wireserver | Ready"},
			emulator.StateReady,
		},
		{"a slow clock", []step{upsert(good(age(4 * time.Minute))), post(ready)}, []string{"kvp | success", "wireserver | Ready"}, emulator.StateReady},
		{
			"a record of an image, cleared",
			[]step{upsert(bad(fog, age(time.Hour))), empty, upsert(good()), post(ready)},
			[]string{"kvp | success", "wireserver | Ready"},
			emulator.StateReady,
		},
		{"cleared after it was seen", []step{upsert(bad(fog)), collect, empty, collect}, []string{"kvp | error"}, emulator.StateFailed},
		{"progress makes nobody look", []step{upsert(good()), post(busy)}, []string{"wireserver | InProgress"}, emulator.StateInProgress},
		{
			"long in bytes alone",
			[]step{raw(strings.Replace(good(), "pilot", strings.Repeat("é", 800), 1)), collect},
			[]string{"kvp | success"},
			emulator.StateNone,
		},
		{"the longest that the host takes", []step{upsert(lengthened(good(), kvp.MaxValue)), collect}, []string{"kvp | success"}, emulator.StateNone},
	} {
		t.Run(row.name, row.test)
	}
}

func TestHostReportsThatContradict(t *testing.T) {
	t.Parallel()
	for _, row := range []telling{
		{
			"success, then Failed",
			[]step{upsert(good()), failure(bad(fog))},
			[]string{"kvp | success", "wireserver | Failed | Failed while the KVP report says success"},
			emulator.StateFailed,
		},
		{
			"Failed, then success",
			[]step{failure(bad(fog)), upsert(good()), collect},
			[]string{"wireserver | Failed", "kvp | success | KVP success after Failed"},
			emulator.StateFailed,
		},
		{
			"Ready over an error",
			[]step{upsert(bad(fog)), post(ready)},
			[]string{"kvp | error", "wireserver | Ready | Ready while the KVP report says error"},
			emulator.StateReady,
		},
		{
			"an error after Ready",
			[]step{upsert(good()), post(ready), upsert(bad(fog)), collect},
			[]string{"kvp | success", "wireserver | Ready", "kvp | error | KVP error after Ready"},
			emulator.StateReady,
		},
		{
			"error replaced by success",
			[]step{upsert(bad(fog)), collect, upsert(good()), collect},
			[]string{"kvp | error", "kvp | success | KVP success after KVP error"},
			emulator.StateNone,
		},
		{
			"success appended to error",
			[]step{add(bad(fog)), add(good()), post(ready)},
			[]string{"kvp | error", "kvp | success | KVP success after KVP error", "wireserver | Ready"},
			emulator.StateReady,
		},
		{
			"another reason on the wire",
			[]step{upsert(bad(fog)), failure(bad(gale))},
			[]string{"kvp | error", "wireserver | Failed | KVP report and Failed have different reasons"},
			emulator.StateFailed,
		},
		{
			"a reason that only begins alike",
			[]step{upsert(bad(fog)), failure(bad("fog"))},
			[]string{"kvp | error", "wireserver | Failed | KVP report and Failed have different reasons"},
			emulator.StateFailed,
		},
		{
			"another reason for the host, too late",
			[]step{failure(bad(fog)), upsert(bad(gale)), collect},
			[]string{"wireserver | Failed", "kvp | error | KVP report and Failed have different reasons"},
			emulator.StateFailed,
		},
	} {
		t.Run(row.name, row.test)
	}
}

func TestHostReportsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, row := range []telling{
		{"another VM", []step{upsert(good(vmID("91267c52-9f02-4cfe-b1f4-a4da7ebac2ce"))), collect}, []string{"kvp | success | KVP report names another VM"}, emulator.StateNone},
		{"no id", []step{upsert(bad(fog, vmID("unknown"))), collect}, []string{"kvp | error | KVP report names another VM"}, emulator.StateFailed},
		{"no record", []step{upsert("all is well"), collect}, []string{"kvp |  | KVP report cannot be decoded"}, emulator.StateNone},
		{
			"no record behind an error",
			[]step{add(bad(fog)), add("all is well"), post(ready)},
			[]string{"kvp | error", "kvp |  | KVP report cannot be decoded", "wireserver | Ready | Ready while the KVP report says error"},
			emulator.StateReady,
		},
		{"no result of ours", []step{upsert("result=maybe|agent=pilot/1"), collect}, []string{"kvp | maybe | KVP report is neither success nor error"}, emulator.StateNone},
		{
			"a record of an image",
			[]step{upsert(bad(fog, age(6*time.Minute), vmID("x"))), collect, post(ready)},
			[]string{"kvp | error | KVP report from before the boot", "wireserver | Ready"},
			emulator.StateReady,
		},
		{
			"a record of an image before the VM's",
			[]step{add(good(age(time.Hour))), add(bad(fog)), collect, add(bad(gale)), collect},
			[]string{"kvp | success | KVP report from before the boot", "kvp | error", "kvp | error"},
			emulator.StateFailed,
		},
		{"a record of an image alone is no failure", []step{upsert(bad(fog, age(time.Hour))), collect}, []string{"kvp | error | KVP report from before the boot"}, emulator.StateNone},
		{"too long", []step{raw(lengthened(good(), kvp.MaxValue+1)), collect}, []string{"kvp | success | KVP report over 1022 characters"}, emulator.StateNone},
		{"no text", []step{raw(strings.Replace(good(), "pilot", "pil\xffot", 1)), collect}, []string{"kvp | success | KVP report is not UTF-8"}, emulator.StateNone},
	} {
		t.Run(row.name, row.test)
	}
}

// lengthened makes a record longer by an agent's name.
func lengthened(value string, size int) string {
	return strings.Replace(value, "pilot/1", "pilot/1"+strings.Repeat("x", size-len(value)), 1)
}

// In a pool the first Ready is nobody's.
func TestHostReportsOfAPool(t *testing.T) {
	const ownerID = "0f1e2d3c-4b5a-4678-8796-a5b4c3d2e1f0"
	owner := vmID(ownerID)
	wait := func(vm *hostVM) {
		time.Sleep(time.Minute)
		ask(vm.t, vm.fabric.IMDS(), http.MethodGet, "/metadata/reprovisiondata?api-version=2019-06-01", "", "Metadata: true")
	}
	for _, row := range []struct {
		name  string
		steps func() []step
		want  []string
		state emulator.ReportState
	}{
		{
			"a success for the owner",
			func() []step { return []step{post(ready), wait, upsert(good(owner)), post(ready)} },
			[]string{"wireserver | Ready", "kvp | success", "wireserver | Ready"},
			emulator.StateReady,
		},
		{
			"a success while nobody asks",
			func() []step {
				return []step{post(ready), func(*hostVM) { time.Sleep(time.Minute) }, upsert(good(owner)), collect}
			},
			[]string{"wireserver | Ready", "kvp | success"},
			emulator.StateNone,
		},
		{
			"with the id that DMI has",
			func() []step { return []step{post(ready), wait, upsert(good()), post(ready)} },
			[]string{"wireserver | Ready", "kvp | success", "wireserver | Ready"},
			emulator.StateReady,
		},
		{
			"the owner's id before the VM is the owner's",
			func() []step { return []step{upsert(bad(fog, owner)), collect} },
			[]string{"kvp | error | KVP report names another VM"},
			emulator.StateFailed,
		},
		{
			"a success in the pool",
			func() []step { return []step{upsert(good()), post(ready), wait, collect} },
			[]string{"kvp | success | KVP success before the owner's data", "wireserver | Ready"},
			emulator.StateNone,
		},
		{
			"the owner's failure after it",
			func() []step { return []step{upsert(good()), post(ready), wait, failure(bad(fog, owner))} },
			[]string{"kvp | success | KVP success before the owner's data", "wireserver | Ready", "wireserver | Failed"},
			emulator.StateFailed,
		},
		{
			"a failure in the pool after its Ready",
			func() []step { return []step{post(ready), upsert(bad(fog)), collect} },
			[]string{"wireserver | Ready", "kvp | error"},
			emulator.StateFailed,
		},
		{
			"a failure in the pool and an owner all the same",
			func() []step { return []step{post(ready), upsert(bad(fog)), collect, wait} },
			[]string{"wireserver | Ready", "kvp | error"},
			emulator.StateNone,
		},
		{
			"the pool's Ready over an error",
			func() []step { return []step{upsert(bad(fog)), post(ready)} },
			[]string{"kvp | error", "wireserver | Ready | Ready while the KVP report says error"},
			emulator.StateFailed,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := theTestScenario(t)
				s.Pool.Type, s.Pool.DataAfter = "Running", emulator.Duration(time.Second)
				s.IMDS.RateLimit = azprov.SwitchUnset // a pool has one
				s.Pool.Owner = s.VM
				if err := s.Pool.Owner.ID.UnmarshalText([]byte(ownerID)); err != nil {
					t.Fatal(err)
				}
				vm, begin := newHostVM(t, s, emulator.Options{}), time.Now()
				for _, step := range row.steps() {
					step(vm)
				}
				if diff := cmp.Diff(row.want, vm.observed()); diff != "" {
					t.Error(diff)
				}
				if got := vm.fabric.State(); got != row.state {
					t.Errorf("state %s, want %s", got, row.state)
				}
				for _, r := range vm.fabric.HostReports() {
					if r.Pool != r.Time.Before(begin.Add(time.Second)) {
						t.Errorf("in the pool: %+v", r)
					}
				}
			})
		})
	}
}

// What the host has seen is there decoded, and as it stood in the file.
func TestHostReportIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		begin := time.Now().UTC()
		first := bad("fog")
		add(first)(vm)
		collect(vm)
		time.Sleep(time.Minute)
		second := bad("gale") + " and more"
		add(second)(vm)
		collect(vm)
		got := vm.fabric.HostReports()
		if len(got) != 2 || got[0].Raw != first || got[1].Raw != second || !got[0].Time.Equal(begin) || !got[1].Time.Equal(begin.Add(time.Minute)) {
			t.Fatalf("%+v", got)
		}
		if r := got[0].Report; r.Reason != "fog" || r.Agent != "pilot/1" || !r.Timestamp.Equal(begin) || got[0].Stale || got[0].Pool || len(got[0].Warnings) > 0 {
			t.Errorf("%+v", got[0])
		}
		if !slices.Contains(got[1].Warnings, "text behind the record was left out") {
			t.Errorf("%+v", got[1])
		}
		entry := vm.fabric.Journal()[1]
		if diff := cmp.Diff(&got[1], entry.HostReport); diff != "" || !entry.Time.Equal(got[1].Time) || entry.Method != "READ" || entry.Path != "PROVISIONING_REPORT" || entry.Seq != 2 {
			t.Errorf("%+v\n%s", entry, diff)
		}
		got[0].Raw = ""
		if vm.fabric.HostReports()[0].Raw == "" {
			t.Error("the list is the fabric's own")
		}
	})
}

// Only the latest are kept.
func TestHostReportsAreBounded(t *testing.T) {
	t.Parallel()
	vm := newHostVM(t, theTestScenario(t), emulator.Options{})
	const limit, each = 2048, 512
	for range limit/each + 1 {
		var batch []kvp.Record
		for range each {
			batch = append(batch, kvp.Record{Key: kvp.ReportKey, Value: bad(fog)})
		}
		empty(vm)
		record(batch...)(vm)
		collect(vm)
	}
	upsert(good())(vm)
	collect(vm)
	got := vm.fabric.HostReports()
	if len(got) != limit || got[limit-1].Report.Result != outcome.ResultSuccess || got[0].Report.Result != outcome.ResultError {
		t.Errorf("%d reports, the last %+v", len(got), got[len(got)-1])
	}
}
