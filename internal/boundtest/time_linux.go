package boundtest

import (
	"syscall"
	"time"
)

// threadTime is the processor time that the calling thread has had, never running
// backwards.
func threadTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &usage); err != nil {
		return wallTime()
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
