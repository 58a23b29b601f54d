package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/sha512crypt"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

// ignitionVersion is the spec of the fragments: every Ignition that has base.platform.d
// reads it.
const ignitionVersion = "3.0.0"

// passwordRounds is how many rounds Afterburn has a password hashed.
const passwordRounds = 10_000

// fragment is a part of an Ignition configuration.
type fragment struct {
	Ignition struct {
		Version string `json:"version"`
	} `json:"ignition"`
	Storage *storage `json:"storage,omitempty"`
	Passwd  *passwd  `json:"passwd,omitempty"`
}

type storage struct {
	Files []file `json:"files"`
}

type file struct {
	Path      string   `json:"path"`
	Mode      int      `json:"mode"`
	Overwrite bool     `json:"overwrite"`
	Contents  contents `json:"contents"`
}

type contents struct {
	Source string `json:"source"`
}

type passwd struct {
	Users []ignitionUser `json:"users"`
}

type ignitionUser struct {
	Name              string   `json:"name"`
	SSHAuthorizedKeys []string `json:"sshAuthorizedKeys,omitempty"`
	PasswordHash      string   `json:"passwordHash,omitempty"`
}

// runRender is afterburn render-ignition.
func (a *app) runRender(command *cobra.Command, _ []string) error {
	f := &a.flags
	if f.dir == "" {
		return usagef("", "--render-ignition-dir is missing")
	}
	return a.onPlatform(command.Context(), func(ctx context.Context, p *platform) error {
		if p.stack {
			return usagef("on an Azure Stack use --hostname and --ssh-keys", "render-ignition is for azure alone")
		}
		if f.noHostname && f.noUser {
			a.note("warning: both fragments are disabled; there is nothing to do")
		}
		if !f.noHostname {
			if err := a.renderHostName(ctx, p); err != nil {
				return err
			}
		}
		if !f.noUser {
			return a.renderUser(ctx, p)
		}
		return nil
	})
}

func (a *app) renderHostName(ctx context.Context, p *platform) error {
	name, err := p.hostName(ctx)
	if err != nil {
		return err
	}
	if name == "" {
		a.note("no hostname.ign: the platform names no host")
		return nil
	}
	return a.writeFragment("hostname.ign", 0o644, fragment{Storage: &storage{[]file{{
		Path: "/etc/hostname", Mode: 0o644, Overwrite: true, Contents: contents{dataURL(name)},
	}}}})
}

func (a *app) renderUser(ctx context.Context, p *platform) error {
	compute, err := p.compute(ctx)
	if err != nil {
		return err
	}
	// A VM that refuses passwords has hardly got one: then its medium is not waited for.
	wait := media.DefaultWait
	if on, known := compute.OSProfile.DisablePasswordAuthentication.Value(); on && known {
		wait = media.NoWait
	}
	env, err := p.medium(ctx, wait)
	if err != nil {
		return err
	}
	if env == nil {
		env = &ovf.Environment{}
		a.note("warning: there is no provisioning medium, and so no password")
	}
	keys, err := p.sshKeys(ctx, wait)
	if err != nil {
		return err
	}
	u := ignitionUser{Name: compute.OSProfile.AdminUsername, SSHAuthorizedKeys: keys}
	if u.Name == "" {
		u.Name = env.UserName
	}
	if u.PasswordHash, err = a.passwordHash(u.Name, env.UserPassword); err != nil {
		return err
	}
	if u.Name == "" || len(keys) == 0 && u.PasswordHash == "" {
		a.note("no user.ign: the platform names no user, or no way for it to log in")
		return nil
	}
	mode := fs.FileMode(0o644)
	if u.PasswordHash != "" {
		mode = 0o600
	}
	return a.writeFragment("user.ign", mode, fragment{Passwd: &passwd{[]ignitionUser{u}}})
}

// passwordHash hashes the password, empty if there is none. The hash of an earlier run is
// kept if it is one of this password: its salt is random.
func (a *app) passwordHash(name string, password azprov.Secret) (string, error) {
	switch plain := password.Reveal(); {
	case len(plain) == 0:
		return "", nil
	case ovf.IsProtected(plain):
		a.note("warning: the password is encrypted for the tool that holds this VM's key; it is left out")
		return "", nil
	default:
		if old := oldHash(filepath.Join(a.flags.dir, "user.ign"), name); sha512crypt.Matches(old, plain) {
			return old, nil
		}
		hash, err := sha512crypt.New(plain, passwordRounds)
		if err != nil { // its text does not repeat the password
			return "", &azprov.Error{Op: "render-ignition", Kind: azprov.KindMalformed, Message: "the password cannot be hashed", Last: err}
		}
		return hash, nil
	}
}

// oldHash is the user's hash in a fragment that is there, with this program's rounds;
// empty if there is none.
func oldHash(path, name string) string {
	b, err := os.ReadFile(path)
	var old fragment
	if err != nil || json.Unmarshal(b, &old) != nil || old.Passwd == nil {
		return ""
	}
	for _, u := range old.Passwd.Users {
		if u.Name == name && strings.HasPrefix(u.PasswordHash, fmt.Sprintf("$6$rounds=%d$", passwordRounds)) {
			return u.PasswordHash
		}
	}
	return ""
}

func (a *app) writeFragment(name string, mode fs.FileMode, f fragment) error {
	f.Ignition.Version = ignitionVersion
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(f); err != nil {
		return err
	}
	return a.write(filepath.Join(a.flags.dir, name), b.Bytes(), mode)
}

// dataURL is a URL that holds the text (RFC 2397), with all escaped that is neither letter
// nor digit.
func dataURL(text string) string {
	var url strings.Builder
	url.WriteString("data:,")
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			url.WriteByte(c)
		} else {
			fmt.Fprintf(&url, "%%%02X", c)
		}
	}
	return url.String()
}
