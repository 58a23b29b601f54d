package azprov

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Detail is one piece of supporting data of a failure report.
type Detail struct {
	Key   string
	Value string
}

// Error is what every operation of the SDK returns when it fails. It says what
// was tried, how often and for how long, what failed last, and what may be told
// to the platform.
//
// Use errors.As to get at the fields and errors.Is with a sentinel
// ([ErrNotFound], [ErrTimeout], …) to branch. It unwraps to both the context's
// error, if the context ended the operation, and the last failure.
type Error struct {
	// Op names the operation, for example "imds.Client.GetInstance" or
	// "ovf.Parse".
	Op string
	// Target is what it was done to: method and URL without query, a file name.
	// It never holds a secret.
	Target string
	// Kind is the class of the failure.
	Kind Kind
	// Status is the HTTP status of the last answer, 0 if there was none.
	Status int
	// Attempts is the number of requests made, 0 for an operation without any.
	Attempts int
	// Elapsed is the time from the start of the operation to its end.
	Elapsed time.Duration
	// RetryAfter is how long the last answer asked to wait before the next request, at
	// most a minute; 0 if it did not say.
	RetryAfter time.Duration
	// Message says what is wrong, in words that end the sentence "cannot do Op:".
	Message string
	// Hint says what to do next. It may be empty.
	Hint string
	// Reason is a text for the platform's failure report, one that Azure's
	// support pages know where there is such a text. It may be empty.
	Reason string
	// Details is the supporting data for the platform, in order, free of secrets.
	Details []Detail
	// Last is the last failure seen. It may be nil.
	Last error
	// Context is context.Canceled or context.DeadlineExceeded if time or the
	// caller ended the operation, else nil.
	Context error
}

// Error returns one line: operation, target, message, attempts, last failure,
// hint. It never holds a body.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Target != "" {
		b.WriteString(" (" + e.Target + ")")
	}
	b.WriteString(": ")
	b.WriteString(e.summary())
	if n := e.Attempts; n > 0 {
		b.WriteString(" after " + strconv.Itoa(n) + " attempt")
		if n > 1 {
			b.WriteString("s")
		}
		b.WriteString(" in " + e.Elapsed.Round(time.Millisecond).String())
	}
	if e.Last != nil && e.Last.Error() != e.Message {
		b.WriteString(": " + e.Last.Error())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return OneLine(b.String())
}

// summary is the message, or the kind in words where there is none.
func (e *Error) summary() string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Status != 0:
		return string(e.Kind) + " (HTTP status " + strconv.Itoa(e.Status) + ")"
	default:
		return string(e.Kind)
	}
}

// Unwrap returns the context's error and the last failure, those that are there.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	if e.Context != nil {
		errs = append(errs, e.Context)
	}
	if e.Last != nil {
		errs = append(errs, e.Last)
	}
	return errs
}

// Is reports whether target is the sentinel of the error's kind.
func (e *Error) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && Kind(s) == e.Kind
}

// Timeout reports whether time ran out, as net.Error has it.
func (e *Error) Timeout() bool { return e.Kind == KindTimeout }

// RetryEvent tells that an attempt failed and another one will follow.
type RetryEvent struct {
	// Op names the operation, as in [Error].
	Op string
	// Attempt counts the operation's attempts, from 1.
	Attempt int
	// Err is why it failed. It prints no body.
	Err error
	// Pause until the next attempt.
	Pause time.Duration
}

// ErrNoAnswer is in the tree of the error of an operation that nothing ever answered:
// there is no such service here, or no way to it.
var ErrNoAnswer = errors.New("nothing ever answered")

// ReasonOf returns the first reason in err's tree of [Error]s, with its details: what
// the platform is told of it. Both are empty if there is none.
func ReasonOf(err error) (string, []Detail) {
	var e *Error
	for errors.As(err, &e) {
		if e.Reason != "" {
			return e.Reason, e.Details
		}
		err, e = e.Last, nil
	}
	return "", nil
}

// KindOf returns the kind of the first [Error] in err's tree, or [KindInternal]
// for any other error. It is "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// OneLine replaces every run of white space and control characters by one blank,
// so that a text from outside cannot forge a log line or a report.
func OneLine(s string) string {
	clean := func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(clean, strings.ToValidUTF8(s, "\uFFFD"))), " ")
}
