package kvp

import (
	"errors"
	"os"
	"syscall"
)

// setOFDLock is F_OFD_SETLK (fcntl(2), since Linux 3.15; asm-generic/fcntl.h), which
// package syscall does not have.
const setOFDLock = 37

// openFile opens the pool: not through a symbolic link, and without waiting for the other
// end if it is a pipe. One that is made here belongs to its owner alone.
func openFile(path string, mode locking, create bool) (*os.File, error) {
	flags := os.O_RDONLY
	if mode == writing {
		flags = os.O_RDWR
		if create {
			flags |= os.O_CREATE
		}
	}
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EISDIR) {
		return nil, errors.Join(errNotAFile, err)
	}
	return f, err
}

// tryLock takes both locks, or says that somebody else has one: flock, which cloud-init and
// azure-init respect, then fcntl's record lock, which hv_kvp_daemon does
// (tools/hv/hv_kvp_daemon.c, kvp_acquire_lock). libazureinit-kvp takes them in the same
// order. The kernel frees both when the file is closed or the process ends.
func tryLock(f *os.File, mode locking) (bool, error) {
	how, record := syscall.LOCK_EX, int16(syscall.F_WRLCK)
	if mode == reading {
		how, record = syscall.LOCK_SH, int16(syscall.F_RDLCK)
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		return false, unlessHeld(err)
	}
	err := syscall.FcntlFlock(f.Fd(), setOFDLock, &syscall.Flock_t{Type: record})
	if errors.Is(err, syscall.EINVAL) { // the kernel has only those of a process
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: record})
	}
	return err == nil, unlessHeld(err)
}

// unlessHeld is nil for a lock that somebody else has.
func unlessHeld(err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EINTR) {
		return nil
	}
	return err
}
