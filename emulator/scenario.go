package emulator

import (
	"encoding/json"
	"net/netip"

	"github.com/azprov/azprov"
)

// Scenario describes one VM and how the services around it behave. The zero value
// of every field but Name and VM.ID is usable. Scenarios load from JSON with
// [ParseScenario]; the shipped ones ([Scenarios]) double as examples of the form, which
// docs/scenarios.md describes.
type Scenario struct {
	// Name is a short word in lower case with dashes. It is not inherited.
	Name string `json:"name"`
	// Description says in one sentence what the scenario reproduces. It is not inherited.
	Description string `json:"description,omitempty"`
	// Source names where it was seen: an issue, a page of documentation, a file of another
	// agent. It is not inherited.
	Source string `json:"source,omitempty"`
	// Group is the heading that lists put the scenario under: one or two words.
	Group string `json:"group,omitempty"`
	// Extends is the name of the scenario that this one begins as: a shipped one, or what
	// the reader of the document knows by that name. Objects are merged, everything else
	// is replaced, and null takes away what the other one has ([ParseScenarioWith]).
	Extends string `json:"extends,omitempty"`
	// Seed makes the dice of faults with a probability fall in another way. The same seed
	// and the same order of requests give the same faults.
	Seed uint64 `json:"seed,omitempty"`
	// VM is the machine: what the services tell of it.
	VM VM `json:"vm"`
	// IMDS is the Instance Metadata Service.
	IMDS IMDS `json:"imds,omitzero"`
	// WireServer is the wire server.
	WireServer WireServer `json:"wireServer,omitzero"`
	// HostGA is the HostGAPlugin, which the guest agent asks beside the wire server.
	HostGA HostGA `json:"hostGA,omitzero"`
	// Medium is the provisioning DVD.
	Medium Medium `json:"medium,omitzero"`
	// Pool makes the VM wait in a pre-provisioning pool, until it becomes another.
	Pool Pool `json:"pool,omitzero"`
	// Steps change what is around the VM while it runs, each once, by time or by event.
	Steps []Step `json:"steps,omitempty"`
	// Assert is what holds at the end of a conversation with a right agent.
	Assert []Assertion `json:"assert,omitempty"`
}

// VM is what the platform knows of a machine, and so what provisioning it must
// come to.
type VM struct {
	// ID is compute.vmId. It is required.
	ID azprov.VMID `json:"id,omitzero"`
	// Generation is 1 or 2; 0 stands for 2. A VM of generation 1 boots without
	// UEFI and shows its id in the other byte order in DMI.
	Generation int `json:"generation,omitempty"`
	// Name is the resource name; empty stands for HostName.
	Name string `json:"name,omitempty"`
	// HostName is osProfile.computerName, and HostName on the medium.
	HostName string `json:"hostName,omitempty"`
	// UserName is osProfile.adminUsername, and UserName on the medium.
	UserName string `json:"userName,omitempty"`
	// Password is UserPassword on the medium; IMDS never has it.
	Password azprov.Secret `json:"password,omitzero"`
	// DisablePasswordAuthentication is told by IMDS and by the medium; unset gives
	// "" in IMDS and no element on the medium.
	DisablePasswordAuthentication azprov.Switch `json:"disablePasswordAuthentication,omitzero"`
	// SSHKeys are the administrator's public keys.
	SSHKeys []SSHKey `json:"sshKeys,omitempty"`
	// Certificates are what the wire server hands out beside the certificates of SSH
	// keys: those of Key Vault, and the tenant's. Without the field it is one of a tenant
	// that the emulator brings along; an empty list is none.
	Certificates []Certificate `json:"certificates,omitzero"`
	// CustomData is plain here; the medium has it in base64 and, raw, in
	// CustomData.bin. IMDS only says whether there is any.
	CustomData azprov.Secret `json:"customData,omitzero"`
	// UserData is plain here; IMDS has it in base64.
	UserData azprov.Secret `json:"userData,omitzero"`
	// Location is the region, for example "westeurope".
	Location string `json:"location,omitempty"`
	// Zone is the logical availability zone, for example "1", or empty.
	Zone string `json:"zone,omitempty"`
	// Size is compute.vmSize.
	Size string `json:"size,omitempty"`
	// Environment is compute.azEnvironment; empty stands for "AzurePublicCloud".
	Environment string `json:"environment,omitempty"`
	// SubscriptionID and ResourceGroup are part of every resource id.
	SubscriptionID string `json:"subscriptionId,omitempty"`
	// ResourceGroup is the name of the resource group.
	ResourceGroup string `json:"resourceGroup,omitempty"`
	// Image is the image that the VM was made from.
	Image Image `json:"image,omitzero"`
	// Tags are the resource's tags, in order.
	Tags []Tag `json:"tags,omitempty"`
	// Interfaces are the NICs; the first is the primary one.
	Interfaces []Interface `json:"interfaces,omitempty"`
}

