package udf_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/udf"
)

// walk opens an image and reads something of all its files, and returns what goes wrong.
func walk(image io.ReaderAt, size int64) error {
	v, err := udf.Open(image, size)
	if err != nil {
		return err
	}
	var faults []error
	b := make([]byte, 4096)
	_ = fs.WalkDir(v.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if len(faults) > 100 {
			return fs.SkipAll
		}
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		if !d.IsDir() {
			faults = append(faults, readSome(v.FS(), path, b))
		}
		return nil
	})
	return errors.Join(faults...)
}

func readSome(tree fs.FS, path string, b []byte) error {
	file, err := tree.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := io.ReadFull(file, b); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	_, err = file.(io.ReaderAt).ReadAt(b[:1], info.Size()-1)
	return err
}

func TestDamagedVolumes(t *testing.T) {
	// both changes a descriptor of both sequences.
	both := func(d *disk, i int, change func(b []byte)) []byte {
		image := edit(d.finish(), d.sector, d.mainSequence()+i, change)
		return edit(image, d.sector, d.reserveSequence()+i, change)
	}
	put16 := func(at int, v uint16) func(b []byte) { return func(b []byte) { little.PutUint16(b[at:], v) } }
	put32 := func(at int, v uint32) func(b []byte) { return func(b []byte) { little.PutUint32(b[at:], v) } }
	logical := func(change func(b []byte)) []byte { return both(simple(512), 3, change) }
	anchor := func(change func(b []byte)) []byte {
		d := simple(512)
		image := d.finish()
		return edit(image, 512, len(image)/512-1, change)
	}
	sector := func(at func(d *disk) int, change func(b []byte)) []byte {
		d := simple(512)
		image := d.finish()
		change(image[at(d)*512:][:512])
		return image
	}
	last := func(d *disk) int { return len(d.b)/512 - 1 }
	set := func(d *disk) int { return d.start }
	root := func(d *disk) int { return d.start + 1 }
	typeTwo := func(base func() sample, at int, change func(b []byte)) []byte {
		s := base()
		image := s.image
		start := 64 + 12
		for _, first := range []int{start, start + 6} {
			image = edit(image, 512, first+3, func(b []byte) { change(b[at:]) })
		}
		return image
	}
	sparable := func(change func(m []byte)) []byte { return typeTwo(sampleSparable, 440, change) }
	metadata := func(change func(m []byte)) []byte {
		return typeTwo(func() sample { return sampleMetadata("", nil) }, 446, change)
	}
	const sparingTable = 64 + 12 + 12 + 40
	const partition = 64 + 12 + 12
	says := map[string]string{
		"no logical volume":             "missing",
		"blocks of no length":           "blocks of 0 bytes",
		"metadata in parts of blocks":   "parts of blocks",
		"metadata that is not recorded": "not recorded",
	}
	for _, tc := range []struct {
		name  string
		image []byte
		want  error
	}{
		{"nothing", nil, udf.ErrNotUDF},
		{"zeros", make([]byte, 1<<20), udf.ErrNotUDF},
		{"random bytes", randomBytes(1 << 20), udf.ErrNotUDF},
		{"an anchor with a wrong checksum", sector(last, func(b []byte) { b[4]++ }), discfs.ErrDamaged},
		{"an anchor with a wrong CRC", sector(last, func(b []byte) { b[20]++ }), discfs.ErrDamaged},
		{"an anchor of another place", sector(last, func(b []byte) { b[12]++; b[4]++ }), discfs.ErrDamaged},
		{"an anchor of an unknown version", sector(last, func(b []byte) { b[2] = 4; b[4]++ }), discfs.ErrDamaged},
		{"an anchor with too long a CRC", sector(last, func(b []byte) { b[11]++; b[4]++ }), discfs.ErrDamaged},
		{"something else than an anchor", anchor(put16(0, 1)), discfs.ErrDamaged},
		{"an anchor to sequences of nothing", anchor(func(b []byte) { clear(b[16:32]) }), discfs.ErrDamaged},
		{"an anchor beyond the image", anchor(func(b []byte) { little.PutUint32(b[20:], math.MaxUint32); little.PutUint32(b[28:], math.MaxUint32) }), discfs.ErrDamaged},
		{"an anchor to huge sequences", anchor(func(b []byte) {
			for _, at := range []int{16, 24} {
				little.PutUint32(b[at:], math.MaxUint32)
				little.PutUint32(b[at+4:], 10)
			}
		}), discfs.ErrDamaged},
		{"sequences in circles", func() []byte {
			d := simple(512)
			return both(d, 5, func(b []byte) {
				little.PutUint16(b, 3)
				little.PutUint32(b[20:], 6*512)
				little.PutUint32(b[24:], uint32(d.mainSequence()))
			})
		}(), nil}, // what there is, is used
		{"sequences in circles without a partition", func() []byte {
			d := simple(512)
			return both(d, 2, func(b []byte) {
				little.PutUint16(b, 3)
				little.PutUint32(b[20:], math.MaxUint32)
				little.PutUint32(b[24:], uint32(d.mainSequence()))
			})
		}(), discfs.ErrDamaged},
		{"no logical volume", logical(put16(0, 7)), discfs.ErrDamaged},
		{"no partition", both(simple(512), 2, put16(0, 7)), discfs.ErrDamaged},
		{"another partition", both(simple(512), 2, put16(22, 1)), discfs.ErrDamaged},
		{"no primary volume descriptor", both(simple(512), 0, put16(0, 7)), nil},
		{"a domain that is another", logical(func(b []byte) { b[217]++ }), nil},
		{"blocks of no length", logical(put32(212, 0)), discfs.ErrDamaged},
		{"huge blocks", logical(put32(212, math.MaxUint32)), discfs.ErrDamaged},
		{"blocks unlike sectors", logical(put32(212, 1024)), discfs.ErrDamaged},
		{"no partition maps", logical(put32(268, 0)), discfs.ErrDamaged},
		{"many partition maps", func() []byte {
			d := simple(512)
			d.maps = [][]byte{mapPlain(), mapPlain(), mapPlain(), mapPlain(), mapPlain()}
			return d.finish()
		}(), discfs.ErrDamaged},
		{"too many partition maps", logical(put32(268, math.MaxUint32)), discfs.ErrDamaged},
		{"a map table beyond the block", logical(put32(264, math.MaxUint32)), discfs.ErrDamaged},
		{"a map table shorter than a map", logical(put32(264, 5)), discfs.ErrDamaged},
		{"a map of no length", logical(func(b []byte) { b[441] = 0 }), discfs.ErrDamaged},
		{"a map of an unknown type", logical(func(b []byte) { b[440] = 3 }), discfs.ErrDamaged},
		{"no file set", logical(put32(248, 0)), discfs.ErrDamaged},
		{"a file set outside", logical(put32(252, math.MaxUint32)), discfs.ErrDamaged},
		{"a file set in another partition", logical(put16(256, math.MaxUint16)), discfs.ErrDamaged},
		{"a partition beyond the image", both(simple(512), 2, put32(188, math.MaxUint32)), io.ErrUnexpectedEOF},
		{"a partition of no length", both(simple(512), 2, put32(192, 0)), discfs.ErrDamaged},
		{"a huge partition", both(simple(512), 2, put32(192, math.MaxUint32)), nil},
		{"a file set that is damaged", sector(set, func(b []byte) { b[100]++ }), discfs.ErrDamaged},
		{"something else than a file set", sector(set, func(b []byte) { b[0]++; reseal(b) }), discfs.ErrDamaged},
		{"a root outside", sector(set, func(b []byte) { b[404] = 99; reseal(b) }), discfs.ErrDamaged},
		{"a root that is a file", sector(set, func(b []byte) { b[404] = 2; reseal(b) }), discfs.ErrDamaged},
		{"a root that is damaged", sector(root, func(b []byte) { b[100]++ }), discfs.ErrDamaged},
		{"no root", sector(root, func(b []byte) { clear(b) }), discfs.ErrDamaged},
		{"a map of an unknown kind", sparable(func(m []byte) { m[6]++ }), discfs.ErrDamaged},
		{"packets of no length", sparable(func(m []byte) { m[40] = 0 }), discfs.ErrDamaged},
		{"no sparing tables", sparable(func(m []byte) { m[42] = 0 }), discfs.ErrDamaged},
		{"too many sparing tables", sparable(func(m []byte) { m[42] = 255 }), discfs.ErrDamaged},
		{"no room for the sparing table", sparable(func(m []byte) { m[44], m[45] = 87, 0 }), discfs.ErrDamaged},
		{"sparing tables outside", sparable(func(m []byte) { little.PutUint32(m[48:], math.MaxUint32); little.PutUint32(m[52:], math.MaxUint32) }), io.ErrUnexpectedEOF},
		{"something else than a sparing table", edit(sampleSparable().image, 512, sparingTable, func(b []byte) { b[20]++ }), discfs.ErrDamaged},
		{"a sparing table beyond the image", edit(sampleSparable().image, 512, sparingTable, put16(48, math.MaxUint16)), discfs.ErrDamaged},
		{"a spared packet in the middle", edit(sampleSparable().image, 512, sparingTable, put32(56, 17)), discfs.ErrDamaged},
		{"a spared packet beyond the image", edit(sampleSparable().image, 512, sparingTable, put32(76, math.MaxUint32)), io.ErrUnexpectedEOF},
		{"metadata that is nowhere", metadata(func(m []byte) { m[40], m[44] = 99, 99 }), discfs.ErrDamaged},
		{"metadata in no partition", metadata(func(m []byte) { m[38]++ }), discfs.ErrDamaged},
		{"metadata in parts of blocks", func() []byte {
			image := edit(sampleMetadata("", nil).image, 512, partition+12, put32(216, 511))
			return edit(image, 512, partition+13, put32(216, 511))
		}(), discfs.ErrDamaged},
		{"metadata in other files", func() []byte {
			image := edit(sampleMetadata("", nil).image, 512, partition+12, func(b []byte) { b[27] = 5 })
			return edit(image, 512, partition+13, func(b []byte) { b[27] = 5 })
		}(), discfs.ErrDamaged},
		{"metadata in itself", func() []byte {
			change := func(b []byte) { b[34] = 1; copy(b[216:], long(0, 512, 0, 1)); b[212] = 16 }
			image := edit(sampleMetadata("", nil).image, 512, partition+12, change)
			return edit(image, 512, partition+13, change)
		}(), discfs.ErrDamaged},
		{"metadata that is not recorded", func() []byte {
			change := func(b []byte) { b[219] |= 0x40 }
			image := edit(sampleMetadata("", nil).image, 512, partition+12, change)
			return edit(image, 512, partition+13, change)
		}(), discfs.ErrDamaged},
		{"no virtual allocation table", func() []byte {
			s := sampleVirtual(0x200, 3)
			clear(s.image[(partition+38)*512:][:512])
			return s.image
		}(), discfs.ErrDamaged},
		{"a virtual block not in use", edit(sampleVirtual(0x200, 3).image, 512, partition+38, put32(176+156+4, math.MaxUint32)), discfs.ErrDamaged},
		{"a virtual block outside", edit(sampleVirtual(0x200, 3).image, 512, partition+38, put32(176+156+4, math.MaxUint32-1)), discfs.ErrDamaged},
		{"a table with too long a header", edit(sampleVirtual(0x200, 3).image, 512, partition+38, put16(176, math.MaxUint16)), discfs.ErrDamaged},
		{"a table with too short a header", edit(sampleVirtual(0x200, 3).image, 512, partition+38, put16(176, 151)), discfs.ErrDamaged},
		{"a table without a header", edit(sampleVirtual(0x200, 3).image, 512, partition+38, put16(56, 151)), discfs.ErrDamaged},
		{"a huge table", edit(sampleVirtual(0x200, 0).image, 512, partition+38, put32(60, 1)), discfs.ErrDamaged},
		{"a table without a trailer", edit(sampleVirtual(0x150, 3).image, 512, partition+38, func(b []byte) { b[202]++ }), discfs.ErrDamaged},
		{"a table shorter than its trailer", edit(sampleVirtual(0x150, 3).image, 512, partition+38, put16(56, 35)), discfs.ErrDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			boundtest.Check(t, func() {
				_, err := udf.Open(bytes.NewReader(tc.image), int64(len(tc.image)))
				if !errors.Is(err, tc.want) {
					t.Errorf("Open: %v, want %v", err, tc.want)
				}
				if why := says[tc.name]; err != nil && !strings.Contains(err.Error(), why) {
					t.Errorf("Open: %v, want that it says %q", err, why)
				}
				_ = walk(bytes.NewReader(tc.image), int64(len(tc.image)))
				_ = walk(bytes.NewReader(tc.image), 0)
			})
		})
	}
}

