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
	// raceFactor is how much slower the race detector makes cryptography.
	raceFactor = 10
)

// Check runs parse and fails the test if it takes too long or allocates too much. Time
// is the thread's where the system tells it, so that a busy machine makes no difference.
// What other goroutines allocate counts too, so that the test must not be parallel.
func Check(tb testing.TB, parse func()) {
	tb.Helper()
	limit := maxTime
	if RaceDetector {
		limit *= raceFactor
	}
	check(tb, limit, parse)
}

func check(tb testing.TB, limit time.Duration, parse func()) {
	tb.Helper()
	took, allocated := measure(parse)
	if took > limit {
		tb.Errorf("took %v, want %v at most", took, limit)
	}
	if allocated > maxBytes {
		tb.Errorf("allocated %d bytes, want %d at most", allocated, maxBytes)
	}
}

func measure(parse func()) (time.Duration, uint64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := threadTime()
	parse()
	took := threadTime() - started
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}
