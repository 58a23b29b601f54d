package udf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/udf"
)

// Directories that are in each other, as often as fits.
func TestDirectoriesInCircles(t *testing.T) {
	d := newDisk(2048, 400)
	var ids []fid
	for i := range 4000 {
		ids = append(ids, fid{name: []byte{16, byte(i >> 8), byte(i), 0, 'x'}, characteristics: 2, icb: d.icb(2 + i%8)})
	}
	d.next = 100
	content := d.fids(ids...)
	e := entry{kind: 4, form: 1, ads: long(0, len(content), d.data(content), 0), size: int64(len(content))}
	for i := range 8 {
		d.put(2+i, e)
	}
	d.root = []fid{{name: name("a"), characteristics: 2, icb: d.icb(2)}}
	image := d.finish()
	boundtest.Check(t, func() {
		if err := walk(bytes.NewReader(image), int64(len(image))); err == nil {
			t.Error("no error")
		}
	})
}

// Every file of a directory that is full has an entry of its own, with extents as many as
// fit.
func TestFullDirectory(t *testing.T) {
	for name, tc := range map[string]struct {
		entries int
		want    error
	}{
		"as full as can be": {discfs.MaxEntries, nil},
		"too full":          {discfs.MaxEntries + 1, discfs.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(512, 700)
			d.next = 40
			d.add("file", entry{kind: 5, ads: bytes.Repeat(short(0, 512, 0), 42), size: 42 * 512})
			for i := range tc.entries - 1 {
				d.root = append(d.root, fid{name: []byte{16, byte(i >> 8), byte(i), 0, 'x'}, icb: d.icb(2)})
			}
			image := d.finish()
			boundtest.Check(t, func() {
				v := open(t, image)
				if _, err := fs.ReadDir(v.FS(), "."); !errors.Is(err, tc.want) {
					t.Errorf("%v, want %v", err, tc.want)
				}
			})
		})
	}
}

// What a volume has altogether is bounded, too.
func TestBudget(t *testing.T) {
	loop := func(d *disk, ads []byte) entry {
		d.allocationExtent(150, ads)
		return entry{kind: 5, ads: short(3, 512, 150), size: 1 << 40}
	}
	dir := func(d *disk, content []byte) entry {
		return entry{kind: 4, form: 1, ads: long(0, len(content), d.data(content), 0), size: int64(len(content))}
	}
	for _, tc := range []struct {
		name   string
		few    int // that many are all right
		many   int // that many are not
		blocks int
		entry  func(d *disk) entry
	}{
		{"extents", 15, 17, 200, func(d *disk) entry {
			return loop(d, slices.Concat(bytes.Repeat(short(2, 512, 0), 50), short(3, 512, 150)))
		}},
		{"blocks", 60, 70, 200, func(d *disk) entry { return loop(d, short(3, 512, 150)) }},
		{"entries", 3, 5, 600, func(d *disk) entry {
			d.put(100, within(nil))
			return dir(d, d.fids(slices.Repeat([]fid{{name: name("x"), icb: d.icb(100)}}, 4096)...))
		}},
		{"bytes of directories", 7, 9, 2400, func(d *disk) entry {
			return dir(d, d.fids(slices.Repeat([]fid{{name: make([]byte, 254), use: 1200, characteristics: 4, icb: d.icb(100)}}, 700)...))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for n, want := range map[int]error{tc.few: nil, tc.many: discfs.ErrDamaged} {
				d := newDisk(512, tc.blocks)
				d.next = 160
				e := tc.entry(d)
				for i := range n {
					d.add(fmt.Sprint(i), e)
				}
				image := d.finish()
				boundtest.Check(t, func() {
					v := open(t, image)
					list, err := fs.ReadDir(v.FS(), ".")
					for i := 0; err == nil && i < len(list) && list[i].IsDir(); i++ {
						_, err = fs.ReadDir(v.FS(), list[i].Name())
					}
					if !errors.Is(err, want) {
						t.Errorf("%d: %v, want %v", n, err, want)
					}
				})
			}
		})
	}
}

