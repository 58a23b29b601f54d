package retry

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/memnet"
)

func status(code int) Outcome { return Outcome{Status: code, Header: http.Header{}} }

// pauses feeds the session one outcome n times and returns the pauses granted.
func pauses(s *Session, o Outcome, n int) (granted []time.Duration) {
	for range n {
		d := s.Next(o, nil)
		if !d.Again {
			break
		}
		granted = append(granted, d.Pause)
		time.Sleep(d.Pause) // virtual
	}
	return granted
}

func within(t *testing.T, got, want time.Duration, jitter float64) {
	t.Helper()
	if spread := time.Duration(float64(want) * jitter); got < want-spread || got > want+spread {
		t.Errorf("pause %v, want %v ±%v", got, want, spread)
	}
}

func TestScheduleGrowsToItsMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := pauses(NewSession(IMDSProvisioning(), policy.RetryOptions{}, Limits{}), status(500), 7)
		if len(got) != 7 {
			t.Fatalf("%d pauses, want 7", len(got))
		}
		want := []float64{1, 1.5, 2.25, 3.375, 5, 5, 5}
		for i, seconds := range want {
			within(t, got[i], time.Duration(seconds*float64(time.Second)), 0.2)
		}
	})
}

func TestThrottlingDoublesToEightSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := pauses(NewSession(IMDSPlain(), policy.RetryOptions{}, Limits{}), status(429), 6)
		for i, floor := range []time.Duration{1, 2, 4, 8, 8, 8} {
			if got[i] < floor*time.Second {
				t.Errorf("pause %d is %v, want %v or more", i, got[i], floor*time.Second)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	refused := Outcome{Err: memnet.Refused("tcp", "192.0.2.1:80")}
	for _, row := range []struct {
		name    string
		profile *Profile
		limits  Limits
		outcome Outcome
		retries int // before it gives up; 100 is "no limit"
	}{
		{"a caller the proxy agent cannot tell gets three tries", IMDSPlain(), Limits{}, status(421), 2},
		{"no route gets ten tries on the wire server", WireServer(), Limits{}, Outcome{Err: memnet.Unreachable("tcp", "")}, 9},
		{"no route is waited for on IMDS", IMDSProvisioning(), Limits{}, Outcome{Err: memnet.Unreachable("tcp", "")}, 100},
		{"a cipher that breaks the server gets two tries", Certificates(), Limits{}, status(500), 1},
		{"a throttled one as many as it takes", Certificates(), Limits{}, status(429), 100},
		{"one whose answer does not open gets two", Certificates(), Limits{}, Outcome{Status: 200, Err: &azprov.Error{Kind: azprov.KindMalformed}}, 1},
		{"refused is waited for", WireServer(), Limits{}, refused, 100},
		{"silence ends after eleven attempts", IMDSProvisioning(), Limits{SilentAttempts: 11}, refused, 10},
		{"one silent attempt may be enough", IMDSProvisioning(), Limits{SilentAttempts: 1}, refused, 0},
		{"limits that hold end it", IMDSProvisioning(), Limits{SilentAttempts: 11, While: func() bool { return true }}, refused, 10},
		{"one attempt is one, answered or not", IMDSReprovision(), Limits{Attempts: 1}, status(500), 0},
		{"three attempts are three", IMDSReprovision(), Limits{Attempts: 3}, refused, 2},
		{"limits that do not hold end nothing", IMDSProvisioning(), Limits{SilentAttempts: 11, While: func() bool { return false }}, refused, 100},
		{"headers are an answer", IMDSProvisioning(), Limits{SilentAttempts: 11}, Outcome{Err: io.ErrUnexpectedEOF, Answered: true}, 100},
		{"an answer is no silence", IMDSProvisioning(), Limits{SilentAttempts: 11}, status(500), 100},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := len(pauses(NewSession(row.profile, policy.RetryOptions{}, row.limits), row.outcome, 100)); got != row.retries {
					t.Errorf("%d retries, want %d", got, row.retries)
				}
			})
		})
	}
}

func TestSilenceEndsBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := NewSession(IMDSProvisioning(), policy.RetryOptions{}, Limits{SilentTime: 30 * time.Second})
		pauses(s, Outcome{Err: memnet.Refused("tcp", "")}, 100)
		if took := time.Since(start); took > 30*time.Second || took < 20*time.Second {
			t.Errorf("gave up after %v, want just under 30s", took)
		}
	})
}

func TestSilenceEndsWithTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(IMDSProvisioning(), policy.RetryOptions{}, Limits{SilentAttempts: 3})
		s.Next(status(500), nil)
		if got := len(pauses(s, Outcome{Err: memnet.Refused("tcp", "")}, 50)); got != 50 {
			t.Errorf("%d retries after an answer, want all 50", got)
		}
	})
}

func TestOverrides(t *testing.T) {
	never := func(*http.Response, error) bool { return false }
	always := func(*http.Response, error) bool { return true }
	for _, row := range []struct {
		name      string
		overrides policy.RetryOptions
		outcome   Outcome
		retries   int
	}{
		{"minus one is one attempt", policy.RetryOptions{MaxRetries: -1}, status(500), 0},
		{"three retries", policy.RetryOptions{MaxRetries: 3}, status(500), 3},
		{"zero is the schedule's own", policy.RetryOptions{}, status(500), 20},
		{"listed statuses only", policy.RetryOptions{StatusCodes: []int{418}}, status(500), 0},
		{"a listed status", policy.RetryOptions{StatusCodes: []int{418}}, status(418), 20},
		{"no statuses at all", policy.RetryOptions{StatusCodes: []int{}}, status(429), 0},
		{"ShouldRetry says no", policy.RetryOptions{ShouldRetry: never}, status(500), 0},
		{"ShouldRetry knows no limits", policy.RetryOptions{ShouldRetry: always}, status(421), 20},
		{"ShouldRetry says yes to what is final", policy.RetryOptions{ShouldRetry: always}, status(403), 20},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSession(IMDSPlain(), row.overrides, Limits{})
				if got := len(pauses(s, row.outcome, 20)); got != row.retries {
					t.Errorf("%d retries, want %d", got, row.retries)
				}
			})
		})
	}
}

func TestOverriddenDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(IMDSPlain(), policy.RetryOptions{RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 200 * time.Millisecond}, Limits{})
		got := pauses(s, status(500), 5)
		within(t, got[0], 100*time.Millisecond, 0.2)
		within(t, got[4], 200*time.Millisecond, 0.2)
		s = NewSession(IMDSPlain(), policy.RetryOptions{RetryDelay: -1}, Limits{})
		for _, pause := range pauses(s, status(500), 3) {
			if pause != 0 {
				t.Errorf("pause %v, want none", pause)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name, header string
		want         time.Duration
	}{
		{"absent", "", 0},
		{"seconds", "7", 7 * time.Second},
		{"a fraction", "1.5", 1500 * time.Millisecond},
		{"zero", "0", 0},
		{"negative", "-3", 0},
		{"not a number", "soon", 0},
		{"NaN", "NaN", 0},
		{"infinite", "+Inf", time.Minute},
		{"a day is capped", "86400", time.Minute},
		{"more than a duration holds", "1e300", time.Minute},
		{"a date", "Fri, 02 Jan 2026 03:04:15 GMT", 10 * time.Second},
		{"a date in the past", "Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"a date far ahead", "Sat, 03 Jan 2026 03:04:15 GMT", time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if row.header != "" {
				h.Set("Retry-After", row.header)
			}
			if got := After(h, now); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestThrottlingIsNeverATightLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"0.001": time.Second, time.Now().Add(5 * time.Millisecond).UTC().Format(http.TimeFormat): time.Second, "7": 7 * time.Second,
		} {
			o := status(429)
			o.Header.Set("Retry-After", header)
			if d := NewSession(IMDSPlain(), policy.RetryOptions{}, Limits{}).Next(o, nil); d.Pause < want {
				t.Errorf("Retry-After %q gives %v, want %v at least", header, d.Pause, want)
			}
		}
	})
}

func TestAttemptIsCappedWhileSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(IMDSProvisioning(), policy.RetryOptions{}, Limits{SilentTime: 30 * time.Second})
		time.Sleep(20 * time.Second)
		if got := s.AttemptTimeout(30 * time.Second); got != 10*time.Second {
			t.Errorf("%v, want the 10s that are left", got)
		}
		s.Next(status(500), nil)
		if got := s.AttemptTimeout(30 * time.Second); got != 30*time.Second {
			t.Errorf("%v after an answer, want 30s", got)
		}
	})
}

func TestRetryAfterWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := status(429)
		o.Header.Set("Retry-After", "42")
		d := NewSession(WireServer(), policy.RetryOptions{}, Limits{}).Next(o, nil)
		if d.Pause != 42*time.Second {
			t.Errorf("pause %v, want 42s", d.Pause)
		}
	})
}
