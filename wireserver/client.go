package wireserver

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
	"github.com/azprov/azprov/internal/retry"
	"github.com/azprov/azprov/internal/transport"
)

const (
	// readBudget is the default for goal state and configurations.
	readBudget = 5 * time.Minute
	// plainBudget is the default for what the boot does not depend on.
	plainBudget = 30 * time.Second
	// maxDocument bounds an answer: the largest configurations seen, with the
	// signatures of extensions in them, have some 20 KB.
	maxDocument = 1 << 20
	// DefaultAgentName is sent as x-ms-agent-name unless an agent names itself.
	DefaultAgentName = "azprov"
)

// ClientOptions configures a [Client]. The zero value is for a VM on Azure.
//
// Of the embedded azcore options, Retry keeps its meaning, but a field left zero is
// the SDK's own schedule: MaxRetries -1 makes one attempt, ShouldRetry replaces the
// classification of failures. Transport may be an *http.Client, which is copied and
// its redirects, cookies, proxy and kept connections refused, or any other Transporter,
// which is used as it is. Retry options that policy.WithRetryOptions puts into a context
// do not count. APIVersion replaces 2012-11-30 in the x-ms-version header.
type ClientOptions struct {
	azcore.ClientOptions

	// Endpoint is the base URL, [azprov.WireServerEndpoint] if empty. On a fabric whose
	// DHCP server names another in option 245, [Discover] finds it.
	Endpoint string
	// AgentName is sent as x-ms-agent-name, [DefaultAgentName] if empty. It may hold
	// letters, digits, blanks and punctuation of ASCII.
	AgentName string
	// Interface binds requests to a network interface by its name, which needs
	// Linux. The wire server answers on the primary interface only.
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

// Client talks to the wire server. It is immutable and safe for concurrent use, and
// keeps no goal state between calls.
type Client struct {
	t         *transport.Client
	agentName string
	version   string
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
		endpoint = azprov.WireServerEndpoint
	}
	c := &Client{agentName: options.AgentName, version: options.APIVersion}
	if c.agentName == "" {
		c.agentName = DefaultAgentName
	}
	if c.version == "" {
		c.version = goalstate.ProtocolVersion
	}
	for name, value := range map[string]string{"AgentName": c.agentName, "APIVersion": c.version} {
		if !printable(value) {
			return nil, &azprov.Error{
				Op: "wireserver.NewClient", Kind: azprov.KindInternal,
				Message: name + " goes into a header and must be printable ASCII",
			}
		}
	}
	t, err := transport.NewClient(transport.Config{
		Package: "wireserver", Name: "Client",
		Endpoint: endpoint, Options: options.ClientOptions, Interface: options.Interface,
		Logger: options.Logger, OnRetry: options.OnRetry, WaitForProxyAgent: options.WaitForProxyAgent, Budget: options.Budget,
	})
	if err != nil {
		return nil, err
	}
	c.t = t
	return c, nil
}

// printable reports whether value can go into a header.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// get prepares a GET of an absolute URL.
func (c *Client) get(profile *retry.Profile, url string) transport.Call {
	return transport.Call{
		Profile: profile, Method: http.MethodGet, URL: url, Header: c.header(), MaxBody: maxDocument,
	}
}

func (c *Client) header() http.Header {
	h := http.Header{}
	h.Set(goalstate.HeaderAgentName, c.agentName)
	h.Set(goalstate.HeaderVersion, c.version)
	return h
}
