package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/azprov/azprov/internal/discfs"
)

// maxIndirections bounds the chain of entries of strategy 4096: one for each time that
// the file was changed on a disc that is written once.
const maxIndirections = 64

// The types of files (4/14.6.6, UDF 2.3.5.2) that are looked at.
const (
	typeUnspecified    = 0
	typeDirectory      = 4
	typeRegular        = 5
	typeVirtualTable   = 248
	typeRealTime       = 249 // a regular file otherwise
	typeMetadata       = 250
	typeMetadataMirror = 251
)

// entry is what a file entry says (4/14.9, 4/14.17).
type entry struct {
	fileType byte
	offset   int64 // of the file entry in the image
	size     int64
	modTime  time.Time
	extents  []discfs.Extent
}

// node returns the entry under a name. What identifies a directory is where its entry is.
func (e *entry) node(name string) *discfs.Node {
	return &discfs.Node{
		Name: name, ID: e.offset, Dir: e.fileType == typeDirectory,
		Size: e.size, ModTime: e.modTime, Extents: e.extents,
	}
}

// layout is where a file entry has its fields, in bytes.
type layout struct {
	modTime, attributes, end int
}

var (
	fileEntry     = layout{84, 168, 176} // 4/14.9
	extendedEntry = layout{92, 208, 216} // 4/14.17
)

// readEntry reads a file's entry. Content that is within it is an extent like another.
func (s *space) readEntry(at address, budget *budget) (*entry, error) {
	b, at, offset, err := s.directEntry(at, budget)
	if err != nil {
		return nil, err
	}
	l := fileEntry
	if descriptorTag(b) == tagExtendedEntry {
		l = extendedEntry
	}
	size := binary.LittleEndian.Uint64(b[56:])
	if size > math.MaxInt64 {
		return nil, discfs.Damaged("a file larger than can be")
	}
	e := &entry{
		fileType: b[icbTag+11],
		offset:   offset,
		size:     int64(size),
		modTime:  decodeTime(b[l.modTime:]),
	}
	attributes := int64(binary.LittleEndian.Uint32(b[l.attributes:]))
	allocations := int64(binary.LittleEndian.Uint32(b[l.attributes+4:]))
	begin := int64(l.end) + attributes
	if begin+allocations > int64(len(b)) {
		return nil, discfs.Damaged("a file entry longer than its block")
	}
	switch form := b[icbTag+18] & 7; {
	case form == formWithin && e.size > allocations:
		return nil, discfs.Damaged("a file longer than the content in its entry")
	case form == formWithin:
		e.extents = []discfs.Extent{{Offset: offset + begin, Length: e.size}}
		err = spend(&budget.extents, 1)
	default:
		e.extents, err = s.readExtents(b[begin:begin+allocations], form, at.partition, e.size, budget)
	}
	return e, err
}

// icbTag is where in an entry the ICB tag is (4/14.6).
const icbTag = tagLength

// directEntry finds the file entry that is in force: with strategy 4, the only one; with
// 4096 the last of a chain, in which an indirect entry behind the file entry leads to the
// next (4/14.6.2, UDF 2.3.5.1, 6.6).
func (s *space) directEntry(at address, budget *budget) (b []byte, in address, offset int64, err error) {
	for range maxIndirections {
		b, offset, err = s.readDescriptor(at, budget)
		if err != nil {
			return nil, at, 0, err
		}
		if tag := descriptorTag(b); tag != tagFileEntry && tag != tagExtendedEntry {
			return nil, at, 0, discfs.Damaged("no file entry")
		}
		switch strategy := binary.LittleEndian.Uint16(b[icbTag+4:]); strategy {
		case 4:
			return b, at, offset, nil
		case 4096:
		default:
			return nil, at, 0, discfs.Damaged(fmt.Sprintf("a file of strategy %d", strategy))
		}
		next, err := s.indirectEntry(at, budget)
		if err != nil {
			return nil, at, 0, err
		}
		if next.length == 0 {
			b, offset, err = s.readDescriptor(at, budget)
			return b, at, offset, err
		}
		at = next.at
	}
	return nil, at, 0, discfs.Damaged("too many indirect entries")
}

// indirectEntry returns where the indirect entry (4/14.7) behind a file entry leads to;
// nowhere, if there is none yet. What has not been written cannot be read, on some media.
func (s *space) indirectEntry(at address, budget *budget) (allocation, error) {
	if at.block == math.MaxUint32 {
		return allocation{}, errOutside
	}
	at.block++
	b, _, err := s.readDescriptor(at, budget)
	switch {
	case err == nil && descriptorTag(b) == tagIndirectEntry:
		return parseLong(b[36:]), nil
	case err == nil || !errors.Is(err, discfs.ErrDamaged) || b != nil && unrecorded(b):
		return allocation{}, nil
	}
	return allocation{}, err
}
