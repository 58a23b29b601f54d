package emulator

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/azprov/azprov"
)

// extensionsConfig is the wire server's word for the guest agent: its families, where its
// status goes, and of which day the goal state is. Plugins are never wanted.
func (v *vmState) extensionsConfig() []byte {
	e := v.extensions.withDefaults(*v.spec)
	var d xmlText
	d.b.WriteString(xml.Header)
	d.open("Extensions", "version", "1.0.0.0", "goalStateIncarnation", strconv.Itoa(v.wire.incarnation))
	d.open("GuestAgentExtension", "xmlns:i", "http://www.w3.org/2001/XMLSchema-instance")
	d.open("GAFamilies")
	for _, family := range e.Families {
		d.family(family)
	}
	d.close("GAFamilies")
	if v.spec.Location != "" {
		d.leaf("Location", v.spec.Location)
	}
	d.leaf("ServiceName", "CRP")
	d.close("GuestAgentExtension")
	if blob := e.StatusUploadBlob; !blob.URL.IsZero() {
		d.leaf("StatusUploadBlob", blob.URL.RevealString(), "statusBlobType", string(blob.Type))
	}
	d.leaf("Plugins", "")
	d.leaf("PluginSettings", "")
	d.leaf("InVMGoalStateMetaData", "", "inSvdSeqNo", strconv.Itoa(e.SequenceNumber),
		"createdOnTicks", strconv.FormatInt(ticks(e.CreatedOn), 10), "activityId", e.ActivityID, "correlationId", e.CorrelationID)
	d.close("Extensions")
	return []byte(d.b.String())
}

// xmlText is a document that is being written.
type xmlText struct{ b strings.Builder }

// open begins an element; attributes are names and values in turn.
func (d *xmlText) open(name string, attributes ...string) {
	d.b.WriteString("<" + name)
	for pair := range slices.Chunk(attributes, 2) {
		d.b.WriteString(" " + pair[0] + `="`)
		_ = xml.EscapeText(&d.b, []byte(pair[1])) // A Builder has no errors.
		d.b.WriteString(`"`)
	}
	d.b.WriteString(">")
}

func (d *xmlText) close(name string) { d.b.WriteString("</" + name + ">") }

func (d *xmlText) leaf(name, text string, attributes ...string) {
	d.open(name, attributes...)
	_ = xml.EscapeText(&d.b, []byte(text))
	d.close(name)
}

func (d *xmlText) family(family AgentFamily) {
	d.open("GAFamily")
	for _, flag := range []struct {
		name string
		on   azprov.Switch
	}{{"IsVersionFromRSM", family.IsVersionFromRSM}, {"IsVMEnabledForRSMUpgrades", family.IsVMEnabledForRSMUpgrades}} {
		if on, ok := flag.on.Value(); ok {
			d.leaf(flag.name, strconv.FormatBool(on))
		}
	}
	d.leaf("Name", family.Name)
	d.open("Uris")
	for _, uri := range family.URIs {
		d.leaf("Uri", uri)
	}
	d.close("Uris")
	if family.Version != "" {
		d.leaf("Version", family.Version)
	}
	d.close("GAFamily")
}
