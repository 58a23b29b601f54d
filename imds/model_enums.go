package imds

import "strings"

// The enumerations of the models. Each is a string type that keeps values it does
// not know. The service is not consistent in their case, so each has a method
// Canonical, which returns the constant that is equal in another case.

// canonical returns the member of possible that equals v but for case, else v.
func canonical[T ~string](v T, possible []T) T {
	for _, p := range possible {
		if strings.EqualFold(string(v), string(p)) {
			return p
		}
	}
	return v
}

// Cloud is the Azure cloud the VM runs in (compute.azEnvironment). The documentation's
// samples have it in upper case, the service does not.
type Cloud string

// The known values of Cloud.
const (
	CloudPublic       Cloud = "AzurePublicCloud"
	CloudUSGovernment Cloud = "AzureUSGovernmentCloud"
	CloudChina        Cloud = "AzureChinaCloud"
	// CloudGerman is closed.
	CloudGerman Cloud = "AzureGermanCloud"
	// CloudStack is any Azure Stack Hub.
	CloudStack Cloud = "AzureStack"
)

// PossibleCloudValues returns the known values.
func PossibleCloudValues() []Cloud {
	return []Cloud{
		CloudPublic,
		CloudUSGovernment,
		CloudChina,
		CloudGerman,
		CloudStack,
	}
}

// Canonical returns the known value that equals c in another case, else c itself.
func (c Cloud) Canonical() Cloud { return canonical(c, PossibleCloudValues()) }

// OSType is the family of an operating system.
type OSType string

// The known values of OSType.
const (
	OSTypeLinux   OSType = "Linux"
	OSTypeWindows OSType = "Windows"
)

// PossibleOSTypeValues returns the known values.
func PossibleOSTypeValues() []OSType {
	return []OSType{
		OSTypeLinux,
		OSTypeWindows,
	}
}

// Canonical returns the known value that equals o in another case, else o itself.
func (o OSType) Canonical() OSType { return canonical(o, PossibleOSTypeValues()) }

// PPSType is the kind of pre-provisioning a VM is in (extended.compute.ppsType). Empty
// means that the host did not say, as without extended=true.
type PPSType string

// The known values of PPSType.
const (
	// PPSTypeNone is a VM that is its owner's.
	PPSTypeNone PPSType = "None"
	// PPSTypeRunning waits in the pool with its network connected.
	PPSTypeRunning PPSType = "Running"
	// PPSTypeSavable waits in the pool to have its network interfaces exchanged.
	PPSTypeSavable PPSType = "Savable"
	// PPSTypePreprovisionedOSDisk waits to be shut down; only its disk is kept.
	PPSTypePreprovisionedOSDisk PPSType = "PreprovisionedOSDisk"
)

// PossiblePPSTypeValues returns the known values.
func PossiblePPSTypeValues() []PPSType {
	return []PPSType{
		PPSTypeNone,
		PPSTypeRunning,
		PPSTypeSavable,
		PPSTypePreprovisionedOSDisk,
	}
}

// Canonical returns the known value that equals p in another case, else p itself.
func (p PPSType) Canonical() PPSType { return canonical(p, PossiblePPSTypeValues()) }

// Priority is how the VM was bought. Empty and Regular are the same.
type Priority string

// The known values of Priority.
const (
	PriorityRegular Priority = "Regular"
	// PriorityLow is the older name of Spot.
	PriorityLow  Priority = "Low"
	PrioritySpot Priority = "Spot"
)

// PossiblePriorityValues returns the known values.
func PossiblePriorityValues() []Priority {
	return []Priority{
		PriorityRegular,
		PriorityLow,
		PrioritySpot,
	}
}

// Canonical returns the known value that equals p in another case, else p itself.
func (p Priority) Canonical() Priority { return canonical(p, PossiblePriorityValues()) }

// EvictionPolicy is what happens to a Spot VM that must go. It is empty for others.
type EvictionPolicy string

// The known values of EvictionPolicy.
const (
	EvictionPolicyDeallocate EvictionPolicy = "Deallocate"
	EvictionPolicyDelete     EvictionPolicy = "Delete"
)

// PossibleEvictionPolicyValues returns the known values.
func PossibleEvictionPolicyValues() []EvictionPolicy {
	return []EvictionPolicy{
		EvictionPolicyDeallocate,
		EvictionPolicyDelete,
	}
}

// Canonical returns the known value that equals e in another case, else e itself.
func (e EvictionPolicy) Canonical() EvictionPolicy {
	return canonical(e, PossibleEvictionPolicyValues())
}

// SecurityType is the kind of protection the VM was created with, empty for none.
type SecurityType string

// The known values of SecurityType.
const (
	SecurityTypeTrustedLaunch  SecurityType = "TrustedLaunch"
	SecurityTypeConfidentialVM SecurityType = "ConfidentialVM"
)

// PossibleSecurityTypeValues returns the known values.
func PossibleSecurityTypeValues() []SecurityType {
	return []SecurityType{
		SecurityTypeTrustedLaunch,
		SecurityTypeConfidentialVM,
	}
}

