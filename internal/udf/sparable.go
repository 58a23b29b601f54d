package udf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/azprov/azprov/internal/discfs"
)

// maxSparingTables are the copies that a map has room for (UDF 2.2.9).
const maxSparingTables = 4

// sparable is a partition in packets, of which defective ones are elsewhere (UDF 2.2.9).
type sparable struct {
	physical
	packet int64 // in blocks
	spared []sparedPacket
}

// sparedPacket is an entry of the sparing table (UDF 2.2.12).
type sparedPacket struct {
	original int64 // the first block, in the partition
	offset   int64 // in the image
}

func (p *sparable) run(block, count int64) (offset, n int64, err error) {
	offset, count, err = p.physical.run(block, count)
	if err != nil {
		return 0, 0, err
	}
	first := block - block%p.packet
	i, found := slices.BinarySearchFunc(p.spared, first, func(s sparedPacket, first int64) int {
		return cmp.Compare(s.original, first)
	})
	if found {
		return p.spared[i].offset + (block-first)*p.blockSize, min(count, first+p.packet-block), nil
	}
	if i < len(p.spared) {
		count = min(count, p.spared[i].original-block)
	}
	return offset, count, nil
}

// mountSparable reads the first good copy of the sparing table.
func (s *space) mountSparable(m []byte, p physical) (partition, error) {
	packet, copies, size := binary.LittleEndian.Uint16(m[40:]), int(m[42]), binary.LittleEndian.Uint32(m[44:])
	if packet == 0 {
		return nil, discfs.Damaged("packets of no length")
	}
	if copies == 0 || copies > maxSparingTables {
		return nil, discfs.Damaged("no sparing table, or too many")
	}
	var fault error
	for i := range copies {
		location := binary.LittleEndian.Uint32(m[48+4*i:])
		spared, err := s.readSparingTable(location, int64(size), int64(packet))
		if err == nil {
			return &sparable{p, int64(packet), spared}, nil
		}
		if fault == nil {
			fault = err
		}
	}
	return nil, fault
}

// readSparingTable reads a table (UDF 2.2.12), whose length is counted in 16 bits.
func (s *space) readSparingTable(location uint32, size, packet int64) ([]sparedPacket, error) {
	const (
		header = 56
		entry  = 8
		// From here on an entry stands for a spare packet without an original, or a
		// defective one.
		noOriginal = 0xfffffff0
	)
	b := make([]byte, s.sector)
	if err := s.read(b, int64(location)*s.sector); err != nil {
		return nil, err
	}
	length := header + entry*int64(binary.LittleEndian.Uint16(b[48:]))
	if length > size {
		return nil, discfs.Damaged("a sparing table longer than its room")
	}
	if length > s.sector {
		b = make([]byte, length)
		if err := s.read(b, int64(location)*s.sector); err != nil {
			return nil, err
		}
	}
	if err := checkDescriptor(b, location); err != nil {
		return nil, err
	}
	if descriptorTag(b) != tagSparingTable || !bytes.HasPrefix(b[17:], []byte("*UDF Sparing Table")) {
		return nil, discfs.Damaged("no sparing table")
	}
	var spared []sparedPacket
	for b = b[header:length]; len(b) > 0; b = b[entry:] {
		original, mapped := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if original >= noOriginal {
			continue
		}
		if int64(original)%packet != 0 {
			return nil, discfs.Damaged("a spared packet that is none")
		}
		spared = append(spared, sparedPacket{int64(original), int64(mapped) * s.sector})
	}
	slices.SortStableFunc(spared, func(a, b sparedPacket) int { return cmp.Compare(a.original, b.original) })
	return spared, nil
}
