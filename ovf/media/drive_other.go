//go:build !linux

package media

import (
	"errors"
	"os"

	"github.com/azprov/azprov"
)

func openDrive(path string) (Drive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return drive{file}, nil
}

func (drive) Status() DriveStatus { return DriveStatusUnknown }

func (drive) Eject() error {
	return &azprov.Error{Kind: azprov.KindInternal, Message: "drives can be opened on Linux only", Last: errors.ErrUnsupported}
}