// SSHKey is one public key of the administrator.
type SSHKey struct {
	// KeyData is a line of authorized_keys. IMDS gives it as it is; a trailing
	// CR LF has been seen on the real service.
	KeyData string `json:"keyData,omitempty"`
	// Certificate is an X.509 certificate in PEM, whose key it is. The medium then
	// names the key by the certificate's fingerprint only, the wire server hands the
	// certificate out, and IMDS shows it unless there is KeyData.
	Certificate string `json:"certificate,omitempty"`
	// Path is the file that it is meant for; empty stands for
	// /home/USER/.ssh/authorized_keys.
	Path string `json:"path,omitempty"`
}

// Certificate is an X.509 certificate, a private key, or both.
type Certificate struct {
	// Certificate is in PEM.
	Certificate string `json:"certificate,omitempty"`
	// PrivateKey is PKCS #8 in PEM.
	PrivateKey azprov.Secret `json:"privateKey,omitzero"`
	// FriendlyName goes with both; Azure's own is called TenantEncryptionCert.
	FriendlyName string `json:"friendlyName,omitempty"`
}

// Image names a Marketplace image. All fields are empty for a custom one.
type Image struct {
	// Publisher, Offer, SKU and Version are the four parts of an image's URN.
	Publisher string `json:"publisher,omitempty"`
	// Offer is the product.
	Offer string `json:"offer,omitempty"`
	// SKU is the edition.
	SKU string `json:"sku,omitempty"`
	// Version is the resolved version.
	Version string `json:"version,omitempty"`
}

// Tag is a tag of the VM's resource.
type Tag struct {
	// Name may not be empty.
	Name string `json:"name"`
	// Value may be.
	Value string `json:"value"`
}

// Interface is a NIC.
type Interface struct {
	// MACAddress is twelve hexadecimal digits without separators, as IMDS has it.
	MACAddress string `json:"macAddress"`
	// Addresses are the private addresses, IPv4 and IPv6, each with the length of
	// its subnet's prefix: "10.20.0.4/24".
	Addresses []netip.Prefix `json:"addresses,omitempty"`
}

// IMDS describes the Instance Metadata Service of a scenario.
type IMDS struct {
	// Absent: nothing listens at the service's address.
	Absent bool `json:"absent,omitempty"`
	// APIVersions are the api-versions that the service speaks, in any order;
	// empty stands for all that are documented.
	APIVersions []string `json:"apiVersions,omitempty"`
	// RateLimit off takes away the limit of 5 requests a second. A VM of a pool always
	// has it.
	RateLimit azprov.Switch `json:"rateLimit,omitzero"`
	// HasCustomData is extended.compute.hasCustomData; unset stands for "the VM
	// has custom data".
	HasCustomData azprov.Switch `json:"hasCustomData,omitzero"`
	// PPSType is extended.compute.ppsType; empty stands for the pool's type, and for
	// "None" outside of one.
	PPSType string `json:"ppsType,omitempty"`
	// Instance is a JSON merge patch (RFC 7396) over the instance document that
	// is made from the VM: {"network": null} takes the network away.
	Instance json.RawMessage `json:"instance,omitempty"`
	// Faults are served in place of good answers.
	Faults []Fault `json:"faults,omitempty"`
}

// WireServer describes the wire server of a scenario. Ids that are left empty are
// derived from the VM's, so that they are the same in every run.
type WireServer struct {
	// Absent: nothing listens at the server's address.
	Absent bool `json:"absent,omitempty"`
	// Incarnation is the goal state's first incarnation; 0 stands for 1.
	Incarnation int `json:"incarnation,omitempty"`
	// ContainerID is the goal state's container id.
	ContainerID string `json:"containerId,omitempty"`
	// InstanceID is the goal state's role instance id, DEPLOYMENT.NAME.
	InstanceID string `json:"instanceId,omitempty"`
	// Ciphers are the values of x-ms-cipher-name that are taken for certificates; the
	// first is that of a request without one. Empty stands for AES128_CBC and
	// DES_EDE3_CBC; AES256_CBC is known too.
	Ciphers []string `json:"ciphers,omitempty"`
	// Extensions is what the platform wants of the guest agent.
	Extensions Extensions `json:"extensions,omitzero"`
	// Faults are served in place of good answers.
	Faults []Fault `json:"faults,omitempty"`
}

// HostGA describes the HostGAPlugin of a scenario: port 32526 of the wire server's address.
// WALinuxAgent reports nothing as long as that port is closed.
type HostGA struct {
	// Absent: nothing listens on the plugin's port.
	Absent bool `json:"absent,omitempty"`
	// NoVMSettings: the plugin knows no vmSettings, and answers 404, as on Azure Stack Hub.
	NoVMSettings bool `json:"noVMSettings,omitempty"`
	// VMSettings is a JSON merge patch (RFC 7396) over the vmSettings that are made from
	// the VM and WireServer.Extensions: {"extensionGoalStatesSource": "FastTrack"}.
	VMSettings json.RawMessage `json:"vmSettings,omitempty"`
	// Faults are served in place of good answers.
	Faults []Fault `json:"faults,omitempty"`
}

// Medium describes the provisioning medium of a scenario.
type Medium struct {
	// Absent: there is no medium.
	Absent bool `json:"absent,omitempty"`
	// Document replaces the ovf-env.xml that is made from the VM, byte for byte.
	Document azprov.Secret `json:"document,omitzero"`
}
