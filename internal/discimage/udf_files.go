package discimage

// Blocks of the partition.
const (
	fileSetBlock = 0
	// A terminating descriptor ends the file set sequence (ECMA-167, 4/8.3.1).
	firstEntryBlock = 2
)

// Tag identifiers of ECMA-167, 4/7.2.1.
const (
	tagFileSet        = 256
	tagFileIdentifier = 257
	tagFileEntry      = 261
)

const (
	fileEntrySize      = 176 // Without allocation descriptors (ECMA-167, 4/14.9).
	fileIdentifierSize = 38  // Without the name (ECMA-167, 4/14.4).

	// File types (ECMA-167, 4/14.6.6).
	typeDirectory = 4
	typeFile      = 5

	// Everyone may read, and search directories: five bits for others, the group and the
	// owner, of which 0 is execute and 2 is read (ECMA-167, 4/14.9.5).
	mayRead   = 4<<10 | 4<<5 | 4
	maySearch = 1<<10 | 1<<5 | 1

	// File characteristics (ECMA-167, 4/14.4.3).
	isDirectory = 1 << 1
	isParent    = 1 << 3
)

// entryBlock has the file entry of a node.
func entryBlock(n *node) int { return firstEntryBlock + n.index }

// place gives every directory its blocks and returns the sector behind the partition's
// structures, where the data begins.
func (v *udfVolume) place() int {
	block := firstEntryBlock + len(v.tree.nodes)
	for _, n := range v.tree.nodes {
		if n.dir {
			n.block, n.length = block, listingLength(n)
			block += sectorsOf(n.length)
		}
	}
	return v.start + block
}

// partition is everything in it but the data.
func (v *udfVolume) partition() []byte {
	b := sectorEach(v.fileSet(), make(record, 512).seal(tagTerminating, fileSetBlock+1))
	for _, n := range v.tree.nodes {
		b = append(b, sectorEach(v.fileEntry(n))...)
	}
	for _, n := range v.tree.nodes {
		if n.dir {
			b = append(b, padToSectors(listing(n))...)
		}
	}
	return b
}

// fileSet is the file set descriptor (ECMA-167, 4/14.1; UDF 1.02, 2.3.2).
func (v *udfVolume) fileSet() record {
	r := make(record, 512)
	r.timestamp(16, v.at)
	r.u16(28, 3) // Interchange levels.
	r.u16(30, 3)
	r.u32(32, 1) // Character sets: CS0 alone.
	r.u32(36, 1)
	r.charspec(48)
	r.dstring(112, 128, v.label)
	r.charspec(240)
	r.dstring(304, 32, v.label)
	r.longAD(400, sectorSize, entryBlock(v.tree.root()))
	r.domainID(416)
	return r.seal(tagFileSet, fileSetBlock)
}

// fileEntry describes a file or a directory. It belongs to root, because user and group 0
// are; the file type says that there is no record structure (ECMA-167, 4/14.9; UDF 1.02,
// 2.3.6).
func (v *udfVolume) fileEntry(n *node) record {
	var (
		kind, permissions, links = typeFile, mayRead, 1
		length, block            = n.size, n.sector - v.start
	)
	if n.dir {
		// Its own name, and the parent entries of those below it; the root, which has no
		// name, is its own parent (4/14.9.6 and 4/8.6).
		kind, permissions, links = typeDirectory, mayRead|maySearch, 1+n.subdirectories()
		length, block = n.length, n.block
	}
	allocation := 0
	if length > 0 {
		allocation = 8 // One short allocation descriptor (4/14.14.1).
	}
	r := make(record, fileEntrySize+allocation)
	r.u16(16+4, 4) // Strategy: one direct entry (ECMA-167, 4/A.5; UDF 1.02, 2.3.5.1).
	r.u16(16+8, 1)
	r.u8(16+11, kind)
	r.u16(16+18, 0) // With short allocation descriptors (4/14.6.8).
	r.u32(44, permissions)
	r.u16(48, links)
	r.u64(56, length)
	r.u64(64, sectorsOf(length)) // Blocks recorded.
	r.timestamp(72, v.at)        // Access,
	r.timestamp(84, v.at)        // modification,
	r.timestamp(96, v.at)        // attributes.
	r.u32(108, 1)                // Checkpoint: the first (4/14.9.17).
	r.regid(128, developer)
	r.u64(160, uniqueID(n.index))
	r.u32(172, allocation)
	if length > 0 {
		r.extent(fileEntrySize, length, block)
	}
	return r.seal(tagFileEntry, entryBlock(n))
}

// listing is the content of a directory: its parent, then what it contains (ECMA-167,
// 4/8.6).
func listing(n *node) []byte {
	b := fileIdentifier(n.parent, nil, isDirectory|isParent, n.block)
	for _, child := range n.children {
		characteristics := 0
		if child.dir {
			characteristics = isDirectory
		}
		b = append(b, fileIdentifier(child, cs0(child.name), characteristics, n.block+len(b)/sectorSize)...)
	}
	return b
}

func listingLength(n *node) int {
	length := fileIdentifierLength(nil)
	for _, child := range n.children {
		length += fileIdentifierLength(cs0(child.name))
	}
	return length
}

// fileIdentifierLength is a multiple of 4 (ECMA-167, 4/14.4.9).
func fileIdentifierLength(name []byte) int { return (fileIdentifierSize + len(name) + 3) &^ 3 }

// fileIdentifier is a file identifier descriptor (ECMA-167, 4/14.4; UDF 1.02, 2.3.4). It
// may go on in the next block.
func fileIdentifier(n *node, name []byte, characteristics, block int) record {
	r := make(record, fileIdentifierLength(name))
	r.u16(16, 1) // File version (UDF 1.02, 2.3.4.1).
	r.u8(18, characteristics)
	r.u8(19, len(name))
	r.longAD(20, sectorSize, entryBlock(n))
	r.put(fileIdentifierSize, name)
	return r.seal(tagFileIdentifier, block)
}
