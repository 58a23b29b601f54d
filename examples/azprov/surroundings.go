package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/atomicfile"
)

// writeSurroundings writes what a VM finds beside its services.
func writeSurroundings(fabric *emulator.Fabric, f *emulateFlags) error {
	if f.dmi != "" {
		if err := fabric.WriteDMI(f.dmi); err != nil {
			return err
		}
	}
	medium, ok := fabric.Medium()
	if !ok {
		return nil // which explain says
	}
	if f.media != "" {
		if err := writeImage(fabric, f.media, emulator.ImageFormat(f.mediaFormat.value)); err != nil {
			return err
		}
	}
	if f.medium == "" {
		return nil
	}
	if err := os.MkdirAll(f.medium, 0o700); err != nil {
		return fileError("emulate", f.medium, err)
	}
	files, err := fs.ReadDir(medium, ".")
	for _, file := range files {
		var b []byte
		if err == nil {
			b, err = fs.ReadFile(medium, file.Name())
		}
		if err == nil {
			err = atomicfile.Write(filepath.Join(f.medium, file.Name()), b)
		}
	}
	if err != nil {
		return fileError("emulate", f.medium, err)
	}
	return nil
}

// writeImage writes the medium as the image of a disc, some hundred KiB.
func writeImage(fabric *emulator.Fabric, path string, format emulator.ImageFormat) error {
	var image bytes.Buffer
	if err := fabric.WriteMediumImage(&image, format); err != nil {
		return err
	}
	if err := atomicfile.Write(path, image.Bytes()); err != nil {
		return fileError("emulate", path, err)
	}
	return nil
}

func fileError(op, path string, err error) error {
	kind := azprov.KindInternal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = azprov.KindNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = azprov.KindDenied
	}
	message := "cannot be written"
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		message, err = "cannot "+pathErr.Op, pathErr.Err // the target has the name already
	}
	return &azprov.Error{Op: op, Target: filepath.Clean(path), Kind: kind, Message: message, Last: err}
}
