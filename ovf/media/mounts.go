package media

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// mount is a line of the mount table.
type mount struct {
	device string // "11:0"
	root   string // what of the file system is mounted; "/" is all of it
	point  string // where
	kind   string // "udf"
	source string // "/dev/sr0"
}

// isDisc reports whether the kernel reads the mount as a disc.
func (m mount) isDisc() bool { return m.kind == "udf" || m.kind == "iso9660" }

// isHidden reports whether one of the mounts made after it is at the same place: what is
// seen there is another file system's.
func (m mount) isHidden(after []mount) bool {
	return slices.ContainsFunc(after, func(other mount) bool { return other.point == m.point })
}

// readMounts reads the table as proc(5) describes mountinfo. Lines that are not like it
// are left out.
func readMounts(fsys fs.FS) []mount {
	var mounts []mount
	for line := range strings.Lines(readText(fsys, "proc/self/mountinfo", maxTable)) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			continue
		}
		mounts = append(mounts, mount{
			device: left[2], root: unescape(left[3]), point: unescape(left[4]), kind: right[0], source: unescape(right[1]),
		})
	}
	return mounts
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+4 > len(s) {
			return b.String() + s
		}
		b.WriteString(s[:i])
		n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
		if err != nil {
			return b.String() + s[i:]
		}
		b.WriteByte(byte(n))
		s = s[i+4:]
	}
}
