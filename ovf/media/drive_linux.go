package media

import (
	"errors"
	"math"
	"os"
	"slices"
	"syscall"

	"github.com/azprov/azprov"
)

// The requests of linux/cdrom.h.
const (
	cdromEject       = 0x5309
	cdromDriveStatus = 0x5326
	cdromLockDoor    = 0x5329
)

// cdslCurrent asks for the disc that is in, of a changer too.
const cdslCurrent = math.MaxInt32

// driveStatuses are the answers to CDROM_DRIVE_STATUS (CDS_… in linux/cdrom.h).
var driveStatuses = map[uintptr]DriveStatus{
	1: DriveStatusNoDisc, 2: DriveStatusTrayOpen, 3: DriveStatusNotReady, 4: DriveStatusDisc,
}

// openDrive opens an optical drive twice if it has a disc: the first descriptor after an
// exchange of discs takes notice of it, and may fail every read (seen with IDE drives,
// Linux 6.1 and 6.12); the next one reads.
func openDrive(path string) (Drive, error) {
	d, err := openOnce(path, 0)
	if err != nil || d.Status() != DriveStatusDisc {
		return d, err
	}
	_ = d.Close() // nothing was written
	return openOnce(path, 0)
}

// openOnce does not wait: without O_NONBLOCK an empty drive cannot be opened, an open
// tray is closed, and a pipe in place of the image would hang.
func openOnce(path string, flags int) (drive, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	return drive{file}, err
}

func (d drive) Status() DriveStatus {
	answer, err := d.ioctl(cdromDriveStatus, cdslCurrent)
	if status, ok := driveStatuses[answer]; ok && err == nil {
		return status
	}
	return DriveStatusUnknown
}

// Eject opens the drive once more, for itself alone: root can unlock and open the drive
// under a mounted disc, and the kernel minds that for who asks with O_EXCL, in whichever
// mount namespace it is mounted.
func (d drive) Eject() error {
	own, err := openOnce(d.Name(), syscall.O_EXCL)
	if err != nil {
		return ejectError(err)
	}
	defer func() { _ = own.Close() }()
	// The lock outlives whoever has locked it. What matters is whether the drive opens,
	// and some have no lock.
	_, _ = own.ioctl(cdromLockDoor, 0)
	answer, err := own.ioctl(cdromEject, 0)
	switch {
	case err != nil:
		return ejectError(err)
	case answer != 0, own.Status() == DriveStatusDisc: // the drive's own refusal is no errno
		return &azprov.Error{
			Kind: azprov.KindNotReady, Message: "the drive did not let go of the disc", Hint: "end the program that has it open",
		}
	}
	return nil
}

// noDrive are the answers of what is no optical drive, or of one without a motor.
var noDrive = []syscall.Errno{syscall.ENOTTY, syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP}

// ejectError says what the kernel's errno means of a drive.
func ejectError(errno error) error {
	e := &azprov.Error{Kind: azprov.KindInternal, Message: "the drive does not open", Last: errno}
	switch {
	case errors.Is(errno, syscall.EBUSY):
		e.Kind, e.Message = azprov.KindNotReady, "the disc is in use"
		e.Hint = "unmount it, or end the program that has it open"
	case slices.ContainsFunc(noDrive, func(no syscall.Errno) bool { return errors.Is(errno, no) }):
		e.Message = "it is no drive that can be opened"
	}
	return e
}

// ioctl makes one request. The file stays open meanwhile.
func (d drive) ioctl(request, argument uintptr) (uintptr, error) {
	conn, err := d.SyscallConn()
	if err != nil {
		return 0, err
	}
	var answer uintptr
	var errno syscall.Errno
	err = conn.Control(func(fd uintptr) {
		for errno = syscall.EINTR; errno == syscall.EINTR; {
			answer, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, argument)
		}
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return answer, err
}
