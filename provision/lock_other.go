//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package provision

import "os"

// openLockFile opens the file that would be locked where there is flock.
func openLockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// tryLock does nothing here: no agent for Azure's Linux VMs runs on these systems.
func tryLock(*os.File) (bool, error) { return true, nil }
