package emulator

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/azprov/azprov"
)

// Where Linux shows the tables, below /sys.
const (
	assetTagPath    = "class/dmi/id/chassis_asset_tag"
	productUUIDPath = "class/dmi/id/product_uuid"
	vendorPath      = "class/dmi/id/sys_vendor"
	efiPath         = "firmware/efi"
)

// DMI returns the firmware's tables as Linux shows them below /sys:
// class/dmi/id/{chassis_asset_tag,product_uuid,sys_vendor}, and the directory
// firmware/efi on a VM of generation 2. On generation 1 the first three groups of
// product_uuid are in the other byte order than the VM's id.
func (f *Fabric) DMI() fs.FS {
	vm := f.scenario.VM
	id := vm.ID
	if vm.Generation == 1 {
		id = id.Swapped()
	}
	tree := fstest.MapFS{
		assetTagPath:    {Data: []byte(azprov.AzureAssetTag + "\n"), Mode: 0o444},
		productUUIDPath: {Data: []byte(id.String() + "\n"), Mode: 0o444},
		vendorPath:      {Data: []byte("Microsoft Corporation\n"), Mode: 0o444},
	}
	if vm.Generation == 2 {
		tree[efiPath] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	return tree
}

// WriteDMI writes the tree of [Fabric.DMI] into the directory dir, which is made
// if it is missing; a tree of an earlier VM is replaced. A failure is an error of
// azprov.KindDenied.
func (f *Fabric) WriteDMI(dir string) error {
	tree := f.DMI()
	var err error
	// CopyFS does not overwrite, and the firmware's directory says something by
	// being there.
	for _, name := range []string{assetTagPath, productUUIDPath, vendorPath, efiPath} {
		if removed := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755) //nolint:gosec // DMI is readable by everybody.
	}
	if err == nil {
		err = os.CopyFS(dir, tree)
	}
	if err != nil {
		return &azprov.Error{
			Op: "emulator.Fabric.WriteDMI", Target: filepath.Clean(dir), Kind: azprov.KindDenied,
			Message: "cannot write the DMI tree", Last: err,
		}
	}
	return nil
}
