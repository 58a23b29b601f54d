package discimage

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"slices"
	"strings"
)

var (
	errLevels  = errors.New("too many levels of directories")
	errEntries = fmt.Errorf("over %d files and directories", maxEntries)
	errData    = fmt.Errorf("over %d bytes of data", maxData)
)

// node is a file or directory that goes onto the disc.
type node struct {
	// path in the file system that is read, "." for the root.
	path   string
	name   string
	parent *node // The root's is the root.
	dir    bool
	level  int // Of a directory, 1 for the root.
	size   int // Of a file.

	children []*node
	// index counts the nodes in the order of [tree.nodes].
	index int
	// sector of a file's data, from the beginning of the image.
	sector int
	// block and length of a directory's UDF listing; block counts from the beginning of the
	// partition.
	block, length int
}

func (n *node) sectors() int { return sectorsOf(n.size) }

func (n *node) subdirectories() int {
	count := 0
	for _, child := range n.children {
		if child.dir {
			count++
		}
	}
	return count
}

// tree is all that goes onto the disc.
type tree struct {
	// nodes begin with the root. A directory comes before what it contains, and that is in
	// the order of the names.
	nodes []*node
	data  int // Bytes of whole sectors.
}

func (t *tree) root() *node { return t.nodes[0] }

// walk lists the file system and refuses what the format cannot hold.
func walk(files fs.FS, format Format) (*tree, error) {
	root := &node{path: ".", dir: true, level: 1}
	root.parent = root
	t := &tree{nodes: []*node{root}}
	if err := t.list(files, format, root); err != nil {
		return nil, err
	}
	return t, nil
}

// list adds what is in a directory, and below.
func (t *tree) list(files fs.FS, format Format, dir *node) error {
	entries, err := fs.ReadDir(files, dir.path)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for i, entry := range entries {
		if i > 0 && entries[i-1].Name() == entry.Name() {
			return fmt.Errorf("%q: %q is there twice", dir.path, entry.Name())
		}
		child := &node{
			path: path.Join(dir.path, entry.Name()), name: entry.Name(),
			parent: dir, dir: entry.IsDir(), level: dir.level + 1,
		}
		if err := t.add(child, entry, format); err != nil {
			return fmt.Errorf("%q: %w", child.path, err)
		}
		if child.dir {
			if err := t.list(files, format, child); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tree) add(n *node, entry fs.DirEntry, format Format) error {
	if len(t.nodes) == maxEntries {
		return errEntries
	}
	if err := checkName(format, n); err != nil {
		return err
	}
	switch {
	case n.dir:
		if n.level > maxLevels || format.hasISO9660() && n.level > isoLevels {
			return errLevels
		}
	case entry.Type().IsRegular():
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() < 0 || info.Size() > maxData {
			return errData
		}
		n.size = int(info.Size())
		if t.data += n.sectors() * sectorSize; t.data > maxData {
			return errData
		}
	default:
		return errors.New("neither a regular file nor a directory")
	}
	n.index = len(t.nodes)
	n.parent.children = append(n.parent.children, n)
	t.nodes = append(t.nodes, n)
	return nil
}

// directories is the number of directories, the root included.
func (t *tree) directories() int {
	count := 0
	for _, n := range t.nodes {
		if n.dir {
			count++
		}
	}
	return count
}

// fingerprint tells trees apart that were written at the same time.
func (t *tree) fingerprint(label string) uint32 {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%q\n", label)
	for _, n := range t.nodes {
		_, _ = fmt.Fprintf(h, "%q %t %d\n", n.path, n.dir, n.size)
	}
	return h.Sum32()
}
