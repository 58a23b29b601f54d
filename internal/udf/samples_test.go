package udf_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// sample is an image that no program here writes without a driver in the kernel.
type sample struct {
	name  string
	image []byte
	files map[string]string
}

// pattern is text of that length, different in each place.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%07d\n", i)
	}
	return b.String()[:n]
}

// stored is a file of the form in one extent.
func (d *disk) stored(form byte, content string) entry {
	block, n := d.data([]byte(content)), len(content)
	ads := map[byte][]byte{
		0: short(0, n, block), 1: long(0, n, block, 0), 2: extended(0, (n+d.sector-1)/d.sector*d.sector, n, n, block, 0),
	}[form]
	return entry{kind: 5, form: form, ads: ads, size: int64(n)}
}

// simple is a volume with two files.
func simple(sector int) *disk {
	d := newDisk(sector, 24)
	d.add("ovf-env.xml", within([]byte("<Environment/>")))
	d.add("two", d.stored(1, pattern(sector+1)))
	return d
}

func simpleFiles(sector int) map[string]string {
	return map[string]string{"ovf-env.xml": "<Environment/>", "two": pattern(sector + 1)}
}

func samples() []sample {
	var all []sample
	for _, sector := range []int{512, 1024, 2048, 4096} {
		all = append(all, sample{fmt.Sprintf("sectors of %d bytes", sector), simple(sector).finish(), simpleFiles(sector)})
	}
	for name, anchors := range map[string][]int{
		"an anchor at 256 only": {256}, "at N-256 only": {-257}, "at 512 only": {512}, "everywhere": {256, 512, -257, -1},
	} {
		d := newDisk(512, 500)
		d.anchors, d.next = anchors, 420
		d.add("two", d.stored(1, pattern(513)))
		all = append(all, sample{name, d.finish(), map[string]string{"two": pattern(513)}})
	}
	all = append(all,
		sampleAllocation(), sampleContinued(), sampleDirectories(), sampleNames(), sampleStrategy(),
		sampleReserve(), samplePointer(), sampleSparable(),
		sampleVirtual(0x150, 3), sampleVirtual(0x200, 3), sampleVirtual(0x200, 0), sampleVirtual(0x150, 1),
		sampleMetadata("metadata", nil),
		sampleMetadata("metadata of which the main file's entry is damaged", func(d *disk) { d.block(12)[4]++ }),
		sampleMetadata("metadata of which the main file's entry is another's", func(d *disk) {
			d.block(12)[27] = 5
			reseal(d.block(12)[:512])
		}),
		sampleMetadata("metadata of which one descriptor is damaged", func(d *disk) { d.block(20 + 2)[100]++ }),
		sampleMetadata("metadata of which the root's entry is damaged", func(d *disk) { d.block(20 + 1)[100]++ }),
		sampleMetadata("metadata of which the file set is damaged", func(d *disk) { d.block(20)[100]++ }),
	)
	return all
}

func sampleAllocation() sample {
	d := newDisk(512, 40)
	files := map[string]string{
		"short": pattern(700), "long": pattern(701), "extended": pattern(702), "within": pattern(200), "empty": "",
		"several": pattern(512) + "second" + strings.Repeat("\x00", 512+506) + "end",
		"tail":    "tail", "none": "", "holes": strings.Repeat("\x00", 2000), "real time": "249", "unspecified": "0",
		"behind attributes": "here", "room behind the end": "\x00\x00\x00\x00", "an extended entry": pattern(90), "shared": pattern(700),
	}
	shared := d.add("short", d.stored(0, files["short"]))
	d.add("long", d.stored(1, files["long"]))
	d.add("extended", d.stored(2, files["extended"]))
	d.add("within", within([]byte(files["within"])))
	d.add("empty", within(nil))
	first, second := d.data([]byte(pattern(512))), d.data([]byte("second"))
	third := d.data([]byte("end"))
	d.add("several", entry{kind: 5, ads: slices.Concat(
		short(0, 512, first), short(0, 512, second), short(1, 256, 0), short(2, 256, 0), short(0, 3, third), short(0, 0, 99), short(0, 512, 99),
	), size: 1539})
	d.add("tail", entry{kind: 5, form: 1, ads: slices.Concat(long(0, 512, d.data([]byte("tail")), 0), long(1, 512, 999, 7)), size: 4})
	d.add("none", entry{kind: 5, ads: nil})
	d.add("holes", entry{kind: 5, form: 2, ads: slices.Concat(extended(1, 1024, 1, 0, 999, 9), extended(2, 1024, 0, 0, 0, 0)), size: 2000})
	realTime := within([]byte("249"))
	realTime.kind = 249
	d.add("real time", realTime)
	unspecified := within([]byte("0"))
	unspecified.kind = 0
	d.nextEntry = 30 // blocks that the data does not reach
	d.add("unspecified", unspecified)
	behind := within([]byte("here"))
	behind.ea = 24
	d.add("behind attributes", behind)
	long := within([]byte(files["an extended entry"]))
	long.extended, long.ea = true, 4
	d.add("an extended entry", long)
	d.add("room behind the end", entry{kind: 5, ads: short(0, 4096, 39), size: 4})
	symlink := within([]byte("x"))
	symlink.kind = 12
	d.add("a symbolic link", symlink)
	d.root = append(d.root, fid{name: name("shared"), icb: d.icb(shared)})
	return sample{"allocation descriptors", d.finish(), files}
}

