package emulator

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

const (
	wireVersion2012 = "2012-11-30" // What all known agents ask for.
	wireVersion2015 = "2015-04-05" // What Azure prefers.
)

// supportedVersions are what Azure lists, misspelt date included (WALinuxAgent
// issue 61 and Microsoft, "What is IP address 168.63.129.16").
func supportedVersions() []string {
	return []string{
		wireVersion2015, wireVersion2012, "2012-09-15", "2012-05-15", "2011-12-31",
		"2011-10-15", "2011-08-31", "2011-04-07", "2010-12-15", "2010-28-10",
	}
}

// wireServer answers a request for the wire server. A slash before the query
// makes no difference, as on Azure.
func (v *vmState) wireServer(req *request) response {
	comp := req.query.Get("comp")
	switch path := strings.TrimSuffix(req.path, "/"); {
	case req.badQuery:
		return wireError(http.StatusBadRequest, "InvalidQuery", "The query is malformed.", "malformed query")
	case path == "" && comp == "versions":
		return get(req, v.versionsDocument)
	case path == "/provisioning/health":
		return post(req, v.healthJSON)
	case path == "/HealthService":
		return post(req, v.healthService)
	case path == "/machine" || strings.HasPrefix(path, "/machine/"):
		return v.machine(req, strings.TrimPrefix(path, "/machine"), comp)
	}
	return wireError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.", "unknown path")
}

// machine answers what is below /machine, all of which wants a protocol version. Every
// version that is listed gets the answers of 2012-11-30; whether the real ones differ is not
// known, but that agents of 2015-04-05 read them.
func (v *vmState) machine(req *request, rest, comp string) response {
	version := req.header.Get(goalstate.HeaderVersion)
	switch {
	case version == "":
		return wireError(http.StatusBadRequest, "MissingVersion", "The header x-ms-version is required.", "missing x-ms-version")
	case !slices.Contains(supportedVersions(), version):
		return wireError(http.StatusBadRequest, "UnsupportedVersion", "The version is not supported.", "unsupported x-ms-version "+version)
	case rest != "":
		return v.configuration(req, strings.Split(rest[1:], "/"), comp)
	}
	switch comp {
	case "goalstate":
		return get(req, func() []byte { return v.wire.goalState(req.host).Encode() })
	case "health":
		return post(req, v.healthXML)
	case "roleProperties":
		return post(req, v.roleProperties)
	case "telemetrydata":
		return post(req, v.telemetry)
	}
	return wireError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.", "unknown comp")
}

// configuration answers the URLs of the goal state.
func (v *vmState) configuration(req *request, segments []string, comp string) response {
	if len(segments) != 2 {
		return wireError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.", "unknown path")
	}
	documents := map[string]func() []byte{
		"hostingEnvironmentConfig": v.hostingEnvironment,
		"sharedConfig":             v.sharedConfig,
		"extensionsConfig":         v.extensionsConfig,
		"fullConfig":               v.fullConfig,
	}
	document, ok := documents[req.query.Get("type")]
	if comp != "certificates" && (comp != "config" || !ok) {
		return wireError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.", "unknown comp or type")
	}
	current := []string{v.wire.containerID, v.wire.instanceID, strconv.Itoa(v.wire.incarnation)}
	if !slices.Equal(append(slices.Clone(segments), req.query.Get("incarnation")), current) {
		return gone("URL of a stale goal state")
	}
	if comp == "certificates" {
		return v.certificates(req)
	}
	return get(req, document)
}

func (v *vmState) versionsDocument() []byte {
	return goalstate.Versions{Preferred: wireVersion2015, Supported: supportedVersions()}.Encode()
}

// fullConfig is named by every goal state and read by no agent; what is in it, and the name
// of its root, are not known.
func (v *vmState) fullConfig() []byte {
	return fmt.Appendf(nil, `%s<RoleConfig version="1.0.0.0" goalStateIncarnation="%d" />`, xml.Header, v.wire.incarnation)
}

// get answers a GET with the document.
func get(req *request, document func() []byte) response {
	if req.method != http.MethodGet {
		return notAllowed(req)
	}
	return wireAnswer(http.StatusOK, document())
}

// post answers a POST by handle.
func post(req *request, handle func(*request) response) response {
	switch {
	case req.method != http.MethodPost:
		return notAllowed(req)
	case req.bodyErr != nil:
		return wireError(http.StatusBadRequest, "InvalidBody", "The body cannot be read.", "unreadable body")
	}
	return handle(req)
}

func notAllowed(req *request) response {
	return wireError(http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "The method is not allowed.",
		"method "+azprov.OneLine(req.method)+" not allowed")
}

// gone says that an id in the request is not the goal state's.
func gone(verdicts ...string) response {
	return wireError(http.StatusGone, goalstate.ErrorCodeResourceNotAvailable,
		"The resource requested is no longer available. Please refresh your cache.", verdicts...)
}

func wireAnswer(status int, body []byte) response {
	header := http.Header{"Server": {"Microsoft-IIS/10.0"}, "X-Ms-Version": {wireVersion2012}}
	if body != nil {
		header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	return response{status: status, header: header, body: body}
}

func wireError(status int, code, message string, verdicts ...string) response {
	resp := wireAnswer(status, goalstate.ServiceError{Code: code, Message: message}.EncodeXML())
	resp.verdicts = verdicts
	return resp
}

// wireFailure is what the server has been seen to say with a status: throttling
// by the web server in front comes as HTML (WALinuxAgent issues 95, 142, 821).
func wireFailure(status int) response {
	switch status {
	case http.StatusGone:
		return gone()
	case http.StatusTooManyRequests:
		return wireError(status, goalstate.ErrorCodeRequestRateLimitExceeded, "The request rate limit is exceeded.")
	case http.StatusForbidden, http.StatusServiceUnavailable:
		text := "Service Unavailable"
		if status == http.StatusForbidden {
			text = "403 - Forbidden: Access is denied."
		}
		resp := wireAnswer(status, []byte("<!DOCTYPE html><html><head><title>"+text+"</title></head><body><h2>"+text+"</h2></body></html>\r\n"))
		resp.header.Set("Content-Type", "text/html; charset=us-ascii")
		resp.header.Set("Server", "Microsoft-HTTPAPI/2.0")
		return resp
	}
	return wireError(status, strings.ReplaceAll(http.StatusText(status), " ", ""), http.StatusText(status)+".")
}
