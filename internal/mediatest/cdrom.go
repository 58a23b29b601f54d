// Package mediatest is a machine with one optical drive, for tests of what reads the
// provisioning medium.
package mediatest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/ovf/media"
)

// Device is the drive's path.
const Device = "/dev/sr0"

// CDROM is the machine. Its zero value has an empty disc in its drive.
type CDROM struct {
	// Image is what is on the disc.
	Image []byte
	// At is when the disc is in the drive.
	At time.Time
	// ReadErr is the error of every read.
	ReadErr error
	// EjectErr is the drive's answer to a request to open, and OnEject is told of it.
	EjectErr error
	OnEject  func()

	ejected atomic.Int32
}

var _ media.System = (*CDROM)(nil)

// Ejected counts how often the drive was opened.
func (c *CDROM) Ejected() int { return int(c.ejected.Load()) }

// FS has the drive's node, and nothing else.
func (c *CDROM) FS() fs.FS { return fstest.MapFS{"dev/sr0": {Mode: fs.ModeDevice}} }

// Watch has no events.
func (c *CDROM) Watch(context.Context) (<-chan struct{}, error) { return make(chan struct{}), nil }

// ReadMounted has no kernel to help.
func (c *CDROM) ReadMounted(context.Context, string, func(fs.FS) error) error {
	return errors.ErrUnsupported
}

// OpenDrive opens the one drive.
func (c *CDROM) OpenDrive(path string) (media.Drive, error) {
	if path != Device {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return drive{c}, nil
}

type drive struct{ c *CDROM }

func (d drive) ReadAt(b []byte, at int64) (int, error) {
	if d.c.ReadErr != nil {
		return 0, d.c.ReadErr
	}
	return bytes.NewReader(d.c.Image).ReadAt(b, at)
}

func (d drive) Size() (int64, error) { return int64(len(d.c.Image)), nil }

func (d drive) Status() media.DriveStatus {
	if time.Now().Before(d.c.At) || d.c.ejected.Load() > 0 {
		return media.DriveStatusNoDisc
	}
	return media.DriveStatusDisc
}

func (d drive) Eject() error {
	if d.c.EjectErr != nil {
		return d.c.EjectErr
	}
	d.c.ejected.Add(1)
	if d.c.OnEject != nil {
		d.c.OnEject()
	}
	return nil
}

func (drive) Close() error { return nil }
