package main

import (
	"context"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
)

// azure-init's reasons, as report's catalogue has them.
const (
	reasonHostName     = "failed to provision hostname"
	reasonUser         = "failed to provision user"
	reasonPassword     = "failed to provision password"
	reasonNoUser       = "failed to determine username"
	reasonUserNotFound = "user not found"
	reasonSSHD         = "failed to update sshd config"
	reasonIO           = "I/O error"
	reasonSubprocess   = "subprocess failed"
	reasonUnhandled    = "unhandled error"
)

// step is a part of the setup, and a verb of its own.
type step struct {
	verb, argument, short string
	// reason of its failure for the platform.
	reason string
	do     func(*setup, context.Context, *provision.Machine) (note string, err error)
	// given takes the machine from the command line in place of the platform; text is the
	// standard input, read when asked for.
	given func(m *provision.Machine, argument string, text func() (string, error)) error
}

// steps are in the order in which they are taken.
var steps = []step{
	{"set-hostname", "[NAME]", "Set the host name", reasonHostName, (*setup).setHostName, givenHostName},
	{"create-user", "[NAME]", "Make the user, a member of the groups", reasonUser, (*setup).createUser, givenUser},
	{"set-password", "[NAME]", "Set the user's password, or lock it; for NAME it is read from standard input", reasonPassword, (*setup).setPassword, givenPassword},
	{"grant-sudo", "[NAME]", "Let the user run everything as root; with the password if there is one", reasonUser, (*setup).grantSudo, givenUser},
	{"configure-sshd", "[yes|no]", "Set sshd's PasswordAuthentication", reasonSSHD, (*setup).configureSSHD, givenSwitch},
	{"install-keys", "[NAME]", "Add the user's SSH keys; for NAME they are read from standard input", reasonIO, (*setup).installKeys, givenKeys},
	{"take-custom-data", "", "Save, run or warn of the custom data, as configured", reasonIO, (*setup).takeCustomData, nil},
}

func givenHostName(m *provision.Machine, name string, _ func() (string, error)) error {
	m.HostName = name
	return nil
}

func givenUser(m *provision.Machine, name string, _ func() (string, error)) error {
	m.User.Name = name
	return nil
}

func givenPassword(m *provision.Machine, name string, text func() (string, error)) error {
	password, err := text()
	m.User.Name = name
	m.User.Password = azprov.NewSecret([]byte(strings.TrimRight(password, "\r\n")))
	return err
}

func givenKeys(m *provision.Machine, name string, text func() (string, error)) error {
	keys, err := text()
	m.User.Name = name
	for line := range strings.Lines(keys) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			m.User.SSHKeys = append(m.User.SSHKeys, line)
		}
	}
	return err
}

func givenSwitch(m *provision.Machine, word string, _ func() (string, error)) error {
	if word != "yes" && word != "no" {
		return usagef("say yes or no", "configure-sshd %s", word)
	}
	m.PasswordAuthentication = azprov.NewSwitch(word == "yes")
	return nil
}
