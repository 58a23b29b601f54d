package media

import (
	"errors"
	"syscall"
)

// isNoMedium recognizes an empty drive.
func isNoMedium(err error) bool { return errors.Is(err, syscall.ENOMEDIUM) }
