package emulator_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/report/kvp"
)

var (
	eventTime   = time.Date(2026, 11, 23, 6, 39, 17, 676085000, time.UTC)
	eventBoot   = time.Unix(1795415957, 0).UTC()
	eventSource = kvp.Source{
		Prefix: "CLOUD_INIT", Boot: eventBoot,
		VMID: azprov.VMID{0x91, 0x26, 0x7c, 0x52, 0x9f, 2, 0x4c, 0xfe, 0xb1, 0xf4, 0xa4, 0xda, 0x7e, 0xba, 0xc2, 0xcf},
	}
	eventID = [16]byte{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}
)

// eventKey is one of cloud-init's, with an index if there is one.
func eventKey(index string) string {
	return "CLOUD_INIT|1795415957|diagnostic|x|91267c52-9f02-4cfe-b1f4-a4da7ebac2cf|01020304-0506-4708-890a-0b0c0d0e0f10" + index
}

// diagnostic is an event as the records of eventKey mean it.
func diagnostic(records int, message string, warnings ...string) emulator.HostEvent {
	return emulator.HostEvent{
		Prefix: "CLOUD_INIT", Boot: eventBoot, Type: kvp.EventDiagnostic, Name: "x",
		VMID: "91267c52-9f02-4cfe-b1f4-a4da7ebac2cf", ID: "01020304-0506-4708-890a-0b0c0d0e0f10",
		Timestamp: eventTime, Message: message, Records: records, Warnings: warnings,
	}
}

// value is that of a record of such an event.
func value(message string) string {
	return `{"name":"x","type":"diagnostic","ts":"2026-11-23T06:39:17.676085+00:00","msg":"` + message + `"}`
}

func TestHostEvents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("fog \"horn\"\n港🚢\x00", 2000)
	finish := diagnostic(1, "moored")
	finish.Type, finish.Result, finish.Duration = kvp.EventFinish, kvp.ResultSuccess, emulator.Duration(1500*time.Millisecond)
	untold := diagnostic(1, `moored`, "a value is not in cloud-init's form")
	untold.Timestamp = time.Time{}
	endless := diagnostic(1, "")
	endless.Type, endless.Duration = kvp.EventFinish, emulator.Duration(1e9*time.Second)
	other := diagnostic(1, "two")
	other.ID = "01010304-0506-4708-890a-0b0c0d0e0f10"
	var twelve []kvp.Record
	for i := range 12 {
		twelve = append(twelve, kvp.Record{Key: eventKey(fmt.Sprint("|", i)), Value: value(string(rune('a' + i)))})
	}
	for _, row := range []struct {
		name    string
		records []kvp.Record
		want    []emulator.HostEvent
	}{
		{
			"one record",
			eventSource.Records(kvp.Event{Type: kvp.EventDiagnostic, Name: "x", Time: eventTime, ID: eventID, Message: "a|\"b\"\n"}),
			[]emulator.HostEvent{diagnostic(1, "a|\"b\"\n")},
		},
		{
			"a step that has ended",
			eventSource.Records(kvp.Event{Type: kvp.EventFinish, Name: "x", Time: eventTime, ID: eventID, Result: kvp.ResultSuccess, Duration: 1500 * time.Millisecond, Message: "moored"}),
			[]emulator.HostEvent{finish},
		},
		{
			"slices",
			eventSource.Records(kvp.Event{Type: kvp.EventDiagnostic, Name: "x", Time: eventTime, ID: eventID, Message: long}),
			[]emulator.HostEvent{diagnostic(83, long)},
		},
		{
			"slices out of order",
			[]kvp.Record{{Key: eventKey("|1"), Value: value("two")}, {Key: eventKey("|0"), Value: value("one")}},
			[]emulator.HostEvent{diagnostic(2, "onetwo")},
		},
		{
			"a cut inside an escape, as cloud-init makes it",
			[]kvp.Record{{Key: eventKey("|0"), Value: value(`a\`)}, {Key: eventKey("|1"), Value: value(`"b\u26`)}, {Key: eventKey("|2"), Value: value(`f5c`)}},
			[]emulator.HostEvent{diagnostic(3, `a"b⛵c`)},
		},
		{"more than ten slices", twelve, []emulator.HostEvent{diagnostic(12, "abcdefghijkl")}},
		{
			"the same key again, as azure-init has it",
			[]kvp.Record{{Key: eventKey(""), Value: value("one")}, {Key: eventKey(""), Value: value("two")}},
			[]emulator.HostEvent{diagnostic(2, "onetwo")},
		},
		{"the first slice is missing", []kvp.Record{{Key: eventKey("|1"), Value: value("two")}}, []emulator.HostEvent{diagnostic(1, "two", "a slice is missing, or there twice")}},
		{
			"a slice in the middle is missing",
			[]kvp.Record{{Key: eventKey("|0"), Value: value("one")}, {Key: eventKey("|2"), Value: value("three")}},
			[]emulator.HostEvent{diagnostic(2, "onethree", "a slice is missing, or there twice")},
		},
		{
			"a slice is there twice",
			[]kvp.Record{{Key: eventKey("|1"), Value: value("two")}, {Key: eventKey("|1"), Value: value("two")}},
			[]emulator.HostEvent{diagnostic(2, "twotwo", "a slice is missing, or there twice")},
		},
		{"no JSON", []kvp.Record{{Key: eventKey(""), Value: "moored"}}, []emulator.HostEvent{untold}},
		{"JSON without a time", []kvp.Record{{Key: eventKey(""), Value: `{"ts":"now","msg":"moored"}`}}, []emulator.HostEvent{untold}},
		{"an escape that is none", []kvp.Record{{Key: eventKey(""), Value: value(`a\qb`)}}, []emulator.HostEvent{diagnostic(1, `a\qb`, "the message has escapes that are none")}},
		{
			"a duration of for ever",
			[]kvp.Record{{Key: strings.Replace(eventKey(""), "diagnostic", "finish", 1), Value: `{"ts":"2026-11-23T06:39:17.676085+00:00","duration":1e300,"msg":""}`}},
			[]emulator.HostEvent{endless},
		},
		{
			"two",
			[]kvp.Record{{Key: eventKey(""), Value: value("one")}, {Key: strings.Replace(eventKey(""), "0102", "0101", 1), Value: value("two")}},
			[]emulator.HostEvent{diagnostic(1, "one"), other},
		},
		{
			"other records", []kvp.Record{
				{Key: "azure-init-0.1|91267c52-9f02-4cfe-b1f4-a4da7ebac2cf|INFO|a:b|01020304-0506-4708-890a-0b0c0d0e0f10", Value: "x"},
				{Key: "|1|start|x|y|01020304-0506-4708-890a-0b0c0d0e0f10", Value: "no prefix"},
				{Key: "A|b|start|x|y|01020304-0506-4708-890a-0b0c0d0e0f10", Value: "no time"},
				{Key: "A|1|start|x|y|z", Value: "no id"},
				{Key: eventKey("|x"), Value: "no index"},
				{Key: eventKey("|-1"), Value: "no index"},
				{Key: eventKey("|0|0"), Value: "too many parts"},
				{Key: "A", Value: "x"},
			}, nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			vm := newHostVM(t, theTestScenario(t), emulator.Options{})
			record(row.records...)(vm)
			collect(vm)
			got := vm.fabric.HostEvents()
			for i := range got {
				if got[i].Time.IsZero() {
					t.Error("no time")
				}
				got[i].Time = time.Time{}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if entries := vm.fabric.Journal(); len(entries) > 0 {
				t.Errorf("%+v", entries)
			}
		})
	}
}

// The host may look before an agent has written all of an event.
func TestHostEventGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		begin := time.Now().UTC()
		for _, step := range []step{
			record(kvp.Record{Key: eventKey("|0"), Value: value("one")}), record(kvp.Record{Key: "A|1|b|c|d|" + azprov.VMID(eventID).String(), Value: value("")}),
			record(kvp.Record{Key: eventKey("|1"), Value: value("two")}), empty,
		} {
			step(vm)
			collect(vm)
			time.Sleep(time.Second)
		}
		got := vm.fabric.HostEvents()
		if len(got) != 2 || got[0].Message != "onetwo" || got[0].Records != 2 || !got[0].Time.Equal(begin) || !got[1].Time.Equal(begin.Add(time.Second)) {
			t.Errorf("%+v", got)
		}
	})
}

