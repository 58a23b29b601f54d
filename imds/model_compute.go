package imds

import (
	"strings"

	"github.com/azprov/azprov"
)

// Compute is /metadata/instance/compute: the VM and the resources around it.
// Comments name the api-version a field came with, if later than 2017-04-02.
type Compute struct {
	// AdditionalCapabilities: 2021-11-01.
	AdditionalCapabilities AdditionalCapabilities `json:"additionalCapabilities"`
	// AzEnvironment: 2018-10-01. Its case varies; see [Cloud.Canonical].
	AzEnvironment Cloud `json:"azEnvironment"`
	// CustomData has been empty since January 2020; custom data is in the OVF
	// environment alone.
	CustomData azprov.Secret `json:"customData"`
	// EvictionPolicy: 2020-12-01, empty but for Spot VMs.
	EvictionPolicy EvictionPolicy `json:"evictionPolicy"`
	// ExtendedLocation: 2021-03-01, empty outside edge zones.
	ExtendedLocation ExtendedLocation `json:"extendedLocation"`
	// Host and HostGroup: 2021-11-15, of VMs on dedicated hosts, never both.
	Host      SubResource `json:"host"`
	HostGroup SubResource `json:"hostGroup"`
	// InterconnectGroupID and InterconnectSubgroupID: 2025-11-11, the rack of a
	// GPU interconnect; not documented.
	InterconnectGroupID    string `json:"interconnectGroupId"`
	InterconnectSubgroupID string `json:"interconnectSubgroupId"`
	// IsHostCompatibilityLayerVM: 2020-06-01.
	IsHostCompatibilityLayerVM Bool `json:"isHostCompatibilityLayerVm"`
	// IsVMInStandbyPool is not documented; seen with 2023-11-15.
	IsVMInStandbyPool Bool `json:"isVmInStandbyPool"`
	// LicenseType: 2020-09-01, of VMs with Azure Hybrid Benefit.
	LicenseType string `json:"licenseType"`
	// Location is the region's short name, such as "westeurope".
	Location string `json:"location"`
	// Name is the name of the resource. It is not always a host name: use
	// [Compute.HostName].
	Name string `json:"name"`
	// Offer, like Publisher, SKU and Version, is of the image; all four are
	// empty for custom images.
	Offer string `json:"offer"`
	// OSProfile: 2020-07-15, empty for specialized images.
	OSProfile OSProfile `json:"osProfile"`
	OSType    OSType    `json:"osType"`
	// PhysicalZone: 2023-11-15, such as "westeurope-AZ02"; the same for all
	// subscriptions, as Zone is not.
	PhysicalZone string `json:"physicalZone"`
	// PlacementGroupID: 2017-08-01, in uniform scale sets.
	PlacementGroupID string `json:"placementGroupId"`
	// Plan: 2018-04-02, of Marketplace images.
	Plan Plan `json:"plan"`
	// PlatformFaultDomain and PlatformUpdateDomain count from 0.
	PlatformFaultDomain Int `json:"platformFaultDomain"`
	// PlatformSubFaultDomain: 2021-10-01.
	PlatformSubFaultDomain Int `json:"platformSubFaultDomain"`
	PlatformUpdateDomain   Int `json:"platformUpdateDomain"`
	// Priority: 2020-12-01.
	Priority Priority `json:"priority"`
	// Provider: 2018-10-01, "Microsoft.Compute".
	Provider string `json:"provider"`
	// PublicKeys: 2018-04-02, the administrator's, in no order.
	PublicKeys []PublicKey `json:"publicKeys"`
	Publisher  string      `json:"publisher"`
	// ResourceGroupName: 2017-08-01. Its case is not stable.
	ResourceGroupName string `json:"resourceGroupName"`
	// ResourceID: 2019-03-11, the full ARM id; in uniform scale sets it ends in
	// virtualMachineScaleSets/SET/virtualMachines/NUMBER.
	ResourceID string `json:"resourceId"`
	// SecurityProfile: 2020-06-01.
	SecurityProfile SecurityProfile `json:"securityProfile"`
	// SignatureInfo is not released: signed metadata of confidential VMs.
	SignatureInfo string `json:"signatureInfo"`
	SKU           string `json:"sku"`
	// StorageProfile: 2019-06-01.
	StorageProfile StorageProfile `json:"storageProfile"`
	// SubscriptionID: 2017-08-01, a UUID.
	SubscriptionID string `json:"subscriptionId"`
	// SystemFaultDomain is not documented; seen with 2025-04-07.
	SystemFaultDomain Int `json:"systemFaultDomain"`
	// Tags: 2017-08-01, "name:value" joined by ";" without any escaping. Use
	// [Compute.AllTags].
	Tags string `json:"tags"`
	// TagsList: 2019-06-04.
	TagsList []Tag `json:"tagsList"`
	// UserData: 2021-01-01, base64 text. Use [Compute.UserDataBytes].
	UserData azprov.Secret `json:"userData"`
	Version  string        `json:"version"`
	// VirtualMachineScaleSet: 2021-03-01, in flexible scale sets alone.
	VirtualMachineScaleSet SubResource `json:"virtualMachineScaleSet"`
	// VMID is a UUID; it changes when the VM is made anew, not when it moves.
	// Compare it with [azprov.SameVM].
	VMID string `json:"vmId"`
	// VMScaleSetName: 2017-12-01.
	VMScaleSetName string `json:"vmScaleSetName"`
	VMSize         string `json:"vmSize"`
	// Zone: 2017-12-01, the logical zone in this subscription: "1", "2", "3" or "".
	Zone string `json:"zone"`
}

