package media

import (
	"context"
	"io"
	"io/fs"
)

// System is what [Open] and [Eject] see of a machine and do to it. [Local] is the real
// one; a test gives another and needs neither a device nor root.
type System interface {
	// FS is the machine's files, from its root directory: sys/class/block, dev,
	// proc/self/mountinfo, seed directories and mount points. What is missing there
	// is made up for as far as possible.
	FS() fs.FS
	// OpenDrive opens a device or an image of one for reading, whether there is a
	// disc in it or not.
	OpenDrive(path string) (Drive, error)
	// Watch sends a value when a block device comes, goes or changes, until ctx ends.
	// Values may be joined. Without events, Open looks once a second.
	Watch(ctx context.Context) (<-chan struct{}, error)
	// ReadMounted mounts the device read-only with one of the kernel's own readers of
	// discs, calls read with what is there, and unmounts it, whatever read did.
	ReadMounted(ctx context.Context, device string, read func(fs.FS) error) error
}

// Drive is an open device, or an image of one.
type Drive interface {
	io.ReaderAt
	io.Closer
	// Size is that of the device or of the disc in it, in bytes.
	Size() (int64, error)
	// Status asks an optical drive what is in it. What is none has [DriveStatusUnknown].
	Status() DriveStatus
	// Eject unlocks an optical drive and opens it.
	Eject() error
}

// DriveStatus is an optical drive's answer to CDROM_DRIVE_STATUS.
type DriveStatus string

// The answers. Unknown is that of drives that cannot tell, and of what is no drive: then
// only reading shows what is there.
const (
	DriveStatusUnknown  DriveStatus = "unknown"
	DriveStatusNoDisc   DriveStatus = "noDisc"
	DriveStatusTrayOpen DriveStatus = "trayOpen"
	DriveStatusNotReady DriveStatus = "notReady"
	DriveStatusDisc     DriveStatus = "disc"
)

// PossibleDriveStatusValues returns all answers.
func PossibleDriveStatusValues() []DriveStatus {
	return []DriveStatus{
		DriveStatusUnknown, DriveStatusNoDisc, DriveStatusTrayOpen, DriveStatusNotReady, DriveStatusDisc,
	}
}
