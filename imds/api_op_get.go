package imds

import (
	"context"
	"maps"
	"net/url"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/retry"
)

// GetOptions holds the optional parameters of [Client.Get].
type GetOptions struct {
	// APIVersion of this request; the client's, or 2023-11-15, if empty.
	APIVersion string
	// Format is "json" (the service's default) or "text"; a leaf needs "text".
	Format string
	// Query holds further parameters; the two above replace theirs.
	Query url.Values
}

// GetResponse is the answer to [Client.Get].
type GetResponse struct {
	// ContentType is as the service gave it; it is no promise.
	ContentType string

	body azprov.Secret
}

// Raw returns the body as it came. It may hold secrets: user data, tokens.
func (r GetResponse) Raw() azprov.Secret { return r.body }

// Get reads any path of the service, for example
// "/metadata/instance/compute/location" with Format "text", or
// "/metadata/loadbalancer". The leading "/metadata" may be left out.
//
// Without a deadline in ctx the budget is 30 s. Retried: 408, 410, 421 (3 attempts),
// 429, 500, 502, 503, 504 and failures of the connection; 404 is an answer. The body
// has at most 1 MiB.
//
// Errors: NotFound; UnsupportedVersion (a 400 that names newest-versions); Malformed
// (any other 400, as for a leaf without Format "text"); Unauthenticated, Denied,
// NotAzure, TooLarge, Internal (501 and the like), Timeout, Canceled. A path that leaves /metadata is Malformed and never sent.
func (c *Client) Get(ctx context.Context, path string, options *GetOptions) (resp GetResponse, err error) {
	if options == nil {
		options = &GetOptions{}
	}
	ctx, op := c.t.Start(ctx, "Get", plainBudget)
	defer func() { op.End(err) }()
	path, ok := metadataPath(path)
	if !ok {
		return resp, op.Fail(azprov.Error{
			Kind: azprov.KindMalformed, Message: "the path cannot be used",
			Hint: "want a path below /metadata, without dot segments, empty segments, query or fragment",
		})
	}
	query := url.Values{}
	maps.Copy(query, options.Query)
	version := options.APIVersion
	if version == "" {
		version = c.version(provisioningVersion)
	}
	if path != "/metadata/versions" {
		query.Set("api-version", version)
	}
	if options.Format != "" {
		query.Set("format", options.Format)
	}
	r, err := op.Do(ctx, c.get(retry.IMDSPlain(), path, query))
	if err != nil {
		return resp, withReason(pinned(version, err))
	}
	return GetResponse{ContentType: r.Header.Get("Content-Type"), body: azprov.NewSecret(r.Body)}, nil
}

// metadataPath completes and checks a path. The guest proxy agent refuses "//" and
// ".." with 403, which would read as a matter of permissions.
func metadataPath(path string) (string, bool) {
	path = "/" + strings.TrimPrefix(path, "/")
	if path != "/metadata" && !strings.HasPrefix(path, "/metadata/") {
		path = "/metadata" + path
	}
	path = strings.TrimSuffix(path, "/")
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", false
		}
	}
	return path, !strings.ContainsAny(path, "?#%\\ ")
}
