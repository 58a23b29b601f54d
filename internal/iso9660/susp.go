package iso9660

import (
	"encoding/binary"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// entryHeader is the length of a System Use entry (SUSP, 4.1) without its data:
	// signature, length, version.
	entryHeader = 4
	// maxContinuations bounds the continuation areas of a record, which may point at each
	// other. A name of 255 bytes and a symbolic link's target of 4096 need up to 3.
	maxContinuations = 16
	// maxContinuation bounds one of them. Writers keep them within a sector.
	maxContinuation = 2 * sectorSize
)

// continuation is where a System Use area goes on (SUSP, 5.1): nowhere if it is empty.
type continuation struct {
	block, offset, length int64
}

// signature of a System Use entry, two letters.
type signature uint16

// The signatures of SUSP that matter here.
const (
	entryCE signature = 'C'<<8 | 'E' // continuation area
	entryER signature = 'E'<<8 | 'R' // extensions reference
	entryST signature = 'S'<<8 | 'T' // terminator
)

// entries reads the System Use entries of one record after the other.
type entries struct {
	tree *tree
	// buffer for a continuation area, so that any number of them needs no more memory.
	buffer []byte
}

// each calls visit with the signature and the data of the entries of an area and its
// continuations. It must not keep the data.
func (e *entries) each(area []byte, visit func(s signature, data []byte) error) error {
	for range maxContinuations + 1 {
		next, err := walkArea(area, visit)
		if err != nil || next.length == 0 {
			return err
		}
		if next.length > maxContinuation {
			return discfs.Damaged("a continuation area is too long")
		}
		if e.buffer == nil {
			e.buffer = make([]byte, maxContinuation)
		}
		area = e.buffer[:next.length]
		if err := e.tree.read(area, next.block*e.tree.blockSize+next.offset); err != nil {
			return err
		}
	}
	return discfs.Damaged("a record has too many continuation areas")
}

// walkArea visits the entries of one area, and returns where it goes on.
func walkArea(area []byte, visit func(s signature, data []byte) error) (next continuation, err error) {
	// Up to three bytes at the end belong to no entry (SUSP, 4).
	for len(area) >= entryHeader && area[0] != 0 {
		length := int(area[2])
		if length < entryHeader || length > len(area) {
			return next, discfs.Damaged("a system use entry has an impossible length")
		}
		data := area[entryHeader:length]
		switch s := signature(binary.BigEndian.Uint16(area)); s {
		case entryST: // 5.4: what follows is not of SUSP.
			return next, nil
		case entryCE:
			if len(data) < 24 {
				return next, errEntryShort
			}
			next = continuation{bothOrders(data), bothOrders(data[8:]), bothOrders(data[16:])}
		default:
			if err := visit(s, data); err != nil {
				return next, err
			}
		}
		area = area[length:]
	}
	return next, nil
}

var errEntryShort = discfs.Damaged("a system use entry is too short")

// bothOrders reads a number of 32 bits in both byte orders; see parseRecord.
func bothOrders(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }
