package azprov_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
)

// statusError is a failure of one attempt, as the clients have it.
type statusError struct{ kind azprov.Kind }

func (statusError) Error() string          { return "HTTP status 429 Too Many Requests" }
func (e statusError) Is(target error) bool { return target == e.kind.Err() }

func TestErrorIs(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("boot: %w", &azprov.Error{
		Op: "imds.Client.GetInstance", Kind: azprov.KindTimeout,
		Context: context.DeadlineExceeded, Last: statusError{azprov.KindThrottled},
	})
	for _, row := range []struct {
		name   string
		target error
		want   bool
	}{
		{"its kind", azprov.ErrTimeout, true},
		{"the last failure's kind", azprov.ErrThrottled, true},
		{"the context's error", context.DeadlineExceeded, true},
		{"another kind", azprov.ErrNotFound, false},
		{"another context error", context.Canceled, false},
		{"a stranger", io.EOF, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := errors.Is(err, row.target); got != row.want {
				t.Errorf("errors.Is(%v) = %v, want %v", row.target, got, row.want)
			}
		})
	}
	var e *azprov.Error
	if !errors.As(err, &e) || !e.Timeout() {
		t.Error("a time-out must say so")
	}
}

func TestEverySentinelMatchesItsKindOnly(t *testing.T) {
	t.Parallel()
	for _, kind := range azprov.PossibleKindValues() {
		err := &azprov.Error{Op: "x", Kind: kind}
		for _, other := range azprov.PossibleKindValues() {
			if got, want := errors.Is(err, other.Err()), kind == other; got != want {
				t.Errorf("kind %s is %s: %v", kind, other, got)
			}
		}
	}
	if errors.Is(azprov.ErrNotFound, azprov.ErrStale) || !errors.Is(azprov.ErrStale, azprov.ErrStale) {
		t.Error("sentinels must equal themselves alone")
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  azprov.Error
		want string
	}{
		{"kind alone", azprov.Error{Op: "ovf.Parse", Kind: azprov.KindMalformed}, "ovf.Parse: Malformed"},
		{"message", azprov.Error{Op: "ovf.Parse", Message: "empty"}, "ovf.Parse: empty"},
		{"status", azprov.Error{Op: "a", Kind: azprov.KindDenied, Status: 403}, "a: Denied (HTTP status 403)"},
		{
			"everything",
			azprov.Error{
				Op: "imds.Client.Get", Target: "GET http://192.0.2.1/x", Kind: azprov.KindTimeout, Message: "time ran out",
				Attempts: 12, Elapsed: 90*time.Second + 123456*time.Microsecond, Last: statusError{}, Hint: "try later",
			},
			"imds.Client.Get (GET http://192.0.2.1/x): time ran out after 12 attempts in 1m30.123s: HTTP status 429 Too Many Requests; try later",
		},
		{"one attempt", azprov.Error{Op: "a", Message: "m", Attempts: 1}, "a: m after 1 attempt in 0s"},
		{"the same twice", azprov.Error{Op: "a", Message: "EOF", Last: io.EOF}, "a: EOF"},
		{"no second line", azprov.Error{Op: "a", Message: "x\nlevel=error msg=forged\x1b[2J"}, "a: x level=error msg=forged [2J"},
		{"not UTF-8", azprov.Error{Op: "a", Message: "\xff"}, "a: \uFFFD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := row.err.Error(); got != row.want {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	inner := &azprov.Error{Op: "in", Kind: azprov.KindStale}
	for _, row := range []struct {
		name string
		err  error
		want azprov.Kind
	}{
		{"nil", nil, ""},
		{"a stranger", io.EOF, azprov.KindInternal},
		{"wrapped", fmt.Errorf("x: %w", inner), azprov.KindStale},
		{"the outer one counts", &azprov.Error{Op: "out", Kind: azprov.KindTimeout, Last: inner}, azprov.KindTimeout},
	} {
		if got := azprov.KindOf(row.err); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	inner := &azprov.Error{Op: "in", Reason: "no luck", Details: []azprov.Detail{{Key: "a", Value: "b"}}}
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"a stranger", io.EOF, ""},
		{"its own", fmt.Errorf("x: %w", inner), "no luck"},
		{"the last failure's", &azprov.Error{Op: "out", Last: fmt.Errorf("y: %w", inner)}, "no luck"},
		{"the outer one counts", &azprov.Error{Op: "out", Reason: "outer", Last: inner}, "outer"},
		{"none", &azprov.Error{Op: "out", Last: &azprov.Error{Op: "in"}}, ""},
	} {
		if got, details := azprov.ReasonOf(row.err); got != row.want || (got == "no luck" && len(details) != 1) {
			t.Errorf("%s: %q %v, want %q", row.name, got, details, row.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	if got := azprov.OneLine(" a\r\n\tb\u2028c \x00d "); got != "a b c d" {
		t.Errorf("%q", got)
	}
	if got := azprov.OneLine(strings.Repeat("\n", 1000)); got != "" {
		t.Errorf("%q", got)
	}
}
