package discimage

import (
	"fmt"
	"slices"
	"time"
)

// Sectors of the structures whose place does not depend on anything, and their lengths.
const (
	mainSequence    = 32
	reserveSequence = 48
	sequenceSectors = 16 // At least (UDF 1.02, 2.2.3.1 and 2.2.3.2).
	integrity       = 64
	// integritySectors are at least 8 KiB (UDF 1.02, 2.2.4, IntegritySequenceExtent).
	integritySectors = 4
	// firstAnchor and the last sector have the anchors: two of three places (ECMA-167,
	// 3/8.4.2.1; UDF 1.02, 2.2.3).
	firstAnchor = 256
)

// Tag identifiers of ECMA-167, 3/7.2.1.
const (
	tagPrimaryVolume = 1 + iota
	tagAnchor
	_ // A pointer, for sequences that go on elsewhere.
	tagImplementationUse
	tagPartition
	tagLogicalVolume
	tagUnallocatedSpace
	tagTerminating
	tagIntegrity
)

// udfVolume is the UDF side of an image.
type udfVolume struct {
	tree  *tree
	label string
	at    time.Time
	// start and length of the partition, in sectors.
	start, length int
}

func newUDFVolume(t *tree, label string, at time.Time) *udfVolume {
	return &udfVolume{tree: t, label: label, at: at}
}

// recognitionSequence tells that there is a volume of ECMA-167, second edition, by three
// descriptors with hardly more than their names (2/9.2, 3/9.1, 2/9.3).
func recognitionSequence() []byte {
	b := make(record, 3*sectorSize)
	for i, id := range []string{"BEA01", "NSR02", "TEA01"} {
		b.put(i*sectorSize+1, []byte(id))
		b.u8(i*sectorSize+6, 1)
	}
	return b
}

// fixedParts are those that are in front of the partition.
func (v *udfVolume) fixedParts() []part {
	return []part{
		{mainSequence, func() []byte { return v.sequence(mainSequence) }},
		{reserveSequence, func() []byte { return v.sequence(reserveSequence) }},
		{integrity, func() []byte {
			return sectorEach(v.integrity(), make(record, 512).seal(tagTerminating, integrity+1))
		}},
		{firstAnchor, func() []byte { return v.anchor(firstAnchor) }},
	}
}

// sectorEach gives each descriptor a sector.
func sectorEach(descriptors ...record) []byte {
	b := make(record, len(descriptors)*sectorSize)
	for i, descriptor := range descriptors {
		b.put(i*sectorSize, descriptor)
	}
	return b
}

// anchor tells where the sequences are (ECMA-167, 3/10.2).
func (v *udfVolume) anchor(sector int) []byte {
	r := make(record, 512)
	r.extent(16, sequenceSectors*sectorSize, mainSequence)
	r.extent(24, sequenceSectors*sectorSize, reserveSequence)
	return sectorEach(r.seal(tagAnchor, sector))
}

// sequence is a volume descriptor sequence; the main and the reserve one differ by their
// place alone (ECMA-167, 3/8.4.2).
func (v *udfVolume) sequence(sector int) []byte {
	descriptors := []struct {
		tag    int
		record record
	}{
		{tagPrimaryVolume, v.primary()},
		{tagImplementationUse, v.implementationUse()},
		{tagPartition, v.partitionDescriptor()},
		{tagLogicalVolume, v.logical()},
		{tagUnallocatedSpace, make(record, 24)}, // None: no extents (3/10.8).
		{tagTerminating, make(record, 512)},
	}
	var sealed []record
	for i, d := range descriptors {
		if d.tag != tagTerminating {
			d.record.u32(16, i+1) // Volume descriptor sequence number.
		}
		sealed = append(sealed, d.record.seal(d.tag, sector+i))
	}
	return sectorEach(sealed...)
}

