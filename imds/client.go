package imds

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

// Default budgets, for a context without a deadline. Five minutes is what
// cloud-init and azure-init give a read that the boot depends on.
const (
	provisioningBudget = 5 * time.Minute
	plainBudget        = 30 * time.Second
)

// requestIDHeader lets the platform's engineers find a single attempt in their logs.
const requestIDHeader = "x-ms-client-request-id"

// ClientOptions configures a [Client]. The zero value is for a VM on Azure.
//
// Of the embedded azcore options, Retry keeps its meaning, but a field left zero is
// the SDK's own schedule: MaxRetries -1 makes one attempt, ShouldRetry replaces the
// classification of failures. Transport may be an *http.Client, which is copied and
// its redirects, cookies, proxy and kept connections refused, or any other Transporter,
// which is used as it is. Retry options that policy.WithRetryOptions puts into a context
// do not count. APIVersion pins the api-version of every operation: nothing is negotiated.
type ClientOptions struct {
	azcore.ClientOptions

	// Endpoint is the base URL, [azprov.IMDSEndpoint] if empty.
	Endpoint string
	// Interface binds requests to a network interface by its name, which needs
	// Linux. IMDS answers on the primary interface only.
	Interface string
	// Logger is silent if nil. It never sees a document.
	Logger *zap.Logger
	// OnRetry, if set, is called before each pause between two attempts, so that a
	// person can be shown what is waited for. It must not block.
	OnRetry func(azprov.RetryEvent)
	// Budget bounds each operation whose context has no deadline; 0 is the operation's own
	// default.
	Budget time.Duration
	// WaitForProxyAgent, if set, is called once per operation after a 401 answer,
	// and the request is made again if it returns nil.
	WaitForProxyAgent func(context.Context) error
}

// Client reads the Instance Metadata Service. It is immutable and safe for
// concurrent use, and remembers nothing between calls: the machine's identity may
// change under it (pre-provisioning).
type Client struct {
	t          *transport.Client
	apiVersion string
}

// NewClient returns a client. It makes no request. A nil options is fine; an
// unusable one is an error of [azprov.KindInternal], an unknown Interface one of
// [azprov.KindNotFound].
func NewClient(options *ClientOptions) (*Client, error) {
	if options == nil {
		options = &ClientOptions{}
	}
	endpoint := options.Endpoint
	if endpoint == "" {
		endpoint = azprov.IMDSEndpoint
	}
	t, err := transport.NewClient(transport.Config{
		Package: "imds", Name: "Client",
		Endpoint: endpoint, Options: options.ClientOptions, Interface: options.Interface,
		Logger: options.Logger, OnRetry: options.OnRetry, WaitForProxyAgent: options.WaitForProxyAgent, Budget: options.Budget,
	})
	if err != nil {
		return nil, err
	}
	return &Client{t: t, apiVersion: options.APIVersion}, nil
}

// version returns the pinned api-version, or the operation's own.
func (c *Client) version(own string) string {
	if c.apiVersion != "" {
		return c.apiVersion
	}
	return own
}

// get prepares a GET of a path below the endpoint.
func (c *Client) get(profile *retry.Profile, path string, query url.Values) transport.Call {
	target := c.t.Endpoint() + path
	if len(query) > 0 {
		target += "?" + encodeQuery(query)
	}
	header := http.Header{}
	header.Set("Metadata", "true")
	return transport.Call{
		Profile: profile, Method: http.MethodGet, URL: target, Header: header,
		RequestIDHeader: requestIDHeader, MaxBody: MaxDocument,
	}
}

// encodeQuery puts api-version first, as the documentation writes it.
func encodeQuery(query url.Values) string {
	rest := url.Values{}
	for name, values := range query {
		if name != "api-version" {
			rest[name] = values
		}
	}
	var parts []string
	if v := query.Get("api-version"); v != "" {
		parts = append(parts, "api-version="+url.QueryEscape(v))
	}
	if len(rest) > 0 {
		parts = append(parts, rest.Encode())
	}
	return strings.Join(parts, "&")
}
