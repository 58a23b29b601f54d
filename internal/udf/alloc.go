package udf

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// maxFileExtents of one file; a descriptor can have 1 GiB, so that a file that was
	// written in one go has a few.
	maxFileExtents = 8192
	// maxContinuations bounds the allocation extents of one file: one of the smallest
	// blocks has room for 24 descriptors or more.
	maxContinuations = 512
)

// The forms of allocation descriptors (4/14.6.8), by the value in the ICB tag's flags.
const (
	formShort    = 0
	formLong     = 1
	formExtended = 2
	formWithin   = 3 // the content itself in their place
)

// The types of extents (4/14.14.1.1): there is content, there is room, neither; and the
// extent has more allocation descriptors.
const (
	extentRecorded = iota
	extentAllocated
	extentHole
	extentNext
)

// allocation is an allocation descriptor (4/14.14).
type allocation struct {
	kind   uint32
	length int64
	at     address
}

// parseLength splits the length, whose upper two bits are the type.
func parseLength(b []byte) (kind uint32, length int64) {
	n := binary.LittleEndian.Uint32(b)
	return n >> 30, int64(n & (1<<30 - 1))
}

// parseLong parses a long allocation descriptor (4/14.14.2).
func parseLong(b []byte) allocation {
	kind, length := parseLength(b)
	return allocation{kind, length, address{binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint32(b[4:])}}
}

// parseAllocation parses the first descriptor of b and returns what is left. Short ones
// are in the partition home.
func parseAllocation(b []byte, form byte, home uint16) (a allocation, rest []byte, err error) {
	size := [...]int{formShort: 8, formLong: 16, formExtended: 20}[form]
	if len(b) < size {
		return allocation{}, nil, nil // the end, as one without length
	}
	switch form {
	case formShort: // 4/14.14.1
		kind, length := parseLength(b)
		a = allocation{kind, length, address{home, binary.LittleEndian.Uint32(b[4:])}}
	case formLong:
		a = parseLong(b)
	case formExtended: // 4/14.14.3
		kind, length := parseLength(b)
		a = allocation{kind, length, address{binary.LittleEndian.Uint16(b[16:]), binary.LittleEndian.Uint32(b[12:])}}
		recorded, information := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
		if kind == extentRecorded && length > 0 {
			if recorded != information || int64(information) > length {
				err = discfs.Damaged("an extent that is compressed, or longer than its room")
			}
			a.length = int64(information)
		}
	}
	return a, b[size:], err
}

// readExtents returns the extents of a file of that size, from its allocation descriptors
// and those that they continue in (4/12.1).
func (s *space) readExtents(b []byte, form byte, home uint16, size int64, budget *budget) ([]discfs.Extent, error) {
	if form > formExtended {
		return nil, discfs.Damaged(fmt.Sprintf("allocation descriptors of form %d", form))
	}
	var (
		extents       []discfs.Extent
		total         int64
		continuations int
	)
	for total < size {
		a, rest, err := parseAllocation(b, form, home)
		if err != nil {
			return nil, err
		}
		if a.length == 0 {
			break
		}
		b = rest
		if a.kind == extentNext {
			if continuations++; continuations > maxContinuations {
				return nil, discfs.Damaged("too many allocation extents")
			}
			if b, err = s.readContinuation(a, budget); err != nil {
				return nil, fmt.Errorf("allocation extent: %w", err)
			}
			continue
		}
		a.length = min(a.length, size-total) // behind it is room for the file to grow into
		total += a.length
		if extents, err = s.appendRuns(extents, a, budget); err != nil {
			return nil, err
		}
	}
	return extents, nil
}

// readContinuation returns the allocation descriptors of an allocation extent (4/14.5),
// which has one block at most (UDF 2.3.11).
func (s *space) readContinuation(a allocation, budget *budget) ([]byte, error) {
	const header = 24
	b, _, err := s.readDescriptor(a.at, budget)
	if err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(b[20:]))
	if descriptorTag(b) != tagAllocationExtent || header+length > min(a.length, int64(len(b))) {
		return nil, discfs.Damaged("the descriptor is another, or too long")
	}
	return b[header : header+length], nil
}

// appendRuns appends where the extent is in the image.
func (s *space) appendRuns(extents []discfs.Extent, a allocation, budget *budget) ([]discfs.Extent, error) {
	if a.kind != extentRecorded {
		return appendExtent(extents, discfs.Extent{Length: a.length, Hole: true}, budget)
	}
	p, err := s.partition(a.at.partition)
	if err != nil {
		return nil, err
	}
	block, left := int64(a.at.block), a.length
	for left > 0 {
		offset, n, err := p.run(block, (left+s.sector-1)/s.sector)
		if err != nil {
			return nil, err
		}
		length := min(left, n*s.sector)
		if extents, err = appendExtent(extents, discfs.Extent{Offset: offset, Length: length}, budget); err != nil {
			return nil, err
		}
		block += n
		left -= length
	}
	return extents, nil
}

func appendExtent(extents []discfs.Extent, e discfs.Extent, budget *budget) ([]discfs.Extent, error) {
	if len(extents) == maxFileExtents {
		return nil, discfs.Damaged("too many extents")
	}
	if err := spend(&budget.extents, 1); err != nil {
		return nil, err
	}
	return append(extents, e), nil
}

// readContent reads all of a file, of limit bytes at most.
func (s *space) readContent(size int64, extents []discfs.Extent, limit int64) ([]byte, error) {
	if size > limit {
		return nil, discfs.Damaged(fmt.Sprintf("a table or directory of over %d bytes", limit))
	}
	b := make([]byte, size)
	rest := b
	for _, e := range extents {
		part := rest[:min(e.Length, int64(len(rest)))]
		rest = rest[len(part):]
		if e.Hole {
			continue
		}
		if err := s.read(part, e.Offset); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %w", discfs.Damaged("a table or directory ends early"), io.ErrUnexpectedEOF)
	}
	return b, nil
}