// A directory that cannot be read in full is read again, at no cost.
func TestDirectoryReadAgain(t *testing.T) {
	t.Parallel()
	d := newDisk(512, 700)
	d.next = 40
	d.add("bad", within(nil))
	d.add("good", within(nil))
	for i := range 4000 {
		d.root = append(d.root, fid{name: []byte{16, byte(i >> 8), byte(i), 0, 'x'}, icb: d.icb(3)})
	}
	image := &counting{ReaderAt: bytes.NewReader(d.finish()), bad: map[int64]bool{int64(d.start + 2): true}}
	v, err := udf.Open(image, int64(len(d.b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if _, err := fs.ReadFile(v.FS(), "bad"); !errors.Is(err, errUnreadable) {
			t.Errorf("%v, want %v", err, errUnreadable)
		}
	}
	clear(image.bad)
	if _, err := fs.ReadFile(v.FS(), "bad"); err != nil {
		t.Error(err)
	}
}

// sparse is an image of many zeros.
type sparse struct {
	begin []byte
	size  int64
}

func (s sparse) ReadAt(b []byte, at int64) (int, error) {
	left := max(0, s.size-at)
	b = b[:min(int64(len(b)), left)]
	clear(b)
	if at < int64(len(s.begin)) {
		copy(b, s.begin[at:])
	}
	if left == int64(len(b)) {
		return len(b), io.EOF
	}
	return len(b), nil
}

func TestSparseImage(t *testing.T) {
	d := newDisk(2048, 300)
	d.anchors, d.next = []int{256}, 280
	d.blocks = -1 // as many as can be
	d.add("far", entry{kind: 5, ads: slices.Concat(short(0, 1<<30-2048, 1<<20), short(0, 1<<30-2048, 1<<21)), size: 1<<31 - 4096})
	d.add("beyond", entry{kind: 5, ads: short(0, 1<<30-2048, -1-1<<20), size: 1 << 29})
	image := sparse{d.finish(), 10 << 30}
	boundtest.Check(t, func() {
		v, err := udf.Open(image, image.size)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		if err := readSome(v.FS(), "far", b); err != nil {
			t.Error(err)
		}
		if err := readSome(v.FS(), "beyond", b); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("beyond: %v", err)
		}
		if err := walk(sparse{nil, 10 << 30}, 10<<30); !errors.Is(err, udf.ErrNotUDF) {
			t.Errorf("zeros: %v", err)
		}
	})
}

// Whatever is cut off or damaged, the rest is read, or there is an error.
func TestCutAndDamagedSamples(_ *testing.T) {
	for _, sample := range samples() {
		image := sample.image
		step := len(image) / 64 / 512 * 512
		for at := 0; at < len(image); at += max(step, 512) {
			for _, size := range []int64{0, int64(at + 100), int64(len(image))} {
				_ = walk(bytes.NewReader(image[:at+100]), size)
			}
		}
		for at := 32 << 10; at < len(image); at += 512 {
			if image[at] == 0 && image[at+1] == 0 && image[at+4] == 0 {
				continue
			}
			for _, offset := range []int{0, 4, 12, 20, 27, 34, 56, 63, 168, 172, 180} {
				damaged := slices.Clone(image)
				damaged[at+offset] ^= 0x81
				_ = walk(bytes.NewReader(damaged), int64(len(image)))
				if b := damaged[at : at+512]; offset > 15 && int(little.Uint16(b[10:])) <= 496 {
					reseal(b[:16+int(little.Uint16(b[10:]))])
					_ = walk(bytes.NewReader(damaged), int64(len(image)))
				}
			}
		}
	}
}

// Files whose extents are there are read from a truncated image.
func TestTruncatedImage(t *testing.T) {
	d := newDisk(2048, 300)
	d.anchors, d.next = []int{256}, 240
	d.add("here", d.stored(0, pattern(2048)))
	d.next = 290
	d.add("gone", d.stored(0, pattern(2048)))
	d.next = 294
	d.finish()
	image := d.b[:(d.start+290)*2048+100]
	v := open(t, image)
	if content, err := fs.ReadFile(v.FS(), "here"); string(content) != pattern(2048) {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := fs.ReadFile(v.FS(), "gone"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want %v", err, io.ErrUnexpectedEOF)
	}
}
