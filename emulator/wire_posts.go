package emulator

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/azprov/azprov/goalstate"
)

// The wire server's limit for telemetry (WALinuxAgent pull request 3133), and what its
// agent keeps a call below (WALinuxAgent, wire.py).
const (
	telemetryCalls  = 15
	telemetryWindow = 15 * time.Second
	telemetryLimit  = 64 << 10
)

// telemetry takes a guest agent's events. What is no XML 1.0, for example because of a NUL,
// is refused as a whole (azure-linux-extensions issue 1690).
func (v *vmState) telemetry(req *request) response {
	if v.telemetryRate.exceeded(time.Now()) {
		return wireError(http.StatusTooManyRequests, goalstate.ErrorCodeRequestRateLimitExceeded,
			"The request rate limit is exceeded.", "over 15 calls of telemetry in 15 seconds")
	}
	root, _, err := readXML(req.body)
	if err != nil || root != "TelemetryData" {
		return wireError(http.StatusBadRequest, "InvalidXmlDocument", "The document is malformed.", "malformed telemetry")
	}
	resp := wireAnswer(http.StatusOK, nil)
	if len(req.body) > telemetryLimit {
		resp.verdicts = append(resp.verdicts, "telemetry over 64 KiB")
	}
	resp.verdicts = append(resp.verdicts, contentType(req, "text/xml")...)
	return resp
}

// roleProperties takes properties of the role instance, of old agents the thumbprint of the
// SSH host key; it was answered with 202, and agents want just that. What the real service
// says to a wrong document is not known.
func (v *vmState) roleProperties(req *request) response {
	root, texts, err := readXML(req.body)
	if err != nil || root != "RoleProperties" {
		return wireError(http.StatusBadRequest, "InvalidXmlDocument", "The document is malformed.", "malformed role properties")
	}
	container, instance := texts["RoleProperties/Container/ContainerId"], texts["RoleProperties/Container/RoleInstances/RoleInstance/Id"]
	switch {
	case container == "" || instance == "":
		return wireError(http.StatusBadRequest, "InvalidXmlDocument", "The document is malformed.", "role properties without ids")
	case container != v.wire.containerID || instance != v.wire.instanceID:
		return gone("role properties for a stale goal state")
	}
	resp := wireAnswer(http.StatusAccepted, nil)
	resp.verdicts = contentType(req, "text/xml")
	return resp
}

// contentType is the verdict on a request of another type; the answer does not depend on it.
func contentType(req *request, want string) []string {
	if mediaType, _, err := mime.ParseMediaType(req.header.Get("Content-Type")); err == nil && mediaType == want {
		return nil
	}
	return []string{"content type is not " + want}
}

// textDepth is how deep the elements are whose texts matter.
const textDepth = 5

// readXML reads a document to its end: the name of its root, and the first text of each
// element by its path, down to [textDepth].
func readXML(body []byte) (root string, texts map[string]string, err error) {
	d := xml.NewDecoder(bytes.NewReader(body)) //nolint:gosec // Of what it says only ids are compared.
	var path []string
	texts = map[string]string{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, texts, nil
		}
		if err != nil {
			return "", nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			if root == "" {
				root = t.Name.Local
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if len(path) > textDepth {
				continue
			}
			if at := strings.Join(path, "/"); texts[at] == "" {
				texts[at] = strings.TrimSpace(string(t))
			}
		}
	}
}

// Limits of an agent's observations about the host (WALinuxAgent, healthservice.py). What
// the real service says to more is not known: it is taken here.
const (
	observationsLimit       = 10
	observationNameLimit    = 64
	observationTextLimit    = 128
	observationsAPI         = "reporttargethealth"
	verdictObservationsForm = "malformed observations"
)

// healthService takes observations about the host, which are of no matter for provisioning.
func (v *vmState) healthService(req *request) response {
	var document struct {
		API          string `json:"Api"`
		Observations []struct {
			Name        string `json:"ObservationName"`
			Description string `json:"Description"`
			Value       string `json:"Value"`
		} `json:"Observations"`
	}
	resp := wireAnswer(http.StatusOK, nil)
	if json.Unmarshal(req.body, &document) != nil {
		resp.verdicts = []string{verdictObservationsForm}
		return resp
	}
	resp.verdicts = contentType(req, "application/json")
	if document.API != observationsAPI {
		resp.verdicts = append(resp.verdicts, "observations whose Api is not "+observationsAPI)
	}
	if len(document.Observations) > observationsLimit {
		resp.verdicts = append(resp.verdicts, fmt.Sprintf("over %d observations", observationsLimit))
	}
	for _, o := range document.Observations {
		for _, text := range []struct {
			name, text string
			limit      int
		}{
			{"name", o.Name, observationNameLimit},
			{"description", o.Description, observationTextLimit},
			{"value", o.Value, observationTextLimit},
		} {
			if utf8.RuneCountInString(text.text) > text.limit {
				resp.verdicts = append(resp.verdicts, fmt.Sprintf("%s of an observation over %d characters", text.name, text.limit))
			}
		}
	}
	return resp
}
