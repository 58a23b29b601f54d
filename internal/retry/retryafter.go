package retry

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter caps what a service may ask for: a boot cannot wait for longer on
// one answer, and cloud-init honoured any length (a defect).
const MaxRetryAfter = 60 * time.Second

// After reads Retry-After: seconds (a fraction is allowed) or an HTTP date. It
// returns 0 for a header that is absent, unreadable, zero or in the past, and at
// most [MaxRetryAfter].
func After(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		// Compare before converting: a duration overflows where a float does not.
		if seconds > MaxRetryAfter.Seconds() {
			return MaxRetryAfter
		}
		wait = time.Duration(seconds * float64(time.Second))
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}
