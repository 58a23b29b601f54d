package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/scripttest"
)

const testURL = "http://192.0.2.1/thing?comp=goalstate&sig=topsecret"

func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	cfg.Package, cfg.Name = "test", "Client"
	if cfg.Endpoint == "" {
		cfg.Endpoint = "http://192.0.2.1"
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// do runs one call as one operation.
func do(ctx context.Context, c *Client, budget time.Duration, call Call) (*Response, error) {
	ctx, op := c.Start(ctx, "GetThing", budget)
	resp, err := op.Do(ctx, call)
	op.End(err)
	return resp, err
}

func get(p *retry.Profile) Call {
	return Call{Profile: p, Method: http.MethodGet, URL: testURL, MaxBody: 1 << 10}
}

func TestOutcomes(t *testing.T) {
	fine := scripttest.Answer{Body: "fine"}
	malformed := &azprov.Error{Op: "test.Parse", Kind: azprov.KindMalformed, Message: "not a thing"}
	for _, row := range []struct {
		name     string
		answers  []scripttest.Answer
		profile  *retry.Profile
		ctx      func(context.Context) (context.Context, context.CancelFunc)
		options  azcore.ClientOptions
		check    func(*Response) error
		budget   time.Duration
		kind     azprov.Kind // "" is success
		is       []error     // and further matches
		attempts int
		under    time.Duration // virtual time it may take
	}{
		{name: "an answer at once", answers: []scripttest.Answer{fine}, attempts: 1, under: time.Millisecond},
		{
			name:    "thirty-nine times 410, then an answer",
			answers: append(repeat(scripttest.Answer{Status: 410}, 39), fine), attempts: 40, under: 5 * time.Minute,
		},
		{
			name: "503 for ever ends with the budget", answers: repeat(scripttest.Answer{Status: 503}, 1), budget: 30 * time.Second,
			kind: azprov.KindTimeout, is: []error{azprov.ErrNotReady, context.DeadlineExceeded}, attempts: 9, under: 30 * time.Second,
		},
		{
			name: "the caller's deadline is obeyed", answers: repeat(scripttest.Answer{Hang: true}, 1), budget: time.Hour,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 10*time.Second)
			},
			kind: azprov.KindTimeout, is: []error{context.DeadlineExceeded}, attempts: 1, under: 10 * time.Second,
		},
		{
			name: "an attempt that hangs is given up after 30 s", answers: []scripttest.Answer{{Hang: true}, fine}, attempts: 2, under: 32 * time.Second,
		},
		{
			name: "TryTimeout shortens an attempt", answers: []scripttest.Answer{{Hang: true}, fine}, attempts: 2, under: 4 * time.Second,
			options: azcore.ClientOptions{Retry: policy.RetryOptions{TryTimeout: 2 * time.Second}},
		},
		{
			name: "the caller cancels", answers: repeat(scripttest.Answer{Status: 500}, 1),
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(3400*time.Millisecond, cancel) // between the third and the fourth
				return ctx, cancel
			},
			kind: azprov.KindCanceled, is: []error{context.Canceled, azprov.ErrNotReady}, attempts: 3, under: 4 * time.Second,
		},
		{
			name: "a Retry-After beyond the budget is not waited for", budget: 30 * time.Second,
			answers: []scripttest.Answer{{Status: 429, Header: map[string]string{"Retry-After": "50"}}, fine},
			kind:    azprov.KindTimeout, is: []error{azprov.ErrThrottled}, attempts: 1, under: time.Millisecond,
		},
		{
			name:    "a Retry-After within it is",
			answers: []scripttest.Answer{{Status: 429, Header: map[string]string{"Retry-After": "50"}}, fine}, attempts: 2, under: 51 * time.Second,
		},
		{name: "refused, then fine", answers: []scripttest.Answer{{Refuse: true}, {Refuse: true}, fine}, attempts: 3, under: 4 * time.Second},
		{name: "no route, then fine", answers: []scripttest.Answer{{Unreachable: true}, fine}, attempts: 2, under: 2 * time.Second},
		{name: "dropped, then fine", answers: []scripttest.Answer{{Drop: true}, fine}, attempts: 2, under: 2 * time.Second},
		{name: "cut off, then fine", answers: []scripttest.Answer{{Truncate: true, Body: "fi"}, fine}, attempts: 2, under: 2 * time.Second},
		{
			name: "a redirect is somebody else", answers: []scripttest.Answer{{Status: 302, Header: map[string]string{"Location": "http://192.0.2.9/login"}}, fine},
			kind: azprov.KindNotAzure, attempts: 1, under: time.Millisecond,
		},
		{
			name: "a body over the limit", answers: []scripttest.Answer{{Body: strings.Repeat("x", 100<<10)}, fine},
			kind: azprov.KindTooLarge, attempts: 1, under: time.Millisecond,
		},
		{
			name: "a document refused is asked for again", answers: []scripttest.Answer{fine, fine, fine}, attempts: 3, under: 4 * time.Second,
			check: refuseTwice(malformed),
		},
		{
			name: "a plain read refuses it at once", answers: []scripttest.Answer{fine}, profile: retry.IMDSPlain(), attempts: 1, under: time.Millisecond,
			check: func(*Response) error { return malformed }, kind: azprov.KindMalformed, is: []error{malformed},
		},
		{
			name: "one attempt if the caller wants one", answers: []scripttest.Answer{{Status: 500}, fine},
			options: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}, kind: azprov.KindNotReady, attempts: 1, under: time.Millisecond,
		},
		{
			name: "retries asked of azcore do not multiply", answers: repeat(scripttest.Answer{Status: 403}, 1),
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: 5, StatusCodes: []int{403}}), func() {}
			},
			kind: azprov.KindDenied, attempts: 1, under: time.Millisecond,
		},
		{
			name: "ShouldRetry may ask again after a success", answers: []scripttest.Answer{fine, {Body: "better"}}, attempts: 2, under: 2 * time.Second,
			options: azcore.ClientOptions{Retry: policy.RetryOptions{ShouldRetry: once()}}, //nolint:bodyclose // A predicate does not own the body.
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				row.options.Transport = transport
				c := newClient(t, Config{Options: row.options})
				call := get(retry.IMDSProvisioning())
				if row.profile != nil {
					call.Profile = row.profile
				}
				call.Check = row.check
				ctx, cancel := t.Context(), func() {}
				if row.ctx != nil {
					ctx, cancel = row.ctx(ctx)
				}
				defer cancel()
				budget := row.budget
				if budget == 0 {
					budget = 5 * time.Minute
				}
				start := time.Now()
				_, err := do(ctx, c, budget, call)
				if took := time.Since(start); took > row.under {
					t.Errorf("took %v, want %v at most", took, row.under)
				}
				if got := server.Attempts(); got != row.attempts && row.kind != azprov.KindTimeout || got == 0 {
					t.Errorf("%d attempts, want %d", got, row.attempts)
				}
				if azprov.KindOf(err) != row.kind {
					t.Fatalf("error %v, want kind %q", err, row.kind)
				}
				for _, target := range row.is {
					if !errors.Is(err, target) {
						t.Errorf("errors.Is(%v, %v) is false", err, target)
					}
				}
				checkError(t, err, server.Attempts())
			})
		})
	}
}

// checkError holds for every error of an operation.
func checkError(t *testing.T, err error, attempts int) {
	t.Helper()
	if err == nil {
		return
	}
	var e *azprov.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T, want *azprov.Error", err)
	}
	if e.Op != "test.Client.GetThing" || e.Target != "GET http://192.0.2.1/thing?comp=goalstate" || e.Attempts != attempts {
		t.Errorf("op %q, target %q, %d attempts (want %d)", e.Op, e.Target, e.Attempts, attempts)
	}
	if text := err.Error(); strings.Contains(text, "topsecret") || strings.Contains(text, "\n") {
		t.Errorf("not a safe line: %q", text)
	}
}

func repeat(a scripttest.Answer, n int) []scripttest.Answer {
	answers := make([]scripttest.Answer, n)
	for i := range answers {
		answers[i] = a
	}
	return answers
}

func refuseTwice(err error) func(*Response) error {
	n := 0
	return func(*Response) error {
		if n++; n <= 2 {
			return err
		}
		return nil
	}
}

func once() func(*http.Response, error) bool {
	asked := false
	return func(*http.Response, error) bool {
		asked = !asked
		return asked
	}
}
