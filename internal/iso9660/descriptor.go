package iso9660

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// firstDescriptor is the sector behind the System Area (ECMA-119, 6.2.1).
	firstDescriptor = 16
	// maxDescriptors bounds the search. Discs have up to five: primary, boot,
	// supplementary, enhanced, terminator. Those of UDF may be beside them.
	maxDescriptors = 32

	standardID = "CD001"
)

// The types of volume descriptors (ECMA-119, 8.1.1) that matter here.
const (
	typePrimary       = 1
	typeSupplementary = 2
	typeTerminator    = 255
)

// descriptor is a primary or a supplementary volume descriptor (ECMA-119, 8.4 and 8.5),
// which have these fields at the same places.
type descriptor struct {
	// identifier is the Volume Identifier as recorded, label as plain text.
	identifier []byte
	label      string
	blockSize  int64
	root       record
}

// Recognize reports whether the image has a volume of ISO 9660, from the first bytes of one
// sector, or of some more if those of UDF come first. An image that cannot be read has none.
func Recognize(image io.ReaderAt) bool {
	id := make([]byte, 1+len(standardID))
	for n := range maxDescriptors {
		if readFull(image, id, int64(firstDescriptor+n)*sectorSize) != nil {
			return false
		}
		if string(id[1:]) == standardID {
			return true
		}
		if !ofUDF(string(id[1:])) {
			return false
		}
	}
	return false
}

// ofUDF reports whether a descriptor is one of ECMA-167 (2nd edition, part 2, 9.1), which
// lie in the same sequence in any order.
func ofUDF(id string) bool {
	switch id {
	case "BEA01", "BOOT2", "CDW02", "NSR02", "NSR03", "TEA01":
		return true
	}
	return false
}

// readDescriptors returns the primary volume descriptor and Joliet's or nil.
func readDescriptors(image io.ReaderAt) (primary, joliet *descriptor, err error) {
	recognized := false
	for n := 0; n < maxDescriptors && (primary == nil || joliet == nil); n++ {
		b := make([]byte, sectorSize)
		if err := readFull(image, b, int64(firstDescriptor+n)*sectorSize); err != nil {
			if !recognized && errors.Is(err, discfs.ErrDamaged) {
				return nil, nil, ErrNotISO9660 // too small to be one
			}
			return nil, nil, err
		}
		id, kind := string(b[1:6]), b[0]
		if ofUDF(id) {
			continue
		}
		// A terminator that is missing is no loss: what follows is no descriptor.
		if id != standardID || kind == typeTerminator {
			break
		}
		recognized = true
		switch {
		case kind == typePrimary && primary == nil:
			primary, err = parseDescriptor(b)
		case kind == typeSupplementary && joliet == nil && isJoliet(b):
			joliet, err = parseDescriptor(b)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	switch {
	case primary != nil:
		return primary, joliet, nil
	case recognized:
		return nil, nil, discfs.Damaged("it has no primary volume descriptor")
	}
	return nil, nil, ErrNotISO9660
}

// parseDescriptor reads the fields at the positions of ECMA-119, 8.4, counted from 0.
func parseDescriptor(b []byte) (*descriptor, error) {
	d := &descriptor{
		identifier: b[40:72],
		label:      trimLabel(strings.ToValidUTF8(string(b[40:72]), "\ufffd")),
		blockSize:  int64(binary.LittleEndian.Uint16(b[128:])),
	}
	switch d.blockSize {
	case 512, 1024, 2048: // A block is at most a sector (6.2.2).
	default:
		return nil, discfs.Damaged("it has logical blocks of an impossible size")
	}
	root, err := parseRecord(b[156:190])
	if err != nil {
		return nil, err
	}
	if !root.directory() || root.interleaved() {
		return nil, discfs.Damaged("its root is not a directory")
	}
	d.root = root
	return d, nil
}

// trimLabel removes what fills the field (ECMA-119, 7.4.3.2), or what some writers take.
func trimLabel(s string) string { return strings.Trim(s, " \x00") }
