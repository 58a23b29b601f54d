package boundtest

import "time"

// epoch is what wallTime counts from.
var epoch = time.Now()

func wallTime() time.Duration { return time.Since(epoch) }
