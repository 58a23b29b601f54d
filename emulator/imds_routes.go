package emulator

import (
	"encoding/json"
	"net/http"
)

// azureStack is the environment of an Azure Stack Hub, whose service has the instance and
// the versions only (Microsoft, "Azure Stack Hub: Instance Metadata Service").
const azureStack = "AzureStack"

// otherRoute answers what agents do not need for provisioning, as on a VM that has nothing
// there: no load balancer, no identity, no events. Not played are attested/document, which
// every VM on Azure has, and the list below /metadata, which is not documented: both are 404.
func (v *vmState) otherRoute(req *request, route string) response {
	if v.spec.Environment != azureStack {
		switch route {
		case "scheduledevents":
			return scheduledEvents(req)
		case "identity/oauth2/token":
			return identityToken(req)
		}
	}
	return imdsError(http.StatusNotFound, "Not found")
}

// scheduledEvents says that there are none. An event that is to be started is then one that
// does not exist; the status for that is not documented.
func scheduledEvents(req *request) response {
	if req.method == http.MethodGet {
		return imdsJSON(object{"DocumentIncarnation": 1, "Events": []any{}})
	}
	var start struct {
		Requests []struct {
			ID string `json:"EventId"`
		} `json:"StartRequests"`
	}
	if req.bodyErr != nil || json.Unmarshal(req.body, &start) != nil || len(start.Requests) == 0 {
		return imdsError(http.StatusBadRequest, "Bad request", "malformed start requests")
	}
	return imdsError(http.StatusBadRequest, "Bad request", "start request for an unknown event")
}

// identityToken says that the VM has no identity. The text for a missing resource is not
// known.
func identityToken(req *request) response {
	description, verdicts := "Identity not found", []string(nil)
	if req.query.Get("resource") == "" {
		description, verdicts = "Required query variable 'resource' is missing", []string{"missing resource"}
	}
	resp := imdsJSON(object{"error": "invalid_request", "error_description": description})
	resp.status, resp.verdicts = http.StatusBadRequest, verdicts
	resp.sound = len(verdicts) == 0
	return resp
}
