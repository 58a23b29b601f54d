package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"syscall"
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
				time.AfterFunc(5*time.Second, cancel)
				return ctx, cancel
			},
			kind: azprov.KindCanceled, is: []error{context.Canceled, azprov.ErrNotReady}, attempts: 4, under: 5 * time.Second,
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

func TestResponseErrorIsReachableAndNotPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := "<Error><Code>ResourceNotAvailable</Code><Message>body with hunter2</Message></Error>"
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 410, Body: body})
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}})
		_, err := do(t.Context(), c, time.Minute, get(retry.WireServer()))
		var respErr *azcore.ResponseError
		if !errors.As(err, &respErr) || respErr.StatusCode != 410 || respErr.ErrorCode != "ResourceNotAvailable" {
			t.Fatalf("no ResponseError in %v", err)
		}
		if text := err.Error(); strings.Contains(text, "hunter2") || !strings.Contains(text, "410 Gone (ResourceNotAvailable)") {
			t.Errorf("printed %q", text)
		}
		if !errors.Is(err, azprov.ErrStale) {
			t.Errorf("%v is not ErrStale", err)
		}
	})
}

func TestEachAttemptHasItsOwnBodyAndRequestID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, scripttest.Answer{Hang: true}, scripttest.Answer{Status: 500}, scripttest.Answer{})
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}})
		call := get(retry.WireServer())
		call.Method, call.Body, call.ContentType = http.MethodPost, []byte("<Health/>"), "text/xml; charset=utf-8"
		call.RequestIDHeader = "x-ms-client-request-id"
		if _, err := do(t.Context(), c, time.Hour, call); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, r := range server.Requests() {
			ids[r.Header.Get("x-ms-client-request-id")] = true
			if r.Body != "<Health/>" || r.Header.Get("Content-Type") != "text/xml; charset=utf-8" || r.Header.Get("Content-Length") != "9" {
				t.Errorf("request %+v", r)
			}
		}
		if len(ids) != 3 || ids[""] {
			t.Errorf("request ids %v, want three different ones", ids)
		}
	})
}

func TestURLIsSentByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, scripttest.Answer{})
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}})
		call := get(retry.WireServer())
		target := "/machine/c6d5526c/bc8b9d47%2Db5ed.%5Fcanary?comp=config&type=sharedConfig&incarnation=1"
		call.URL = "http://168.63.129.16:80" + target
		if _, err := do(t.Context(), c, time.Minute, call); err != nil {
			t.Fatal(err)
		}
		if r := server.Requests()[0]; r.Target != target || r.Host != "168.63.129.16:80" {
			t.Errorf("sent %q to %q", r.Target, r.Host)
		}
	})
}

func TestWaiterForTheProxyAgentIsAskedOnce(t *testing.T) {
	unsigned := scripttest.Answer{Status: 401}
	for _, row := range []struct {
		name     string
		answers  []scripttest.Answer
		err      error
		kind     azprov.Kind
		asked    int
		attempts int
	}{
		{"it came up", []scripttest.Answer{unsigned, {}}, nil, "", 1, 2},
		{"it came up and did not help", []scripttest.Answer{unsigned}, nil, azprov.KindUnauthenticated, 1, 2},
		{"it did not come up", []scripttest.Answer{unsigned}, errors.New("exit status 2"), azprov.KindUnauthenticated, 1, 1},
		{"nobody asks it without a 401", []scripttest.Answer{{Status: 403}}, nil, azprov.KindDenied, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, transport := scripttest.Start(t, row.answers...)
				asked := 0
				c := newClient(t, Config{
					Options:           azcore.ClientOptions{Transport: transport},
					WaitForProxyAgent: func(context.Context) error { asked++; return row.err },
				})
				_, err := do(t.Context(), c, time.Minute, get(retry.IMDSProvisioning()))
				if azprov.KindOf(err) != row.kind || asked != row.asked || server.Attempts() != row.attempts {
					t.Errorf("error %v, asked %d times, %d attempts; want %q, %d, %d", err, asked, server.Attempts(), row.kind, row.asked, row.attempts)
				}
				if row.err != nil && !errors.Is(err, row.err) {
					t.Errorf("%v does not lead to %v", err, row.err)
				}
			})
		})
	}
}

func TestPoliciesOfTheCallerRunPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 500}, scripttest.Answer{})
		counter := &countingPolicy{}
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport, PerRetryPolicies: []policy.Policy{counter}}})
		if _, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain())); err != nil {
			t.Fatal(err)
		}
		if counter.n != 2 {
			t.Errorf("ran %d times, want 2", counter.n)
		}
	})
}

type countingPolicy struct{ n int }

func (p *countingPolicy) Do(req *policy.Request) (*http.Response, error) {
	p.n++
	return req.Next()
}

