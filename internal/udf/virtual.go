package udf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// maxTableSearch is how many sectors from the end of the image the entry of the
	// virtual allocation table may be. It belongs into the last one recorded (UDF 2.2.11),
	// but images may have the two of the run-out behind that, or be padded.
	maxTableSearch = 32
	// maxTable bounds the table: 4 bytes for each file of the volume.
	maxTable = 1 << 20
)

// virtual is a partition whose blocks a table maps to those of another: on a disc that
// can only be written once, a changed descriptor gets a new place (UDF 2.2.8).
type virtual struct {
	below partition
	table []byte // of 4 bytes each
}

func (p *virtual) run(block, _ int64) (offset, n int64, err error) {
	if block < 0 || block >= int64(len(p.table))/4 {
		return 0, 0, errOutside
	}
	// One that is not in use is mapped to 2^32-1, which is outside (UDF 2.2.11).
	return p.below.run(int64(binary.LittleEndian.Uint32(p.table[4*block:])), 1)
}

// mountVirtual looks for the virtual allocation table from the end of the image on.
func (s *space) mountVirtual(below uint16, budget *budget) (partition, error) {
	if s.size == 0 {
		return nil, errors.New("the virtual allocation table is at the end of an image of unknown size")
	}
	p, err := s.partition(below)
	if err != nil {
		return nil, err
	}
	start, _, err := p.run(0, 1)
	if err != nil {
		return nil, err
	}
	fault := discfs.Damaged("no virtual allocation table")
	for i, last := int64(0), s.size/s.sector-1; i < maxTableSearch; i++ {
		block := (last - i) - start/s.sector
		if block < 0 || block >= 1<<32 {
			continue
		}
		e, err := s.readEntry(address{below, uint32(block)}, budget)
		if err != nil {
			if !errors.Is(err, discfs.ErrDamaged) {
				fault = err // but the drive may have tried to read behind what is recorded
			}
			continue
		}
		table, err := s.readTable(e)
		if err == nil {
			return &virtual{p, table}, nil
		}
		fault = fmt.Errorf("virtual allocation table: %w", err)
	}
	return nil, fault
}

// readTable returns the mapping of the table that a file has, as revision 1.50 has it
// (UDF 1.50, 2.2.10), which has a trailer, or as those from 2.00 on (UDF 2.2.11), which
// has a header.
func (s *space) readTable(e *entry) ([]byte, error) {
	const trailer, header = 36, 152
	if e.fileType != typeUnspecified && e.fileType != typeVirtualTable {
		return nil, discfs.Damaged("the file is another")
	}
	b, err := s.readContent(e.size, e.extents, maxTable)
	if err != nil {
		return nil, err
	}
	if e.fileType == typeUnspecified {
		if len(b) < trailer || !bytes.HasPrefix(b[len(b)-trailer+1:], []byte("*UDF Virtual Alloc Tbl")) {
			return nil, discfs.Damaged("the file is another")
		}
		return b[:len(b)-trailer], nil
	}
	if len(b) < header {
		return nil, discfs.Damaged("it has no header")
	}
	length := int(binary.LittleEndian.Uint16(b))
	if length < header || length > len(b) {
		return nil, discfs.Damaged("its header has a wrong length")
	}
	return b[length:], nil
}
