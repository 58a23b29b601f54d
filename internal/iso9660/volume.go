// Package iso9660 reads volumes of ISO 9660 in user space, with the names of Rock Ridge or
// Joliet where they are recorded, so that a provisioning disc can be read where the kernel
// has no isofs or may not mount.
//
// It follows ECMA-119 (the text of ISO 9660), IEEE P1281 (the System Use Sharing Protocol,
// SUSP), IEEE P1282 (the Rock Ridge Interchange Protocol, RRIP) and Microsoft's Joliet
// specification, which comments cite by section. It reads the first session of a disc.
// Interleaved and compressed (zisofs) files are listed, but reading them fails.
package iso9660

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// sectorSize is that of a Logical Sector (ECMA-119, 6.1.2), whatever the size of a
	// Logical Block.
	sectorSize = 2048
	// maxStructure bounds the bytes of directories and continuation areas that one volume
	// reads in its life: they may overlap, so that the size of the image bounds nothing.
	// Records have up to 255 bytes, so that [discfs.MaxListed] is mostly reached first.
	maxStructure = discfs.MaxListed * 256
)

// ErrNotISO9660 is the error for an image that has no volume of ISO 9660.
var ErrNotISO9660 = errors.New("no ISO 9660 volume")

var errStructure = errors.New("too much of the volume's directories has been read")

// The name spaces of a volume.
const (
	namesRockRidge = "rock ridge"
	namesJoliet    = "joliet"
	namesPlain     = "plain"
)

// Volume is a volume that has been found in an image. It is safe for concurrent use if the
// image is.
type Volume struct {
	fs    fs.FS
	label string
	names string
}

// FS returns the volume's files. Names are compared byte for byte and are, but for a
// version number and a dot in front of it, as they are recorded. A file of which the image
// lacks a part is listed, and reading it ends in [io.ErrUnexpectedEOF].
func (v *Volume) FS() fs.FS { return v.fs }

// Label is the volume identifier, Joliet's if its names are used, without blanks around it.
func (v *Volume) Label() string { return v.label }

// Names says which of its names the volume is read by: "rock ridge", "joliet" or "plain".
func (v *Volume) Names() string { return v.names }

// Open finds the volume in the first size bytes of an image and reads its descriptors and
// the beginning of its root directory. Of the names that are recorded it takes Rock Ridge's
// before Joliet's before the plain ones, as Linux does.
//
// An image that is something else is [ErrNotISO9660], a volume that contradicts the
// standards [discfs.ErrDamaged], as are the errors of the file system that is returned.
// Errors of the image itself are wrapped, and are neither.
func Open(image io.ReaderAt, size int64) (*Volume, error) {
	// The section reads as ended behind size, and no offset overflows in it.
	image = io.NewSectionReader(image, 0, max(size, 0))
	primary, joliet, err := readDescriptors(image)
	if err != nil {
		return nil, err
	}
	t := &tree{image: image, blockSize: primary.blockSize, names: namesPlain}
	t.left.Store(maxStructure)
	volume := &Volume{names: namesPlain, label: primary.label}
	t.skip, err = t.findRockRidge(primary.root)
	switch {
	case err == nil:
		volume.names = namesRockRidge
	case !errors.Is(err, errNoRockRidge):
		return nil, err
	case joliet != nil:
		volume.names, volume.label = namesJoliet, trimLabel(jolietText(joliet.identifier))
		t.blockSize, primary = joliet.blockSize, joliet
	}
	t.names, t.root = volume.names, t.directory(primary.root)
	volume.fs = discfs.New(image, t)
	return volume, nil
}

// tree is the hierarchy of directories that a volume is read by.
type tree struct {
	image     io.ReaderAt
	blockSize int64
	names     string
	// skip is how many bytes of System Use fields are not of SUSP.
	skip int
	root *discfs.Node
	// left of maxStructure.
	left atomic.Int64
}

// Root returns the root directory.
func (t *tree) Root() *discfs.Node { return t.root }

// read reads a part of a directory or of a continuation area.
func (t *tree) read(b []byte, at int64) error {
	if t.left.Add(int64(-len(b))) < 0 {
		return errStructure
	}
	return readFull(t.image, b, at)
}

func readFull(image io.ReaderAt, b []byte, at int64) error {
	n, err := image.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return discfs.Damaged("it ends behind the end of the image")
	}
	return fmt.Errorf("cannot read sector %d: %w", at/sectorSize, err)
}
