//go:build !linux

package media

import (
	"context"
	"errors"
	"io/fs"

	"github.com/azprov/azprov"
)

func watchBlockDevices(context.Context) (<-chan struct{}, error) {
	return nil, notHere("block devices are watched")
}

func readMounted(context.Context, string, []string, func(fs.FS) error) error {
	return notHere("discs are mounted")
}

// notHere is the error of what only Linux has.
func notHere(what string) error {
	return &azprov.Error{Op: "media.Open", Kind: azprov.KindInternal, Message: what + " on Linux only", Last: errors.ErrUnsupported}
}
