package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

const (
	imdsRequests = 5           // Requests per second and VM; more are answered with 429.
	imdsWindow   = time.Second // The window that they are counted in.

	wantMetadata = "Bad request. Required metadata header not specified"
	wantVersion  = "Bad request. api-version is invalid or was not specified in the request. " +
		"For more information refer to aka.ms/azureimds"
)

// imds answers a request for the Instance Metadata Service. The order of the
// checks is a choice; the real one is not documented.
func (v *vmState) imds(req *request) response {
	if resp, ok := imdsRefusal(req); ok {
		return resp
	}
	route, rest, ok := imdsRoute(req.path)
	switch {
	case !ok:
		return imdsError(http.StatusNotFound, "Not found", "unknown path")
	case route == "versions":
		return imdsJSON(object{"apiVersions": v.versions})
	}
	version := req.query.Get("api-version")
	// Scheduled events have a version line of their own beside the instance's.
	events := route == "scheduledevents" && slices.Contains(eventVersions, version)
	if resp, ok := v.versionRefusal(version); ok && !events {
		return resp
	}
	switch route {
	case "instance":
		return v.instance(req, rest, version)
	case "reprovisiondata":
		return v.reprovisionData(v.notYet)
	default:
		return v.otherRoute(req, route)
	}
}

// eventVersions is the version line of scheduled events.
var eventVersions = []string{"2017-08-01", "2017-11-01", "2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01"}

// imdsRefusal is what the service checks before it looks at the path.
func imdsRefusal(req *request) (response, bool) {
	posts := req.method == http.MethodPost && strings.TrimSuffix(req.path, "/") == "/metadata/scheduledevents"
	switch name, duplicate := req.duplicateParameter(); {
	case req.method != http.MethodGet && !posts:
		return imdsError(http.StatusMethodNotAllowed, "Not allowed", "method "+req.method+" not allowed"), true
	case len(req.header.Values("X-Forwarded-For")) > 0:
		return imdsError(http.StatusBadRequest, "Bad request. X-Forwarded-For header is not allowed", "X-Forwarded-For present"), true
	case len(req.header.Values("Metadata")) == 0:
		return imdsError(http.StatusBadRequest, wantMetadata, "missing Metadata header"), true
	case !strings.EqualFold(req.header.Get("Metadata"), "true"):
		return imdsError(http.StatusBadRequest, wantMetadata, "Metadata header is not true"), true
	case req.badQuery:
		return imdsError(http.StatusBadRequest, "Bad request", "malformed query"), true
	case duplicate:
		return imdsError(http.StatusBadRequest, "Bad request. Duplicate query parameter", "duplicate parameter "+name), true
	}
	return response{}, false
}

// imdsRoute splits a path into the endpoint and what follows it.
func imdsRoute(path string) (route string, rest []string, ok bool) {
	segments := strings.Split(strings.TrimPrefix(strings.TrimSuffix(path, "/"), "/"), "/")
	if segments[0] != "metadata" {
		return "", nil, false
	}
	segments = segments[1:]
	if len(segments) > 0 && segments[0] == "instance" {
		return "instance", segments[1:], true
	}
	switch route = strings.Join(segments, "/"); route {
	case "", "versions", "reprovisiondata", "loadbalancer", "scheduledevents",
		"attested/document", "identity/info", "identity/oauth2/token":
		return route, nil, true
	}
	return "", nil, false
}

// versionRefusal is the answer to a version that is missing or unknown.
func (v *vmState) versionRefusal(version string) (response, bool) {
	verdict := "unsupported api-version " + version
	switch {
	case version == "":
		verdict = "missing api-version"
	case version != previewVersion && slices.Contains(v.versions, version):
		return response{}, false
	}
	resp := imdsJSON(object{"error": wantVersion, "newest-versions": newest(v.versions)})
	resp.status = http.StatusBadRequest
	resp.verdicts = []string{verdict}
	return resp, true
}

// instance answers /metadata/instance and what is below.
func (v *vmState) instance(req *request, path []string, version string) response {
	document, served := v.instanceDocument()
	resp := instanceAnswer(document, req, path, version)
	if resp.status == http.StatusOK {
		resp.served = served
	}
	return resp
}

