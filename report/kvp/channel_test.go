package kvp_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/report/kvp"
)

var _ provision.EventChannel = (*kvp.ReportChannel)(nil)

func TestWriteReport(t *testing.T) {
	t.Parallel()
	pool, path := poolFile(t, encoded(t, kvp.Record{Key: "berth", Value: "jetty-07"}))
	channel := kvp.Channel(pool, nil)
	tail := "|vm_id=91267c52-9f02-4cfe-b1f4-a4da7ebac2cf|timestamp=2026-11-23T06:38:18.236461+00:00|documentation_url=https://aka.ms/linuxprovisioningerror"
	for _, row := range []struct {
		name, text string
		want       func(string) bool
	}{
		{"success", "result=success|agent=pilot/1", func(s string) bool { return s == "result=success|agent=pilot/1" }},
		{"the longest", "result=success|x=" + strings.Repeat("v", 1022-17), func(s string) bool { return len(s) == 1022 }},
		{"failure, shortened", "result=error|reason=fog|agent=pilot/1|exception=" + strings.Repeat("é", 2000) + tail, func(s string) bool {
			return len(s) <= 1022 && len(s) > 1000 && strings.HasPrefix(s, "result=error|reason=fog|agent=pilot/1|exception=é") && strings.HasSuffix(s, tail)
		}},
		{"no record at all", strings.Repeat("é", 2000), func(s string) bool { return len(s) == 1022 }},
	} {
		if err := channel.WriteReport(t.Context(), row.text); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		records, err := pool.List(t.Context())
		if err != nil || len(records) != 2 || records[1].Key != "PROVISIONING_REPORT" || !row.want(records[1].Value) {
			t.Errorf("%s: %q, %v", row.name, records, err)
		}
	}
	// What cloud-init has appended several times is one then.
	if err := os.WriteFile(path, slices.Repeat(raw("PROVISIONING_REPORT", "result=error"), 3), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := channel.WriteReport(t.Context(), "result=success"); err != nil {
		t.Error(err)
	}
	if records, err := pool.List(t.Context()); err != nil || !slices.Equal(records, []kvp.Record{{"PROVISIONING_REPORT", "result=success"}}) {
		t.Errorf("%q, %v", records, err)
	}
}

func TestWriteReportWithoutDaemon(t *testing.T) {
	t.Parallel()
	channel := kvp.Channel(kvp.Open(&kvp.Options{Path: t.TempDir() + "/none"}), nil)
	if err := channel.WriteReport(t.Context(), "result=success"); !errors.Is(err, azprov.ErrNotFound) || !strings.Contains(err.Error(), "hv_kvp_daemon") {
		t.Error(err)
	}
}

// What an image has brought along is gone before the first write of any kind, and only
// then.
func TestChannelClearsWhatIsStale(t *testing.T) {
	t.Parallel()
	stale := kvp.Record{Key: "PROVISIONING_REPORT", Value: "result=success|agent=shipyard"}
	for name, write := range map[string]func(*kvp.ReportChannel) error{
		"report": func(c *kvp.ReportChannel) error { return c.WriteReport(t.Context(), "result=error") },
		"event": func(c *kvp.ReportChannel) error {
			c.WriteEvent(kvp.Event{Type: kvp.EventStart, Name: "moor"})
			return c.FlushEvents(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, path := poolFile(t, encoded(t, stale))
			proc := fstest.MapFS{"stat": {Data: fmt.Appendf(nil, "btime %d\n", time.Now().Unix())}}
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			channel := kvp.Channel(pool, &kvp.ChannelOptions{Proc: proc})
			if err := write(channel); err != nil {
				t.Fatal(err)
			}
			records, err := pool.List(t.Context())
			if err != nil || len(records) != 1 || records[0] == stale {
				t.Errorf("%q, %v", records, err)
			}
			if err := write(channel); err != nil {
				t.Fatal(err)
			}
			if err := pool.Append(t.Context(), stale); err != nil { // this boot's, though it reads alike
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := write(channel); err != nil {
				t.Fatal(err)
			}
			if records, err := pool.List(t.Context()); err != nil || len(records) < 2 && name == "event" {
				t.Errorf("cleared twice: %q, %v", records, err)
			}
		})
	}
}

func TestEventsReachThePoolByThemselves(t *testing.T) {
	t.Parallel()
	pool, path := poolFile(t, nil)
	channel := kvp.Channel(pool, &kvp.ChannelOptions{Source: here})
	other := azprov.VMID{1, 2, 3}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	channel.WriteEvent(kvp.Event{Type: kvp.EventStart, Name: "early"})
	if err := channel.FlushEvents(t.Context()); !errors.Is(err, azprov.ErrNotFound) {
		t.Errorf("flushed to nowhere: %v", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // the early one goes with the next
		channel.WriteEvent(kvp.Event{Type: kvp.EventFinish, Name: strconv.Itoa(i), VMID: other})
	}
	var records []kvp.Record
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && len(records) < 101; time.Sleep(time.Millisecond) {
		var err error
		if records, err = pool.List(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(records) != 101 || !strings.HasPrefix(records[0].Key, hereBefore+"start|early|") {
		t.Fatalf("%d records, %q", len(records), records[:min(3, len(records))])
	}
	for i, r := range records[1:] {
		if !strings.Contains(r.Key, "|finish|"+strconv.Itoa(i)+"|"+other.String()+"|") {
			t.Errorf("%d: %q", i, r.Key)
		}
	}
}

func TestBootTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		stat string
		want int64
		kind azprov.Kind
	}{
		{"the kernel's", "cpu  1 2 3\nintr 5 0\nctxt 9\nbtime 1795415957\nprocesses 3\n", 1795415957, ""},
		{"behind a long line", "intr" + strings.Repeat(" 0", 100_000) + "\nbtime 7\n", 7, ""},
		{"none", "cpu 1\nxbtime 7\n", 0, azprov.KindMalformed},
		{"no number", "btime soon\n", 0, azprov.KindMalformed},
		{"before time", "btime -1\n", 0, azprov.KindMalformed},
		{"a line without end", strings.Repeat("0", 2<<20), 0, azprov.KindInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := kvp.BootTime(fstest.MapFS{"stat": {Data: []byte(row.stat)}})
			if azprov.KindOf(err) != row.kind || err == nil && got.Unix() != row.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if _, err := kvp.BootTime(fstest.MapFS{}); azprov.KindOf(err) != azprov.KindNotFound {
		t.Error(err)
	}
	if got, err := kvp.BootTime(nil); err == nil && got.After(time.Now()) {
		t.Error(got)
	}
}