// primary is the primary volume descriptor (ECMA-167, 3/10.1; UDF 1.02, 2.2.2).
func (v *udfVolume) primary() record {
	r := make(record, 512)
	r.dstring(24, 32, v.label)
	r.u16(56, 1) // The only volume of its set.
	r.u16(58, 1)
	r.u16(60, 2) // Interchange level of a single volume,
	r.u16(62, 3) // and the highest that it may get.
	r.u32(64, 1) // Character sets: CS0 alone.
	r.u32(68, 1)
	r.dstring(72, 128, v.setIdentifier())
	r.charspec(200)
	r.charspec(264)
	r.timestamp(376, v.at)
	r.regid(388, developer)
	return r
}

// setIdentifier begins with 16 characters that shall be unique, 8 of them the time in
// hexadecimal (UDF 1.02, 2.2.2.5). libblkid makes the UUID of these. What is on the disc
// takes the place of chance, so that the same input gives the same image.
func (v *udfVolume) setIdentifier() string {
	return fmt.Sprintf("%08x%08x%s", v.at.Unix()&0xFFFFFFFF, v.tree.fingerprint(v.label), v.label)
}

// implementationUse is the implementation use volume descriptor, which repeats the label
// (ECMA-167, 3/10.4; UDF 1.02, 2.2.7).
func (v *udfVolume) implementationUse() record {
	r := make(record, 512)
	r.regid(20, "*UDF LV Info")
	r.u16(20+24, udfRevision)
	r.charspec(52)
	r.dstring(116, 128, v.label)
	r.regid(352, developer)
	return r
}

// partitionDescriptor describes the one partition, which has no space tables because it
// cannot be written to (ECMA-167, 3/10.5 and 4/14.3).
func (v *udfVolume) partitionDescriptor() record {
	r := make(record, 512)
	r.u16(20, 1) // Allocated.
	r.regid(24, "+NSR02")
	r.u32(184, 1) // Access type: read only.
	r.u32(188, v.start)
	r.u32(192, v.length)
	r.regid(196, developer)
	return r
}

// logical is the logical volume descriptor with its only partition map (ECMA-167, 3/10.6
// and 3/10.7.2; UDF 1.02, 2.2.4).
func (v *udfVolume) logical() record {
	r := make(record, 446)
	r.charspec(20)
	r.dstring(84, 128, v.label)
	r.u32(212, sectorSize)
	r.domainID(216)
	r.longAD(248, 2*sectorSize, fileSetBlock) // The file set sequence (4/3.1).
	r.u32(264, 6)                             // Length of the partition maps,
	r.u32(268, 1)                             // and their number.
	r.regid(272, developer)
	r.extent(432, integritySectors*sectorSize, integrity)
	r.put(440, []byte{1, 6, 1, 0, 0, 0}) // Type 1, 6 octets: volume 1, partition 0.
	return r
}

// integrity is the logical volume integrity descriptor of a closed volume (ECMA-167,
// 3/10.10 and 4/14.15; UDF 1.02, 2.2.6 and 3.2.1).
func (v *udfVolume) integrity() record {
	r := make(record, 134)
	r.timestamp(16, v.at)
	r.u32(28, 1) // Close.
	r.u64(40, uniqueID(len(v.tree.nodes)))
	r.u32(72, 1)  // Partitions.
	r.u32(76, 46) // Octets of implementation use.
	r.u32(80, 0)  // Free blocks.
	r.u32(84, v.length)
	r.regid(88, developer)
	directories := v.tree.directories()
	r.u32(120, len(v.tree.nodes)-directories)
	r.u32(124, directories)
	for _, at := range []int{128, 130, 132} { // Needed to read, to write; written at most with.
		r.u16(at, udfRevision)
	}
	return r.seal(tagIntegrity, integrity)
}

// uniqueID of the node with this index: 0 is the root's, and those up to 15 are left to
// the Macintosh (UDF 1.02, 3.2.1.1).
func uniqueID(index int) int {
	if index == 0 {
		return 0
	}
	return 15 + index
}

// padToSectors fills the last sector.
func padToSectors(b []byte) []byte {
	return append(b, slices.Repeat([]byte{0}, sectorsOf(len(b))*sectorSize-len(b))...)
}
