package kvp_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

var (
	when = time.Date(2026, 11, 23, 7, 39, 17, 676085999, time.FixedZone("", 3600))
	here = kvp.Source{
		Prefix: "CLOUD_INIT", Boot: time.Unix(1795415957, 0),
		VMID: azprov.VMID{0x91, 0x26, 0x7c, 0x52, 0x9f, 2, 0x4c, 0xfe, 0xb1, 0xf4, 0xa4, 0xda, 0x7e, 0xba, 0xc2, 0xcf},
	}
	anID = [16]byte{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}
)

const (
	hereBefore = "CLOUD_INIT|1795415957|"
	hereAfter  = "|91267c52-9f02-4cfe-b1f4-a4da7ebac2cf|01020304-0506-4708-890a-0b0c0d0e0f10"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		event      kvp.Event
		key, value string
	}{
		{
			"finish",
			kvp.Event{Type: kvp.EventFinish, Name: "azure-ds/foo", Time: when, Result: kvp.ResultSuccess, Duration: 1234567890, Message: "foo"},
			"finish|azure-ds/foo",
			`{"name":"azure-ds/foo","type":"finish","ts":"2026-11-23T06:39:17.676085+00:00","result":"SUCCESS","duration":1.23456789,"msg":"foo"}`,
		},
		{
			"others have neither result nor duration",
			kvp.Event{Type: kvp.EventStart, Name: "a", Time: when, Result: kvp.ResultFail, Duration: 1},
			"start|a", `{"name":"a","type":"start","ts":"2026-11-23T06:39:17.676085+00:00","msg":""}`,
		},
		{
			"a whole second, and no time",
			kvp.Event{Type: kvp.EventFinish, Name: "a", Time: when.Truncate(time.Second), Result: kvp.ResultWarn},
			"finish|a", `{"name":"a","type":"finish","ts":"2026-11-23T06:39:17.000000+00:00","result":"WARN","duration":0,"msg":""}`,
		},
		{
			"a moment",
			kvp.Event{Type: kvp.EventFinish, Name: "a", Time: when, Result: kvp.ResultFail, Duration: 2},
			"finish|a", `{"name":"a","type":"finish","ts":"2026-11-23T06:39:17.676085+00:00","result":"FAIL","duration":0.000000002,"msg":""}`,
		},
		{
			"ASCII alone",
			kvp.Event{Type: kvp.EventDiagnostic, Name: "a", Time: when, Message: "\"\\/\b\f\n\r\t\x00\x1f\x7f é港🚢\xff<&>\u2028"},
			"diagnostic|a",
			`{"name":"a","type":"diagnostic","ts":"2026-11-23T06:39:17.676085+00:00","msg":"\"\\/\b\f\n\r\t\u0000\u001f\u007f \u00e9\u6e2f\ud83d\udea2\ufffd<&>\u2028"}`,
		},
		{
			"what parts a key",
			kvp.Event{Type: "a|b", Name: "c|d\ne", Time: when},
			"a/b|c/d e", `{"name":"c|d e","type":"a|b","ts":"2026-11-23T06:39:17.676085+00:00","msg":""}`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.event.ID = anID
			want := []kvp.Record{{hereBefore + row.key + hereAfter, row.value}}
			if got := here.Records(row.event); !slices.Equal(got, want) {
				t.Errorf("\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestKeyDefaults(t *testing.T) {
	t.Parallel()
	got := kvp.Source{}.Records(kvp.Event{Type: kvp.EventStart, Name: "a"})
	const zero = "00000000-0000-0000-0000-000000000000"
	if want := "AZPROV|0|start|a|" + zero + "|" + zero; len(got) != 1 || got[0].Key != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The longest of everything still makes records that the host takes.
func TestLongestEvent(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("🚢|\x7f\x00", 40<<10)
	source := kvp.Source{Prefix: long, Boot: time.Unix(1<<62, 0), VMID: here.VMID}
	records := source.Records(kvp.Event{
		Type: kvp.EventFinish, Name: long, Time: when, Result: kvp.EventResult(long), Duration: 1<<63 - 1, Message: long,
	})
	if _, err := kvp.Encode(records...); err != nil || len(records) > 1000 {
		t.Errorf("%d, %v", len(records), err)
	}
	kept := joined(t, records)
	if !strings.HasPrefix(long, kept) || len(kept) < kvp.MaxMessage-3 || len(kept) > kvp.MaxMessage {
		t.Errorf("%d bytes kept", len(kept))
	}
	typed := here.Records(kvp.Event{Type: kvp.EventType(long), Name: "a"})
	if _, err := kvp.Encode(typed...); err != nil {
		t.Error(err)
	}
}

// joined reads slices, each by itself.
func joined(t *testing.T, records []kvp.Record) string {
	t.Helper()
	var whole strings.Builder
	for i, r := range records {
		var value struct {
			Index int    `json:"msg_i"`
			Text  string `json:"msg"`
		}
		if err := json.Unmarshal([]byte(r.Value), &value); err != nil {
			t.Fatalf("%v: %q", err, r.Value)
		}
		if len(records) > 1 && (value.Index != i || !strings.HasSuffix(r.Key, fmt.Sprint("|", i))) {
			t.Errorf("slice %d: %q", i, r)
		}
		whole.WriteString(value.Text)
	}
	return whole.String()
}

func TestEventIsSplit(t *testing.T) {
	t.Parallel()
	// `{"name":"a","type":"diagnostic","ts":"2026-11-23T06:39:17.676085+00:00","msg":""}` has
	// 81 characters, and `"msg_i":0,` ten.
	event := kvp.Event{Type: kvp.EventDiagnostic, Name: "a", Time: when, ID: anID}
	for _, row := range []struct {
		name, message string
		want          []int
	}{
		{"the longest whole one", strings.Repeat("v", 1022-81), []int{1022}},
		{"one more", strings.Repeat("v", 1022-81+1), []int{1016, 91 + 942 - 925}},
		// cloud-init's slices of a text without escapes: 1024 - 8 - 91 characters.
		{"as cloud-init has it", strings.Repeat("v", 3*925), []int{1016, 1016, 1016}},
		{"ten slices", strings.Repeat("v", 10*925+1), append(slices.Repeat([]int{1016}, 10), 92+1)},
		{"escapes are whole", strings.Repeat(`"`, 471), []int{1015, 91 + 18}},
		{"escapes are whole, off by one", "v" + strings.Repeat(`"`, 471), []int{1016, 91 + 18}},
		{"pairs are whole", strings.Repeat("🚢", 80), []int{1015, 91 + 36}},
		{"pairs are whole, off by one", "v" + strings.Repeat("🚢", 80), []int{1016, 91 + 36}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			event := event
			event.Message = row.message
			records := here.Records(event)
			var sizes []int
			for _, r := range records {
				sizes = append(sizes, len(r.Value))
			}
			if got := joined(t, records); got != row.message || !slices.Equal(sizes, row.want) {
				t.Errorf("%v, want %v", sizes, row.want)
			}
		})
	}
	event.Message = strings.Repeat("v", 1000)
	want := `{"name":"a","type":"diagnostic","ts":"2026-11-23T06:39:17.676085+00:00","msg_i":1,"msg":"` + strings.Repeat("v", 75) + `"}`
	if got := here.Records(event)[1]; got.Value != want || got.Key != hereBefore+"diagnostic|a"+hereAfter+"|1" {
		t.Errorf("%q", got)
	}
}

func TestPossibleValues(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(kvp.PossibleEventTypeValues(), kvp.PossibleEventResultValues()); got != "[start finish diagnostic compressed boot-telemetry system-info] [SUCCESS WARN FAIL]" {
		t.Error(got)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add("AZPROV", "finish", "azure-ds/a", strings.Repeat("é\"\\", 400), int64(1))
	f.Add("|", "\xff", "\x00", "🚢", int64(-1))
	f.Fuzz(func(t *testing.T, prefix, kind, name, message string, number int64) {
		source := kvp.Source{Prefix: prefix, Boot: time.Unix(number%(1<<40), 0)}
		records := source.Records(kvp.Event{
			Type: kvp.EventType(kind), Name: name, Time: when, Result: kvp.EventResult(kind), Duration: time.Duration(number), Message: message,
		})
		if _, err := kvp.Encode(records...); err != nil || len(records) == 0 {
			t.Error(err)
		}
		if got, want := joined(t, records), strings.ToValidUTF8(message, "\ufffd"); len(message) < kvp.MaxMessage && !strings.ContainsRune(want, '\ufffd') && got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
