// Package boundtest holds parsers of what is not trusted to what they may cost: for any
// input of up to 1 MiB, a second and 64 MiB.
package boundtest

import (
	"runtime"
	"testing"
	"time"
)

const (
	maxTime  = time.Second
	maxBytes = 64 << 20
)

// Check runs parse and fails the test if it takes too long or allocates too much. What
// other goroutines allocate meanwhile counts too, so that the test must not be parallel.
// A parse that takes too long has a second chance: the machine may have been busy.
func Check(tb testing.TB, parse func()) {
	tb.Helper()
	took, allocated := measure(parse)
	if took > maxTime {
		again, _ := measure(parse)
		took = min(took, again)
	}
	if took > maxTime {
		tb.Errorf("took %v, want %v at most", took, maxTime)
	}
	if allocated > maxBytes {
		tb.Errorf("allocated %d bytes, want %d at most", allocated, maxBytes)
	}
}

func measure(parse func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := time.Now()
	parse()
	took := time.Since(started)
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}
