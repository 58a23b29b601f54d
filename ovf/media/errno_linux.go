package media

import (
	"errors"
	"syscall"
)

// isNoMedium recognizes an empty drive.
func isNoMedium(err error) bool { return errors.Is(err, syscall.ENOMEDIUM) }

// isGone recognizes a device that is not there any more, or whose driver is not.
func isGone(err error) bool {
	return errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO)
}
