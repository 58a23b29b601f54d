package wireserver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/scripttest"
)

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
	_, err = c.GetGoalState(ctx, nil)
	if !errors.Is(err, azprov.ErrNetwork) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "192.0.2.7") {
		t.Errorf("error %v", err)
	}
}

// TestBudgets holds the times that the comments of the methods promise.
func TestBudgets(t *testing.T) {
	ours, _ := transportKeys(t)
	report := func(state goalstate.HealthState, sub goalstate.HealthSubStatus) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.ReportHealth(ctx, HealthReport{State: state, SubStatus: sub}, nil)
			return err
		}
	}
	for _, row := range []struct {
		name   string
		budget time.Duration
		call   func(context.Context, *Client) error
	}{
		{"GetVersions", 30 * time.Second, func(ctx context.Context, c *Client) error { _, err := c.GetVersions(ctx, nil); return err }},
		{"GetGoalState", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetGoalState(ctx, nil); return err }},
		{"GetSharedConfig", 5 * time.Minute, func(ctx context.Context, c *Client) error { _, err := c.GetSharedConfig(ctx, nil); return err }},
		{"GetCertificates", 5 * time.Minute, func(ctx context.Context, c *Client) error {
			_, err := c.GetCertificates(ctx, ours, nil)
			return err
		}},
		{"GetHostingEnvironmentConfig", 5 * time.Minute, func(ctx context.Context, c *Client) error {
			_, err := c.GetHostingEnvironmentConfig(ctx, nil)
			return err
		}},
		{"Ready", 20 * time.Minute, report(goalstate.HealthStateReady, "")},
		{"Provisioning", 20 * time.Minute, report(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioning)},
		{"ProvisioningFailed", 2 * time.Minute, report(goalstate.HealthStateNotReady, goalstate.HealthSubStatusProvisioningFailed)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Hang: true})
				start := time.Now()
				err := row.call(t.Context(), testClient(t, transport))
				if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > row.budget || took < row.budget-15*time.Second {
					t.Errorf("%v after %v, want the %v of its comment", err, took, row.budget)
				}
			})
		})
	}
}

func TestBudgetOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, transport := scripttest.Start(t, answer{Hang: true})
		c, err := NewClient(&ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport}, Budget: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.ReportHealth(t.Context(), HealthReport{State: goalstate.HealthStateReady}, nil)
		if took := time.Since(start); !errors.Is(err, azprov.ErrTimeout) || took > time.Minute || took < 50*time.Second {
			t.Errorf("%v after %v, want a minute", err, took)
		}
	})
}

func TestEveryOperationEndsItsSpan(t *testing.T) {
	ours, _ := transportKeys(t)
	for name, call := range map[string]func(context.Context, *Client) error{
		"GetCertificates": func(ctx context.Context, c *Client) error { _, err := c.GetCertificates(ctx, ours, nil); return err },
		"GetGoalState":    func(ctx context.Context, c *Client) error { _, err := c.GetGoalState(ctx, nil); return err },
		"GetHostingEnvironmentConfig": func(ctx context.Context, c *Client) error {
			_, err := c.GetHostingEnvironmentConfig(ctx, nil)
			return err
		},
		"GetSharedConfig": func(ctx context.Context, c *Client) error { _, err := c.GetSharedConfig(ctx, nil); return err },
		"GetVersions":     func(ctx context.Context, c *Client) error { _, err := c.GetVersions(ctx, nil); return err },
		"ReportHealth": func(ctx context.Context, c *Client) error {
			_, err := c.ReportHealth(ctx, HealthReport{State: goalstate.HealthStateReady}, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := scripttest.Start(t, answer{Status: 403})
				spans := &scripttest.Spans{}
				c, err := NewClient(&ClientOptions{ClientOptions: azcore.ClientOptions{Transport: transport, TracingProvider: spans.Provider()}})
				if err != nil {
					t.Fatal(err)
				}
				err = call(t.Context(), c)
				var e *azprov.Error
				if !errors.As(err, &e) || e.Op != "wireserver.Client."+name || len(spans.Names()) == 0 || spans.Open() != 0 {
					t.Errorf("%v; %d of %d spans are open", err, spans.Open(), len(spans.Names()))
				}
			})
		})
	}
}

func TestNewClientWithoutOptions(t *testing.T) {
	t.Parallel()
	c, err := NewClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.t.Endpoint() != azprov.WireServerEndpoint || c.header().Get("x-ms-agent-name") != "azprov" || c.header().Get("x-ms-version") != "2012-11-30" {
		t.Errorf("%s, %v", c.t.Endpoint(), c.header())
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]ClientOptions{
		"a line break in the agent's name": {AgentName: "a\r\nX-Evil: 1"},
		"an agent's name beyond ASCII":     {AgentName: "agént"},
		"a delete in the agent's name":     {AgentName: "a\x7f"},
		"a line break in the version":      {ClientOptions: azcore.ClientOptions{APIVersion: "2012-11-30\n"}},
		"an endpoint with a path":          {Endpoint: "http://192.0.2.1/machine"},
	} {
		if _, err := NewClient(&options); azprov.KindOf(err) != azprov.KindInternal || !strings.HasPrefix(err.Error(), "wireserver.NewClient") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
