package imds

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/scripttest"
)

func TestRequestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, transport := scripttest.Start(t, answer{Status: 500}, answer{Body: minimal})
		if _, err := testClient(t, transport, nil).GetInstance(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, r := range server.Requests() {
			ids[r.Header.Get("x-ms-client-request-id")] = true
			if r.Header.Get("Metadata") != "true" || r.Host != "169.254.169.254" || r.Method != http.MethodGet ||
				!strings.HasPrefix(r.Header.Get("User-Agent"), "azsdk-go-imds/v"+azprov.Version) {
				t.Errorf("%s %s %v", r.Method, r.Host, r.Header)
			}
		}
		if len(ids) != 2 || ids[""] {
			t.Errorf("request ids %v, want one per attempt", ids)
		}
	})
}

func TestProxyInTheEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.7:3128")
	t.Setenv("http_proxy", "http://192.0.2.7:3128")
	// The endpoint is a closed port of this machine: a request that took the proxy
	// would fail in another way.
	c, err := NewClient(&ClientOptions{
		Endpoint:      "http://127.0.0.1:1",
		ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = c.GetVersions(ctx, nil)
	if !errors.Is(err, azprov.ErrNetwork) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "192.0.2.7") {
		t.Errorf("error %v (proxy %q)", err, os.Getenv("http_proxy"))
	}
}

// TestEveryOperationNamesItself, ends its spans, and has the budget that it promises.
func TestEveryOperationNamesItself(t *testing.T) {
	for _, row := range []struct {
		name   string
		budget time.Duration
		call   func(context.Context, *Client) error
	}{
		{"Get", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.Get(ctx, "instance", nil); return err }},
		{"GetInstance", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetInstance(ctx, nil); return err }},
		{"GetReprovisionData", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetReprovisionData(ctx, nil); return err }},
		{"GetUserData", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetUserData(ctx, nil); return err }},
		{"GetVersions", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetVersions(ctx, nil); return err }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Hang: true})
				spans := &scripttest.Spans{}
				c := testClient(t, transport, func(o *ClientOptions) { o.TracingProvider = spans.Provider() })
				start := time.Now()
				err := row.call(t.Context(), c)
				if len(spans.Names()) == 0 || spans.Open() != 0 {
					t.Errorf("%d of %d spans are open", spans.Open(), len(spans.Names()))
				}
				var e *azprov.Error
				if !errors.As(err, &e) || e.Op != "imds.Client."+row.name || e.Kind != azprov.KindTimeout || e.Reason == "" {
					t.Fatalf("error %v", err)
				}
				if took := time.Since(start); took > row.budget || took < row.budget*9/10 {
					t.Errorf("took %v, want %v", took, row.budget)
				}
			})
		})
	}
}

// TestBudgetOfTheClient replaces every operation's, and yields to the caller's deadline.
func TestBudgetOfTheClient(t *testing.T) {
	for _, row := range []struct {
		name             string
		deadline, budget time.Duration
	}{{"shorter than a default", 0, 7 * time.Second}, {"longer", 0, 20 * time.Minute}, {"the caller's is longer", time.Minute, 0}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Hang: true})
				c := testClient(t, transport, func(o *ClientOptions) { o.Budget = row.budget })
				ctx, want := t.Context(), row.budget
				if row.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.deadline)
					defer cancel()
					want = row.deadline
				}
				start := time.Now()
				_, err := c.GetVersions(ctx, nil)
				if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > want || took < want*9/10 {
					t.Errorf("%v after %v, want %v", err, took, want)
				}
			})
		})
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]ClientOptions{
		"an endpoint with a path": {Endpoint: "http://192.0.2.1/metadata"},
		"interface and transport": {Interface: "lo", ClientOptions: azcore.ClientOptions{Transport: http.DefaultClient}},
	} {
		if c, err := NewClient(&options); azprov.KindOf(err) != azprov.KindInternal || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewClientWithoutOptions(t *testing.T) {
	t.Parallel()
	c, err := NewClient(nil)
	if err != nil || c.t.Endpoint() != azprov.IMDSEndpoint {
		t.Errorf("%+v, %v", c, err)
	}
}
