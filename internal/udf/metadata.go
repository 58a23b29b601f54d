package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/azprov/azprov/internal/discfs"
)

// metadata is a partition that is the content of a file in another one (UDF 2.2.10,
// 2.2.13). A second file, the mirror, has the same content, in the same place or in
// another.
type metadata struct {
	blockSize int64
	extents   []discfs.Extent
	ends      []int64 // of the extents, in blocks from the beginning
	// mirrorAt is the entry of the mirror file, if that is not what is in use.
	mirrorAt *address
	mirror   *metadata // once it has been needed
}

func (p *metadata) run(block, count int64) (offset, n int64, err error) {
	i := sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > block })
	if block < 0 || i == len(p.ends) {
		return 0, 0, errOutside
	}
	e := p.extents[i]
	if e.Hole {
		return 0, 0, discfs.Damaged("a block of metadata that is not recorded")
	}
	left := p.ends[i] - block
	return e.Offset + e.Length - left*p.blockSize, min(count, left), nil
}

// mountMetadata reads the metadata file's entry, or the mirror's.
func (s *space) mountMetadata(m []byte, below uint16, budget *budget) (partition, error) {
	mainAt := address{below, binary.LittleEndian.Uint32(m[40:])}
	mirrorAt := address{below, binary.LittleEndian.Uint32(m[44:])}
	p, err := s.readMetadata(mainAt, typeMetadata, budget)
	if err == nil {
		p.mirrorAt = &mirrorAt
		return p, nil
	}
	p, mirrorErr := s.readMetadata(mirrorAt, typeMetadataMirror, budget)
	if mirrorErr != nil {
		return nil, fmt.Errorf("metadata file: %w", err)
	}
	return p, nil
}

// mirror returns the mirror, if there is one that the descriptors are not from already.
func (s *space) mirror(p *metadata, budget *budget) (*metadata, error) {
	if p.mirrorAt == nil {
		return nil, errors.New("there is no mirror")
	}
	if p.mirror == nil {
		mirror, err := s.readMetadata(*p.mirrorAt, typeMetadataMirror, budget)
		if err != nil {
			return nil, err
		}
		p.mirror = mirror
	}
	return p.mirror, nil
}

func (s *space) readMetadata(at address, fileType byte, budget *budget) (*metadata, error) {
	e, err := s.readEntry(at, budget)
	if err != nil {
		return nil, err
	}
	if e.fileType != fileType {
		return nil, discfs.Damaged("the file is another")
	}
	p := &metadata{blockSize: s.sector, extents: e.extents}
	end := int64(0)
	for _, extent := range e.extents {
		// The allocation unit is some blocks (UDF 2.2.10).
		if extent.Length%s.sector != 0 {
			return nil, discfs.Damaged("metadata in parts of blocks")
		}
		end += extent.Length / s.sector
		p.ends = append(p.ends, end)
	}
	return p, nil
}
