package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/azprov/azprov/internal/discfs"
)

// The identifiers of descriptors' tags (3/7.2.1, 4/7.2.1).
const (
	tagPrimaryVolume    = 1
	tagAnchor           = 2
	tagVolumePointer    = 3
	tagPartition        = 5
	tagLogicalVolume    = 6
	tagTerminator       = 8
	tagFileSet          = 256
	tagFileIdentifier   = 257
	tagAllocationExtent = 258
	tagIndirectEntry    = 259
	tagFileEntry        = 261
	tagExtendedEntry    = 266
	tagSparingTable     = 0 // UDF 2.2.12
)

// tagLength is the length of a tag, which every descriptor begins with.
const tagLength = 16

// descriptorTag is the identifier of a descriptor that has been checked.
func descriptorTag(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }

// checkDescriptor checks the descriptor that b begins with, and that it was written for
// the block it is in: one left over from another volume has another location, mostly.
func checkDescriptor(b []byte, location uint32) error {
	if err := checkTag(b); err != nil {
		return err
	}
	if at := binary.LittleEndian.Uint32(b[12:]); at != location {
		return discfs.Damaged(fmt.Sprintf("a descriptor for block %d in block %d", at, location))
	}
	return nil
}

// checkTag checks a tag (3/7.2, 4/7.2) and the descriptor's CRC. The descriptor may end
// before b does.
func checkTag(b []byte) error {
	if len(b) < tagLength {
		return discfs.Damaged("a descriptor that is too short")
	}
	var sum byte
	for i, c := range b[:tagLength] {
		if i != 4 {
			sum += c
		}
	}
	if sum != b[4] {
		return discfs.Damaged("a descriptor's tag has a wrong checksum")
	}
	// 2 goes with NSR02, 3 with NSR03; 3 may refer to what has 2 (3/7.2.2).
	if version := binary.LittleEndian.Uint16(b[2:]); version != 2 && version != 3 {
		return discfs.Damaged(fmt.Sprintf("a descriptor of version %d", version))
	}
	length := int(binary.LittleEndian.Uint16(b[10:]))
	if length > len(b)-tagLength {
		return discfs.Damaged("a descriptor is longer than its block")
	}
	if crc(b[tagLength:tagLength+length]) != binary.LittleEndian.Uint16(b[8:]) {
		return discfs.Damaged("a descriptor has a wrong CRC")
	}
	return nil
}

// unrecorded reports whether there is no descriptor: a tag is not zero throughout.
func unrecorded(b []byte) bool {
	for _, c := range b[:tagLength] {
		if c != 0 {
			return false
		}
	}
	return true
}

// crc is that of ITU-T V.41 with an initial value of 0 (3/7.2.6).
func crc(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum = sum<<8 ^ crcTable[byte(sum>>8)^c]
	}
	return sum
}

var crcTable = func() (table [256]uint16) {
	const polynomial = 0x1021
	for i := range table {
		sum := uint16(i) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= polynomial
			}
		}
		table[i] = sum
	}
	return table
}()

// disc is the image in logical sectors.
type disc struct {
	image  io.ReaderAt
	size   int64 // of the image; 0 if not known
	sector int64
}

// read fills b with what is at the offset.
func (d disc) read(b []byte, offset int64) error {
	n, err := d.image.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", discfs.Damaged(fmt.Sprintf("the image ends before %d", offset+int64(len(b)))), io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("cannot read %d bytes at %d: %w", len(b), offset, err)
}
