//go:build !linux

package boundtest

import "time"

func threadTime() time.Duration { return wallTime() }
