package emulator

import (
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// Medium returns the contents of the provisioning DVD: ovf-env.xml and, if the VM
// has custom data, CustomData.bin with the plain bytes. ok is false if the
// scenario has no medium.
func (f *Fabric) Medium() (medium fs.FS, ok bool) {
	files, err := f.mediumFiles()
	if err != nil || files == nil {
		return nil, false
	}
	return files, true
}

// mediumFiles makes the files, nil if there is no medium. NewFabric has called it
// once, so it does not fail later.
func (f *Fabric) mediumFiles() (fstest.MapFS, error) {
	s := f.scenario
	if s.Medium.Absent {
		return nil, nil //nolint:nilnil // No medium is no error.
	}
	document := s.Medium.Document.Reveal()
	if document == nil {
		var err error
		if document, err = ovfDocument(s.VM, s.Pool.Type); err != nil {
			return nil, err
		}
	}
	files := fstest.MapFS{"ovf-env.xml": {Data: document, Mode: 0o444}}
	if s.VM.CustomData.Len() > 0 {
		files["CustomData.bin"] = &fstest.MapFile{Data: s.VM.CustomData.Reveal(), Mode: 0o444}
	}
	return files, nil
}

// ovfDocument writes the VM's ovf-env.xml with the fields that Azure fills for a
// Linux VM. pool is how a VM that waits for its owner gets it, else empty.
func ovfDocument(vm VM, pool ovf.PreprovisionedVMType) ([]byte, error) {
	environment := ovf.Environment{
		HostName:                         vm.HostName,
		UserName:                         vm.UserName,
		UserPassword:                     vm.Password,
		CustomData:                       vm.CustomData,
		DisableSSHPasswordAuthentication: vm.DisablePasswordAuthentication,
		Platform: ovf.PlatformSettings{
			KMSServerHostname:        "kms.core.windows.net",
			ProvisionGuestAgent:      azprov.SwitchOn,
			ProvisionGuestProxyAgent: azprov.SwitchOff,
			PreprovisionedVM:         azprov.NewSwitch(pool != ""),
			PreprovisionedVMType:     pool,
		},
	}
	for _, key := range vm.SSHKeys {
		public := ovf.PublicKey{Path: key.Path, Fingerprint: key.thumbprint()}
		if public.Fingerprint == "" {
			public.Value = strings.TrimSpace(key.KeyData)
		}
		environment.PublicKeys = append(environment.PublicKeys, public)
	}
	document, err := environment.Encode()
	if err != nil {
		return nil, &azprov.Error{
			Op: "emulator.NewFabric", Kind: azprov.KindMalformed,
			Message: "the VM cannot be put on a medium", Last: err,
		}
	}
	return document, nil
}