// allocationExtent writes an allocation extent descriptor.
func (d *disk) allocationExtent(block int, ads []byte) {
	b := d.block(block)[:512]
	clear(b)
	little.PutUint32(b[20:], uint32(len(ads)))
	copy(b[24:], ads)
	d.seal(b, 258, block)
}

func sampleContinued() sample {
	d := newDisk(512, 30)
	content := pattern(512*4 + 9)
	block := d.data([]byte(content))
	for form, one := range map[byte]func(kind, length, block int) []byte{
		0: short,
		1: func(kind, length, block int) []byte { return long(kind, length, block, 0) },
		2: func(kind, length, block int) []byte { return extended(kind, length, length, length, block, 0) },
	} {
		at := 20 + 2*int(form)
		d.add(fmt.Sprint("form ", form), entry{kind: 5, form: form, ads: slices.Concat(
			one(0, 512, block), one(3, 512, at), one(0, 1024, 99),
		), size: int64(len(content))})
		d.allocationExtent(at, slices.Concat(one(0, 1024, block+1), one(3, 100, at+1)))
		d.allocationExtent(at+1, one(0, 521, block+3))
	}
	return sample{"allocation descriptors that continue", d.finish(), map[string]string{"form 0": content, "form 1": content, "form 2": content}}
}

func sampleDirectories() sample {
	d := newDisk(512, 40)
	file := d.icb(d.add("file", within([]byte("file"))))
	// The root is of several blocks, and entries lie across them.
	for i := range 30 {
		d.root = append(d.root, fid{name: name(fmt.Sprint("old", i)), characteristics: 4, icb: make([]byte, 16)})
	}
	d.root = append(d.root,
		fid{name: append([]byte{254}, "gone"...), characteristics: 4, icb: file},
		fid{name: name("hidden"), characteristics: 1, icb: file},
		fid{name: name("padded"), icb: file, use: 32},
	)
	sub := d.fids(fid{characteristics: 10, icb: d.icb(1)}, fid{name: name("below"), icb: file})
	d.add("sub", entry{kind: 4, form: 0, ads: short(0, len(sub), d.data(sub)), size: int64(len(sub))})
	d.add("bare", entry{kind: 4, form: 3, extended: true})
	deleted := entry{kind: 4, form: 3, ads: d.fids(fid{name: name("x"), characteristics: 4, icb: file})}
	deleted.size = int64(len(deleted.ads))
	d.add("deleted only", deleted)
	return sample{"directories", d.finish(), map[string]string{"file": "file", "hidden": "file", "padded": "file", "sub/below": "file"}}
}

func sampleNames() sample {
	d := newDisk(2048, 24)
	files := map[string]string{}
	for _, s := range []string{"latin-ÿ", "日本語.xml", "𝄞 clef", strings.Repeat("x", 254), strings.Repeat("é", 10) + "…"} {
		d.add(s, within([]byte(s)))
		files[s] = s
	}
	icb := d.icb(2)
	for _, bad := range [][]byte{
		append([]byte{254}, "deleted"...), append([]byte{255}, "deleted."...), append([]byte{9}, "odd"...),
		{16, 0, 'a', 0},
		name("a/b"), name("."), name(".."),
		{},
		{8},
		{16},
	} {
		d.root = append(d.root, fid{name: bad, icb: icb})
	}
	// Of a name that is there twice the first counts.
	d.root = append(d.root, fid{name: []byte{16, 0, 'l', 0, 'a', 0, 't', 0, 'i', 0, 'n', 0, '-', 0, 0xff}, icb: d.icb(3)})
	return sample{"names", d.finish(), files}
}

