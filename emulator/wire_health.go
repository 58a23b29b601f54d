package emulator

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/azprov/azprov/goalstate"
)

// descriptionLimit is how long a health report's description may be, counted as
// it is in the XML. Azure answers 500 to a longer one (WALinuxAgent issue 2017).
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
	resp := judge(report, "xml", http.StatusOK)
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
	return judge(report, "json", http.StatusCreated)
}

// judge decides on a report's contents; status is the answer to a good one.
func judge(report goalstate.Health, format string, status int) response {
	summary := &Report{SubStatus: string(report.SubStatus), Description: shorten(report.Description, descriptionLimit), Format: format}
	state, ok := reportState(report)
	summary.State = state
	resp := wireAnswer(status, nil)
	resp.accept = true
	switch {
	case !ok:
		resp = wireError(http.StatusBadRequest, "InvalidHealthState", "The state is unknown.", "unknown health state")
	case escapedLength(report.Description) > descriptionLimit:
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

// escapedLength is the length of text in an XML element.
func escapedLength(text string) int {
	return len(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
}
