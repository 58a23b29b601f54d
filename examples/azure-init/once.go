package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/azprov/azprov"
)

// marked ends the name of the empty file that says a VM was set up.
const marked = ".provisioned"

// dataDir is the data directory's name in the tree.
func (s *setup) dataDir() string { return strings.TrimPrefix(path.Clean(s.config.DataDir.Path), "/") }

// provisioned returns the file that says that this VM was set up, in either byte order of
// its id; empty if there is none.
func (s *setup) provisioned(id azprov.VMID) string {
	files, _ := fs.Glob(s.tree.FS(), path.Join(s.dataDir(), "*"+marked))
	for _, file := range files {
		if azprov.SameVM(strings.TrimSuffix(path.Base(file), marked), id.String()) {
			return "/" + file
		}
	}
	return ""
}

func (s *setup) markProvisioned(id azprov.VMID) error {
	_, err := s.tree.write(path.Join(s.dataDir(), id.String()+marked), nil, 0o600, owner{})
	return err
}

// clean removes what says that VMs were set up, or wait in a pool; with --logs the log too.
func (a *app) clean() error {
	s, err := a.open()
	if err != nil {
		return err
	}
	files, err := fs.Glob(s.tree.FS(), path.Join(s.dataDir(), "*"+marked))
	files = append(files, path.Join(s.dataDir(), "pps.json"))
	if a.flags.logs {
		files = append(files, strings.TrimPrefix(path.Clean(s.config.LogPath.Path), "/"))
	}
	for _, file := range files {
		switch removed := s.tree.Remove(file); {
		case removed == nil:
			fmt.Fprintln(a.out, "removed /"+file)
		case !errors.Is(removed, fs.ErrNotExist):
			err = errors.Join(err, removed)
		}
	}
	return err
}
