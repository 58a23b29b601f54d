package udf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/azprov/azprov/internal/discfs"
)

// maxDirectory bounds one directory; an entry has 40 bytes and its name.
const maxDirectory = 1 << 20

// The characteristics of a file identifier (4/14.4.3) that are looked at.
const (
	isDirectory = 1 << 1
	isDeleted   = 1 << 2
	isParent    = 1 << 3
)

// fileIdentifier is an entry of a directory (4/14.4).
type fileIdentifier struct {
	characteristics byte
	icb             allocation
	name            []byte
}

// parseIdentifier parses the file identifier that b begins with and returns what is left.
// Its location is not looked at: it is in a directory's content, not in what was left of
// something else in a block, and writers differ in what they say.
func parseIdentifier(b []byte) (id fileIdentifier, rest []byte, err error) {
	const header = 38
	if len(b) < header {
		return id, nil, discfs.Damaged("a directory ends within an entry")
	}
	name := header + int(binary.LittleEndian.Uint16(b[36:])) // behind the implementation's own
	end := name + int(b[19])
	length := (end + 3) / 4 * 4
	if length > len(b) {
		return id, nil, discfs.Damaged("a directory ends within an entry")
	}
	if err := checkTag(b[:length]); err != nil {
		return id, nil, err
	}
	if descriptorTag(b) != tagFileIdentifier {
		return id, nil, discfs.Damaged("something else than a file identifier in a directory")
	}
	return fileIdentifier{b[18], parseLong(b[20:]), b[name:end]}, b[length:], nil
}

// ReadDir lists a directory, for discfs. Files that are neither regular nor directories
// are left out, as are names of an encoding that there is not.
func (v *Volume) ReadDir(dir *discfs.Node) ([]*discfs.Node, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.listings[dir.ID]; ok {
		return known.nodes, known.err
	}
	left := &v.budget
	if v.charged[dir.ID] {
		again := wholeBudget()
		left = &again
	}
	v.charged[dir.ID] = true
	nodes, final, err := v.list(dir, left)
	if final {
		v.listings[dir.ID] = listing{nodes, err}
	}
	return nodes, err
}

// list reads a directory. The outcome is not final if the image could not be read
// somewhere: it may be another time.
func (v *Volume) list(dir *discfs.Node, left *budget) (nodes []*discfs.Node, final bool, err error) {
	content, err := v.readDirectory(dir, left)
	if err != nil {
		return nil, errors.Is(err, discfs.ErrDamaged), err
	}
	final = true
	for len(content) > 0 {
		var id fileIdentifier
		if id, content, err = parseIdentifier(content); err != nil {
			return nil, true, err
		}
		name, ok := decodeName(id.name)
		if id.characteristics&(isDeleted|isParent) != 0 || !ok {
			continue
		}
		if len(nodes) == discfs.MaxEntries {
			return nil, true, discfs.Damaged("too many entries in a directory")
		}
		if err := spend(&left.entries, 1); err != nil {
			return nil, true, err
		}
		e, err := v.entry(id.icb, left)
		switch {
		case errors.Is(err, errBudget):
			return nil, true, err
		case err != nil:
			final = final && errors.Is(err, discfs.ErrDamaged)
			nodes = append(nodes, v.faults.node(name, id, fmt.Errorf("file entry: %w", err)))
		case e.fileType == typeDirectory || e.fileType == typeRegular || e.fileType == typeRealTime || e.fileType == typeUnspecified:
			nodes = append(nodes, e.node(name))
		}
	}
	return nodes, final, nil
}

func (v *Volume) readDirectory(dir *discfs.Node, left *budget) ([]byte, error) {
	if err := v.faults.of(dir); err != nil {
		return nil, err
	}
	if err := spend(&left.directories, int(min(dir.Size, maxDirectory))); err != nil {
		return nil, err
	}
	return v.space.readContent(dir.Size, dir.Extents, maxDirectory)
}

// entry reads a file's entry once.
func (v *Volume) entry(icb allocation, left *budget) (*entry, error) {
	if icb.length == 0 {
		return nil, discfs.Damaged("there is none")
	}
	if e, ok := v.entries[icb.at]; ok {
		return e, nil
	}
	e, err := v.space.readEntry(icb.at, left)
	if err == nil {
		v.entries[icb.at] = e
	}
	return e, err
}
