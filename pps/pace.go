package pps

import "time"

const (
	// slowInterval is between two requests, from start to start, while the VM waits. A
	// tight loop with short timeouts led to storms of 429 (cloud-init pull request 4470).
	slowInterval = time.Second
	// fastInterval is once reuse is likely. IMDS allows five requests a second to all
	// programs of a VM: four are made, and the fifth is left for the instance document. A
	// little more than a quarter of a second keeps a fifth out of any one second, although
	// no two requests take the same time to arrive.
	fastInterval = 260 * time.Millisecond
	// fastFor is how long reuse is likely: the data is there seconds after the switch. If
	// not, it is not worth a quarter of the limit of everybody.
	fastFor = 2 * time.Minute
	// maxRetryAfter caps what the service may ask for.
	maxRetryAfter = time.Minute
	// minThrottled and maxThrottled bound the pause after "too many requests", which
	// doubles: IMDS counts per second.
	minThrottled = time.Second
	maxThrottled = 8 * time.Second
)

// pace says when the next request may begin. It looks at no clock.
type pace struct {
	last      time.Time // the start of the last request
	notBefore time.Time
	fastUntil time.Time
	throttled time.Duration
}

// hurry: reuse is likely from now on.
func (p *pace) hurry(now time.Time) { p.fastUntil = now.Add(fastFor) }

// begin notes the start of a request.
func (p *pace) begin(now time.Time) { p.last = now }

// end notes what came of it.
func (p *pace) end(now time.Time, v verdict, after time.Duration) {
	pause := after
	if v == verdictThrottled {
		p.throttled = min(max(2*p.throttled, minThrottled), maxThrottled)
		pause = max(pause, minThrottled)
		if after == 0 {
			pause = p.throttled
		}
	} else {
		p.throttled = 0
	}
	if pause > 0 {
		p.notBefore = now.Add(pause)
	}
}

// next is the earliest start of the next request: now, or later.
func (p *pace) next(now time.Time) time.Time {
	interval := slowInterval
	if now.Before(p.fastUntil) {
		interval = fastInterval
	}
	at := now
	if p.last.IsZero() {
		return at
	}
	for _, t := range []time.Time{p.last.Add(interval), p.notBefore} {
		if t.After(at) {
			at = t
		}
	}
	return at
}
