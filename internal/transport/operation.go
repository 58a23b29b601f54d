package transport

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/wait"
)

// Call is one request, repeated as its profile says.
type Call struct {
	Profile *retry.Profile
	Limits  retry.Limits
	Method  string
	// URL is absolute and sent byte for byte.
	URL    string
	Header http.Header
	// RequestIDHeader names a header that gets a new random UUID for each attempt.
	RequestIDHeader string
	Body            []byte
	ContentType     string
	// MaxBody is the limit of a successful answer in bytes.
	MaxBody int64
	// StatusOnly: a 2xx counts whatever becomes of its body, which is not read. A
	// report that was accepted must not be sent again because the answer was cut.
	StatusOnly bool
	// Check judges the body of a 2xx; its error's kind is looked up in the
	// profile's Documents. It may be nil.
	Check func(*Response) error
}

// Response is a successful answer, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Operation is one method call of a client. It is not safe for concurrent use.
type Operation struct {
	client   *Client
	op       string
	start    time.Time
	attempts int
	answered bool
	asked    bool // the waiter for the guest proxy agent
	endSpan  func(error)
	cancel   context.CancelFunc
}

// Start opens an operation. The caller's deadline is kept as it is; without one
// the operation has the client's budget, or its own. End must be called.
func (c *Client) Start(ctx context.Context, method string, budget time.Duration) (context.Context, *Operation) {
	name := c.name + "." + method
	ctx, endSpan := runtime.StartSpan(ctx, name, c.inner.Tracer(), nil)
	// Retries that the caller asked azcore for must not multiply with ours.
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	cancel := context.CancelFunc(func() {})
	if c.budget > 0 {
		budget = c.budget
	}
	if _, has := ctx.Deadline(); !has {
		ctx, cancel = context.WithTimeout(ctx, budget)
	}
	return ctx, &Operation{client: c, op: name, start: time.Now(), endSpan: endSpan, cancel: cancel}
}

// End closes the operation with its result.
func (o *Operation) End(err error) {
	o.cancel()
	o.endSpan(err)
}

// Name is the operation's full name, "imds.Client.GetInstance".
func (o *Operation) Name() string { return o.op }

// record is what the retry policy tells about one call. The error is made from it
// because azcore replaces a failure by a bare context error once time is up.
type record struct {
	call    *Call
	op      *Operation
	status  int
	after   time.Duration // what the last answer's Retry-After asked for
	last    error
	rule    retry.Rule
	outOf   bool // time would run out before the next attempt
	decided bool // a rule ended the call; last is why
}

type recordKey struct{}

// Do makes the call and returns the answer, or an *azprov.Error.
func (o *Operation) Do(ctx context.Context, call Call) (*Response, error) {
	rec := &record{call: &call, op: o}
	target := call.Method + " " + safeURL(call.URL)
	ctx = context.WithValue(ctx, recordKey{}, rec)
	req, err := runtime.NewRequest(ctx, call.Method, call.URL)
	if err != nil {
		return nil, o.fail(target, rec, &azprov.Error{
			Op: o.op, Kind: azprov.KindMalformed, Message: "the URL cannot be used", Last: errors.Unwrap(err),
		})
	}
	maps.Copy(req.Raw().Header, call.Header)
	resp, err := o.client.inner.Pipeline().Do(req) //nolint:bodyclose // azcore downloads and closes it.
	if err == nil && rec.last == nil {
		body, _ := runtime.Payload(resp) // downloaded already
		return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
	}
	return nil, o.fail(target, rec, o.verdict(ctx, rec, err))
}

// verdict turns the record into the kind of the error.
func (o *Operation) verdict(ctx context.Context, rec *record, err error) *azprov.Error {
	ctxErr := ctx.Err()
	switch {
	case errors.Is(ctxErr, context.Canceled):
		return wait.Ended(o.op, "", ctxErr)
	case ctxErr != nil:
		e := wait.Ended(o.op, "no usable answer", ctxErr)
		e.Hint = rec.rule.Hint
		return e
	case rec.outOf:
		return &azprov.Error{
			Kind: azprov.KindTimeout, Context: context.DeadlineExceeded,
			Message: "no usable answer, and no time for another attempt", Hint: rec.rule.Hint,
		}
	case rec.decided:
		return &azprov.Error{Kind: rec.rule.Kind, Hint: rec.rule.Hint, Message: rec.last.Error()}
	default:
		// A policy of the caller's failed before or after our own.
		rec.last = err
		return &azprov.Error{Kind: azprov.KindInternal, Message: "the request was not made"}
	}
}

func (o *Operation) fail(target string, rec *record, e *azprov.Error) *azprov.Error {
	e.Op, e.Target = o.op, target
	e.Status, e.RetryAfter = rec.status, rec.after
	e.Attempts, e.Elapsed = o.attempts, time.Since(o.start)
	if e.Last == nil {
		e.Last = rec.last
	}
	if !o.answered && o.attempts > 0 {
		e.Last = silence{e.Last}
	}
	return e
}

// silence marks a failure with azprov.ErrNoAnswer, and prints as it did.
type silence struct{ error }

func (s silence) Unwrap() error        { return s.error }
func (s silence) Is(target error) bool { return target == azprov.ErrNoAnswer }

// Fail returns an error of the operation that no single call made: kind and
// message are the caller's, attempts and time the operation's.
func (o *Operation) Fail(e azprov.Error) *azprov.Error {
	e.Op = o.op
	e.Attempts, e.Elapsed = o.attempts, time.Since(o.start)
	return &e
}

// Pause waits between the calls of an operation, for its protocol's own loops. It
// returns an error of the operation when the context ends first.
func (o *Operation) Pause(ctx context.Context, d time.Duration, last error) error {
	if wait.For(ctx, d) == nil {
		return nil
	}
	return o.fail("", &record{last: last}, o.verdict(ctx, &record{last: last}, nil))
}

// allowedQuery are the query parameters that may be shown: none of them can hold a
// secret.
var allowedQuery = []string{"api-version", "comp", "extended", "format", "incarnation", "type"}

// safeURL drops what may hold a secret: user info, fragment and unknown parameters.
func safeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(allowedQuery, name) {
			kept = append(kept, pair)
		}
	}
	text := u.Scheme + "://" + u.Host + u.EscapedPath()
	if len(kept) > 0 {
		text += "?" + strings.Join(kept, "&")
	}
	return text
}