// Canonical returns the known value that equals s in another case, else s itself.
func (s SecurityType) Canonical() SecurityType { return canonical(s, PossibleSecurityTypeValues()) }

// Caching is the host's caching of a disk.
type Caching string

// The known values of Caching.
const (
	CachingNone      Caching = "None"
	CachingReadOnly  Caching = "ReadOnly"
	CachingReadWrite Caching = "ReadWrite"
)

// PossibleCachingValues returns the known values.
func PossibleCachingValues() []Caching {
	return []Caching{
		CachingNone,
		CachingReadOnly,
		CachingReadWrite,
	}
}

// Canonical returns the known value that equals c in another case, else c itself.
func (c Caching) Canonical() Caching { return canonical(c, PossibleCachingValues()) }

// CreateOption is how a disk came to be.
type CreateOption string

// The known values of CreateOption.
const (
	CreateOptionFromImage CreateOption = "FromImage"
	CreateOptionAttach    CreateOption = "Attach"
	CreateOptionEmpty     CreateOption = "Empty"
)

// PossibleCreateOptionValues returns the known values.
func PossibleCreateOptionValues() []CreateOption {
	return []CreateOption{
		CreateOptionFromImage,
		CreateOptionAttach,
		CreateOptionEmpty,
	}
}

// Canonical returns the known value that equals c in another case, else c itself.
func (c CreateOption) Canonical() CreateOption { return canonical(c, PossibleCreateOptionValues()) }

// DiffDiskOption says whether the OS disk is ephemeral, empty for not.
type DiffDiskOption string

// The known values of DiffDiskOption.
const (
	DiffDiskOptionLocal DiffDiskOption = "Local"
)

// PossibleDiffDiskOptionValues returns the known values.
func PossibleDiffDiskOptionValues() []DiffDiskOption {
	return []DiffDiskOption{
		DiffDiskOptionLocal,
	}
}

// Canonical returns the known value that equals d in another case, else d itself.
func (d DiffDiskOption) Canonical() DiffDiskOption {
	return canonical(d, PossibleDiffDiskOptionValues())
}

// DiffDiskPlacement is where an ephemeral OS disk lies.
type DiffDiskPlacement string

// The known values of DiffDiskPlacement.
const (
	DiffDiskPlacementCacheDisk    DiffDiskPlacement = "CacheDisk"
	DiffDiskPlacementResourceDisk DiffDiskPlacement = "ResourceDisk"
	DiffDiskPlacementNVMeDisk     DiffDiskPlacement = "NvmeDisk"
)

// PossibleDiffDiskPlacementValues returns the known values.
func PossibleDiffDiskPlacementValues() []DiffDiskPlacement {
	return []DiffDiskPlacement{
		DiffDiskPlacementCacheDisk,
		DiffDiskPlacementResourceDisk,
		DiffDiskPlacementNVMeDisk,
	}
}

// Canonical returns the known value that equals d in another case, else d itself.
func (d DiffDiskPlacement) Canonical() DiffDiskPlacement {
	return canonical(d, PossibleDiffDiskPlacementValues())
}

// StorageAccountType is the kind of storage behind a managed disk.
type StorageAccountType string

// The known values of StorageAccountType.
const (
	StorageAccountTypeStandardLRS    StorageAccountType = "Standard_LRS"
	StorageAccountTypeStandardSSDLRS StorageAccountType = "StandardSSD_LRS"
	StorageAccountTypeStandardSSDZRS StorageAccountType = "StandardSSD_ZRS"
	StorageAccountTypePremiumLRS     StorageAccountType = "Premium_LRS"
	StorageAccountTypePremiumZRS     StorageAccountType = "Premium_ZRS"
	StorageAccountTypePremiumV2LRS   StorageAccountType = "PremiumV2_LRS"
	StorageAccountTypeUltraSSDLRS    StorageAccountType = "UltraSSD_LRS"
)

// PossibleStorageAccountTypeValues returns the known values.
func PossibleStorageAccountTypeValues() []StorageAccountType {
	return []StorageAccountType{
		StorageAccountTypeStandardLRS,
		StorageAccountTypeStandardSSDLRS,
		StorageAccountTypeStandardSSDZRS,
		StorageAccountTypePremiumLRS,
		StorageAccountTypePremiumZRS,
		StorageAccountTypePremiumV2LRS,
		StorageAccountTypeUltraSSDLRS,
	}
}

// Canonical returns the known value that equals s in another case, else s itself.
func (s StorageAccountType) Canonical() StorageAccountType {
	return canonical(s, PossibleStorageAccountTypeValues())
}

// Protocol is the transport protocol of a load balancer's rule.
type Protocol string

// The known values of Protocol.
const (
	ProtocolTCP Protocol = "Tcp"
	ProtocolUDP Protocol = "Udp"
	ProtocolAll Protocol = "All"
)

// PossibleProtocolValues returns the known values.
func PossibleProtocolValues() []Protocol {
	return []Protocol{
		ProtocolTCP,
		ProtocolUDP,
		ProtocolAll,
	}
}

// Canonical returns the known value that equals p in another case, else p itself.
func (p Protocol) Canonical() Protocol { return canonical(p, PossibleProtocolValues()) }
