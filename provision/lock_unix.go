//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package provision

import (
	"errors"
	"os"
	"syscall"
)

// openLockFile opens the file whose lock other processes respect.
func openLockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

// tryLock takes the lock, or says that somebody else has it. The kernel frees it when
// the file is closed or the process ends.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
