// Package transport is the HTTP of both link-local services: the azcore pipeline,
// with the one retry policy inside it and body limits below it.
//
// A client's method runs as an [Operation]: one budget, one span, one error that
// tells all attempts. An operation may make several calls (negotiation, goal state
// and report), each with its own profile.
package transport

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"go.uber.org/zap"

	"github.com/azprov/azprov"
)

// AttemptTimeout is the time for one attempt, its body included: 30 s, as
// cloud-init has it, because shorter ones made clients pile up requests.
const AttemptTimeout = 30 * time.Second

// maxApplicationID is where azcore cuts an application id without a word.
const maxApplicationID = 24

// Config is what a client hands in at its construction.
type Config struct {
	// Package and Name of the client: "imds", "Client".
	Package, Name string
	// Endpoint is the base URL: scheme and authority only.
	Endpoint string
	// Options of the caller. They are copied, never changed.
	Options azcore.ClientOptions
	// Interface binds connections to a network interface by name. Linux only.
	Interface string
	// Logger may be nil.
	Logger *zap.Logger
	// OnRetry is told of every failure that another attempt follows. It may be nil.
	OnRetry func(azprov.RetryEvent)
	// WaitForProxyAgent is asked once per operation after a 401. It may be nil.
	WaitForProxyAgent func(context.Context) error
	// Budget replaces that of every operation if it is positive.
	Budget time.Duration
}

// Client makes operations. It is immutable and safe for concurrent use.
type Client struct {
	name     string
	endpoint string
	inner    *azcore.Client
	logger   *zap.Logger
	budget   time.Duration
}

// NewClient checks the configuration and builds the pipeline.
func NewClient(cfg Config) (*Client, error) {
	op := cfg.Package + ".New" + cfg.Name
	endpoint, err := CheckEndpoint(op, cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	options := cfg.Options
	if id := options.Telemetry.ApplicationID; len(id) > maxApplicationID || strings.ContainsAny(id, " \t\r\n") {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindInternal,
			Message: "Telemetry.ApplicationID must have at most 24 characters and no blanks",
		}
	}
	transporter, err := newTransporter(op, options.Transport, cfg.Interface)
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	logger = logger.Named(cfg.Package)
	own := &retryPolicy{overrides: options.Retry, logger: logger, onRetry: cfg.OnRetry, proxyWait: cfg.WaitForProxyAgent}
	options.Transport = limited{transporter}
	options.APIVersion = "" // the clients put it into the URL themselves
	options.Retry = policy.RetryOptions{MaxRetries: -1}
	inner, err := azcore.NewClient("github.com/azprov/azprov/"+cfg.Package, "v"+azprov.Version, runtime.PipelineOptions{
		AllowedHeaders:         []string{"x-ms-version", "x-ms-agent-name", "x-ms-client-request-id", "x-ms-request-id"},
		AllowedQueryParameters: allowedQuery,
		PerRetry:               []policy.Policy{own},
		Tracing:                runtime.TracingOptions{Namespace: "Microsoft.Compute"},
	}, &options)
	if err != nil {
		return nil, &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "cannot build the pipeline", Last: err}
	}
	return &Client{name: cfg.Package + "." + cfg.Name, endpoint: endpoint, inner: inner, logger: logger, budget: cfg.Budget}, nil
}

// Endpoint returns the base URL without a slash at its end.
func (c *Client) Endpoint() string { return c.endpoint }

// Logger returns the client's logger, never nil.
func (c *Client) Logger() *zap.Logger { return c.logger }

// CheckEndpoint returns a base URL without a slash at its end, or an error of
// [azprov.KindInternal] if it is none.
func CheckEndpoint(op, endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		strings.Trim(u.Path, "/") == "" && !strings.ContainsAny(endpoint, "?#") && u.User == nil {
		return strings.TrimRight(endpoint, "/"), nil
	}
	return "", &azprov.Error{
		Op: op, Target: azprov.OneLine(safeURL(endpoint)), Kind: azprov.KindInternal,
		Message: "the endpoint is no base URL",
		Hint:    "want scheme and authority only, like " + azprov.IMDSEndpoint,
	}
}
