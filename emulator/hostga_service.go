package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/goalstate"
)

// hostGAVersion is the one version of the HostGAPlugin's interface that is known.
const hostGAVersion = "2015-09-01"

// Headers by which a request names the goal state that it belongs to.
const (
	headerContainerID  = "X-Ms-Containerid"
	headerConfigName   = "X-Ms-Host-Config-Name"
	headerDeploymentID = "X-Ms-Vmagentlog-Deploymentid"
	headerArtifact     = "X-Ms-Artifact-Location"
)

// A hostGARoute is one path of the HostGAPlugin (WALinuxAgent, hostplugin.py).
type hostGARoute struct {
	method string
	// names are the headers by which the request must name the goal state.
	names  []string
	answer func(*vmState, *request) response
}

// hostGARoutes are the paths; other cases and slashes at their end are not known to work.
func hostGARoutes() map[string]hostGARoute {
	ids := []string{headerContainerID, headerConfigName}
	return map[string]hostGARoute{
		"/versions":          {method: http.MethodGet, answer: (*vmState).hostGAVersions},
		"/health":            {method: http.MethodGet, answer: (*vmState).hostGAHealth},
		"/vmSettings":        {method: http.MethodGet, names: ids, answer: (*vmState).vmSettings},
		"/extensionArtifact": {method: http.MethodGet, names: ids, answer: (*vmState).extensionArtifact},
		"/status":            {method: http.MethodPut, names: ids, answer: (*vmState).uploadStatus},
		"/vmAgentLog":        {method: http.MethodPut, names: []string{headerContainerID}, answer: (*vmState).uploadLog},
	}
}

// hostGA answers a request for the HostGAPlugin. The order of the checks is a choice.
func (v *vmState) hostGA(req *request) response {
	route, ok := hostGARoutes()[req.path]
	switch {
	case !ok:
		return hostGAError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.", "unknown path")
	case req.method != route.method:
		return hostGAError(http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "The method is not allowed.",
			"method "+azprov.OneLine(req.method)+" not allowed")
	}
	if len(route.names) > 0 {
		if resp, refused := hostGAVersionRefusal(req); refused {
			return resp
		}
	}
	for _, name := range route.names {
		if resp, refused := v.nameRefusal(name, req.header.Get(name)); refused {
			return resp
		}
	}
	return route.answer(v, req)
}

// hostGAVersionRefusal is the answer to a version that is missing or unknown. Status and
// code of the real service are not known.
func hostGAVersionRefusal(req *request) (response, bool) {
	switch version := req.header.Get(goalstate.HeaderVersion); version {
	case hostGAVersion:
		return response{}, false
	case "":
		return hostGAError(http.StatusBadRequest, "MissingVersion", "The header x-ms-version is required.", "missing x-ms-version"), true
	default:
		return hostGAError(http.StatusBadRequest, "UnsupportedVersion", "The version is not supported.", "unsupported x-ms-version "+version), true
	}
}

// nameRefusal is the answer to a header that does not name the current goal state. A
// container that the VM has left is gone (410); one that it never was in has no
// configuration (400; WALinuxAgent issue 1294). A role configuration that is not there has
// been seen with both statuses (issue 781); agents react to 410.
func (v *vmState) nameRefusal(header, value string) (response, bool) {
	name := strings.ToLower(header)
	current, code, status := v.wire.containerID, goalstate.ErrorCodeInvalidContainerConfiguration, http.StatusBadRequest
	if header == headerConfigName {
		current, code, status = v.wire.configName(), goalstate.ErrorCodeRequestRoleConfigFileNotFound, http.StatusGone
	}
	const refresh = "The request does not belong to the current goal state."
	switch {
	case value == current:
		return response{}, false
	case value == "":
		return hostGAError(http.StatusBadRequest, code, refresh, "missing "+name), true
	case header == headerContainerID && slices.Contains(v.wire.former, value):
		return hostGAError(http.StatusGone, goalstate.ErrorCodeResourceNotAvailable, refresh, name+" of a stale goal state"), true
	}
	return hostGAError(status, code, refresh, name+" is not that of the goal state"), true
}

