package udf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// maxDescriptors of one volume descriptor sequence, continuations included. An extent
	// has 16 sectors at least (3/8.4.2.2, UDF 2.2.3); the descriptors are some six.
	maxDescriptors = 64
	// maxPartitionMaps of a logical volume: UDF has one, or two of which one is of type 2,
	// or with metadata (UDF 2.2.4).
	maxPartitionMaps = 4
)

// descriptors are the prevailing descriptors of a volume: of those that describe the same
// thing, the one of the highest volume descriptor sequence number (3/8.4.3).
type descriptors struct {
	primary    *primaryVolume
	logical    *logicalVolume
	partitions map[uint16]partitionDescriptor // by number
}

// primaryVolume is 3/10.1.
type primaryVolume struct {
	sequence uint32
	label    string
}

// logicalVolume is 3/10.6.
type logicalVolume struct {
	sequence uint32
	label    string
	revision uint16
	fileSet  allocation
	maps     [][]byte
}

// partitionDescriptor is 3/10.5.
type partitionDescriptor struct {
	sequence      uint32
	start, length uint32 // in sectors
}

func (f *descriptors) label() string {
	if f.logical.label == "" && f.primary != nil {
		return f.primary.label
	}
	return f.logical.label
}

// complete reports whether there is what a volume is read with.
func (f *descriptors) complete() bool {
	if f.logical == nil {
		return false
	}
	for _, m := range f.logical.maps {
		if _, ok := f.partitions[mapPartition(m)]; !ok {
			return false
		}
	}
	return true
}

// readDescriptors reads the main sequence, and the reserve one if something is wrong with
// that. It makes do with what they have between them.
func (d disc) readDescriptors(a anchor) (*descriptors, error) {
	found := &descriptors{partitions: map[uint16]partitionDescriptor{}}
	fault := d.readSequence(a.main, found)
	if fault == nil && found.complete() {
		return found, nil
	}
	if err := d.readSequence(a.reserve, found); fault == nil {
		fault = err
	}
	switch {
	case found.complete():
		return found, nil
	case fault != nil:
		return nil, fmt.Errorf("volume descriptors: %w", fault)
	}
	return nil, discfs.Damaged("volume descriptors are missing")
}

// readSequence reads a sequence to its end (3/8.4.2), past what is damaged, and returns
// the first fault. Where the image cannot be read it stops: a drive may try for long.
func (d disc) readSequence(at sequence, found *descriptors) error {
	var fault error
	b := make([]byte, d.sector)
	left := int64(at.length) / d.sector
	for n := 0; left > 0; n++ {
		if n == maxDescriptors {
			return discfs.Damaged("too many volume descriptors")
		}
		if err := d.read(b, int64(at.location)*d.sector); err != nil {
			return err
		}
		if unrecorded(b) {
			break
		}
		err := checkDescriptor(b, at.location)
		if err == nil {
			switch descriptorTag(b) {
			case tagTerminator:
				return fault
			case tagVolumePointer: // 3/10.3
				at = parseSequence(b[20:])
				left = int64(at.length) / d.sector
				continue
			}
			err = d.parseDescriptor(b, found)
		}
		if fault == nil {
			fault = err
		}
		at.location++ // and around: the next fails its check
		left--
	}
	return fault
}

func (d disc) parseDescriptor(b []byte, found *descriptors) error {
	number := binary.LittleEndian.Uint32(b[16:])
	switch descriptorTag(b) {
	case tagPrimaryVolume:
		if found.primary == nil || number > found.primary.sequence {
			found.primary = &primaryVolume{number, decodeField(b[24:56])}
		}
	case tagPartition:
		id := binary.LittleEndian.Uint16(b[22:])
		if old, ok := found.partitions[id]; !ok || number > old.sequence {
			found.partitions[id] = partitionDescriptor{
				number, binary.LittleEndian.Uint32(b[188:]), binary.LittleEndian.Uint32(b[192:]),
			}
		}
	case tagLogicalVolume:
		if found.logical == nil || number > found.logical.sequence {
			logical, err := d.parseLogicalVolume(b)
			if err != nil {
				return err
			}
			found.logical = logical
		}
	}
	return nil
}

func (d disc) parseLogicalVolume(b []byte) (*logicalVolume, error) {
	// UDF 2.2.4.2 has them the same.
	if size := binary.LittleEndian.Uint32(b[212:]); int64(size) != d.sector {
		return nil, discfs.Damaged(fmt.Sprintf("blocks of %d bytes in sectors of %d", size, d.sector))
	}
	l := &logicalVolume{
		sequence: binary.LittleEndian.Uint32(b[16:]),
		label:    decodeField(b[84:212]),
		fileSet:  parseLong(b[248:]),
	}
	// The domain is an entity identifier, with the revision in its suffix (UDF 2.1.5.3).
	if domain := b[216:248]; bytes.HasPrefix(domain[1:], []byte("*OSTA UDF Compliant")) {
		l.revision = binary.LittleEndian.Uint16(domain[24:])
	}
	var err error
	l.maps, err = splitMaps(b[440:], binary.LittleEndian.Uint32(b[264:]), binary.LittleEndian.Uint32(b[268:]))
	return l, err
}

var errMaps = errors.New("partition maps")

// splitMaps copies the partition maps (3/10.7).
func splitMaps(b []byte, length, count uint32) ([][]byte, error) {
	if int64(length) > int64(len(b)) || count == 0 || count > maxPartitionMaps {
		return nil, fmt.Errorf("%w: %w", errMaps, discfs.Damaged("there are none, or too many"))
	}
	b = bytes.Clone(b[:length])
	var maps [][]byte
	for range count {
		if len(b) < 2 || len(b) < int(b[1]) || !mapKnown(b) {
			return nil, fmt.Errorf("%w: %w", errMaps, discfs.Damaged("one that is unknown or too short"))
		}
		maps = append(maps, b[:b[1]])
		b = b[b[1]:]
	}
	return maps, nil
}

// mapKnown reports whether a map has one of the two types that there are (3/10.7.1), with
// its length.
func mapKnown(b []byte) bool {
	return b[0] == 1 && b[1] == 6 || b[0] == 2 && b[1] == 64
}