// Neither many events nor a long one take more than their share.
func TestHostEventsAreBounded(t *testing.T) {
	t.Parallel()
	vm := newHostVM(t, theTestScenario(t), emulator.Options{})
	var long []kvp.Record
	for i := range 100 {
		long = append(long, kvp.Record{Key: eventKey(fmt.Sprint("|", i)), Value: value(strings.Repeat("x", 900))})
	}
	record(long...)(vm)
	collect(vm)
	if got := vm.fabric.HostEvents()[0].Message; len(got) > kvp.MaxMessage+len("…") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes", len(got))
	}
	for batch := range 3 {
		empty(vm)
		var many []kvp.Record
		for i := range 500 {
			many = append(many, kvp.Record{Key: fmt.Sprintf("A|1|start|%d-%d|b|01020304-0506-4708-890a-0b0c0d0e0f10", batch, i), Value: value("")})
		}
		record(many...)(vm)
		collect(vm)
	}
	if got := vm.fabric.HostEvents(); len(got) != 1024 || got[1023].Name != "2-22" {
		t.Errorf("%d events, the last is %s", len(got), got[len(got)-1].Name)
	}
}

// Whatever a guest writes, the host reads it, within limits.
func FuzzHostEvent(f *testing.F) {
	f.Add(eventKey("|0"), value(`a\`), eventKey("|1"), value(`"b`))
	f.Add(eventKey(""), "moored", eventKey("|65535"), `{"duration":-1,"msg":"`)
	f.Add("|||||", "\xff", "A|1||||00000000-0000-0000-0000-000000000000", `{"msg":"\ud800"}`)
	f.Add(kvp.ReportKey, "result=error|'", kvp.ReportKey, "result=success|timestamp=x")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		vm := newHostVM(t, theTestScenario(t), emulator.Options{})
		b := make([]byte, 2*kvp.RecordSize)
		copy(b[:512], key1)
		copy(b[512:kvp.RecordSize], value1)
		copy(b[kvp.RecordSize:kvp.RecordSize+512], key2)
		copy(b[kvp.RecordSize+512:], value2)
		writePool(b)(vm)
		collect(vm)
		reports, events := vm.fabric.HostReports(), vm.fabric.HostEvents()
		if len(reports)+len(events) > 2 {
			t.Errorf("%d reports, %d events", len(reports), len(events))
		}
		for _, e := range events {
			if e.Duration < 0 || e.Records < 1 || len(e.Message) > 3*len(b) {
				t.Errorf("%+v", e)
			}
		}
	})
}
