package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
)

// toStdout as a FILE is standard output.
const toStdout = "-"

// write replaces a file with one of that content and mode, unless it is that already.
// Directories are made; a symbolic link in the file's place is replaced, not followed.
func (a *app) write(path string, b []byte, mode fs.FileMode) error {
	if path == toStdout {
		_, err := a.out.Write(b)
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode() == mode {
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
			a.note("%s is as it should be", path)
			return nil
		}
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755) //nolint:gosec // Other units are to read what is in it.
	if err == nil {
		err = atomicfile.WriteMode(path, b, mode)
	}
	if err != nil {
		return fileError("write", path, err)
	}
	a.note("wrote %s", path)
	return nil
}

func fileError(op, path string, err error) error {
	kind := azprov.KindInternal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = azprov.KindNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = azprov.KindDenied
	}
	return &azprov.Error{Op: op, Target: path, Kind: kind, Message: "the file cannot be used", Last: err}
}
