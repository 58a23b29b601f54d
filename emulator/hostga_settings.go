package emulator

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// hostGAPluginVersion is the newest that has been seen. Below 1.0.8.133 agents take
	// vmSettings for unsupported.
	hostGAPluginVersion = "1.0.8.175"
	// goalStateSourceFabric says that the extensions' goal state is that of the wire server
	// ("FastTrack": that it has come by the HostGAPlugin alone).
	goalStateSourceFabric = "Fabric"
	// ticksOfUnixEpoch are the units of 100 ns from the year 1 to 1970.
	ticksOfUnixEpoch = 621_355_968_000_000_000
	ticksPerSecond   = 10_000_000
	nanosPerTick     = 100
)

// vmSettings answers with the document, and 304 to who has it. The ETag of the real
// service is a decimal number in quotes.
func (v *vmState) vmSettings(req *request) response {
	if v.noVMSettings {
		return hostGAError(http.StatusNotFound, "ResourceNotFound", "There is no such resource.")
	}
	document := v.settings()
	resp := hostGAAnswer(http.StatusOK, document)
	etag := entityTag(document)
	if held := req.header.Get("If-None-Match"); strings.Trim(held, `"`) == strings.Trim(etag, `"`) {
		resp = hostGAAnswer(http.StatusNotModified, nil)
	}
	resp.header.Set("ETag", etag)
	return resp
}

func entityTag(document []byte) string {
	sum := sha256.Sum256(document)
	return `"` + strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 10) + `"`
}

// vmSettingsDocument makes the answer to /vmSettings for vm, the scenario's VM or the
// pool's owner: what the wire server's extensions configuration says, and the VM's place in
// Azure. patch is what parsePatch has made.
func vmSettingsDocument(s Scenario, vm VM, patch object) []byte {
	extensions := s.WireServer.Extensions.withDefaults(vm)
	document := object{
		"hostGAPluginVersion":             hostGAPluginVersion,
		"activityId":                      extensions.ActivityID,
		"correlationId":                   extensions.CorrelationID,
		"inSvdSeqNo":                      extensions.SequenceNumber,
		"certificatesRevision":            0,
		"extensionsLastModifiedTickCount": ticks(extensions.CreatedOn),
		"extensionGoalStatesSource":       goalStateSourceFabric,
		"inVMMetadata": object{
			"subscriptionId": vm.SubscriptionID, "resourceGroupName": vm.ResourceGroup, "vmName": vm.Name,
			"location": vm.Location, "vmId": vm.ID.String(), "vmSize": vm.Size, "osType": "Linux",
		},
		"gaFamilies":          familiesDocument(extensions.Families),
		"extensionGoalStates": []any{},
	}
	if blob := extensions.StatusUploadBlob; !blob.URL.IsZero() {
		document["statusUploadBlob"] = object{"statusBlobType": string(blob.Type), "value": blob.URL.RevealString()}
	}
	return compactJSON(mergePatch(document, patch))
}

func familiesDocument(families []AgentFamily) []any {
	list := make([]any, 0, len(families))
	for _, family := range families {
		entry := object{"name": family.Name, "uris": append([]string{}, family.URIs...)}
		if family.Version != "" {
			entry["version"] = family.Version
		}
		if on, ok := family.IsVersionFromRSM.Value(); ok {
			entry["isVersionFromRSM"] = on
		}
		if on, ok := family.IsVMEnabledForRSMUpgrades.Value(); ok {
			entry["isVMEnabledForRSMUpgrades"] = on
		}
		list = append(list, entry)
	}
	return list
}

// ticks are the units of 100 ns since the year 1, as .NET counts them.
func ticks(t time.Time) int64 {
	return t.Unix()*ticksPerSecond + int64(t.Nanosecond())/nanosPerTick + ticksOfUnixEpoch
}

// protectedTexts are the protected settings in a patch of the document. They are encrypted
// for the VM, but no business of a journal's.
func protectedTexts(patch json.RawMessage) []string {
	var texts []string
	var collect func(value any)
	collect = func(value any) {
		switch v := value.(type) {
		case object:
			for key, child := range v {
				if text, ok := child.(string); ok && strings.EqualFold(key, "protectedSettings") {
					texts = append(texts, text)
				}
				collect(child)
			}
		case []any:
			for _, child := range v {
				collect(child)
			}
		}
	}
	var document any
	if json.Unmarshal(patch, &document) == nil {
		collect(document)
	}
	return texts
}
