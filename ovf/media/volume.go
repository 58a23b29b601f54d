package media

import (
	"errors"
	"io"
	"io/fs"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/iso9660"
	"github.com/azprov/azprov/internal/udf"
)

// FileSystem is the kind of volume on a disc.
type FileSystem string

// The kinds that are read. Azure's discs are UDF; Azure Stack's, and those of tools, may
// be ISO 9660, or a bridge of both, which counts as UDF.
const (
	FileSystemUDF     FileSystem = "udf"
	FileSystemISO9660 FileSystem = "iso9660"
)

// PossibleFileSystemValues returns all kinds.
func PossibleFileSystemValues() []FileSystem {
	return []FileSystem{FileSystemUDF, FileSystemISO9660}
}

// Volume is what is on a disc.
type Volume struct {
	// FS has the files, read-only. It reads from the image it was opened on as it goes,
	// is safe for concurrent use if that is, and fails with what that fails with.
	FS fs.FS
	// Type is the file system that was read.
	Type FileSystem
	// Label is the volume's name, which says nothing about what it is for.
	Label string
	// Details says more, for people: the revision of UDF, which names of ISO 9660.
	Details string
	// Warnings is what was odd, and how it was taken.
	Warnings []string
}

// ReadVolume finds the volume on an image of size bytes: a file, a device, or anything
// else that can be read anywhere. UDF goes before ISO 9660, as libblkid has it; of a
// bridge whose UDF side is damaged the other side is read, with a warning.
//
// Errors: NotFound (no UDF and no ISO 9660 volume), Malformed (it is damaged), Internal
// (the image cannot be read; the cause is in the tree).
func ReadVolume(image io.ReaderAt, size int64) (*Volume, error) {
	const op = "media.ReadVolume"
	disc, udfErr := udf.Open(image, size)
	if udfErr == nil {
		return &Volume{
			FS: disc.FS(), Type: FileSystemUDF, Label: azprov.OneLine(disc.Label()), Details: revision(disc.Revision()),
		}, nil
	}
	other, isoErr := iso9660.Open(image, size)
	switch {
	case isoErr == nil:
		v := &Volume{
			FS: other.FS(), Type: FileSystemISO9660, Label: azprov.OneLine(other.Label()), Details: other.Names() + " names",
		}
		if !errors.Is(udfErr, udf.ErrNotUDF) {
			v.Warnings = []string{"the UDF side of the disc was passed over: " + azprov.OneLine(udfErr.Error())}
		}
		return v, nil
	case errors.Is(udfErr, udf.ErrNotUDF) && errors.Is(isoErr, iso9660.ErrNotISO9660):
		return nil, &azprov.Error{
			Op: op, Kind: azprov.KindNotFound, Message: "there is no UDF and no ISO 9660 volume",
		}
	case errors.Is(udfErr, udf.ErrNotUDF):
		return nil, volumeError(op, isoErr)
	default:
		return nil, volumeError(op, udfErr)
	}
}

func volumeError(op string, err error) error {
	if errors.Is(err, discfs.ErrDamaged) {
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: err.Error(), Last: err}
	}
	return &azprov.Error{Op: op, Kind: azprov.KindInternal, Message: "the disc cannot be read", Last: err}
}

// revision is a revision of UDF, 0x0102, as people write it, 1.02.
func revision(r uint16) string {
	digit := func(shift uint) string { return string(rune('0' + r>>shift&0xf)) }
	return "revision " + digit(8) + "." + digit(4) + digit(0)
}
