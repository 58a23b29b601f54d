package udf

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/azprov/azprov/internal/discfs"
)

// sectorSizes are those of optical discs, of disks, and of both with larger sectors: the
// commonest first.
var sectorSizes = [...]int64{2048, 512, 4096, 1024}

// sequence is a volume descriptor sequence's extent, in bytes and sectors (3/7.1).
type sequence struct {
	length, location uint32
}

func parseSequence(b []byte) sequence {
	return sequence{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
}

// anchor is an anchor volume descriptor pointer (3/10.2).
type anchor struct {
	main, reserve sequence
}

// findDescriptors finds an anchor with volume descriptors, and with it the size of a
// sector.
func findDescriptors(image io.ReaderAt, size int64) (disc, *descriptors, error) {
	var fault error // the first
	for _, sector := range sectorSizes {
		d := disc{image, size, sector}
		var tried []anchor
		for _, location := range d.anchorLocations() {
			a, err := d.readAnchor(location)
			if errors.Is(err, discfs.ErrDamaged) || err == nil && slices.Contains(tried, a) {
				continue // there is no anchor here, or nothing new
			}
			var found *descriptors
			if err == nil {
				tried = append(tried, a)
				found, err = d.readDescriptors(a)
			}
			if err == nil {
				return d, found, nil
			}
			if fault == nil {
				fault = err
			}
		}
	}
	switch {
	case fault != nil:
		return disc{}, nil, fault
	case Recognize(image):
		return disc{}, nil, discfs.Damaged("no anchor volume descriptor pointer")
	}
	return disc{}, nil, ErrNotUDF
}

// anchorLocations are the sectors that an anchor may be in: two of 256, the last, and the
// 256th before that (3/8.4.2.1, UDF 2.2.3), and 512 while a disc can be appended to (UDF
// 6.10.1).
func (d disc) anchorLocations() []uint32 {
	locations := []uint32{256, 512}
	if last := d.size/d.sector - 1; last >= 0 && last <= 1<<32-1 {
		locations = append(locations, uint32(last))
		if last >= 256 {
			locations = append(locations, uint32(last-256))
		}
	}
	return locations
}

// readAnchor returns [discfs.ErrDamaged] if there is none.
func (d disc) readAnchor(location uint32) (anchor, error) {
	b := make([]byte, d.sector)
	if err := d.read(b, int64(location)*d.sector); err != nil {
		return anchor{}, err
	}
	if err := checkDescriptor(b, location); err != nil {
		return anchor{}, err
	}
	if descriptorTag(b) != tagAnchor {
		return anchor{}, discfs.Damaged("no anchor volume descriptor pointer")
	}
	return anchor{parseSequence(b[16:]), parseSequence(b[24:])}, nil
}