// A file or directory that is damaged is there, cannot be read, and leaves the others be.
func TestDamagedFiles(t *testing.T) {
	loop := func(d *disk, ads []byte) entry {
		d.allocationExtent(30, ads)
		return entry{kind: 5, ads: short(3, 512, 30), size: 1 << 40}
	}
	chain := func(d *disk) entry {
		d.indirect(31, 30)
		e := within([]byte("x"))
		e.strategy = 4096
		d.put(30, e)
		return e
	}
	dir := func(content []byte) entry {
		return entry{kind: 4, form: 3, ads: content, size: int64(len(content))}
	}
	file := func(e entry) func(*disk) entry { return func(*disk) entry { return e } }
	broken := func(change func(b []byte)) func(*disk) entry {
		return func(d *disk) entry {
			b := d.fids(fid{name: name("x"), icb: d.icb(2)})
			change(b)
			return dir(b)
		}
	}
	says := map[string]string{
		"many extents":                 "too many extents",
		"many holes":                   "too many extents",
		"a loop of allocation extents": "too many allocation extents",
		"a loop of indirect entries":   "too many indirect entries",
	}
	for _, tc := range []struct {
		name  string
		entry func(d *disk) entry
		want  error
	}{
		{"a loop of allocation extents", func(d *disk) entry { return loop(d, short(3, 512, 30)) }, discfs.ErrDamaged},
		{"an allocation extent longer than its block", func(d *disk) entry {
			e := loop(d, short(3, 512, 30))
			little.PutUint32(d.block(30)[20:], math.MaxUint32)
			reseal(d.block(30)[:512])
			return e
		}, discfs.ErrDamaged},
		{"an allocation extent longer than its room", func(d *disk) entry {
			e := loop(d, short(0, 512, 20))
			e.ads = short(3, 31, 30)
			return e
		}, discfs.ErrDamaged},
		{"an allocation extent that is something else", file(entry{kind: 5, ads: short(3, 512, 2), size: 9}), discfs.ErrDamaged},
		{"many extents", func(d *disk) entry {
			return loop(d, slices.Concat(bytes.Repeat(short(0, 512, 0), 50), short(3, 512, 30)))
		}, discfs.ErrDamaged},
		{"many holes", func(d *disk) entry {
			return loop(d, slices.Concat(bytes.Repeat(short(2, 512, 0), 50), short(3, 512, 30)))
		}, discfs.ErrDamaged},
		{"an extent outside the partition", file(entry{kind: 5, ads: short(0, 1024, 39), size: 9999}), discfs.ErrDamaged},
		{"an extent far outside", file(entry{kind: 5, ads: short(0, 1<<30-1, -1), size: math.MaxInt64}), discfs.ErrDamaged},
		{"an extent in no partition", file(entry{kind: 5, form: 1, ads: long(0, 512, 0, 1), size: 512}), discfs.ErrDamaged},
		{"a compressed extent", file(entry{kind: 5, form: 2, ads: extended(0, 512, 512, 513, 0, 0), size: 512}), discfs.ErrDamaged},
		{"an extent recorded in less", file(entry{kind: 5, form: 2, ads: extended(0, 512, 100, 512, 0, 0), size: 512}), discfs.ErrDamaged},
		{"an extent longer than its room", file(entry{kind: 5, form: 2, ads: extended(0, 512, 1024, 1024, 0, 0), size: 1024}), discfs.ErrDamaged},
		{"descriptors of an unknown form", file(entry{kind: 5, form: 4, size: 9}), discfs.ErrDamaged},
		{"a negative size", file(entry{kind: 5, ads: short(0, 512, 20), size: math.MinInt64}), discfs.ErrDamaged},
		{"a size beyond the extents", file(entry{kind: 5, ads: short(0, 512, 20), size: math.MaxInt64}), io.ErrUnexpectedEOF},
		{"a size beyond the content within", file(entry{kind: 5, form: 3, ads: []byte("abc"), size: 4}), discfs.ErrDamaged},
		{"attributes beyond the block", func(d *disk) entry {
			d.next = 20
			return entry{kind: 5, form: 3, ads: []byte("abc"), size: 3, ea: 336}
		}, discfs.ErrDamaged},
		{"an unknown strategy", file(entry{kind: 5, strategy: 5, form: 3}), discfs.ErrDamaged},
		{"a loop of indirect entries", chain, discfs.ErrDamaged},
		{"a directory that is larger than can be", file(entry{kind: 4, ads: short(2, 1<<30-1, 0), size: 1<<20 + 1}), discfs.ErrDamaged},
		{"a directory of holes", file(entry{kind: 4, ads: short(2, 1<<30-1, 0), size: 1 << 20}), discfs.ErrDamaged},
		{"a directory beyond its extents", file(entry{kind: 4, ads: short(2, 512, 0), size: 1 << 20}), io.ErrUnexpectedEOF},
		{"a directory of something else", func(d *disk) entry {
			return entry{kind: 4, ads: short(0, 512, d.data(slices.Clone(d.block(2)[:512]))), size: 512}
		}, discfs.ErrDamaged},
		{"a directory entry with a wrong CRC", broken(func(b []byte) { b[20]++ }), discfs.ErrDamaged},
		{"a directory entry with a wrong checksum", broken(func(b []byte) { b[4]++ }), discfs.ErrDamaged},
		{"a directory entry that is something else", broken(func(b []byte) { b[0]++; reseal(b) }), discfs.ErrDamaged},
		{"a directory entry with too long a name", broken(func(b []byte) { b[19] = 255; reseal(b) }), discfs.ErrDamaged},
		{"a directory entry with too long a use", broken(func(b []byte) { b[37] = 255; reseal(b) }), discfs.ErrDamaged},
		{"a directory that ends within an entry", func(d *disk) entry {
			return dir(append(d.fids(fid{name: name("x"), icb: d.icb(2)}), make([]byte, 37)...))
		}, discfs.ErrDamaged},
		{"a directory with the root in it", func(d *disk) entry {
			return dir(d.fids(fid{name: name("up"), characteristics: 2, icb: d.icb(1)}))
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDisk(512, 40)
			d.add("good", within([]byte("good")))
			d.next = 20
			block := d.nextEntry
			e := tc.entry(d)
			d.add("bad", within(nil))
			if e.ea == 336 { // does not fit
				e.ea = 0
				d.put(block, e)
				little.PutUint32(d.block(block)[168:], 334)
				reseal(d.block(block)[:512])
			} else {
				d.put(block, e)
			}
			if e.strategy == 4096 {
				d.indirect(block+1, 30)
			}
			image := d.finish()
			boundtest.Check(t, func() {
				v := open(t, image)
				var err error
				if info, statErr := fs.Stat(v.FS(), "bad"); statErr != nil {
					t.Error(statErr)
				} else if info.IsDir() {
					_, err = fs.ReadDir(v.FS(), "bad")
					_, again := fs.ReadDir(v.FS(), "bad")
					if (err == nil) != (again == nil) {
						t.Errorf("%v, then %v", err, again)
					}
				} else {
					err = readSome(v.FS(), "bad", make([]byte, 2048))
				}
				if !errors.Is(err, tc.want) {
					t.Errorf("%v, want %v", err, tc.want)
				}
				if why := says[tc.name]; why != "" && !strings.Contains(err.Error(), why) {
					t.Errorf("%v, want that it says %q", err, why)
				}
				if content, err := fs.ReadFile(v.FS(), "good"); string(content) != "good" {
					t.Errorf("the good file: %q, %v", content, err)
				}
				_ = walk(bytes.NewReader(image), int64(len(image)))
			})
		})
	}
}
