package azprov

import (
	"errors"
	"io"
	"io/fs"
	"strings"
)

// AzureAssetTag is the chassis asset tag that Azure gives every VM, and no other
// platform has. It decides "on Azure" without any network.
const AzureAssetTag = "7783-7084-3265-9085-8269-3286-77"

// dmiFieldLimit is more than SMBIOS can put into one string (it counts lengths in
// memory, but firmware keeps them short); it stops a wrong file from being read whole.
const dmiFieldLimit = 4 << 10

// DMI is what the firmware says of the machine.
type DMI struct {
	// ChassisAssetTag is [AzureAssetTag] on Azure.
	ChassisAssetTag string
	// ProductUUID is the system UUID as the kernel shows it; on a generation 1 VM
	// its first three groups are in the other byte order than IMDS has them.
	ProductUUID string
	// SystemVendor is "Microsoft Corporation" on Hyper-V and Azure.
	SystemVendor string
	// EFI reports whether the machine booted by UEFI: a generation 2 VM.
	EFI bool
}

// ReadDMI reads class/dmi/id/{chassis_asset_tag,product_uuid,sys_vendor} and
// firmware/efi below sysfs, which is os.DirFS("/sys") on a real machine. Fields
// that are not there are empty. Only root can read product_uuid: without the
// permission the other fields are returned with an error of [KindDenied], after any
// other failure to read with one of [KindInternal].
func ReadDMI(sysfs fs.FS) (DMI, error) {
	var dmi DMI
	var failed error
	for _, row := range []struct {
		name  string
		field *string
	}{
		{"chassis_asset_tag", &dmi.ChassisAssetTag}, {"product_uuid", &dmi.ProductUUID}, {"sys_vendor", &dmi.SystemVendor},
	} {
		value, err := readDMIField(sysfs, "class/dmi/id/"+row.name)
		if err != nil {
			failed = err
		}
		*row.field = value
	}
	_, err := fs.Stat(sysfs, "firmware/efi")
	dmi.EFI = err == nil
	return dmi, failed
}

func readDMIField(sysfs fs.FS, path string) (string, error) {
	f, err := sysfs.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return "", &Error{
			Op: "azprov.ReadDMI", Target: path, Kind: KindDenied, Last: err,
			Message: "not readable by this user", Hint: "run as root",
		}
	}
	if err != nil {
		return "", nil // an absent field is an empty one
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, dmiFieldLimit))
	if err != nil {
		return "", &Error{Op: "azprov.ReadDMI", Target: path, Kind: KindInternal, Message: "cannot be read", Last: err}
	}
	return strings.TrimSpace(string(b)), nil
}

// OnAzure reports whether the chassis carries Azure's tag.
func (d DMI) OnAzure() bool { return d.ChassisAssetTag == AzureAssetTag }

// VMID returns the id that IMDS calls compute.vmId: the system UUID, on a
// generation 1 VM with the first three groups swapped. A missing UUID (in a
// container, all ones, or all zeros) is an error of [KindNotFound], an unusable one of
// [KindMalformed]; the reason is "failure to identify Azure VM ID" for both.
func (d DMI) VMID() (VMID, error) {
	uuid := strings.ToLower(d.ProductUUID)
	if strings.Trim(uuid, "f-") == "" || strings.Trim(uuid, "0-") == "" {
		return VMID{}, &Error{
			Op: "azprov.DMI.VMID", Kind: KindNotFound,
			Message: "the firmware gives no system UUID",
			Hint:    "/sys/class/dmi/id/product_uuid must be there and readable, which takes root",
			Reason:  "failure to identify Azure VM ID",
			Details: []Detail{{Key: "system_uuid", Value: d.ProductUUID}},
		}
	}
	id, err := ParseVMID(d.ProductUUID)
	if err != nil {
		return VMID{}, err
	}
	if !d.EFI {
		id = id.Swapped()
	}
	return id, nil
}