// AdditionalCapabilities are the features turned on for the VM.
type AdditionalCapabilities struct {
	HibernationEnabled Bool `json:"hibernationEnabled"`
}

// ExtendedLocation is an edge zone.
type ExtendedLocation struct {
	Name string `json:"name"`
	// Type is "edgeZone", or "".
	Type string `json:"type"`
}

// SubResource is the ARM id of another resource.
type SubResource struct {
	ID string `json:"id"`
}

// OSProfile is what the VM's creator asked of its operating system.
type OSProfile struct {
	AdminUsername string `json:"adminUsername"`
	ComputerName  string `json:"computerName"`
	// DisablePasswordAuthentication: 2020-10-01; empty on Windows and on Azure
	// Stack Hub.
	DisablePasswordAuthentication Bool `json:"disablePasswordAuthentication"`
}

// Plan is the Marketplace plan of the VM's image.
type Plan struct {
	Name      string `json:"name"`
	Product   string `json:"product"`
	Publisher string `json:"publisher"`
}

// SecurityProfile is the VM's security type. All but SecurityType are empty on
// Azure Stack Hub.
type SecurityProfile struct {
	// EncryptionAtHost: 2021-11-01.
	EncryptionAtHost  Bool `json:"encryptionAtHost"`
	SecureBootEnabled Bool `json:"secureBootEnabled"`
	// SecurityType: 2021-12-13.
	SecurityType      SecurityType `json:"securityType"`
	VirtualTPMEnabled Bool         `json:"virtualTpmEnabled"`
}

// InUniformScaleSet reports whether the VM is an instance of a scale set with
// uniform orchestration: it has the set's name and not its id.
func (c Compute) InUniformScaleSet() bool {
	return c.VMScaleSetName != "" && c.VirtualMachineScaleSet.ID == ""
}

// InFlexibleScaleSet reports whether the VM belongs to a scale set with flexible
// orchestration. Documents older than 2021-03-01 do not tell; with them such a VM
// may look like one of a uniform set.
func (c Compute) InFlexibleScaleSet() bool { return c.VirtualMachineScaleSet.ID != "" }

// The limits of a host name: of one label (RFC 1123) and of Linux's
// sethostname(2).
const (
	maxHostLabel = 63
	maxHostName  = 64
)

// HostName returns the name the operating system is to bear:
// osProfile.computerName as it is, without blanks around it. Where there is none
// (specialized images, api-versions before 2020-07-15) it returns name, made into
// a host name: every character but ASCII letters, digits and dots becomes "-",
// labels neither start nor end with one, and it has at most 64 characters. So
// "web_3", an instance of a scale set, gives "web-3". It is "" if neither gives a
// name.
func (c Compute) HostName() string {
	if name := strings.TrimSpace(c.OSProfile.ComputerName); name != "" {
		return name
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			return r
		default:
			return '-'
		}
	}, c.Name)
	var labels []string
	for label := range strings.SplitSeq(clean, ".") {
		label = strings.Trim(label, "-")
		label = strings.TrimRight(label[:min(len(label), maxHostLabel)], "-")
		if label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	return strings.TrimRight(name[:min(len(name), maxHostName)], "-.")
}
