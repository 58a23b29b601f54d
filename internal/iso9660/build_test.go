package iso9660_test

import (
	"encoding/binary"
	"unicode/utf16"
)

// Where the images that are made by hand have their parts, by sector.
const (
	primaryAt    = 16
	jolietAt     = 17
	rootAt       = 20
	jolietRootAt = 24
	// Contents and further directories begin here.
	freeAt = 28
)

// image is a disc in the making. What is put behind its end makes it longer.
type image []byte

func (i *image) put(sector int, b []byte) *image {
	if lack := (sector*2048 + len(b) + 2047) / 2048 * 2048; lack > len(*i) {
		*i = append(*i, make([]byte, lack-len(*i))...)
	}
	copy((*i)[sector*2048:], b)
	return i
}

// disc is an image with a root directory of those records, behind its own.
func disc(records ...row) *image {
	return discOf(row{name: "\x00", flags: isDir, sector: rootAt}, records...)
}

// rockRidge is a disc whose root directory announces Rock Ridge.
func rockRidge(records ...row) *image {
	return discOf(row{name: "\x00", flags: isDir, sector: rootAt, use: announcement}, records...)
}

func discOf(self row, records ...row) *image {
	contents := directory(append([]row{self, {name: "\x01", flags: isDir, sector: rootAt}}, records...)...)
	root := row{name: "\x00", flags: isDir, sector: rootAt, length: uint32(len(contents))}
	return new(image).
		put(primaryAt, descriptor(1, "CD001", "LABEL", root)).
		put(jolietAt, descriptor(255, "CD001", "", row{})).
		put(rootAt, contents).
		put(freeAt, nil)
}

// joliet adds the tree of Joliet to a disc.
func (i *image) joliet(escape string, records ...row) *image {
	contents := directory(append([]row{{name: "\x00", flags: isDir, sector: jolietRootAt}}, records...)...)
	b := descriptor(2, "CD001", "", row{name: "\x00", flags: isDir, sector: jolietRootAt, length: uint32(len(contents))})
	copy(b[88:120], escape)
	copy(b[40:72], wide("Jöliet          "))
	return i.put(jolietAt, b).
		put(jolietAt+1, descriptor(255, "CD001", "", row{})).
		put(jolietRootAt, contents)
}

// descriptor is a volume descriptor with blocks of 2048 bytes.
func descriptor(kind byte, id, label string, root row) []byte {
	b := make([]byte, 2048)
	b[0], b[6] = kind, 1
	copy(b[1:], id)
	copy(b[40:72], label+"                                ")
	binary.LittleEndian.PutUint16(b[128:], 2048)
	binary.BigEndian.PutUint16(b[130:], 2048)
	copy(b[156:190], root.record())
	return b
}

// The flags of a directory record.
const (
	isHidden     = 1
	isDir        = 2
	isAssociated = 4
	isMore       = 0x80
)

// row is a directory record.
type row struct {
	name      string
	sector    uint32
	length    uint32
	flags     byte
	extended  byte // length of an extended attribute record
	unit, gap byte
	date      []byte
	use       []byte
}

func (r row) record() []byte {
	if r.length == 0 && r.flags == isDir {
		r.length = 2048
	}
	b := make([]byte, 33, 255)
	b[1] = r.extended
	copy(b[2:], both(r.sector))
	copy(b[10:], both(r.length))
	copy(b[18:25], r.date)
	b[25], b[26], b[27], b[32] = r.flags, r.unit, r.gap, byte(len(r.name))
	b = append(b, r.name...)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	b = append(b, r.use...)
	b[0] = byte(len(b))
	return b
}

// directory lays records out in sectors, of which none goes beyond one.
func directory(records ...row) []byte {
	var b []byte
	for _, r := range records {
		next := r.record()
		if len(b)%2048+len(next) > 2048 {
			b = append(b, make([]byte, 2048-len(b)%2048)...)
		}
		b = append(b, next...)
	}
	return append(b, make([]byte, (2048-len(b)%2048)%2048)...)
}

// both is a number in both byte orders.
func both(n uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, n), n)
}

// wide is text in UTF-16, big-endian.
func wide(s string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// entry is a System Use entry.
func entry(signature string, data ...[]byte) []byte {
	b := append([]byte(signature), 0, 1)
	for _, d := range data {
		b = append(b, d...)
	}
	b[2] = byte(len(b))
	return b
}

func nm(flags byte, name string) []byte { return entry("NM", []byte{flags}, []byte(name)) }

func px(mode uint32) []byte { return entry("PX", both(mode), both(1), both(0), both(0)) }

func ce(sector, offset, length uint32) []byte {
	return entry("CE", both(sector), both(offset), both(length))
}

func er(id string) []byte {
	return entry("ER", []byte{byte(len(id)), 0, 0, 1}, []byte(id))
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

// announcement is what makes Rock Ridge of a disc.
var announcement = join(entry("SP", []byte{0xbe, 0xef, 0}), er("RRIP_1991A"))
