package udf_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
)

var little = binary.LittleEndian

// disk is an image in the making: volume recognition sequence, main and reserve volume
// descriptors, a partition, an anchor in the last sector. It is written down from the
// standards once more, so that the reader's mistakes are not the writer's too.
type disk struct {
	b         []byte
	sector    int
	start     int // of the partition, in sectors
	blocks    int // of the partition
	version   uint16
	revision  uint16
	label     string
	volume    string // label of the volume, not of the logical one
	blockSize uint32
	anchors   []int // sectors; negative ones from the end
	maps      [][]byte
	home      uint16              // partition with file set and entries
	place     func(block int) int // where in partition 0 a block of the home partition is
	next      int                 // free block of partition 0
	root      []fid
	rootEntry entry
	nextEntry int // free block of the home partition
}

const (
	recognitionSectors = 3
	sequenceSectors    = 6
	firstData          = 12 // blocks before are for entries
)

// newDisk begins an image whose partition has that many blocks.
func newDisk(sector, blocks int) *disk {
	start := 32<<10/sector + recognitionSectors*max(1, 2048/sector) + 2*sequenceSectors
	return &disk{
		b: make([]byte, (start+blocks+1)*sector), sector: sector, start: start, blocks: blocks,
		version: 3, revision: 0x201, label: "PROVISION", blockSize: uint32(sector), anchors: []int{-1},
		maps: [][]byte{mapPlain()}, place: func(block int) int { return block },
		next: firstData, nextEntry: 2, rootEntry: entry{kind: 4, form: 3},
	}
}

func (d *disk) mainSequence() int    { return d.start - 2*sequenceSectors }
func (d *disk) reserveSequence() int { return d.start - sequenceSectors }

// at returns a sector.
func (d *disk) at(sector int) []byte { return d.b[sector*d.sector:][:d.sector] }

// block returns a block of partition 0, and what is behind it.
func (d *disk) block(block int) []byte { return d.b[(d.start+block)*d.sector:] }

// seal makes a tag for the descriptor b.
func (d *disk) seal(b []byte, tag uint16, location int) { seal(b, tag, d.version, uint32(location)) }

func seal(b []byte, tag, version uint16, location uint32) {
	clear(b[:16])
	little.PutUint16(b, tag)
	little.PutUint16(b[2:], version)
	little.PutUint16(b[8:], slowCRC(b[16:]))
	little.PutUint16(b[10:], uint16(len(b)-16))
	little.PutUint32(b[12:], location)
	var sum byte
	for _, c := range b[:16] {
		sum += c
	}
	b[4] = sum
}

// reseal makes the tag right for the changed descriptor.
func reseal(b []byte) { seal(b, little.Uint16(b), little.Uint16(b[2:]), little.Uint32(b[12:])) }

// slowCRC is the CRC bit by bit.
func slowCRC(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			carry := sum>>15 ^ uint16(c>>bit)&1
			sum = sum<<1 ^ carry*0x1021
		}
	}
	return sum
}

// An allocation descriptor of each form.
func short(kind, length, block int) []byte {
	return little.AppendUint32(little.AppendUint32(nil, uint32(kind)<<30|uint32(length)), uint32(block))
}

func long(kind, length, block, partition int) []byte {
	return append(little.AppendUint16(short(kind, length, block), uint16(partition)), make([]byte, 6)...)
}

func extended(kind, length, recorded, information, block, partition int) []byte {
	b := little.AppendUint32(nil, uint32(kind)<<30|uint32(length))
	b = little.AppendUint32(little.AppendUint32(b, uint32(recorded)), uint32(information))
	b = little.AppendUint16(little.AppendUint32(b, uint32(block)), uint16(partition))
	return append(b, 0, 0)
}

// name compresses to 8 bits where that is possible.
func name(s string) []byte {
	b := []byte{8}
	for _, r := range s {
		if r > 0xff {
			b = []byte{16}
			for _, unit := range utf16.Encode([]rune(s)) {
				b = binary.BigEndian.AppendUint16(b, unit)
			}
			return b
		}
		b = append(b, byte(r))
	}
	return b
}

func putField(b []byte, s string) {
	if s != "" {
		b[len(b)-1] = byte(copy(b, name(s)))
	}
}

// putEntity puts an entity identifier.
func putEntity(b []byte, identifier string, revision uint16) {
	copy(b[1:24], identifier)
	little.PutUint16(b[24:], revision)
}

func mapPlain() []byte { return []byte{1, 6, 1, 0, 0, 0} }

func mapOf(identifier string) []byte {
	b := make([]byte, 64)
	b[0], b[1], b[36] = 2, 64, 1
	putEntity(b[4:], identifier, 0x250)
	return b
}

// fid is an entry of a directory.
type fid struct {
	name            []byte
	characteristics byte
	icb             []byte
	use             int // bytes of implementation use
}

