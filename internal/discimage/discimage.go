// Package discimage writes the image of a small optical disc, such as the medium on which
// Azure hands a virtual machine its provisioning data.
//
// An image is plain sectors of 2048 bytes: a loop device or a virtual CD drive takes it as
// it is. It holds a UDF 1.02 volume (ECMA-167, second edition, with OSTA's rules), a volume
// of ISO 9660 (ECMA-119) with Rock Ridge and Joliet names, or both over the same data.
// Azure's own media are UDF: Ignition asks libblkid for that type, cloud-init has mount(8)
// find it out, and WALinuxAgent tries udf before iso9660.
package discimage

import (
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Format says which file systems an image holds.
type Format string

const (
	// FormatUDF is a disc that only readers of UDF understand.
	FormatUDF Format = "udf"
	// FormatISO9660 is a disc with Rock Ridge and Joliet, for readers of either.
	FormatISO9660 Format = "iso9660"
	// FormatBridge is both. libblkid, and so mount(8), takes it for UDF.
	FormatBridge Format = "bridge"
)

// PossibleFormatValues returns the known values.
func PossibleFormatValues() []Format {
	return []Format{FormatUDF, FormatISO9660, FormatBridge}
}

// hasUDF and hasISO9660 say what there is to write.
func (f Format) hasUDF() bool     { return f == FormatUDF || f == FormatBridge }
func (f Format) hasISO9660() bool { return f == FormatISO9660 || f == FormatBridge }

// Options of an image. The zero value is fine.
type Options struct {
	// Format is [FormatBridge] if empty.
	Format Format
	// Label is the name of the volume; there need not be one. ISO 9660 and a bridge take
	// up to 30 characters of printable ASCII, of which Joliet shows the first 16. UDF takes
	// up to 30 of ISO 8859-1, and up to 15 if others are among them.
	Label string
	// ModTime is the time of everything on the disc, in whole seconds; the times that the
	// file system gives are not looked at, so that the same files make the same image. The
	// zero value means the beginning of 1970, and the years 1970 to 2155 are possible.
	ModTime time.Time
}

// The limits of an image. They keep a mistaken root directory from becoming a disc, and
// every file in one extent.
const (
	// maxLevels of directories in UDF, the root included. ISO 9660 has 8.
	maxLevels = 32
	// maxEntries is the number of files and directories, the root included. ISO 9660 counts
	// directories in 16 bits (ECMA-119, 9.4.4).
	maxEntries = 10_000
	// maxData of all files in bytes, each rounded up to sectors: what one extent of UDF can
	// hold, whose length has 30 bits and is a multiple of a block (ECMA-167, 4/14.14.1.1
	// and 4/12.1).
	maxData = 1<<30 - sectorSize
)

// Write writes an image of all directories and regular files below the root of files.
//
// The same files, names and options give the same bytes. Everything belongs to root and can
// only be read. The file system is walked first and then every file is read once, in the
// order of the names; w gets one sequential stream, a multiple of 2048 bytes. The memory
// used is that of the directories and file entries, not of the data.
//
// There are at most 10,000 entries, 32 levels of directories (8 with ISO 9660), and 2048
// bytes less than 1 GiB of data. Names are kept or refused, never changed, but for the
// upper-case 8.3 names below Rock Ridge and Joliet. UDF takes any that have up to 254
// characters of ISO 8859-1 or 127 of the basic multilingual plane. ISO 9660 and a bridge
// take 64 characters of that plane without control characters and *:;?\, not ending in a
// full stop.
//
// It is an error if there is anything else than files and directories, if a label or a name
// does not fit the format, if a file is shorter or longer than it was when listed, and of
// course if reading or writing fails; w may then have got a part of the image.
func Write(w io.Writer, files fs.FS, o Options) error {
	if o.Format == "" {
		o.Format = FormatBridge
	}
	if err := write(w, files, o); err != nil {
		return fmt.Errorf("cannot write a disc image: %w", err)
	}
	return nil
}

func write(w io.Writer, files fs.FS, o Options) error {
	if !o.Format.hasUDF() && !o.Format.hasISO9660() {
		return fmt.Errorf("%q is no format; there are %q", o.Format, PossibleFormatValues())
	}
	if err := checkLabel(o.Format, o.Label); err != nil {
		return err
	}
	at, err := recordingTime(o.ModTime)
	if err != nil {
		return err
	}
	tree, err := walk(files, o.Format)
	if err != nil {
		return err
	}
	return newImage(tree, o.Format, o.Label, at).writeTo(w, files)
}

// recordingTime is the time on the disc. A directory record of ISO 9660 has one octet for
// the years since 1900 (ECMA-119, 9.1.5).
func recordingTime(t time.Time) (time.Time, error) {
	if t.IsZero() {
		return time.Unix(0, 0).UTC(), nil
	}
	t = t.UTC()
	if t.Year() < 1970 || t.Year() > 2155 {
		return time.Time{}, fmt.Errorf("the time %s is not within 1970 and 2155", t.Format(time.RFC3339))
	}
	return t, nil
}
