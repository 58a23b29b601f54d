package imds

// StorageProfile describes the VM's image and disks. It came with 2019-06-01.
type StorageProfile struct {
	// DataDisks follow attaching and detaching with some delay.
	DataDisks      []DataDisk     `json:"dataDisks"`
	ImageReference ImageReference `json:"imageReference"`
	OSDisk         OSDisk         `json:"osDisk"`
	// ResourceDisk: 2021-02-01.
	ResourceDisk ResourceDisk `json:"resourceDisk"`
}

// ImageReference names the image the VM was made from.
type ImageReference struct {
	// CommunityGalleryImageID, ExactVersion and SharedGalleryImageID: 2023-07-01.
	CommunityGalleryImageID string `json:"communityGalleryImageId"`
	// ExactVersion is the version that was resolved, for gallery images.
	ExactVersion string `json:"exactVersion"`
	// ID is the ARM id of a custom or gallery image, empty for platform images.
	ID                   string `json:"id"`
	Offer                string `json:"offer"`
	Publisher            string `json:"publisher"`
	SharedGalleryImageID string `json:"sharedGalleryImageId"`
	SKU                  string `json:"sku"`
	// Version is the version that was asked for, often "latest".
	Version string `json:"version"`
}

// OSDisk is the disk the VM boots from.
type OSDisk struct {
	Caching      Caching      `json:"caching"`
	CreateOption CreateOption `json:"createOption"`
	// DiffDiskSettings: 2020-06-01.
	DiffDiskSettings        DiffDiskSettings   `json:"diffDiskSettings"`
	DiskSizeGB              Int                `json:"diskSizeGB"`
	EncryptionSettings      EncryptionSettings `json:"encryptionSettings"`
	Image                   VirtualHardDisk    `json:"image"`
	ManagedDisk             ManagedDisk        `json:"managedDisk"`
	Name                    string             `json:"name"`
	OSType                  OSType             `json:"osType"`
	VHD                     VirtualHardDisk    `json:"vhd"`
	WriteAcceleratorEnabled Bool               `json:"writeAcceleratorEnabled"`
}

// DataDisk is one attached data disk.
type DataDisk struct {
	// BytesPerSecondThrottle, DiskCapacityBytes, OpsPerSecondThrottle and
	// IsSharedDisk: 2021-05-01, of Ultra disks alone.
	BytesPerSecondThrottle Int          `json:"bytesPerSecondThrottle"`
	Caching                Caching      `json:"caching"`
	CreateOption           CreateOption `json:"createOption"`
	// DiffDiskSettings, EncryptionSettings and OSType are documented and have
	// not been seen in any answer.
	DiffDiskSettings   DiffDiskSettings   `json:"diffDiskSettings"`
	DiskCapacityBytes  Int                `json:"diskCapacityBytes"`
	DiskSizeGB         Int                `json:"diskSizeGB"`
	EncryptionSettings EncryptionSettings `json:"encryptionSettings"`
	Image              VirtualHardDisk    `json:"image"`
	IsSharedDisk       Bool               `json:"isSharedDisk"`
	// IsUltraDisk: 2021-05-01.
	IsUltraDisk Bool `json:"isUltraDisk"`
	// LUN counts from 0; Linux shows the disk as
	// /dev/disk/azure/data/by-lun/N or /dev/disk/azure/scsi1/lunN.
	LUN                     Int             `json:"lun"`
	ManagedDisk             ManagedDisk     `json:"managedDisk"`
	Name                    string          `json:"name"`
	OpsPerSecondThrottle    Int             `json:"opsPerSecondThrottle"`
	OSType                  OSType          `json:"osType"`
	VHD                     VirtualHardDisk `json:"vhd"`
	WriteAcceleratorEnabled Bool            `json:"writeAcceleratorEnabled"`
}

// DiffDiskSettings describe an ephemeral OS disk.
type DiffDiskSettings struct {
	// EnableFullCaching and Placement are not documented; seen with 2025-11-15.
	EnableFullCaching Bool `json:"enableFullCaching"`
	// Option is Local for an ephemeral disk.
	Option    DiffDiskOption    `json:"option"`
	Placement DiffDiskPlacement `json:"placement"`
}

// EncryptionSettings are of Azure Disk Encryption, which works inside the guest;
// encryption at host is in [SecurityProfile].
type EncryptionSettings struct {
	// DiskEncryptionKey and KeyEncryptionKey: 2021-11-01.
	DiskEncryptionKey DiskEncryptionKey `json:"diskEncryptionKey"`
	Enabled           Bool              `json:"enabled"`
	KeyEncryptionKey  KeyEncryptionKey  `json:"keyEncryptionKey"`
}

// DiskEncryptionKey says where in a key vault the disk's key is. It is a place,
// no secret.
type DiskEncryptionKey struct {
	SecretURL   string      `json:"secretUrl"`
	SourceVault SubResource `json:"sourceVault"`
}

// KeyEncryptionKey says where in a key vault the key is that wraps the disk's.
type KeyEncryptionKey struct {
	KeyURL      string      `json:"keyUrl"`
	SourceVault SubResource `json:"sourceVault"`
}

// VirtualHardDisk is the blob of an unmanaged disk or image.
type VirtualHardDisk struct {
	URI string `json:"uri"`
}

// ManagedDisk is the disk's own resource. ID is empty for some ephemeral disks
// and in uniform scale sets.
type ManagedDisk struct {
	ID                 string             `json:"id"`
	StorageAccountType StorageAccountType `json:"storageAccountType"`
}

// ResourceDisk is the temporary disk of the VM's size.
type ResourceDisk struct {
	// Size is in kilobytes; "0" or "" without such a disk.
	Size Int `json:"size"`
}