func TestPolicyThatFailsIsAnInternalError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{})
		broken := errors.New("no token")
		c := newClient(t, Config{Options: azcore.ClientOptions{
			Transport:       transport,
			PerCallPolicies: []policy.Policy{policyFunc(func(*policy.Request) (*http.Response, error) { return nil, broken })},
		}})
		_, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain()))
		if azprov.KindOf(err) != azprov.KindInternal || !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	})
}

type policyFunc func(*policy.Request) (*http.Response, error)

func (f policyFunc) Do(req *policy.Request) (*http.Response, error) { return f(req) }

func TestCallersClientIsCopied(t *testing.T) {
	t.Parallel()
	jar, _ := cookiejar.New(nil)
	given := &http.Client{Jar: jar}
	got, err := newTransporter("test", given, "")
	if err != nil {
		t.Fatal(err)
	}
	client := got.(*http.Client)
	if client == given || client.Jar != nil || client.CheckRedirect == nil {
		t.Errorf("copy %p of %p: %+v", client, given, client)
	}
	if given.Jar == nil || given.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestOwnTransport(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.7:3128")
	t.Setenv("http_proxy", "http://192.0.2.7:3128")
	got, err := newTransporter("test", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	transport := got.(*http.Client).Transport.(*http.Transport)
	if transport.Proxy != nil || !transport.DisableKeepAlives || !transport.DisableCompression {
		t.Errorf("proxy %v, keep-alives off %v, compression off %v", transport.Proxy != nil, transport.DisableKeepAlives, transport.DisableCompression)
	}
}

// endless is a transporter of the caller's with a body that does not end.
type endless struct{ declared int64 }

func (e endless) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req, ContentLength: e.declared, Body: endlessBody{},
	}, nil
}

type endlessBody struct{}

func (endlessBody) Read(p []byte) (int, error) { return len(p), nil }
func (endlessBody) Close() error               { return nil }

func TestBodyLimitHoldsForAnyTransporter(t *testing.T) {
	t.Parallel()
	for _, declared := range []int64{-1, 100 << 20} {
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: endless{declared}}})
		_, err := do(t.Context(), c, time.Minute, get(retry.IMDSProvisioning()))
		if !errors.Is(err, azprov.ErrTooLarge) {
			t.Errorf("declared %d: %v", declared, err)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	good := Config{Package: "test", Name: "Client", Endpoint: "http://192.0.2.1"}
	for _, row := range []struct {
		name   string
		change func(*Config)
		kind   azprov.Kind
	}{
		{"no endpoint", func(c *Config) { c.Endpoint = "" }, azprov.KindInternal},
		{"an address without scheme", func(c *Config) { c.Endpoint = "169.254.169.254" }, azprov.KindInternal},
		{"another scheme", func(c *Config) { c.Endpoint = "ftp://192.0.2.1" }, azprov.KindInternal},
		{"a path", func(c *Config) { c.Endpoint = "http://192.0.2.1/metadata" }, azprov.KindInternal},
		{"user info", func(c *Config) { c.Endpoint = "http://a:b@192.0.2.1" }, azprov.KindInternal},
		{"a control character", func(c *Config) { c.Endpoint = "http://192.0.2.1\x00" }, azprov.KindInternal},
		{"an application id that azcore would cut", func(c *Config) { c.Options.Telemetry.ApplicationID = strings.Repeat("x", 25) }, azprov.KindInternal},
		{"an application id with blanks", func(c *Config) { c.Options.Telemetry.ApplicationID = "my agent" }, azprov.KindInternal},
		{"interface and transport", func(c *Config) { c.Interface, c.Options.Transport = "lo", http.DefaultClient }, azprov.KindInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			row.change(&cfg)
			if _, err := NewClient(cfg); azprov.KindOf(err) != row.kind {
				t.Errorf("error %v, want kind %s", err, row.kind)
			}
		})
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"<Error><Code> RequestRateLimitExceeded </Code></Error>": "RequestRateLimitExceeded",
		`{"errorCode":"InvalidContainerConfiguration"}`:          "InvalidContainerConfiguration",
		"<Error><Code>a b</Code></Error>":                        "",
		"<Error><Code>" + strings.Repeat("x", 65) + "</Code>":    "",
		"<html>Access is denied</html>":                          "",
		"":                                                       "",
	} {
		if got := errorCode(retry.Outcome{Body: []byte(body)}); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestTransportTextNamesNoURL(t *testing.T) {
	t.Parallel()
	err := &url.Error{Op: "Get", URL: testURL, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	if text := transportText(err); strings.Contains(text, "topsecret") || !strings.Contains(text, "refused") {
		t.Errorf("text %q", text)
	}
}
