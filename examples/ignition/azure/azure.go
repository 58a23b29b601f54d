// Package azure says what a VM on Azure is to be in the words of package render.
package azure

import (
	"slices"

	"github.com/azprov/azprov/examples/ignition/render"
	"github.com/azprov/azprov/internal/sha512crypt"
	"github.com/azprov/azprov/provision"
)

// rounds make a guess at a password as dear as Afterburn's hashes do: some 10 ms.
const rounds = 10_000

// Options says what Azure does not.
type Options struct {
	// Groups of the administrator. Azure names none, and which there are is the image's
	// matter: "wheel" in Fedora CoreOS, "sudo" in Flatcar and Debian.
	Groups []string
	// ResourceDisk is mounted, if it is set: the device's name is from the udev rules of
	// the image.
	ResourceDisk render.Disk
}

// ResourceDisk is the temporary disk by the name that the rules of azure-vm-utils and of
// WALinuxAgent give it, at WALinuxAgent's mount point.
func ResourceDisk() render.Disk {
	return render.Disk{Device: "/dev/disk/azure/resource-part1", MountPoint: "/mnt/resource"}
}

// Machine describes the machine. The rule for sudo is WALinuxAgent's: who has a password is
// asked for it. The salt of its hash comes from the VM's id, so that the machine gives the
// same fragments at each stage and boot.
func Machine(m *provision.Machine, options *Options) (render.Machine, error) {
	var o Options
	if options != nil {
		o = *options
	}
	machine := render.Machine{
		HostName: m.HostName, ResourceDisk: o.ResourceDisk,
		User: render.User{Name: m.User.Name, Groups: o.Groups, SSHKeys: distinct(m.User.SSHKeys)},
	}
	if m.User.Name != "" {
		machine.User.Sudo = render.SudoNoPassword
	}
	if m.User.Password.Len() > 0 {
		salt := sha512crypt.Salt([]byte("azprov " + m.VMID.String()))
		hash, err := sha512crypt.Hash(m.User.Password.Reveal(), salt, rounds)
		if err != nil {
			return render.Machine{}, err
		}
		machine.User.PasswordHash, machine.User.Sudo = hash, render.SudoPassword
	}
	if on, set := m.PasswordAuthentication.Value(); set {
		machine.PasswordLogin = &on
	}
	return machine, nil
}

// distinct leaves out keys that were given twice, which Ignition refuses.
func distinct(keys []string) []string {
	var all []string
	for _, key := range keys {
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	return all
}
