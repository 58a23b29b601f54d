package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/scripttest"
)

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

func TestErrorIsOneLineThatSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 302, Delay: time.Second})
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}})
		_, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain()))
		want := "test.Client.GetThing (GET http://192.0.2.1/thing?comp=goalstate): HTTP status 302 Found after 1 attempt in 1s; " +
			"something other than Azure answered: look for a captive portal or a proxy in the path"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
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

func TestWaiterForTheProxyAgentHasTheTimeOfTheOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 401})
		c := newClient(t, Config{
			Options:           azcore.ClientOptions{Transport: transport},
			WaitForProxyAgent: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		})
		_, err := do(t.Context(), c, time.Minute, get(retry.IMDSPlain()))
		if azprov.KindOf(err) != azprov.KindTimeout || !errors.Is(err, azprov.ErrUnauthenticated) {
			t.Errorf("error %v, want a time-out that tells of the 401", err)
		}
	})
}

func TestURLThatCannotBeUsedIsNotShown(t *testing.T) {
	t.Parallel()
	call := get(retry.IMDSPlain())
	call.URL = "http://192.0.2.1/%zz?sig=topsecret"
	_, err := do(t.Context(), newClient(t, Config{}), time.Minute, call)
	var e *azprov.Error
	if !errors.As(err, &e) || e.Kind != azprov.KindMalformed || e.Attempts != 0 || errors.Is(err, azprov.ErrNoAnswer) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the error shows the query: %v", err)
	}
}

func TestLogShowsAttemptsFewerAndFewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, append(repeat(scripttest.Answer{Status: 503}, 9), scripttest.Answer{})...)
		core, logged := observer.New(zap.InfoLevel)
		c := newClient(t, Config{Options: azcore.ClientOptions{Transport: transport}, Logger: zap.New(core)})
		if _, err := do(t.Context(), c, time.Hour, get(retry.IMDSPlain())); err != nil {
			t.Fatal(err)
		}
		var attempts []int64
		for _, entry := range logged.All() {
			fields := entry.ContextMap()
			attempt, _ := fields["attempt"].(int64)
			attempts = append(attempts, attempt)
			if entry.LoggerName != "test" || fields["operation"] != "test.Client.GetThing" || fields["status"] != int64(503) ||
				fields["kind"] != string(azprov.KindNotReady) || fields["cause"] != "HTTP status 503 Service Unavailable" {
				t.Errorf("%s: %v", entry.LoggerName, fields)
			}
		}
		if want := []int64{1, 2, 4, 8}; !slices.Equal(attempts, want) {
			t.Errorf("logged attempts %v, want %v", attempts, want)
		}
	})
}

func TestEveryRetryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, scripttest.Answer{Status: 410}, scripttest.Answer{Refuse: true}, scripttest.Answer{Status: 429}, scripttest.Answer{})
		var told []string
		c := newClient(t, Config{
			Options: azcore.ClientOptions{Transport: transport},
			OnRetry: func(e azprov.RetryEvent) {
				if e.Op != "test.Client.GetThing" || e.Pause <= 0 {
					t.Errorf("event %+v", e)
				}
				told = append(told, fmt.Sprintf("%d %v", e.Attempt, e.Err))
			},
		})
		if _, err := do(t.Context(), c, time.Minute, get(retry.IMDSProvisioning())); err != nil {
			t.Fatal(err)
		}
		want := []string{"1 HTTP status 410 Gone", "2 dial tcp 192.0.2.1:80: connect: connection refused", "3 HTTP status 429 Too Many Requests"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
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
