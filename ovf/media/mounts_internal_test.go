package media

import "testing"

func TestUnescape(t *testing.T) {
	t.Parallel()
	for escaped, want := range map[string]string{
		"": "", "/mnt": "/mnt", `/a\040b`: "/a b", `/a\040`: "/a ", `\134\012`: "\\\n", `/a\0400`: "/a 0",
		`/a\`: `/a\`, `/a\04`: `/a\04`, `/a\zzz`: `/a\zzz`, `/\040\099`: `/ \099`, `/\777`: `/\777`,
	} {
		if got := unescape(escaped); got != want {
			t.Errorf("%q: %q, want %q", escaped, got, want)
		}
	}
}

func TestSightingInOneLine(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Sighting{
		"/dev/sr0: busy": {Path: "/dev/sr0", Outcome: OutcomeBusy}, "/dev/sr0: rope": {"/dev/sr0", OutcomeBusy, "rope"},
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
