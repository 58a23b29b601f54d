// Package discfs makes an [fs.FS] of a volume whose directories and extents a reader of a
// disc's file system has found. It has the bounds that both such readers need: a disc
// may be damaged, or made to do harm.
package discfs

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// MaxDepth is how deep a path may be. Provisioning media have their files at the root.
	MaxDepth = 16
	// MaxEntries of one directory.
	MaxEntries = 4096
	// MaxListed bounds the entries that one volume lists in its life, so that walking a
	// tree whose directories are in each other comes to an end. Opening a file lists the
	// directories on its path: it is enough to open some 26,000 times on a disc with ten
	// files, and each of 500 files in one directory once.
	MaxListed = 1 << 18
)

var (
	// ErrDamaged is in the tree of every error about the volume's own structure.
	ErrDamaged = errors.New("the volume is damaged")
	errDepth   = errors.New("too many levels of directories")
	errLoop    = Damaged("a directory that is inside itself")
	errListed  = errors.New("too many entries")
)

// Damaged returns an error that is [ErrDamaged] and says why.
func Damaged(why string) error { return damaged(why) }

type damaged string

func (d damaged) Error() string        { return "the volume is damaged: " + string(d) }
func (d damaged) Is(target error) bool { return target == ErrDamaged }

// Extent is a run of bytes of the image that is part of a file.
type Extent struct {
	// Offset is in bytes from the beginning of the image.
	Offset int64
	Length int64
	// Hole: nothing is recorded, and it reads as zeros.
	Hole bool
}

// Node is a file or a directory.
type Node struct {
	// Name without a path; the root has none.
	Name string
	// ID is the same for the same directory however it is reached, for example where its
	// descriptor is. It is not looked at for files.
	ID      int64
	Dir     bool
	Size    int64
	ModTime time.Time
	// Extents make up the content, in order. What they lack of Size reads as an error.
	Extents []Extent
	// Data is the content in place of extents, if it is held within the file's descriptor.
	Data []byte
}

// Volume is what a reader of a file system provides. It must be safe for concurrent use.
type Volume interface {
	Root() *Node
	// ReadDir lists a directory that the volume has returned before, without "." and
	// "..", at most MaxEntries, in any order. Of a name that is there twice the first
	// counts.
	ReadDir(dir *Node) ([]*Node, error)
}

// New returns the volume as a read-only file system. Names are compared byte for byte.
func New(image io.ReaderAt, volume Volume) fs.FS {
	return &fileSystem{image: image, volume: volume}
}

type fileSystem struct {
	image  io.ReaderAt
	volume Volume
	listed atomic.Int64
}

// Open opens a file or a directory.
func (f *fileSystem) Open(name string) (fs.File, error) {
	node, err := f.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if node.Dir {
		return &directory{fileSystem: f, node: node, name: name}, nil
	}
	return &file{node: node, content: io.NewSectionReader(content{f.image, node}, 0, node.Size)}, nil
}

func (f *fileSystem) find(name string) (*Node, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	node := f.volume.Root()
	if name == "." {
		return node, nil
	}
	seen := []int64{node.ID}
	for part := range strings.SplitSeq(name, "/") {
		if !node.Dir {
			return nil, fs.ErrNotExist
		}
		if len(seen) > MaxDepth {
			return nil, errDepth
		}
		children, err := f.list(node)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(children, func(n *Node) bool { return n.Name == part })
		if i < 0 {
			return nil, fs.ErrNotExist
		}
		node = children[i]
		if node.Dir && slices.Contains(seen, node.ID) {
			return nil, errLoop
		}
		seen = append(seen, node.ID)
	}
	return node, nil
}

// list returns the children with a name that a path can have, each name once, sorted.
func (f *fileSystem) list(dir *Node) ([]*Node, error) {
	if f.listed.Load() > MaxListed {
		return nil, errListed // without the work of listing more
	}
	children, err := f.volume.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if f.listed.Add(int64(len(children))) > MaxListed || len(children) > MaxEntries {
		return nil, errListed
	}
	usable := make([]*Node, 0, len(children))
	for _, child := range children {
		if fs.ValidPath(child.Name) && child.Name != "." && !strings.Contains(child.Name, "/") {
			usable = append(usable, child)
		}
	}
	byName := func(a, b *Node) int { return strings.Compare(a.Name, b.Name) }
	slices.SortStableFunc(usable, byName)
	return slices.CompactFunc(usable, func(a, b *Node) bool { return a.Name == b.Name }), nil
}

// content reads a node's bytes.
type content struct {
	image io.ReaderAt
	node  *Node
}

// ReadAt reads from the node's data or extents. Its section reader never asks for anything
// beyond the size, so that what is lacking is an error.
func (c content) ReadAt(b []byte, at int64) (int, error) {
	n, err := 0, error(nil)
	if c.node.Data != nil {
		n = copy(b, c.node.Data[min(at, int64(len(c.node.Data))):])
	} else {
		n, err = c.readExtents(b, at)
	}
	if err == nil && n < len(b) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c content) readExtents(b []byte, at int64) (n int, err error) {
	start := int64(0)
	for _, extent := range c.node.Extents {
		if n == len(b) {
			break
		}
		if from := at + int64(n) - start; from < extent.Length {
			want := min(int64(len(b)-n), extent.Length-from)
			if err := c.readExtent(b[n:n+int(want)], extent, from); err != nil {
				return n, err
			}
			n += int(want)
		}
		start += extent.Length
	}
	return n, nil
}

func (c content) readExtent(b []byte, extent Extent, from int64) error {
	if extent.Hole {
		clear(b)
		return nil
	}
	n, err := c.image.ReadAt(b, extent.Offset+from)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the image ends inside the file
	}
	return err
}

type file struct {
	node    *Node
	content *io.SectionReader
}

func (f *file) Stat() (fs.FileInfo, error)                   { return info{f.node}, nil }
func (f *file) Read(b []byte) (int, error)                   { return f.content.Read(b) }
func (f *file) ReadAt(b []byte, at int64) (int, error)       { return f.content.ReadAt(b, at) }
func (f *file) Seek(offset int64, whence int) (int64, error) { return f.content.Seek(offset, whence) }
func (f *file) Close() error                                 { return nil }

type directory struct {
	*fileSystem
	node *Node
	name string
	rest []fs.DirEntry // when it has been read
	read bool
}

func (d *directory) Stat() (fs.FileInfo, error) { return info{d.node}, nil }
func (d *directory) Close() error               { return nil }

// Read fails: a directory is listed.
func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir lists the next n entries, or all that are left.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		children, err := d.list(d.node)
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: d.name, Err: err}
		}
		for _, child := range children {
			d.rest = append(d.rest, fs.FileInfoToDirEntry(info{child}))
		}
		d.read = true
	}
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	entries := d.rest[:n:n]
	d.rest = d.rest[n:]
	return entries, nil
}

type info struct{ node *Node }

func (i info) Name() string {
	if i.node.Name == "" {
		return "."
	}
	return i.node.Name
}
func (i info) Size() int64        { return i.node.Size }
func (i info) ModTime() time.Time { return i.node.ModTime }
func (i info) IsDir() bool        { return i.node.Dir }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.node.Dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
