package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Part is something that a fragment says.
type Part string

// The parts.
const (
	PartHostName Part = "hostname"
	// PartUser is the account with all that is part of it: without it there are no keys,
	// groups and password either.
	PartUser     Part = "user"
	PartKeys     Part = "keys"
	PartGroups   Part = "groups"
	PartPassword Part = "password"
	PartSudo     Part = "sudo"
	PartSSHD     Part = "sshd"
	// PartResourceDisk also needs [Machine.ResourceDisk].
	PartResourceDisk Part = "resource-disk"
)

// Parts returns all parts.
func Parts() []Part {
	return []Part{PartHostName, PartUser, PartKeys, PartGroups, PartPassword, PartSudo, PartSSHD, PartResourceDisk}
}

// Options says what is rendered. The zero value renders everything that the machine says.
type Options struct {
	// Spec is [DefaultSpec] if empty. A newer one than the Ignition of the image knows makes
	// it drop the fragments.
	Spec Spec
	// Without are the parts to leave to the image and the user.
	Without []Part
	// Off renders nothing at all.
	Off bool
}

// Fragment is a file for Ignition.
type Fragment struct {
	// Name is that of the file.
	Name string
	// Secret: it holds the hash of a password, and is for root alone.
	Secret bool
	// Content is JSON. The same machine gives the same bytes.
	Content []byte
}

// The fragments' files. The first word keeps them apart from those of other programs.
const (
	nameHostName     = "platform-hostname.ign"
	nameUser         = "platform-user.ign"
	nameSudo         = "platform-sudo.ign"
	nameSSHD         = "platform-sshd.ign"
	nameResourceDisk = "platform-resource-disk.ign"
)

// Names returns the names that fragments can have, in the order in which Ignition merges
// them.
func Names() []string {
	return []string{nameHostName, nameResourceDisk, nameSSHD, nameSudo, nameUser}
}

// Where the files of the fragments go. sshd takes the first value it meets, so that the
// drop-in must come before those of distributions (40-disable-passwords.conf of Fedora
// CoreOS); sudo takes the last rule.
const (
	pathHostName = "/etc/hostname"
	pathSudo     = "/etc/sudoers.d/90-platform-user"
	pathSSHD     = "/etc/ssh/sshd_config.d/10-platform.conf"
)

// note begins the files that have comments.
const note = "# From the platform. A file of this path in the user's Ignition config replaces it.\n"

// Render makes the fragments of a machine. A value that cannot be one, a name with a line
// break say, is an error that does not quote it.
func Render(m Machine, options *Options) ([]Fragment, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.Spec == "" {
		o.Spec = DefaultSpec
	}
	if !slices.Contains(Specs(), o.Spec) {
		return nil, fmt.Errorf("no spec %q", o.Spec)
	}
	for _, part := range o.Without {
		if !slices.Contains(Parts(), part) {
			return nil, fmt.Errorf("no part %q", part)
		}
	}
	if o.Off {
		return nil, nil
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	var fragments []Fragment
	for _, make := range []func(*Machine, func(Part) bool) (string, config){
		hostNameConfig, resourceDiskConfig, sshdConfig, sudoConfig, userConfig,
	} {
		name, c := make(&m, func(p Part) bool { return !slices.Contains(o.Without, p) })
		if name == "" {
			continue
		}
		c.Ignition.Version = o.Spec
		content, err := c.encode()
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, Fragment{Name: name, Secret: c.secret(), Content: content})
	}
	return fragments, nil
}

func hostNameConfig(m *Machine, on func(Part) bool) (name string, c config) {
	if m.HostName == "" || !on(PartHostName) {
		return "", c
	}
	c.addFile(pathHostName, 0o644, m.HostName+"\n")
	return nameHostName, c
}

func userConfig(m *Machine, on func(Part) bool) (name string, c config) {
	if m.User.Name == "" || !on(PartUser) {
		return "", c
	}
	u := user{Name: m.User.Name}
	if on(PartKeys) {
		u.SSHAuthorizedKeys = m.User.SSHKeys
	}
	if on(PartGroups) {
		u.Groups = m.User.Groups
	}
	if on(PartPassword) {
		u.PasswordHash = m.User.PasswordHash
	}
	c.Passwd = &passwd{Users: []user{u}}
	return nameUser, c
}

func sudoConfig(m *Machine, on func(Part) bool) (name string, c config) {
	tag, rule := sudoTags[m.User.Sudo]
	if m.User.Name == "" || !rule || !on(PartSudo) {
		return "", c
	}
	c.addFile(pathSudo, 0o440, note+m.User.Name+" ALL=(ALL) "+tag+"ALL\n")
	return nameSudo, c
}

func sshdConfig(m *Machine, on func(Part) bool) (name string, c config) {
	if m.PasswordLogin == nil || !on(PartSSHD) {
		return "", c
	}
	word := "no"
	if *m.PasswordLogin {
		word = "yes"
	}
	c.addFile(pathSSHD, 0o644, note+"PasswordAuthentication "+word+"\n")
	return nameSSHD, c
}

// resourceDiskConfig has a mount unit that the device pulls in: a machine without the disk
// waits for nothing. The disks stage of Ignition would.
func resourceDiskConfig(m *Machine, on func(Part) bool) (name string, c config) {
	disk := m.ResourceDisk
	if disk.Device == "" || !on(PartResourceDisk) {
		return "", c
	}
	enabled := true
	c.Systemd = &systemd{Units: []unit{{
		Name: unitName(disk.MountPoint) + ".mount", Enabled: &enabled,
		Contents: note + "[Unit]\nDescription=Resource disk of the platform\n\n" +
			"[Mount]\nWhat=" + disk.Device + "\nWhere=" + disk.MountPoint + "\n\n" +
			"[Install]\nWantedBy=" + unitName(disk.Device) + ".device\n",
	}}}
	return nameResourceDisk, c
}

// unitName is systemd-escape --path.
func unitName(path string) string {
	var name strings.Builder
	for i, c := range []byte(strings.Trim(path, "/")) {
		switch {
		case c == '/':
			name.WriteByte('-')
		case c == '.' && i == 0, !strings.ContainsRune("_.:", rune(c)) && !isAlphanumeric(c):
			fmt.Fprintf(&name, `\x%02x`, c)
		default:
			name.WriteByte(c)
		}
	}
	return name.String()
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// encode returns the config as JSON that people can read.
func (c *config) encode() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(c)
	return out.Bytes(), err
}
