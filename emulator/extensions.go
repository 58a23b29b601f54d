package emulator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/azprov/azprov"
)

// Extensions is what the platform wants of the guest agent: the wire server's extensions
// configuration, and vmSettings of the HostGAPlugin. No extension is ever wanted; a patch of
// vmSettings ([HostGA]) may name some.
type Extensions struct {
	// Families are the channels of the agent's own updates; none is usual in tests.
	Families []AgentFamily `json:"families,omitempty"`
	// StatusUploadBlob is where the agent puts its status.
	StatusUploadBlob StatusUploadBlob `json:"statusUploadBlob,omitzero"`
	// SequenceNumber is inSvdSeqNo; 0 stands for 1.
	SequenceNumber int `json:"sequenceNumber,omitempty"`
	// CreatedOn is when the goal state of the extensions was made, RFC 3339; it counts in
	// units of 100 ns. The zero time stands for the beginning of 2025.
	CreatedOn time.Time `json:"createdOn,omitzero"`
	// ActivityID is a UUID; an empty one is derived from the VM's id.
	ActivityID string `json:"activityId,omitempty"`
	// CorrelationID is a UUID; an empty one is derived from the VM's id.
	CorrelationID string `json:"correlationId,omitempty"`
}

// AgentFamily is a channel of the guest agent's updates.
type AgentFamily struct {
	// Name is "Prod" or "Test".
	Name string `json:"name"`
	// Version is what the agent is to be, or empty.
	Version string `json:"version,omitempty"`
	// URIs are where the manifest is. Nothing fetches them here.
	URIs []string `json:"uris,omitempty"`
	// IsVersionFromRSM says that Version is the platform's decision; unset leaves it out,
	// which is a third state.
	IsVersionFromRSM azprov.Switch `json:"isVersionFromRSM,omitzero"`
	// IsVMEnabledForRSMUpgrades says that the platform decides for this VM; as above.
	IsVMEnabledForRSMUpgrades azprov.Switch `json:"isVMEnabledForRSMUpgrades,omitzero"`
}

// StatusUploadBlob names a blob in Azure's storage.
type StatusUploadBlob struct {
	// Type is [StatusBlobTypeBlock] or [StatusBlobTypePage]; empty stands for the first.
	Type StatusBlobType `json:"type,omitempty"`
	// URL has a signature that lets who has it write.
	URL azprov.Secret `json:"url,omitzero"`
}

// StatusBlobType is the kind of a blob.
type StatusBlobType string

// The kinds.
const (
	StatusBlobTypeBlock StatusBlobType = "BlockBlob"
	StatusBlobTypePage  StatusBlobType = "PageBlob"
)

// PossibleStatusBlobTypeValues returns every kind.
func PossibleStatusBlobTypeValues() []StatusBlobType {
	return []StatusBlobType{StatusBlobTypeBlock, StatusBlobTypePage}
}

// withDefaults fills in what is empty, for one of the scenario's VMs.
func (e Extensions) withDefaults(vm VM) Extensions {
	e.SequenceNumber = cmp.Or(e.SequenceNumber, 1)
	if e.CreatedOn.IsZero() {
		e.CreatedOn = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	e.ActivityID = cmp.Or(e.ActivityID, derivedUUID(vm.ID, "activity").String())
	e.CorrelationID = cmp.Or(e.CorrelationID, derivedUUID(vm.ID, "correlation").String())
	e.StatusUploadBlob.Type = cmp.Or(e.StatusUploadBlob.Type, StatusBlobTypeBlock)
	return e
}

// validate returns what is wrong with it, "" if nothing is.
func (e Extensions) validate() string {
	if blob := e.StatusUploadBlob; blob.Type != "" && !slices.Contains(PossibleStatusBlobTypeValues(), blob.Type) {
		return fmt.Sprintf("statusUploadBlob.type is %q, want BlockBlob or PageBlob", blob.Type)
	}
	if e.SequenceNumber < 0 {
		return "sequenceNumber is negative"
	}
	for i, family := range e.Families {
		if family.Name == "" {
			return fmt.Sprintf("families[%d].name is empty", i)
		}
	}
	return ""
}
