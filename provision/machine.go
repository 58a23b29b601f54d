package provision

import (
	"github.com/azprov/azprov"
	"github.com/azprov/azprov/imds"
)

// Source says where a value of a [Machine] came from.
type Source string

// The sources.
const (
	SourceIMDS         Source = "imds"
	SourceOVF          Source = "ovf"
	SourceCertificates Source = "certificates"
	SourceDMI          Source = "dmi"
	SourceReprovision  Source = "reprovision"
	// SourceDefault: nobody said, and Options had a default or the rules have one.
	SourceDefault Source = "default"
	// SourceNone: there is no value.
	SourceNone Source = "none"
)

// PossibleSourceValues returns all sources.
func PossibleSourceValues() []Source {
	return []Source{
		SourceIMDS, SourceOVF, SourceCertificates, SourceDMI, SourceReprovision, SourceDefault, SourceNone,
	}
}

// Field names a value of a [Machine], as it is named in JSON.
type Field string

// The fields.
const (
	FieldVMID                   Field = "vmId"
	FieldHostName               Field = "hostname"
	FieldUserName               Field = "user.name"
	FieldUserPassword           Field = "user.password"
	FieldSSHKeys                Field = "user.sshKeys"
	FieldPasswordAuthentication Field = "passwordAuthentication"
	FieldCustomData             Field = "customData"
	FieldUserData               Field = "userData"
	FieldConfig                 Field = "config"
	FieldRegion                 Field = "region"
	FieldZone                   Field = "zone"
	FieldNetwork                Field = "network"
)

// PossibleFieldValues returns all fields.
func PossibleFieldValues() []Field {
	return []Field{
		FieldVMID, FieldHostName, FieldUserName, FieldUserPassword, FieldSSHKeys, FieldPasswordAuthentication,
		FieldCustomData, FieldUserData, FieldConfig, FieldRegion, FieldZone, FieldNetwork,
	}
}

// Machine is what a VM is to become. Its JSON form has the secrets redacted.
type Machine struct {
	// VMID identifies the machine.
	VMID azprov.VMID `json:"vmId"`
	// HostName is empty if nobody named the machine.
	HostName string `json:"hostname"`
	// User is the administrator.
	User User `json:"user"`
	// PasswordAuthentication is sshd's switch; unset leaves the image's default.
	PasswordAuthentication azprov.Switch `json:"passwordAuthentication"`
	// CustomData comes with the medium, UserData from IMDS; both decoded. The platform
	// allows 64 KiB of each.
	CustomData azprov.Secret `json:"customData,omitzero"`
	UserData   azprov.Secret `json:"userData,omitzero"`
	// Config is the one of the two that Options.ConfigOrder puts first and that is
	// not empty: what an Ignition or cloud-init would act on.
	Config azprov.Secret `json:"config,omitzero"`
	// Region is the platform's name for it, "westeurope".
	Region string `json:"region"`
	// Zone is the logical availability zone, "1"; empty if the VM is not zonal.
	Zone string `json:"zone"`
	// Network is the network section of IMDS as it came; its interfaces are in no
	// particular order.
	Network imds.Network `json:"network"`
	// PPSType is the kind of pre-provisioning the VM was in when it booted.
	PPSType imds.PPSType `json:"ppsType"`
	// Sources has an entry for every field.
	Sources map[Field]Source `json:"sources"`
	// Warnings is what was odd and how it was taken, without secrets.
	Warnings []string `json:"warnings,omitempty"`
}

// User is the administrator to create.
type User struct {
	// Name is empty for the image's default user.
	Name string `json:"name"`
	// SSHKeys are OpenSSH public keys, one line each, in the platform's order.
	SSHKeys []string `json:"sshKeys"`
	// Password is in clear text, at most 72 characters.
	Password azprov.Secret `json:"password,omitzero"`
}
