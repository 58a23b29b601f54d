package kvp

import (
	"bufio"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

// maxLine bounds a line of /proc/stat: that of the interrupts has a number for each of
// them, some tens of kilobytes on large machines.
const maxLine = 1 << 20

// BootTime reads when the machine was booted, to the second, from Linux's /proc/stat. proc
// is the view of /proc, nil the machine's own. The kernel derives it from the clock, so it
// moves when the clock is set.
//
// Errors: NotFound (no such file), Malformed (no boot time in it), Internal.
func BootTime(proc fs.FS) (time.Time, error) {
	if proc == nil {
		proc = os.DirFS("/proc")
	}
	fail := func(kind azprov.Kind, message string, err error) (time.Time, error) {
		return time.Time{}, &azprov.Error{Op: "kvp.BootTime", Target: "/proc/stat", Kind: kind, Message: message, Last: err}
	}
	f, err := proc.Open("stat")
	if err != nil {
		return fail(azprov.KindNotFound, "cannot be opened", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		text, found := strings.CutPrefix(lines.Text(), "btime ")
		if !found {
			continue
		}
		seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || seconds < 0 {
			return fail(azprov.KindMalformed, "the boot time is no number of seconds", err)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if err := lines.Err(); err != nil {
		return fail(azprov.KindInternal, "cannot be read", err)
	}
	return fail(azprov.KindMalformed, "has no boot time", nil)
}