// indirect writes an indirect entry.
func (d *disk) indirect(block, to int) {
	b := d.block(block)[:512]
	clear(b)
	little.PutUint16(b[20:], 4096)
	if to != 0 {
		copy(b[36:], long(0, 1024, to, 0))
	}
	d.seal(b, 259, block)
}

func sampleStrategy() sample {
	d := newDisk(512, 40)
	chained := func(content string) entry {
		e := within([]byte(content))
		e.strategy = 4096
		return e
	}
	for i, named := range []string{"changed twice", "unchanged", "ended", "emptied"} {
		d.nextEntry = 4 + 2*i
		d.add(named, chained("old"))
	}
	d.indirect(5, 20)
	d.put(20, chained("newer"))
	d.indirect(21, 22)
	d.put(22, chained("newest"))
	d.seal(d.block(9)[:512], 260, 9) // a terminal entry
	d.indirect(11, 0)
	files := map[string]string{"changed twice": "newest", "unchanged": "old", "ended": "old", "emptied": "old"}
	return sample{"strategy 4096", d.finish(), files}
}

func sampleReserve() sample {
	d := simple(512)
	image := d.finish()
	image[(d.mainSequence()+3)*512+300]++    // the logical volume
	image[(d.reserveSequence()+2)*512+300]++ // the partition
	return sample{"each sequence damaged in another place", image, simpleFiles(512)}
}

// samplePointer has a main sequence that continues elsewhere, with descriptors that
// prevail over others there.
func samplePointer() sample {
	d := newDisk(512, 36)
	d.add("two", d.stored(1, pattern(513)))
	image := d.finish()
	elsewhere := d.start + 28
	move := func(from, to int, change func(b []byte)) {
		b := d.at(to)
		copy(b, d.at(from))
		change(b)
		d.seal(b, little.Uint16(b), to)
	}
	number := func(n int) func(b []byte) { return func(b []byte) { b[16] = byte(n) } }
	main := d.mainSequence()
	move(main+2, elsewhere, number(2))
	move(main+2, elsewhere+1, func(b []byte) { b[16] = 1; b[188]++ }) // overruled
	move(main+3, elsewhere+2, number(3))
	move(main+3, elsewhere+3, func(b []byte) { b[16] = 3; copy(b[84:], name("OTHER")) }) // not newer
	// No terminator: the extent ends.
	clear(d.at(main + 2))
	b := d.at(main + 1)
	little.PutUint32(b[20:], 4*512)
	little.PutUint32(b[24:], uint32(elsewhere))
	d.seal(b, 3, main+1)
	clear(d.at(d.reserveSequence()))
	return sample{"a sequence that continues elsewhere", image, map[string]string{"two": pattern(513)}}
}

// sampleSparable has packets of 4 blocks, of which two are elsewhere.
func sampleSparable() sample {
	d := newDisk(512, 60)
	m := mapOf("*UDF Sparable Partition")
	const packet, table, spare = 4, 40, 48 // blocks of the image that the partition must not need
	little.PutUint16(m[40:], packet)
	m[42] = 2
	little.PutUint32(m[44:], 512)
	little.PutUint32(m[48:], uint32(d.start+table+1))
	little.PutUint32(m[52:], uint32(d.start+table))
	d.maps = [][]byte{m}
	b := d.block(table)[:512]
	putEntity(b[16:], "*UDF Sparing Table", 0x201)
	little.PutUint16(b[48:], 4)
	for i, pair := range [][2]uint32{
		{16, uint32(d.start + spare + packet)}, {0xffffffff, 1}, {0, uint32(d.start + spare)}, {0xfffffff0, 2},
	} {
		little.PutUint32(b[56+8*i:], pair[0])
		little.PutUint32(b[60+8*i:], pair[1])
	}
	d.seal(b, 0, d.start+table) // the copy named first is damaged
	content := pattern(512*9 + 1)
	d.add("over three packets", d.stored(0, content))
	d.add("in the second", within([]byte("second")))
	d.add("in the second too", within([]byte("third")))
	image := d.finish()
	for i, original := range []int{0, 16} {
		copy(d.block(spare + packet*i)[:packet*512], d.block(original))
		clear(d.block(original)[:packet*512])
	}
	return sample{"spared packets", image, map[string]string{"over three packets": content, "in the second": "second", "in the second too": "third"}}
}

