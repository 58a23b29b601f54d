package goalstate

import (
	"strconv"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

// MaxHealthBody is the greatest length of an encoded health report, in bytes. The
// platform allows 4096 characters of description and answers 500 to more, which
// an agent would retry for ever (WALinuxAgent issue 2017); whether it counts them
// before or after unescaping is not known, so the whole body stays below.
const MaxHealthBody = 4095

// HealthState is how a VM is doing.
type HealthState string

// The states that can be reported.
const (
	// HealthStateReady ends provisioning.
	HealthStateReady HealthState = "Ready"
	// HealthStateNotReady comes with a [HealthSubStatus].
	HealthStateNotReady HealthState = "NotReady"
)

// PossibleHealthStateValues returns the states that can be reported.
func PossibleHealthStateValues() []HealthState {
	return []HealthState{HealthStateReady, HealthStateNotReady}
}

// HealthSubStatus says why a VM is not ready.
type HealthSubStatus string

// The sub-statuses that can be reported.
const (
	// HealthSubStatusProvisioning: it is still being provisioned.
	HealthSubStatusProvisioning HealthSubStatus = "Provisioning"
	// HealthSubStatusProvisioningFailed ends the deployment as failed.
	HealthSubStatusProvisioningFailed HealthSubStatus = "ProvisioningFailed"
)

// PossibleHealthSubStatusValues returns the sub-statuses that can be reported.
func PossibleHealthSubStatusValues() []HealthSubStatus {
	return []HealthSubStatus{HealthSubStatusProvisioning, HealthSubStatusProvisioningFailed}
}

// Health is a report of the VM's health. It goes to "/machine?comp=health" as XML,
// together with the ids of a goal state that was just read, or to
// "/provisioning/health" as JSON, which has no ids.
type Health struct {
	// Incarnation, ContainerID and InstanceID are those of the goal state.
	Incarnation string
	ContainerID string
	InstanceID  string
	State       HealthState
	// SubStatus may be set with HealthStateNotReady only.
	SubStatus HealthSubStatus
	// Description is for people, and for Azure's support: plain text, or a record
	// like "result=error|reason=…|agent=…". It needs a SubStatus.
	Description string
}

// EncodeXML returns the report as WALinuxAgent writes it: UTF-8, one line, & < and
// > escaped. Characters that XML 1.0 cannot hold are removed, and an empty
// Description is left out.
//
// The result has at most [MaxHealthBody] bytes. To get there the description is
// shortened: of a record the supporting data first, then the reason, so that it
// stays decodable; of plain text the end. A report without one of the ids, with
// a state or sub-status that cannot be reported, or with a combination of them
// that makes no sense is an error of [azprov.KindInternal]; one that is too large
// without a description is one of [azprov.KindTooLarge].
func (h Health) EncodeXML() ([]byte, error) {
	const op = "goalstate.Health.EncodeXML"
	for _, id := range []struct{ name, value string }{
		{"incarnation", h.Incarnation}, {"container id", h.ContainerID}, {"instance id", h.InstanceID},
	} {
		if legalXML(id.value) == "" {
			return nil, invalidReport(op, "the report has no "+id.name)
		}
	}
	return h.encode(op, Health.xml)
}

func (h Health) xml() []byte {
	var b strings.Builder
	b.WriteString(xmlDeclaration + `<Health xmlns:xsi="` + xsiNamespace + `" xmlns:xsd="` + xsdNamespace + `">`)
	b.WriteString("<GoalStateIncarnation>" + escapeText(h.Incarnation) + "</GoalStateIncarnation>")
	b.WriteString("<Container><ContainerId>" + escapeText(h.ContainerID) + "</ContainerId>")
	b.WriteString("<RoleInstanceList><Role><InstanceId>" + escapeText(h.InstanceID) + "</InstanceId>")
	b.WriteString("<Health><State>" + escapeText(string(h.State)) + "</State>")
	if h.SubStatus != "" {
		b.WriteString("<Details><SubStatus>" + escapeText(string(h.SubStatus)) + "</SubStatus>")
		if h.Description != "" {
			b.WriteString("<Description>" + escapeText(h.Description) + "</Description>")
		}
		b.WriteString("</Details>")
	}
	b.WriteString("</Health></Role></RoleInstanceList></Container></Health>")
	return []byte(b.String())
}

// encode validates, shortens the description and encodes by body.
func (h Health) encode(op string, body func(Health) []byte) ([]byte, error) {
	if err := h.validate(op); err != nil {
		return nil, err
	}
	measure := func(description string) int {
		h := h
		h.Description = description
		return len(body(h))
	}
	if n := measure(""); n > MaxHealthBody {
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindTooLarge,
			Message: "the report has " + strconv.Itoa(n) + " bytes without a description, the limit is " + strconv.Itoa(MaxHealthBody),
		}
	}
	h.Description = record.Shorten(legalXML(h.Description), measure, MaxHealthBody)
	return body(h), nil
}

func (h Health) validate(op string) error {
	ready := h.State == HealthStateReady
	switch {
	case !ready && h.State != HealthStateNotReady:
		return invalidReport(op, "state "+strconv.Quote(string(h.State))+" cannot be reported")
	case h.SubStatus != "" && h.SubStatus != HealthSubStatusProvisioning && h.SubStatus != HealthSubStatusProvisioningFailed:
		return invalidReport(op, "sub-status "+strconv.Quote(string(h.SubStatus))+" cannot be reported")
	case ready && h.SubStatus != "":
		return invalidReport(op, "a Ready report has no sub-status")
	case h.Description != "" && h.SubStatus == "":
		return invalidReport(op, "a report without a sub-status has no description")
	default:
		return nil
	}
}

func invalidReport(op, message string) error {
	return &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: message}
}

// ParseHealthXML reads a report, for those who receive them. It takes any layout
// (cloud-init's has line breaks and blanks), prefixes, and states that this
// package would not write. A missing id is empty; a missing state is an error of
// [azprov.KindMalformed].
func ParseHealthXML(b []byte) (Health, error) {
	const op = "goalstate.ParseHealthXML"
	root, err := parseXML(op, "Health", b)
	if err != nil {
		return Health{}, err
	}
	container := root.at("Container")
	role := container.at("RoleInstanceList", "Role")
	health := role.at("Health")
	h := Health{
		Incarnation: root.text("GoalStateIncarnation"),
		ContainerID: container.text("ContainerId"),
		InstanceID:  role.text("InstanceId"),
		State:       HealthState(health.text("State")),
		SubStatus:   HealthSubStatus(health.text("Details", "SubStatus")),
		Description: health.text("Details", "Description"),
	}
	if h.State == "" {
		return Health{}, malformed(op, "missing State in Health XML")
	}
	return h, nil
}