func (v *vmState) hostGAVersions(*request) response { return hostGAJSON([]string{hostGAVersion}) }

// hostGAHealth has no body: none is known, and agents look at the status.
func (v *vmState) hostGAHealth(*request) response { return hostGAAnswer(http.StatusOK, nil) }

// extensionArtifact would fetch a blob for the guest. There is no storage here: every blob
// is one that is missing. Which status the real service gives that is not known; agents
// that get 404 do not ask again.
func (v *vmState) extensionArtifact(req *request) response {
	if req.header.Get(headerArtifact) == "" {
		return hostGAError(http.StatusBadRequest, "MissingArtifactLocation", "The header x-ms-artifact-location is required.",
			"missing x-ms-artifact-location")
	}
	return hostGAError(http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
}

// uploadStatus takes what the guest agent wants written to the VM's status blob.
func (v *vmState) uploadStatus(req *request) response {
	var upload struct {
		Content    string `json:"content"` // base64; the first call for a page blob has none
		RequestURI string `json:"requestUri"`
	}
	refuse := func(verdict string) response {
		return hostGAError(http.StatusBadRequest, "InvalidRequest", "The request body is malformed.", verdict)
	}
	switch {
	case req.bodyErr != nil:
		return refuse("unreadable body")
	case json.Unmarshal(req.body, &upload) != nil:
		return refuse("malformed status upload")
	case upload.RequestURI == "":
		return refuse("status upload without requestUri")
	}
	if _, err := base64.StdEncoding.DecodeString(upload.Content); err != nil {
		return refuse("status upload whose content is not base64")
	}
	resp := hostGAAnswer(http.StatusOK, nil)
	if blob := v.extensions.StatusUploadBlob.URL; !blob.IsZero() && !strings.HasPrefix(upload.RequestURI, blob.RevealString()) {
		resp.verdicts = append(resp.verdicts, "status upload to another blob")
	}
	return resp
}

// uploadLog takes the guest agent's logs, an archive that may be many MiB.
func (v *vmState) uploadLog(req *request) response {
	if req.bodyErr != nil && !errors.Is(req.bodyErr, errBodyTooLarge) {
		return hostGAError(http.StatusBadRequest, "InvalidRequest", "The request body cannot be read.", "unreadable body")
	}
	resp := hostGAAnswer(http.StatusOK, nil)
	if !bytes.HasPrefix(req.body, []byte("PK")) {
		resp.verdicts = append(resp.verdicts, "the log is no zip archive")
	}
	if req.header.Get(headerDeploymentID) != v.wire.deployment {
		resp.verdicts = append(resp.verdicts, strings.ToLower(headerDeploymentID)+" is not that of the goal state")
	}
	return resp
}

// hostGAAnswer is an answer of the HostGAPlugin. Of its headers only ETag is known.
func hostGAAnswer(status int, body []byte) response {
	header := http.Header{"Server": {"Microsoft-HTTPAPI/2.0"}}
	if body != nil {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return response{status: status, header: header, body: body}
}

func hostGAJSON(document any) response {
	return hostGAAnswer(http.StatusOK, compactJSON(document))
}

func hostGAError(status int, code, message string, verdicts ...string) response {
	resp := hostGAAnswer(status, goalstate.ServiceError{Code: code, Message: message}.EncodeJSON())
	resp.verdicts = verdicts
	return resp
}

// hostGAFailure is what the plugin has been seen to say with a status (known errors in
// WALinuxAgent's tests, agent_log.py): 502 are its own troubles and those of the storage
// behind it.
func hostGAFailure(status int) response {
	codes := map[int]string{
		http.StatusBadRequest: goalstate.ErrorCodeInvalidContainerConfiguration,
		http.StatusForbidden:  "AccessDenied",
		http.StatusGone:       goalstate.ErrorCodeResourceNotAvailable,
		http.StatusBadGateway: "InternalError",
	}
	code, known := codes[status]
	if !known {
		code = strings.ReplaceAll(http.StatusText(status), " ", "")
	}
	return hostGAError(status, code, http.StatusText(status)+".")
}