func (d *disk) fids(ids ...fid) []byte {
	var content []byte
	for _, id := range ids {
		b := make([]byte, 38+id.use, 38+id.use+len(id.name)+3)
		little.PutUint16(b[16:], 1)
		b[18], b[19] = id.characteristics, byte(len(id.name))
		copy(b[20:], id.icb)
		little.PutUint16(b[36:], uint16(id.use))
		b = append(b, id.name...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		d.seal(b, 257, 0)
		content = append(content, b...)
	}
	return content
}

// entry is a file entry.
type entry struct {
	kind     byte
	form     byte
	extended bool
	strategy uint16
	ads      []byte
	size     int64
	ea       int // bytes of extended attributes
	time     []byte
}

// put writes an entry into a block of the home partition.
func (d *disk) put(block int, e entry) { d.putAt(d.start+d.place(block), block, e) }

func (d *disk) putAt(sector, location int, e entry) {
	b := d.at(sector)
	clear(b)
	little.PutUint16(b[20:], max(e.strategy, 4))
	b[27] = e.kind
	b[34] = e.form
	little.PutUint64(b[56:], uint64(e.size))
	tag, time, end := uint16(261), 84, 176
	if e.extended {
		tag, time, end = 266, 92, 216
	}
	copy(b[time:], []byte{60, 0x10, 0xea, 7, 5, 4, 3, 2, 1, 3, 4, 56}) // 2026-05-04 03:02:01.030456 +01:00
	copy(b[time:], e.time)
	little.PutUint32(b[end-8:], uint32(e.ea))
	little.PutUint32(b[end-4:], uint32(len(e.ads)))
	copy(b[end+e.ea:], e.ads)
	d.seal(b, tag, location)
}

// icb is where the entry in that block is.
func (d *disk) icb(block int) []byte { return long(0, d.sector, block, int(d.home)) }

// add puts an entry and a name for it into the root.
func (d *disk) add(named string, e entry) int {
	block := d.nextEntry
	d.nextEntry++
	d.put(block, e)
	characteristics := byte(0)
	if e.kind == 4 {
		characteristics = 2
	}
	d.root = append(d.root, fid{name: name(named), characteristics: characteristics, icb: d.icb(block)})
	return block
}

// data writes content into the next blocks of partition 0 and returns the first.
func (d *disk) data(content []byte) int {
	block := d.next
	copy(d.block(block), content)
	d.next += (len(content) + d.sector - 1) / d.sector
	return block
}

// within is an entry that has its content.
func within(content []byte) entry {
	return entry{kind: 5, form: 3, ads: content, size: int64(len(content))}
}

// finish writes all but the files.
func (d *disk) finish() []byte {
	for i, id := range []string{"BEA01", "NSR03", "TEA01"} {
		copy(d.b[32<<10+i*max(2048, d.sector)+1:], id)
		d.b[32<<10+i*max(2048, d.sector)+6] = 1
	}
	d.finishSequence(d.mainSequence())
	d.finishSequence(d.reserveSequence())
	for _, at := range d.anchors {
		if at < 0 {
			at += len(d.b) / d.sector
		}
		b := d.at(at)
		little.PutUint32(b[16:], uint32(sequenceSectors*d.sector))
		little.PutUint32(b[20:], uint32(d.mainSequence()))
		little.PutUint32(b[24:], uint32(sequenceSectors*d.sector))
		little.PutUint32(b[28:], uint32(d.reserveSequence()))
		d.seal(b[:512], 2, at)
	}
	d.finishRoot()
	return d.b
}

func (d *disk) finishRoot() {
	b := d.at(d.start + d.place(0))
	copy(b[400:], d.icb(1))
	d.seal(b[:512], 256, 0)
	root := append([]fid{{characteristics: 2 | 8, icb: d.icb(1)}}, d.root...)
	content := d.fids(root...)
	if d.rootEntry.ads != nil {
		return
	}
	d.rootEntry.ads, d.rootEntry.size = content, int64(len(content))
	if len(content) > d.sector-176 {
		d.rootEntry.form = 1
		d.rootEntry.ads = long(0, len(content), d.data(content), 0)
	}
	d.put(1, d.rootEntry)
}

func (d *disk) finishSequence(sector int) {
	primary := d.at(sector)
	putField(primary[24:56], d.volume)
	d.seal(primary[:512], 1, sector)
	d.seal(d.at(sector + 1)[:512], 4, sector+1)
	partition := d.at(sector + 2)
	little.PutUint32(partition[188:], uint32(d.start))
	little.PutUint32(partition[192:], uint32(d.blocks))
	d.seal(partition[:512], 5, sector+2)
	logical := d.at(sector + 3)
	putField(logical[84:212], d.label)
	little.PutUint32(logical[212:], d.blockSize)
	putEntity(logical[216:], "*OSTA UDF Compliant", d.revision)
	copy(logical[248:], long(0, 512, 0, int(d.home)))
	maps := bytes.Join(d.maps, nil)
	little.PutUint32(logical[264:], uint32(len(maps)))
	little.PutUint32(logical[268:], uint32(len(d.maps)))
	copy(logical[440:], maps)
	d.seal(logical[:max(512, 440+len(maps))], 6, sector+3)
	d.seal(d.at(sector + 4)[:512], 7, sector+4)
	d.seal(d.at(sector + 5)[:512], 8, sector+5)
}

// edit changes the descriptor in a sector and makes its tag right again.
func edit(image []byte, sectorSize, sector int, change func(b []byte)) []byte {
	image = slices.Clone(image)
	b := image[sector*sectorSize:][:sectorSize]
	change(b)
	reseal(b[:16+int(little.Uint16(b[10:]))])
	return image
}
