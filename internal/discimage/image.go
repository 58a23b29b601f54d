package discimage

import (
	"bufio"
	"io"
	"io/fs"
	"time"
)

const (
	// firstDescriptor follows 16 sectors that are left to the system (ECMA-119, 6.2.1;
	// ECMA-167, 2/8.3).
	firstDescriptor = 16
	// padding at the end is what mkisofs's -pad adds, two seconds of a CD: drivers that read
	// ahead meet errors in the last sectors of a burnt disc, and what knows discs expects
	// them there. No virtual drive needs it.
	padding = 150
)

// image is the layout of a disc:
//
//	  16  ISO 9660: primary and supplementary volume descriptor, terminator
//	      UDF: volume recognition sequence
//	  32  UDF: main volume descriptor sequence
//	  48  UDF: reserve sequence
//	  64  UDF: logical volume integrity sequence
//	 256  UDF: anchor
//	      ISO 9660: path tables and directories, the primary ones and then Joliet's
//	      UDF: the partition: file set, file entries, directories
//	      data of the files, for UDF in the partition
//	      150 empty sectors
//	last  UDF: anchor
//
// What a disc does not have takes no room, but UDF's sectors up to 256 are where they are.
type image struct {
	tree *tree
	// parts before the data, and behind it, in order.
	before, behind []part
	sectors        int
}

// part is a structure of whole sectors. What it consists of depends on where others are,
// and so it is made when everything has its place.
type part struct {
	sector int
	bytes  func() []byte
}

func newImage(t *tree, format Format, label string, at time.Time) *image {
	var (
		i    = &image{tree: t}
		iso  = newISOVolume(t, label, at)
		udf  = newUDFVolume(t, label, at)
		next = firstDescriptor
	)
	if format.hasISO9660() {
		i.before = append(i.before, part{next, iso.descriptors})
		next += isoDescriptors
	}
	if format.hasUDF() {
		i.before = append(i.before, part{next, recognitionSequence})
		i.before = append(i.before, udf.fixedParts()...)
		next = firstAnchor + 1
	}
	if format.hasISO9660() {
		for _, tree := range iso.trees() {
			i.before = append(i.before, part{next, tree.bytes})
			next = tree.place(next)
		}
	}
	if format.hasUDF() {
		i.before = append(i.before, part{next, udf.partition})
		udf.start = next
		next = udf.place()
	}
	next = t.placeFiles(next)
	udf.length = next - udf.start
	next += padding
	if format.hasUDF() {
		i.behind = append(i.behind, part{next, func() []byte { return udf.anchor(next) }})
		i.sectors = next + 1
	} else {
		i.sectors = next
	}
	iso.sectors = i.sectors
	return i
}

// placeFiles gives every file its sectors and returns the one behind them. An empty file
// has none, only the position.
func (t *tree) placeFiles(sector int) int {
	for _, n := range t.nodes {
		if !n.dir {
			n.sector = sector
			sector += n.sectors()
		}
	}
	return sector
}

func (i *image) writeTo(w io.Writer, files fs.FS) error {
	out := &output{w: bufio.NewWriterSize(w, 32*sectorSize)}
	for _, p := range i.before {
		if err := out.bytes(p.sector, p.bytes()); err != nil {
			return err
		}
	}
	for _, n := range i.tree.nodes {
		if n.dir {
			continue
		}
		if err := out.file(files, n); err != nil {
			return err
		}
	}
	for _, p := range i.behind {
		if err := out.bytes(p.sector, p.bytes()); err != nil {
			return err
		}
	}
	if err := out.zeros(i.sectors); err != nil {
		return err
	}
	return out.w.Flush()
}
