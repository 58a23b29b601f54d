package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Machine is what a platform says a machine is to be. What is zero was not said, and nothing
// is rendered for it. Its JSON form is for providers that are programs of their own.
type Machine struct {
	// HostName goes to /etc/hostname.
	HostName string `json:"hostName,omitempty"`
	// User is the administrator.
	User User `json:"user,omitzero"`
	// PasswordLogin is whether sshd takes passwords; nil leaves the image's default.
	PasswordLogin *bool `json:"passwordLogin,omitempty"`
	// ResourceDisk is a disk that lasts as long as the machine stays on its host.
	ResourceDisk Disk `json:"resourceDisk,omitzero"`
}

// User is an account to make, or to change if the image has it.
type User struct {
	// Name is empty if the platform names no user; then there is none.
	Name string `json:"name,omitempty"`
	// SSHKeys are lines of authorized_keys.
	SSHKeys []string `json:"sshKeys,omitempty"`
	// Groups beside the user's own. They must exist in the image: useradd fails for one
	// that does not, and with it Ignition's files stage.
	Groups []string `json:"groups,omitempty"`
	// PasswordHash is as in /etc/shadow; empty for an account without a password.
	PasswordHash string `json:"passwordHash,omitempty"`
	// Sudo says what sudo asks of the user.
	Sudo Sudo `json:"sudo,omitempty"`
}

// Sudo is a rule for the administrator.
type Sudo string

// The rules.
const (
	// SudoNone leaves it to the image.
	SudoNone Sudo = ""
	// SudoPassword asks for the user's password.
	SudoPassword Sudo = "password"
	// SudoNoPassword asks nothing: the user has no password.
	SudoNoPassword Sudo = "nopassword"
)

// sudoTags are what stands before the command in sudoers.
var sudoTags = map[Sudo]string{SudoPassword: "", SudoNoPassword: "NOPASSWD: "}

// Disk is a file system to mount when its device appears.
type Disk struct {
	// Device is a path that stays the same, below /dev/disk.
	Device string `json:"device,omitempty"`
	// MountPoint is where it goes.
	MountPoint string `json:"mountPoint,omitempty"`
}

// ReadMachine reads a Machine in its JSON form. Unknown members are refused: one that is
// misspelt would be missing on the machine.
func ReadMachine(r io.Reader) (Machine, error) {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	var m Machine
	if err := decoder.Decode(&m); err != nil {
		return Machine{}, fmt.Errorf("the description of the machine: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Machine{}, fmt.Errorf("the description of the machine: something follows it")
	}
	return m, nil
}

// What may stand in the files that are rendered. A value with a line break would be two.
var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)
	hashText = regexp.MustCompile(`^[!-9;-~]+$`)
	absolute = regexp.MustCompile(`^(/[A-Za-z0-9_.:@+-]+)+$`)
)

// check refuses what would become another thing than it says on the machine.
func (m *Machine) check() error {
	for _, field := range []struct {
		name, value string
		allowed     *regexp.Regexp
	}{
		{"hostName", m.HostName, hostName},
		{"user.name", m.User.Name, userName},
		{"user.passwordHash", m.User.PasswordHash, hashText},
		{"resourceDisk.device", m.ResourceDisk.Device, absolute},
		{"resourceDisk.mountPoint", m.ResourceDisk.MountPoint, absolute},
	} {
		if field.value != "" && !field.allowed.MatchString(field.value) {
			return fmt.Errorf("%s: not one that a machine can have", field.name) // the value may be a secret
		}
	}
	for i, group := range m.User.Groups {
		if !userName.MatchString(group) {
			return fmt.Errorf("user.groups[%d]: %q is no name of a group", i, group)
		}
	}
	for i, key := range m.User.SSHKeys {
		if key == "" || strings.ContainsAny(key, "\r\n\x00") {
			return fmt.Errorf("user.sshKeys[%d]: not one line", i)
		}
		if slices.Contains(m.User.SSHKeys[:i], key) {
			return fmt.Errorf("user.sshKeys[%d]: the same as another, which Ignition refuses", i)
		}
	}
	if _, known := sudoTags[m.User.Sudo]; !known && m.User.Sudo != SudoNone {
		return fmt.Errorf("user.sudo: %q is neither %q nor %q", m.User.Sudo, SudoPassword, SudoNoPassword)
	}
	if (m.ResourceDisk.Device == "") != (m.ResourceDisk.MountPoint == "") {
		return fmt.Errorf("resourceDisk: it takes both a device and a mountPoint")
	}
	return nil
}
