package discimage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// sectorSize is that of optical discs, and the block size of both file systems (UDF 1.02,
// 2.2.4.2; ECMA-119, 6.2.2).
const sectorSize = 2048

// sectorsOf is the number of sectors that so many bytes take.
func sectorsOf(bytes int) int { return (bytes + sectorSize - 1) / sectorSize }

// output writes an image from its beginning to its end.
type output struct {
	w       *bufio.Writer
	written int
}

// Write is for io.Copy.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	o.written += n
	return n, err
}

// zeros fills up to the beginning of a sector.
func (o *output) zeros(sector int) error {
	var nothing [sectorSize]byte
	for rest := sector*sectorSize - o.written; rest > 0; rest = sector*sectorSize - o.written {
		if _, err := o.Write(nothing[:min(rest, sectorSize)]); err != nil {
			return err
		}
	}
	return nil
}

// bytes writes a structure that begins at a sector.
func (o *output) bytes(sector int, b []byte) error {
	if err := o.zeros(sector); err != nil {
		return err
	}
	_, err := o.Write(b)
	return err
}

// file copies a file, which must be as long as it was when listed: its length is on the
// disc already.
func (o *output) file(files fs.FS, n *node) error {
	if err := o.zeros(n.sector); err != nil {
		return err
	}
	f, err := files.Open(n.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	copied, err := io.CopyN(o, f, int64(n.size))
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%q: it has %d bytes and had %d when listed", n.path, copied, n.size)
	case err != nil:
		return fmt.Errorf("%q: %w", n.path, err)
	}
	switch _, err = io.ReadFull(f, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("%q: it has more than the %d bytes that it had when listed", n.path, n.size)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%q: %w", n.path, err)
	}
	return nil
}
