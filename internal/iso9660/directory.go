package iso9660

import (
	"bytes"

	"github.com/azprov/azprov/internal/discfs"
)

const (
	// maxDirectory bounds a directory: [discfs.MaxEntries] records of the greatest length,
	// 255 bytes.
	maxDirectory = 1 << 20
	// maxSections bounds the sections of a file, of up to 4 GiB each. The largest Blu-ray
	// discs have 128 GB.
	maxSections = 64
)

// directory returns the node of a directory's record. It has no name yet.
func (t *tree) directory(r record) *discfs.Node {
	at := r.location * t.blockSize
	return &discfs.Node{
		ID: at, Dir: true, Size: r.length, ModTime: r.modTime(),
		Extents: []discfs.Extent{{Offset: at, Length: r.length}},
	}
}

// ReadDir lists a directory.
func (t *tree) ReadDir(dir *discfs.Node) ([]*discfs.Node, error) {
	if dir.Extents == nil {
		moved, err := t.moved(dir)
		if err != nil {
			return nil, err
		}
		dir = moved
	}
	l := listing{tree: t, entries: entries{tree: t}}
	// A directory is one section (ECMA-119, 6.8.1).
	if err := t.eachRecord(dir.Extents[0], l.add); err != nil {
		return nil, err
	}
	if l.file != nil {
		return nil, errLastSection
	}
	return l.nodes, nil
}

// eachRecord calls visit with the records of a directory. They do not go beyond a sector,
// the rest of which is zeros (ECMA-119, 6.8.1.1).
func (t *tree) eachRecord(extent discfs.Extent, visit func(record) error) error {
	if extent.Length > maxDirectory {
		return discfs.Damaged("a directory of more than 1 MiB")
	}
	sector := make([]byte, sectorSize)
	for at := int64(0); at < extent.Length; at += sectorSize {
		rest := sector[:min(sectorSize, extent.Length-at)]
		if err := t.read(rest, extent.Offset+at); err != nil {
			return err
		}
		for len(rest) > 0 && rest[0] != 0 {
			r, err := parseRecord(rest)
			if err != nil {
				return err
			}
			if err := visit(r); err != nil {
				return err
			}
			rest = rest[r.size:]
		}
	}
	return nil
}

var errLastSection = discfs.Damaged("a file without its last section")

// listing gathers the files and directories of a directory.
type listing struct {
	tree    *tree
	entries entries
	nodes   []*discfs.Node
	// file is that of which more sections have to follow, or nil, and identifier what all
	// their records have.
	file       *discfs.Node
	identifier []byte
	sections   int
	// refused: the file has a section that cannot be read here. Those behind it must not be
	// taken for its continuation.
	refused bool
}

func (l *listing) add(r record) error {
	// An associated file (ECMA-119, 6.5.4) is a second one of the same name, such as a
	// resource fork.
	if r.reserved() || r.flags&flagAssociated != 0 {
		return nil
	}
	if l.file == nil {
		node, err := l.begin(r)
		if err != nil || node.Dir {
			return err
		}
		l.file, l.sections = node, 0
	} else if !bytes.Equal(l.identifier, r.identifier) || r.directory() {
		return errLastSection
	}
	return l.addSection(r)
}

// begin adds a file without its sections, or a directory.
func (l *listing) begin(r record) (*discfs.Node, error) {
	node := &discfs.Node{ModTime: r.modTime()}
	if r.directory() {
		if r.more() || r.interleaved() {
			return nil, discfs.Damaged("a directory in pieces")
		}
		node = l.tree.directory(r)
	}
	shown, compressed := true, false
	switch l.tree.names {
	case namesJoliet:
		node.Name = jolietName(r)
	case namesRockRidge:
		a, err := l.entries.attributes(r)
		if err != nil {
			return nil, err
		}
		shown, compressed = a.shown(), a.compressed
		a.apply(l.tree, r, node)
	default:
		node.Name = plainName(r)
	}
	if shown {
		if len(l.nodes) == discfs.MaxEntries {
			return nil, discfs.Damaged("a directory of too many entries")
		}
		l.nodes = append(l.nodes, node)
	}
	l.identifier, l.refused = append(l.identifier[:0], r.identifier...), compressed
	return node, nil
}

func (l *listing) addSection(r record) error {
	if l.sections++; l.sections > maxSections {
		return discfs.Damaged("a file in too many sections")
	}
	l.file.Size += r.length
	l.refused = l.refused || r.interleaved()
	if !l.refused {
		l.file.Extents = append(l.file.Extents, discfs.Extent{Offset: r.location * l.tree.blockSize, Length: r.length})
	}
	if !r.more() {
		l.file = nil
	}
	return nil
}
