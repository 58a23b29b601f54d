//go:build !linux

package kvp

import (
	"errors"
	"io/fs"
	"os"
)

// openFile opens the pool; a symbolic link is refused before.
func openFile(path string, mode locking, create bool) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, errNotAFile
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case mode == reading:
		return os.Open(path)
	case create:
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	default:
		return os.OpenFile(path, os.O_RDWR, 0)
	}
}

// tryLock does nothing here: there is no hv_kvp_daemon that reads such files.
func tryLock(*os.File, locking) (bool, error) { return true, nil }
