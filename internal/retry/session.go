package retry

import (
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/cenkalti/backoff/v4"
)

// minThrottlePause is the least pause after "too many requests": the services
// count per second.
const minThrottlePause = time.Second

// maxThrottlePause ends the doubling after repeated throttling.
const maxThrottlePause = 8 * time.Second

// Limits ends a call before its budget does.
type Limits struct {
	// SilentAttempts and SilentTime end it when nothing ever answered: after so
	// many attempts or so long, whichever is first. 0 is no limit.
	SilentAttempts int
	SilentTime     time.Duration
	// While says whether the limits of silence hold at the moment; nil is "always".
	While func() bool
	// Attempts ends it after so many, whatever they gave; 0 is no limit.
	Attempts int
}

func (l Limits) hold() bool { return l.While == nil || l.While() }

// Decision is what to do after an attempt.
type Decision struct {
	// Done: the attempt succeeded.
	Done bool
	// Again: wait for Pause, then try again. Neither Done nor Again: give up.
	Again bool
	Pause time.Duration
	// Rule that applies to the failure.
	Rule Rule
}

// Session is the memory of one call. It is not safe for concurrent use.
type Session struct {
	profile   *Profile
	overrides policy.RetryOptions
	limits    Limits
	schedule  *backoff.ExponentialBackOff
	start     time.Time
	attempts  int
	failures  map[Rule]int
	throttled time.Duration
	answered  bool
}

// NewSession starts a call. The overrides keep azcore's meaning, but what is zero
// is the profile's: MaxRetries -1 is one attempt, RetryDelay and MaxRetryDelay
// replace the schedule's ends, StatusCodes the statuses worth another attempt, and
// ShouldRetry the classification as a whole.
func NewSession(p *Profile, overrides policy.RetryOptions, limits Limits) *Session {
	s := p.Schedule
	jitter := s.Jitter
	if overrides.RetryDelay != 0 {
		s.Initial = max(overrides.RetryDelay, 0)
		s.Max = max(s.Max, s.Initial)
	}
	if overrides.MaxRetryDelay > 0 {
		s.Max = overrides.MaxRetryDelay
	}
	return &Session{
		profile: p, overrides: overrides, limits: limits,
		failures: map[Rule]int{},
		start:    time.Now(),
		schedule: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(min(s.Initial, s.Max)),
			backoff.WithMaxInterval(s.Max),
			backoff.WithMultiplier(s.Factor),
			backoff.WithRandomizationFactor(jitter),
			backoff.WithMaxElapsedTime(0),
		),
	}
}

// Next judges an attempt. resp is handed to the caller's ShouldRetry; it is nil if
// there was no answer.
func (s *Session) Next(o Outcome, resp *http.Response) Decision {
	s.attempts++
	s.answered = s.answered || o.Answered || o.Status != 0
	rule, ok := s.profile.Classify(o)
	again := s.again(o, resp, rule, ok)
	if !again {
		return Decision{Done: ok, Rule: rule}
	}
	s.failures[rule]++
	switch {
	case s.overrides.MaxRetries < 0,
		s.limits.Attempts > 0 && s.attempts >= s.limits.Attempts,
		s.overrides.MaxRetries > 0 && s.attempts > int(s.overrides.MaxRetries),
		rule.Limit > 0 && s.failures[rule] >= rule.Limit && s.overrides.ShouldRetry == nil:
		return Decision{Rule: rule}
	}
	pause := s.pause(rule, o.Header)
	if s.silentTooLong(pause) {
		return Decision{Rule: rule}
	}
	return Decision{Again: true, Pause: pause, Rule: rule}
}

// again is the classification, with the caller's overrides.
func (s *Session) again(o Outcome, resp *http.Response, rule Rule, ok bool) bool {
	if s.overrides.ShouldRetry != nil {
		if resp != nil {
			return s.overrides.ShouldRetry(resp, nil)
		}
		return s.overrides.ShouldRetry(nil, o.Err)
	}
	if s.overrides.StatusCodes != nil && o.Status != 0 && o.Err == nil {
		return slices.Contains(s.overrides.StatusCodes, o.Status)
	}
	return !ok && rule.Retry
}

// AttemptTimeout caps the time of the next attempt, so that the limit of silence is kept.
func (s *Session) AttemptTimeout(timeout time.Duration) time.Duration {
	l := s.limits
	if s.answered || l.SilentTime <= 0 || !l.hold() {
		return timeout
	}
	return min(timeout, max(l.SilentTime-time.Since(s.start), time.Second))
}

// silentTooLong reports whether the limits of silence end the call before the next
// attempt would begin.
func (s *Session) silentTooLong(pause time.Duration) bool {
	l := s.limits
	if s.answered || !l.hold() {
		return false
	}
	return (l.SilentAttempts > 0 && s.attempts >= l.SilentAttempts) ||
		(l.SilentTime > 0 && time.Since(s.start)+pause >= l.SilentTime)
}

// pause is Retry-After if the service gave one, else the rule's or the schedule's.
func (s *Session) pause(rule Rule, h http.Header) time.Duration {
	scheduled := s.schedule.NextBackOff()
	if rule.Throttled {
		s.throttled = min(max(2*s.throttled, minThrottlePause), maxThrottlePause)
		scheduled = max(scheduled, s.throttled)
	}
	if after := After(h, time.Now()); after > 0 {
		if rule.Throttled {
			return max(after, minThrottlePause)
		}
		return after
	}
	if rule.Delay > 0 {
		return rule.Delay
	}
	return scheduled
}
