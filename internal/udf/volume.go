// Package udf reads volumes of the Universal Disk Format, revisions 1.02 to 2.60, without
// the kernel's help: a provisioning DVD has to be read where the udf module is missing,
// banned or not loaded yet.
//
// The format is ECMA-167, third edition, as OSTA's UDF restricts it. Comments cite the
// former as part/section (4/14.9 is section 14.9 of part 4) and the latter, revision
// 2.60, as UDF and a section. Named streams, extended attributes, links and devices are
// left out, volumes of several discs and sessions too.
//
// A volume may be damaged, or made to do harm: all that it counts is bounded, by the
// constants with "max" in their names.
package udf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/azprov/azprov/internal/discfs"
)

// ErrNotUDF is the error for an image without any trace of a UDF volume.
var ErrNotUDF = errors.New("not a UDF volume")

// Volume is an open volume. It is safe for concurrent use, as the image is.
type Volume struct {
	label    string
	revision uint16
	root     *discfs.Node
	tree     fs.FS
	faults   faults

	// mu guards what follows; the address space has one buffer.
	mu     sync.Mutex
	space  space
	budget budget
	// entries has what was read of files already: hard links share it.
	entries map[address]*entry
	// listings has the directories that were read, by the ID of their nodes: opening a
	// file lists all directories on its path.
	listings map[int64]listing
	// charged has the directories that the budget has paid for.
	charged map[int64]bool
}

// listing is the outcome of reading a directory.
type listing struct {
	nodes []*discfs.Node
	err   error
}

// Open reads the volume descriptors, the file set and the root directory's entry. Size is
// that of the image in bytes; of 0, it is not known, and an anchor or a virtual
// allocation table at the end of the image is not found.
//
// The error is [ErrNotUDF] if there is no volume, [discfs.ErrDamaged] if its structure is
// not right (with [io.ErrUnexpectedEOF] in it if the image ends early), and otherwise the
// image's own. Open does not insist on the sequence that [Recognize] looks for.
func Open(image io.ReaderAt, size int64) (*Volume, error) {
	if size > 0 {
		image = io.NewSectionReader(image, 0, size)
	}
	d, found, err := findDescriptors(image, max(size, 0))
	if err != nil {
		return nil, err
	}
	v := &Volume{
		label:    found.label(),
		revision: found.logical.revision,
		space:    space{disc: d},
		budget:   wholeBudget(),
		entries:  map[address]*entry{},
		listings: map[int64]listing{},
		charged:  map[int64]bool{},
	}
	v.faults.image = image
	if err := v.space.mount(found, &v.budget); err != nil {
		return nil, err
	}
	if err := v.findRoot(found.logical.fileSet); err != nil {
		return nil, err
	}
	v.tree = discfs.New(&v.faults, v)
	return v, nil
}

// FS is the tree of files. Names are as on the disc, in UTF-8. A file whose own descriptor
// cannot be read is listed with a byte, the reading of which fails.
func (v *Volume) FS() fs.FS { return v.tree }

// Label is the logical volume identifier, or the volume identifier if that is empty.
func (v *Volume) Label() string { return v.label }

// Revision of UDF as the volume states it, for example 0x0102; 0 if it states none.
func (v *Volume) Revision() uint16 { return v.revision }

// BlockSize is the size of a logical block in bytes, which is that of a logical sector.
func (v *Volume) BlockSize() int { return int(v.space.sector) }

// Root is the root directory, for discfs.
func (v *Volume) Root() *discfs.Node { return v.root }

// findRoot finds the root directory by the file set descriptor (4/14.1). There may be
// several file sets on WORM media only (UDF 2.3.2); the first is it.
func (v *Volume) findRoot(fileSet allocation) error {
	const rootICB = 400
	if fileSet.length == 0 {
		return discfs.Damaged("no file set descriptor")
	}
	b, _, err := v.space.readDescriptor(fileSet.at, &v.budget)
	if err != nil {
		return fmt.Errorf("file set descriptor: %w", err)
	}
	if descriptorTag(b) != tagFileSet {
		return discfs.Damaged("no file set descriptor")
	}
	root, err := v.space.readEntry(parseLong(b[rootICB:]).at, &v.budget)
	if err != nil {
		return fmt.Errorf("root directory: %w", err)
	}
	if root.fileType != typeDirectory {
		return discfs.Damaged("the root is no directory")
	}
	v.root = root.node("")
	return nil
}