// sampleVirtual has a virtual partition. Its table is of one of two kinds, in its entry or
// outside, and the entry lies ahead of the end.
func sampleVirtual(revision uint16, form byte) sample {
	d := newDisk(512, 40)
	d.revision, d.home = revision, 1
	virtual := mapOf("*UDF Virtual Partition")
	d.maps = [][]byte{mapPlain(), virtual}
	places := []int{7, 3, 9, 2, 8}
	d.place = func(block int) int { return places[block] }
	d.anchors = []int{-1}
	d.add("ovf-env.xml", within([]byte("<Environment/>")))
	d.add("short", entry{kind: 5, ads: slices.Concat(short(0, 512, 4)), size: 100})
	copy(d.block(places[4]), pattern(100))
	d.add("long", d.stored(1, pattern(600)))
	d.nextEntry--
	d.root = d.root[:2]
	var table []byte
	for _, place := range append(places, -1) {
		table = little.AppendUint32(table, uint32(place))
	}
	vat := entry{form: form, kind: 248}
	if revision == 0x150 {
		vat.kind = 0
		trailer := make([]byte, 36)
		putEntity(trailer, "*UDF Virtual Alloc Tbl", 0x150)
		table = append(table, trailer...)
	} else {
		header := make([]byte, 156)
		little.PutUint16(header, 156)
		little.PutUint16(header[2:], 4)
		table = append(header, table...)
	}
	vat.ads, vat.size = table, int64(len(table))
	if form != 3 {
		vat.ads = map[byte][]byte{0: short(0, len(table), d.data(table)), 1: long(0, len(table), d.data(table), 0)}[form]
	}
	d.putAt(d.start+38, 38, vat)
	copy(d.block(places[4]), pattern(100))
	return sample{
		fmt.Sprintf("a virtual partition of %x, table of form %d", revision, form), d.finish(),
		map[string]string{"ovf-env.xml": "<Environment/>", "short": pattern(100)},
	}
}

// sampleMetadata has a metadata partition, in two extents of the main file (blocks 20 to
// 22 and 24 on) and of the mirror (30 to 31 and 34 on).
func sampleMetadata(named string, damage func(*disk)) sample {
	d := newDisk(512, 44)
	d.revision, d.home = 0x250, 1
	m := mapOf("*UDF Metadata Partition")
	little.PutUint32(m[40:], 12)
	little.PutUint32(m[44:], 13)
	d.maps = [][]byte{mapPlain(), m}
	d.place = func(block int) int { return []int{20, 21, 22, 24, 25}[block] }
	d.putAt(d.start+12, 12, entry{kind: 250, extended: true, ads: slices.Concat(short(0, 3*512, 20), short(0, 2*512, 24)), size: 5 * 512})
	d.putAt(d.start+13, 13, entry{kind: 251, extended: true, ads: slices.Concat(short(0, 2*512, 30), short(0, 3*512, 34)), size: 5 * 512})
	d.next = 14
	d.add("ovf-env.xml", within([]byte("<Environment/>")))
	d.add("long", d.stored(1, pattern(513)))
	// A file whose content is in the metadata partition, over two of its extents.
	d.nextEntry = 4
	d.add("short", entry{kind: 5, ads: short(0, 3*512, 1), size: 3 * 512})
	image := d.finish()
	for i, place := range []int{20, 21, 22, 24, 25} {
		copy(d.block([]int{30, 31, 34, 35, 36}[i])[:512], d.block(place))
	}
	content := string(bytes.Join([][]byte{d.block(21)[:512], d.block(22)[:512], d.block(24)[:512]}, nil))
	if damage != nil {
		damage(d)
	}
	return sample{named, image, map[string]string{"ovf-env.xml": "<Environment/>", "long": pattern(513), "short": content}}
}
