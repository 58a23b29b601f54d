package unitfailure_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/internal/unitfailure"
)

// journalRemote makes a journal of an export; it is in no PATH.
const journalRemote = "/usr/lib/systemd/systemd-journal-remote"

// export writes entries in the Journal Export Format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/), of two boots.
func export(boots ...[]entry) []byte {
	var b []byte
	for boot, entries := range boots {
		for i, e := range entries {
			n := boot*1000 + i
			b = fmt.Appendf(b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n", 1764000000000000+n, 1000000+n)
			b = fmt.Appendf(b, "_BOOT_ID=%032x\n_MACHINE_ID=%032x\n", boot+1, 0xb)
			for key, value := range e {
				if !strings.Contains(value, "\n") && utf8.ValidString(value) {
					b = fmt.Appendf(b, "%s=%s\n", key, value)
					continue
				}
				b = append(b, key+"\n"...)
				b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
				b = append(b, value+"\n"...)
			}
			b = append(b, '\n')
		}
	}
	return b
}

// TestRealJournal reads, with the system's journalctl, a journal that systemd's own
// program has written.
func TestRealJournal(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "journalctl", journalRemote)
	ignition := []entry{
		says("6", "Ignition 2.22.0"), says("6", "hoisting\nsails"), says("6", "not UTF-8: \xff"),
		says("4", strings.Repeat("long ", 2000)),
		says("3", "GET https://u:Capstan-9@harbour-01/c?sig=Capstan-9: not found"),
		says("2", "Ignition failed: failed to fetch config: resource not found"),
		processExit("exited", "1"), unitResult("exit-code"), jobFailed("failed"),
		says("3", "another unit's").with("_SYSTEMD_UNIT", "tug.service", "_SYSTEMD_INVOCATION_ID", lastRun),
	}
	retried := slices.Concat(
		[]entry{says("3", "of an earlier run").with("_SYSTEMD_INVOCATION_ID", lastRun), unitResult("timeout").with("INVOCATION_ID", lastRun)}, ignition)
	before := []entry{says("2", "Ignition failed: of an earlier boot"), unitResult("exit-code")}
	dir := t.TempDir()
	input := programtest.Write(t, dir, "export", export(before, retried))
	programtest.Run(t, dir, journalRemote, "--output="+dir+"/pilot.journal", input)
	f, err := unitfailure.Read(t.Context(), unit, &unitfailure.Options{Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	const cause = "Ignition failed: failed to fetch config: resource not found"
	wantLines(t, f, "GET https://[redacted]@harbour-01/c?[redacted] not found", cause)
	if f.State != unitfailure.StateFailed || f.Result != "exit-code" || f.Status != 1 || f.Error != cause || len(f.Warnings) != 0 {
		t.Errorf("%+v", f)
	}
	// Of a message that is longer than journalctl shows by default, of several lines, and
	// not UTF-8, each comes.
	dir = t.TempDir()
	input = programtest.Write(t, dir, "export", export(ignition[:4]))
	programtest.Run(t, dir, journalRemote, "--output="+dir+"/pilot.journal", input)
	if f, err = unitfailure.Read(t.Context(), unit, &unitfailure.Options{Directory: dir}); err != nil {
		t.Fatal(err)
	}
	if f.State != unitfailure.StateUnknown || len(f.Lines) != 5 || f.Lines[2] != "sails" || f.Lines[3] != "not UTF-8: \uFFFD" || !strings.HasPrefix(f.Lines[4], "long long") {
		t.Errorf("%+v", f)
	}
	none, err := unitfailure.Read(t.Context(), unit, &unitfailure.Options{Directory: dir + "/none"})
	if err != nil || none.State != unitfailure.StateUnknown || len(none.Warnings) != 1 || !strings.Contains(none.Warnings[0], "No such file or directory") {
		t.Errorf("%+v, %v", none, err)
	}
}
