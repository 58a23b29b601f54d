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

func TestCheck(t *testing.T) {
	slow := true
	for name, row := range map[string]struct {
		parse func()
		want  int
	}{
		"a cheap one":            {func() {}, 0},
		"one that allocates":     {func() { sink = make([]byte, maxBytes+1) }, 1},
		"one that takes long":    {func() { time.Sleep(maxTime + time.Millisecond) }, 1},
		"one that was disturbed": {func() { disturbed(&slow) }, 0},
	} {
		f := &failing{TB: t}
		if Check(f, row.parse); f.complaints != row.want {
			t.Errorf("%s: %d complaints, want %d", name, f.complaints, row.want)
		}
	}
}

// disturbed is slow the first time only.
func disturbed(slow *bool) {
	if *slow {
		time.Sleep(maxTime + time.Millisecond)
	}
	*slow = false
}