func instanceAnswer(document object, req *request, path []string, version string) response {
	format := req.query.Get("format")
	if format != "" && format != "json" && format != "text" {
		return imdsError(http.StatusBadRequest, "Bad request. format is invalid", "unknown format")
	}
	pruned, _ := prune(document, "", version, since()).(object)
	if !strings.EqualFold(req.query.Get("extended"), "true") || version < extendedSince {
		delete(pruned, "extended")
	}
	value, ok := walk(pruned, path)
	if !ok {
		return imdsError(http.StatusNotFound, "Not found")
	}
	children, container := listing(value)
	switch {
	case format == "text" && container:
		return imdsText(strings.Join(children, "\n"))
	case format == "text":
		return imdsText(fmt.Sprint(value))
	case !container:
		return imdsError(http.StatusBadRequest, "Bad request. Leaf values need format=text", "leaf without format=text")
	}
	return imdsJSON(value)
}

// walk follows object keys and array indexes.
func walk(value any, path []string) (any, bool) {
	for _, segment := range path {
		switch v := value.(type) {
		case object:
			child, ok := v[segment]
			if !ok {
				return nil, false
			}
			value = child
		case []any:
			i, err := strconv.ParseUint(segment, 10, 16)
			if err != nil || i >= uint64(len(v)) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// listing returns the names of a container's children, those of containers with a
// slash; ok is false for a leaf.
func listing(value any) (children []string, ok bool) {
	name := func(name string, child any) string {
		switch child.(type) {
		case object, []any:
			return name + "/"
		}
		return name
	}
	switch v := value.(type) {
	case object:
		for key, child := range v {
			children = append(children, name(key, child))
		}
		slices.Sort(children)
		return children, true
	case []any:
		for i, child := range v {
			children = append(children, name(strconv.Itoa(i), child))
		}
		return children, true
	}
	return nil, false
}

func imdsJSON(document any) response {
	return imdsAnswer("application/json; charset=utf-8", compactJSON(document))
}

// compactJSON is the document in one line.
func compactJSON(document any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(document) // Maps of strings, numbers and bools cannot fail.
	return bytes.TrimRight(b.Bytes(), "\n")
}

func imdsText(text string) response {
	return imdsAnswer("text/plain; charset=utf-8", []byte(text))
}

func imdsError(status int, message string, verdicts ...string) response {
	resp := imdsJSON(object{"error": message})
	resp.status = status
	resp.verdicts = verdicts
	return resp
}

func imdsAnswer(contentType string, body []byte) response {
	return response{status: http.StatusOK, body: body, header: http.Header{
		"Content-Type":    {contentType},
		"Server":          {"IMDS/150.870.65.0"},
		"X-Ms-Request-Id": {newRequestID()},
	}}
}

// imdsFailure is what the service has been seen to say with a status.
func imdsFailure(status int) response {
	switch status {
	case http.StatusForbidden:
		// The guest proxy agent answers in place of the service: an empty body,
		// and it closes the connection.
		return response{status: status, header: http.Header{"Connection": {"close"}}}
	case http.StatusNotFound:
		return imdsError(status, "Not found")
	case http.StatusTooManyRequests:
		return imdsError(status, "Too many requests")
	case http.StatusServiceUnavailable:
		return imdsError(status, "Service unavailable")
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return imdsError(status, "Server error")
	}
	return imdsError(status, http.StatusText(status))
}

// A rateLimit counts the requests of the last while.
type rateLimit struct {
	limit  int
	window time.Duration
	off    bool
	served []time.Time
}

// exceeded reports whether one more request at now is one too many. Requests over
// the limit do not count, so a caller that keeps asking is served in part.
func (l *rateLimit) exceeded(now time.Time) bool {
	if l.off {
		return false
	}
	l.served = slices.DeleteFunc(l.served, func(t time.Time) bool { return now.Sub(t) >= l.window })
	if len(l.served) >= l.limit {
		return true
	}
	l.served = append(l.served, now)
	return false
}

// newRequestID returns a random UUID, which the service logs with each answer.
func newRequestID() string {
	return randomUUID().String()
}

// duplicateParameter returns a query parameter that is there twice. Names that
// differ in case only are taken for the same.
func (r *request) duplicateParameter() (string, bool) {
	seen := map[string]bool{}
	for name, values := range r.query {
		folded := strings.ToLower(name)
		if seen[folded] || len(values) > 1 {
			return azprov.OneLine(name), true
		}
		seen[folded] = true
	}
	return "", false
}

// parseQuery reads a query as url.ParseQuery does; ok is false if it is malformed.
func parseQuery(raw string) (url.Values, bool) {
	values, err := url.ParseQuery(raw)
	return values, err == nil
}
