package render

import (
	"fmt"
	"strings"
)

// The part of Ignition's config that is rendered; it is the same in all versions 3.x.
type config struct {
	Ignition struct {
		Version Spec `json:"version"`
	} `json:"ignition"`
	Passwd  *passwd  `json:"passwd,omitempty"`
	Storage *storage `json:"storage,omitempty"`
	Systemd *systemd `json:"systemd,omitempty"`
}

type passwd struct {
	Users []user `json:"users"`
}

type user struct {
	Name              string   `json:"name"`
	Groups            []string `json:"groups,omitempty"`
	PasswordHash      string   `json:"passwordHash,omitempty"`
	SSHAuthorizedKeys []string `json:"sshAuthorizedKeys,omitempty"`
}

type storage struct {
	Files []configFile `json:"files"`
}

type configFile struct {
	Path      string   `json:"path"`
	Mode      int      `json:"mode"` // decimal in JSON
	Overwrite bool     `json:"overwrite"`
	Contents  resource `json:"contents"`
}

type resource struct {
	Source string `json:"source"`
}

type systemd struct {
	Units []unit `json:"units"`
}

type unit struct {
	Name     string `json:"name"`
	Enabled  *bool  `json:"enabled,omitempty"`
	Contents string `json:"contents"`
}

// addFile adds a file that replaces what the image has at its path.
func (c *config) addFile(path string, mode int, text string) {
	if c.Storage == nil {
		c.Storage = &storage{}
	}
	c.Storage.Files = append(c.Storage.Files, configFile{Path: path, Mode: mode, Overwrite: true, Contents: resource{Source: dataURL(text)}})
}

// secret reports whether others than root must not read it.
func (c *config) secret() bool {
	return c.Passwd != nil && c.Passwd.Users[0].PasswordHash != ""
}

// dataURL encodes a text so that people can still read most of it.
func dataURL(text string) string {
	var url strings.Builder
	url.WriteString("data:,")
	for _, c := range []byte(text) {
		if isAlphanumeric(c) || strings.ContainsRune("-._~", rune(c)) {
			url.WriteByte(c)
		} else {
			fmt.Fprintf(&url, "%%%02X", c)
		}
	}
	return url.String()
}
