// Package atomicfile writes files that must be whole, private, and where they seem to
// be.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Write replaces the file at path, which only its owner can read (0600). No reader
// ever sees half of it, it has reached the disk when Write returns, and a symbolic
// link in its place is replaced, not followed. The directory must exist.
func Write(path string, b []byte) (err error) {
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
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
