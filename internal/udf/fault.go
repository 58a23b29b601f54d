package udf

import (
	"io"
	"sync"

	"github.com/azprov/azprov/internal/discfs"
)

// faultStart is beyond the end of any image: partitions end before 2^45. Where nodes say
// that their content is there, reading it fails with what was wrong with the file's
// entry. So one bad file does not take the others of its directory with it, and is not
// taken for one that does not exist.
const faultStart = 1 << 62

// faults is the image, with the faults of files behind it.
type faults struct {
	image io.ReaderAt
	mu    sync.Mutex
	found map[int64]error // by offset
}

// node returns a node that cannot be read. Its offset tells where its entry should have
// been, so that there are no more than the volume has.
func (f *faults) node(name string, id fileIdentifier, err error) *discfs.Node {
	offset := int64(faultStart) | int64(id.icb.at.partition)<<32 | int64(id.icb.at.block)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found == nil {
		f.found = map[int64]error{}
	}
	f.found[offset] = err
	return &discfs.Node{
		Name: name, ID: offset, Dir: id.characteristics&isDirectory != 0,
		Size: 1, Extents: []discfs.Extent{{Offset: offset, Length: 1}},
	}
}

// of returns the fault of a node, if it has one.
func (f *faults) of(n *discfs.Node) error {
	if n.ID < faultStart {
		return nil
	}
	return f.at(n.ID)
}

func (f *faults) at(offset int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.found[offset]
}

// ReadAt reads the image.
func (f *faults) ReadAt(b []byte, offset int64) (int, error) {
	if offset >= faultStart {
		return 0, f.at(offset)
	}
	return f.image.ReadAt(b, offset)
}
