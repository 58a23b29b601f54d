package emulator

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/azprov/azprov/goalstate"
)

// descriptionLimit is how many bytes a health report's description may have, counted as
// it was sent: with its escapes. Azure answers 500 to a longer one (WALinuxAgent issue
// 2017).
const descriptionLimit = 4096

// healthXML takes the report that names the goal state it belongs to.
func (v *vmState) healthXML(req *request) response {
	if mediaType, _, err := mime.ParseMediaType(req.header.Get("Content-Type")); err != nil || mediaType != "text/xml" {
		return wireError(http.StatusBadRequest, "InvalidContentType", "The content type is not text/xml.", "content type is not text/xml")
	}
	report, err := goalstate.ParseHealthXML(req.body)
	if err != nil {
		return wireError(http.StatusBadRequest, "InvalidXmlDocument", "The document is malformed.", "malformed health report")
	}
	resp := judge(report, "xml", sentXML(req.body, report.Description), http.StatusOK)
	current := report.Incarnation == strconv.Itoa(v.wire.incarnation) &&
		report.ContainerID == v.wire.containerID && report.InstanceID == v.wire.instanceID
	if resp.accept && !current {
		stale := gone("health for a stale goal state")
		stale.report = resp.report
		return stale
	}
	return resp
}

// healthJSON takes the report that needs no goal state.
func (v *vmState) healthJSON(req *request) response {
	if mediaType, _, err := mime.ParseMediaType(req.header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return wireError(http.StatusBadRequest, "InvalidContentType", "The content type is not application/json.", "content type is not application/json")
	}
	report, err := goalstate.ParseHealthJSON(req.body)
	if err != nil {
		return wireError(http.StatusBadRequest, "InvalidJsonDocument", "The document is malformed.", "malformed health report")
	}
	return judge(report, "json", sentJSON(req.body), http.StatusCreated)
}

// judge decides on a report's contents; sent is the length of its description, and status
// the answer to a good one.
func judge(report goalstate.Health, format string, sent, status int) response {
	summary := &Report{SubStatus: string(report.SubStatus), Description: shorten(report.Description, descriptionLimit), Format: format}
	state, ok := reportState(report)
	summary.State = state
	resp := wireAnswer(status, nil)
	resp.accept = true
	switch {
	case !ok:
		resp = wireError(http.StatusBadRequest, "InvalidHealthState", "The state is unknown.", "unknown health state")
	case sent > descriptionLimit:
		resp = wireError(http.StatusInternalServerError, "InternalError", "The server encountered an internal error.",
			"description over "+strconv.Itoa(descriptionLimit)+" bytes")
	}
	resp.report = summary
	return resp
}

// reportState is what a report makes of the VM.
func reportState(report goalstate.Health) (ReportState, bool) {
	switch {
	case report.State == goalstate.HealthStateReady:
		return StateReady, true
	case report.State == goalstate.HealthStateNotReady && report.SubStatus == goalstate.HealthSubStatusProvisioningFailed:
		return StateFailed, true
	case report.State == goalstate.HealthStateNotReady &&
		(report.SubStatus == goalstate.HealthSubStatusProvisioning || report.SubStatus == ""):
		return StateInProgress, true
	default:
		return StateNone, false
	}
}

// sentXML is the length of the longest Description in a document. Of one in another
// encoding than UTF-8, which the decoder does not read, it is that of its text, escaped.
func sentXML(body []byte, text string) int {
	d := xml.NewDecoder(bytes.NewReader(body)) //nolint:gosec // Its tokens are measured, and nothing is made of them.
	longest, begin := 0, int64(0)
	for {
		before := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return longest
		}
		if err != nil {
			return len(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "Description" {
				begin = d.InputOffset()
			}
		case xml.EndElement:
			if t.Name.Local == "Description" {
				longest = max(longest, int(before-begin))
			}
		}
	}
}

// sentJSON is the length of the description in a document, which was read before.
func sentJSON(body []byte) int {
	var document struct {
		Details struct {
			Description json.RawMessage `json:"description"`
		} `json:"details"`
	}
	_ = json.Unmarshal(body, &document)
	return max(0, len(document.Details.Description)-len(`""`))
}
