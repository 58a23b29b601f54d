package boundtest

import (
	"testing"
	"time"
)

// failing counts the complaints instead of failing.
type failing struct {
	testing.TB
	complaints int
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.complaints++ }

// sink keeps the compiler from leaving an allocation out.
var sink []byte

// busy spends time of its thread.
func busy(d time.Duration) {
	for started := threadTime(); threadTime()-started < d; {
		sink = append(sink[:0], 1)
	}
}

func TestCheck(t *testing.T) {
	const limit = 100 * time.Millisecond
	for name, row := range map[string]struct {
		parse func()
		want  int
	}{
		"a cheap one":            {func() { busy(time.Millisecond) }, 0},
		"one that allocates":     {func() { sink = make([]byte, maxBytes+1) }, 1},
		"one that takes long":    {func() { busy(limit + 20*time.Millisecond) }, 1},
		"one at the very bounds": {func() { busy(limit / 2); sink = make([]byte, maxBytes*9/10) }, 0},
	} {
		f := &failing{TB: t}
		if check(f, limit, row.parse); f.complaints != row.want {
			t.Errorf("%s: %d complaints, want %d", name, f.complaints, row.want)
		}
	}
}
