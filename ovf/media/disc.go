package media

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/azprov/azprov"
)

// Disc is a volume in a file or on a device.
type Disc struct {
	Volume
	drive Drive
}

// OpenDiscOptions holds the optional parameters of [OpenDisc].
type OpenDiscOptions struct {
	// System has the device: [Local] if nil.
	System System
}

// OpenDisc opens the image or the block device at path and finds the volume on it. Close
// closes it; the volume's files cannot be read any more after it.
//
// Errors: those of [ReadVolume], NotFound (there is no such file; the drive is empty),
// NotReady (the drive has not read its disc yet), Denied (it may not be opened).
func OpenDisc(path string, options *OpenDiscOptions) (*Disc, error) {
	const op = "media.OpenDisc"
	system := Local()
	if options != nil && options.System != nil {
		system = options.System
	}
	drive, err := system.OpenDrive(path)
	if err != nil {
		return nil, fileError(op, path, "cannot be opened", err)
	}
	volume, err := readDrive(drive)
	if err != nil {
		_ = drive.Close()
		return nil, fileError(op, path, "cannot be opened", err)
	}
	return &Disc{Volume: *volume, drive: drive}, nil
}

// readDrive reads the volume in a drive that says it has one, or says nothing.
func readDrive(drive Drive) (*Volume, error) {
	if err := emptyDrive(drive.Status()); err != nil {
		return nil, err
	}
	size, err := drive.Size()
	if err != nil {
		return nil, err
	}
	return ReadVolume(drive, size)
}

// emptyDrive is the error of a drive without a disc, nil of one that may have one.
func emptyDrive(status DriveStatus) error {
	switch status {
	case DriveStatusNoDisc:
		return &azprov.Error{Kind: azprov.KindNotFound, Message: "there is no disc in the drive"}
	case DriveStatusTrayOpen:
		return &azprov.Error{Kind: azprov.KindNotFound, Message: "the drive's tray is open"}
	case DriveStatusNotReady:
		return &azprov.Error{Kind: azprov.KindNotReady, Message: "the drive is not ready", Hint: "try again in a few seconds"}
	case DriveStatusUnknown, DriveStatusDisc:
	}
	return nil
}

// Close closes the file.
func (d *Disc) Close() error { return d.drive.Close() }

// fileError says of which device or file an error is, and what the system's mean.
func fileError(op, path, message string, err error) error {
	var e *azprov.Error
	if errors.As(err, &e) {
		e.Op, e.Target = op, filepath.Clean(path)
		return e
	}
	e = &azprov.Error{Op: op, Target: filepath.Clean(path), Kind: azprov.KindInternal, Message: message, Last: err}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		e.Last = pathErr.Err // without the name, which the target repeats
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), isGone(err): // a node in /dev without a device too
		e.Kind = azprov.KindNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = azprov.KindDenied, "run as root, or as a member of the group that may read the device"
	case isNoMedium(err):
		e.Kind, e.Message = azprov.KindNotFound, "there is no disc in the drive"
	}
	return e
}
