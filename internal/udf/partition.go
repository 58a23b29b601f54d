package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/azprov/azprov/internal/discfs"
)

// address is a block of a partition (4/7.1), which is given by its index among the
// logical volume's partition maps.
type address struct {
	partition uint16
	block     uint32
}

// partition has the blocks of one partition map.
type partition interface {
	// run returns where in the image the block is, in bytes, and how many blocks from it on
	// follow each other there: at least 1, at most count.
	run(block, count int64) (offset, n int64, err error)
}

var errOutside = discfs.Damaged("a block outside its partition")

// physical is a partition of type 1 (3/10.7.2).
type physical struct {
	start     int64 // in bytes
	blocks    int64
	blockSize int64
}

func (p physical) run(block, count int64) (offset, n int64, err error) {
	if block < 0 || count < 1 || block >= p.blocks || count > p.blocks-block {
		return 0, 0, errOutside
	}
	return p.start + block*p.blockSize, count, nil
}

// mapPartition is the number of the partition that a map is for.
func mapPartition(m []byte) uint16 {
	if m[0] == 1 {
		return binary.LittleEndian.Uint16(m[4:])
	}
	return binary.LittleEndian.Uint16(m[38:])
}

// mapKind is what a map's partition type identifier says (UDF 2.2.8 to 2.2.10); of type 1
// it is empty.
func mapKind(m []byte) string {
	if m[0] == 1 {
		return ""
	}
	return strings.TrimRight(string(m[5:28]), "\x00")
}

// space are the partitions of the logical volume, and how to read descriptors there. It
// is not safe for concurrent use.
type space struct {
	disc
	partitions []partition
	// buffer has the block read last.
	buffer []byte
}

// mount sets up the partitions. Those that lie in another one are found with files in
// that, and so come second.
func (s *space) mount(found *descriptors, budget *budget) error {
	s.buffer = make([]byte, s.sector)
	maps := found.logical.maps
	s.partitions = make([]partition, len(maps))
	for i, m := range maps {
		d := found.partitions[mapPartition(m)]
		p := physical{int64(d.start) * s.sector, int64(d.length), s.sector}
		switch mapKind(m) {
		case "":
			s.partitions[i] = p
		case "*UDF Sparable Partition":
			sparable, err := s.mountSparable(m, p)
			if err != nil {
				return fmt.Errorf("sparable partition: %w", err)
			}
			s.partitions[i] = sparable
		}
	}
	for i, m := range maps {
		if s.partitions[i] != nil {
			continue
		}
		below, err := s.below(maps, m)
		if err != nil {
			return err
		}
		switch kind := mapKind(m); kind {
		case "*UDF Virtual Partition":
			s.partitions[i], err = s.mountVirtual(below, budget)
		case "*UDF Metadata Partition":
			s.partitions[i], err = s.mountMetadata(m, below, budget)
		default:
			err = discfs.Damaged(fmt.Sprintf("a partition of the unknown type %.23q", kind))
		}
		if err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return nil
}

// below finds the partition that the one of the map lies in: that with the same number
// (UDF 2.2.8, 2.2.10).
func (s *space) below(maps [][]byte, m []byte) (uint16, error) {
	for i, other := range maps {
		if kind := mapKind(other); mapPartition(other) == mapPartition(m) && (kind == "" || kind == "*UDF Sparable Partition") {
			return uint16(i), nil
		}
	}
	return 0, discfs.Damaged("a partition inside one that is not there")
}

// partition returns the one of a reference.
func (s *space) partition(reference uint16) (partition, error) {
	if int(reference) >= len(s.partitions) || s.partitions[reference] == nil {
		return nil, discfs.Damaged(fmt.Sprintf("no partition %d", reference))
	}
	return s.partitions[reference], nil
}

// readDescriptor reads and checks the descriptor in a block, and returns the block and
// where in the image it is. The bytes are good until the next one is read. Of metadata
// there may be a second copy.
func (s *space) readDescriptor(at address, budget *budget) (b []byte, offset int64, err error) {
	p, err := s.partition(at.partition)
	if err != nil {
		return nil, 0, err
	}
	b, offset, err = s.readBlock(p, at, budget)
	if m, ok := p.(*metadata); ok && err != nil && !errors.Is(err, errBudget) {
		if mirror, mirrorErr := s.mirror(m, budget); mirrorErr == nil {
			if b, offset, mirrorErr := s.readBlock(mirror, at, budget); mirrorErr == nil {
				return b, offset, nil
			}
		}
	}
	return b, offset, err
}

func (s *space) readBlock(p partition, at address, budget *budget) (b []byte, offset int64, err error) {
	if err := spend(&budget.blocks, 1); err != nil {
		return nil, 0, err
	}
	offset, _, err = p.run(int64(at.block), 1)
	if err != nil {
		return nil, 0, err
	}
	if err := s.read(s.buffer, offset); err != nil {
		return nil, 0, err
	}
	return s.buffer, offset, checkDescriptor(s.buffer, at.block)
}
