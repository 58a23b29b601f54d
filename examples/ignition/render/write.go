package render

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Write makes the fragments the ones in dir, base.platform.d/PLATFORM, which is made if it is
// not there: each is replaced as a whole, and files of an earlier call that are no longer
// among them are removed. Other files stay. A fragment with a secret has mode 0600, others
// 0644.
//
// Ignition reads every file of the directory at each stage, whatever its name, and drops all of
// them if it cannot read one. So a fragment is made in the directory above and moved in when
// it is whole; dir must not be a mount point.
func Write(dir string, fragments []Fragment) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // As Ignition's own packages have it.
		return err
	}
	for _, f := range fragments {
		if err := f.write(dir); err != nil {
			return err
		}
	}
	for _, name := range Names() {
		if slices.ContainsFunc(fragments, func(f Fragment) bool { return f.Name == name }) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Mode returns the permissions of the fragment's file.
func (f Fragment) Mode() fs.FileMode {
	if f.Secret {
		return 0o600
	}
	return 0o644
}

func (f Fragment) write(dir string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(filepath.Clean(dir)), ".platform-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	if _, err = file.Write(f.Content); err != nil {
		return err
	}
	if err = errors.Join(file.Chmod(f.Mode()), file.Sync()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), filepath.Join(dir, f.Name)); err != nil {
		return err
	}
	return file.Close()
}
