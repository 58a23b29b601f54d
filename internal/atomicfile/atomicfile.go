// Package atomicfile writes files that must be whole, of the right mode, and where they
// seem to be.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path, which only its owner can read (0600). No reader
// ever sees half of it, it has reached the disk with its name when Write returns, and a symbolic
// link in its place is replaced, not followed. The directory must exist.
func Write(path string, b []byte) error { return WriteMode(path, b, 0o600) }

// WriteMode is [Write] for a file with that mode, whatever the process's umask is. It has
// the mode before it has its name.
func WriteMode(path string, b []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".azprov-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Remove removes the file at path so that it stays removed: the directory has reached
// the disk too. That there is no such file is no error.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
