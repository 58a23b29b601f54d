//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// syncDir brings the names in a directory to the disk: after a power cut, a file that was
// synced may otherwise not be there (fsync(2)). File systems that cannot sync a
// directory say EINVAL or ENOTSUP, and then there is nothing to be done.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
