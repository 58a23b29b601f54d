package discimage

import "time"

// isoTree is a hierarchy of directories; an image has two, which name the same data.
type isoTree struct {
	at time.Time
	// rockRidge: with the attributes and names of POSIX.
	rockRidge bool
	// directories in the order of the path table: by level, parent, name (ECMA-119, 6.9.1).
	directories []*isoDirectory
	// Sectors: of the little-endian path table, which the big-endian one follows and then
	// the directories; and of Rock Ridge's continuation area.
	pathTable, continuations int
	pathTableLength          int // In bytes.
}

type isoDirectory struct {
	node       *node
	identifier []byte
	parent     *isoDirectory // The root's is the root.
	number     int           // In the path table, from 1.
	entries    []isoEntry
	sector     int
	length     int // In bytes of whole sectors.
}

// isoEntry is a name in a directory.
type isoEntry struct {
	node       *node
	identifier []byte
	directory  *isoDirectory // Nil for a file.
}

// newISOTree makes a tree, in which names names the content of a directory and puts it in
// order.
func newISOTree(root *node, at time.Time, names func([]*node) []isoEntry, rockRidge bool) *isoTree {
	first := &isoDirectory{node: root, identifier: []byte{0}, number: 1}
	first.parent = first
	t := &isoTree{at: at, rockRidge: rockRidge, directories: []*isoDirectory{first}}
	// The list grows while it is walked, so that each level is complete before the next.
	for i := 0; i < len(t.directories); i++ {
		dir := t.directories[i]
		dir.entries = names(dir.node.children)
		for j, entry := range dir.entries {
			if !entry.node.dir {
				continue
			}
			child := &isoDirectory{
				node: entry.node, identifier: entry.identifier,
				parent: dir, number: len(t.directories) + 1,
			}
			dir.entries[j].directory = child
			t.directories = append(t.directories, child)
		}
	}
	return t
}

// place gives the tree its sectors, beginning with this one, and returns the one behind it.
func (t *isoTree) place(sector int) int {
	t.pathTable = sector
	t.pathTableLength = len(t.pathTableBytes(record.u16, record.u32))
	next := t.pathTable + 2*sectorsOf(t.pathTableLength)
	// What a listing says does not change how long it is.
	continued := &continuationArea{}
	for _, dir := range t.directories {
		dir.sector, dir.length = next, len(t.listing(dir, continued))
		next += sectorsOf(dir.length)
	}
	t.continuations = next
	return next + sectorsOf(len(continued.bytes))
}

// bytes is the tree as it is on the disc.
func (t *isoTree) bytes() []byte {
	b := padToSectors(t.pathTableBytes(record.u16, record.u32))
	b = append(b, padToSectors(t.pathTableBytes(record.big16, record.big32))...)
	continued := &continuationArea{sector: t.continuations}
	for _, dir := range t.directories {
		b = append(b, t.listing(dir, continued)...)
	}
	return append(b, padToSectors(continued.bytes)...)
}

// pathTableBytes is a path table in either order of octets (ECMA-119, 9.4).
func (t *isoTree) pathTableBytes(put16, put32 func(record, int, int)) []byte {
	var b []byte
	for _, dir := range t.directories {
		length := len(dir.identifier)
		r := make(record, 8+length+length%2)
		r.u8(0, length)
		put32(r, 2, dir.sector)
		put16(r, 6, dir.parent.number)
		r.put(8, dir.identifier)
		b = append(b, r...)
	}
	return b
}

// listing is the content of a directory: itself, its parent, and what it contains. No
// record crosses the end of a sector (ECMA-119, 6.8.1.1).
func (t *isoTree) listing(dir *isoDirectory, continued *continuationArea) []byte {
	var b []byte
	add := func(r record, use []byte) {
		r = append(r, use...)
		r = append(r, make([]byte, len(r)%2)...)
		r.u8(0, len(r))
		if len(b)%sectorSize+len(r) > sectorSize {
			b = padToSectors(b)
		}
		b = append(b, r...)
	}
	add(t.directoryRecord(dir, isoSelfName), t.selfUse(dir, continued))
	add(t.directoryRecord(dir.parent, isoParentName), t.parentUse(dir))
	for _, entry := range dir.entries {
		r := t.entryRecord(entry)
		add(r, t.entryUse(entry.node, len(r), continued))
	}
	return padToSectors(b)
}

const (
	// The identifiers of a directory in itself and of its parent (ECMA-119, 6.8.2.2).
	isoSelfName   = "\x00"
	isoParentName = "\x01"

	isoDirectoryFlag = 1 << 1 // ECMA-119, 9.1.6.
)

func (t *isoTree) entryRecord(e isoEntry) record {
	if e.directory != nil {
		return t.directoryRecord(e.directory, string(e.identifier))
	}
	return t.record(string(e.identifier), e.node.sector, e.node.size, 0)
}

func (t *isoTree) directoryRecord(dir *isoDirectory, identifier string) record {
	return t.record(identifier, dir.sector, dir.length, isoDirectoryFlag)
}

// record is a directory record without its system use (ECMA-119, 9.1).
func (t *isoTree) record(identifier string, sector, length, flags int) record {
	size := 33 + len(identifier)
	r := make(record, size+size%2)
	r.u8(0, len(r))
	r.both32(2, sector)
	r.both32(10, length)
	r.put(18, isoTime(t.at))
	r.u8(25, flags)
	r.both16(28, 1) // Volume of the set.
	r.u8(32, len(identifier))
	r.put(33, []byte(identifier))
	return r
}

// isoTime is a time in 7 octets, the last of which is the offset from UTC (ECMA-119,
// 9.1.5).
func isoTime(t time.Time) []byte {
	r := make(record, 7)
	for i, v := range []int{t.Year() - 1900, int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()} {
		r.u8(i, v)
	}
	return r
}
