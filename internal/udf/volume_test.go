package udf_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/udf"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, sample := range samples() {
		t.Run(sample.name, func(t *testing.T) {
			t.Parallel()
			if !udf.Recognize(bytes.NewReader(sample.image)) {
				t.Error("it is not recognised")
			}
			v := open(t, sample.image)
			if v.Label() != "PROVISION" {
				t.Errorf("label %q", v.Label())
			}
			files := map[string]string{}
			for name, content := range readAll(t, v.FS()) {
				files[name] = string(content)
			}
			if strings.Contains(sample.name, "one descriptor is damaged") || strings.Contains(sample.name, "root's entry is damaged") {
				// The file "short" has what was damaged for content.
				delete(files, "short")
				delete(sample.files, "short")
			}
			if diff := cmp.Diff(sample.files, files); diff != "" {
				t.Errorf("files (-want +got):\n%.3000s", diff)
			}
			if err := fstest.TestFS(v.FS(), slices.Collect(maps.Keys(sample.files))...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	d := newDisk(512, 24)
	d.label, d.volume, d.revision = "", "VÖLUME", 0x260
	d.add("a", within(nil))
	v := open(t, d.finish())
	if v.Label() != "VÖLUME" || v.Revision() != 0x260 || v.BlockSize() != 512 {
		t.Errorf("label %q, revision %x, block size %d", v.Label(), v.Revision(), v.BlockSize())
	}
	info, err := fs.Stat(v.FS(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 5, 4, 2, 2, 1, 30_456_000, time.UTC); !info.ModTime().Equal(want) {
		t.Errorf("modified %v, want %v", info.ModTime(), want)
	}
}

func TestLabelThatIsTooLong(t *testing.T) {
	t.Parallel()
	d := simple(512)
	d.volume = "VOLUME"
	image := edit(d.finish(), 512, d.mainSequence()+3, func(b []byte) { b[211] = 255 })
	if label := open(t, image).Label(); label != "VOLUME" {
		t.Errorf("label %q", label)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		stamp []byte
		want  time.Time
	}{
		{"east of Greenwich", []byte{60, 0x10, 0xea, 7, 5, 4, 3, 2, 1, 0, 0, 0}, time.Date(2026, 5, 4, 2, 2, 1, 0, time.UTC)},
		{"west of Greenwich", []byte{0x88, 0x1f, 0xea, 7, 5, 4, 3, 2, 1, 0, 0, 0}, time.Date(2026, 5, 4, 5, 2, 1, 0, time.UTC)},
		{"no zone", []byte{0x01, 0x18, 0xea, 7, 5, 4, 3, 2, 1, 0, 0, 0}, time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)},
		{"no local time", []byte{60, 0, 0xea, 7, 5, 4, 3, 2, 1, 0, 0, 0}, time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)},
		{"no month", []byte{0, 0x10, 0xea, 7, 0, 4, 3, 2, 1, 0, 0, 0}, time.Time{}},
		{"a month that is none", []byte{0, 0x10, 0xea, 7, 13, 4, 3, 2, 1, 0, 0, 0}, time.Time{}},
		{"an hour that is none", []byte{0, 0x10, 0xea, 7, 1, 4, 24, 2, 1, 0, 0, 0}, time.Time{}},
		{"a negative year", []byte{0, 0x10, 0xff, 0xff, 1, 4, 3, 2, 1, 0, 0, 0}, time.Time{}},
		{"nothing", make([]byte, 12), time.Time{}},
	} {
		d := newDisk(512, 24)
		d.add("file", entry{kind: 5, form: 3, time: tc.stamp})
		info, err := fs.Stat(open(t, d.finish()).FS(), "file")
		if err != nil {
			t.Fatal(err)
		}
		if !info.ModTime().Equal(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, info.ModTime(), tc.want)
		}
	}
}

// A sequence ends where nothing is recorded, and nothing is wrong with that.
func TestSequenceWithoutTerminator(t *testing.T) {
	t.Parallel()
	d := simple(512)
	image := d.finish()
	clear(image[(d.mainSequence()+4)*512:][:1024])
	counted := &counting{ReaderAt: bytes.NewReader(image)}
	v, err := udf.Open(counted, 0)
	if !errors.Is(err, udf.ErrNotUDF) && !errors.Is(err, discfs.ErrDamaged) || v != nil {
		t.Errorf("without a size: %v", err)
	}
	before := counted.bytes
	if _, err := udf.Open(counted, int64(len(image))); err != nil || counted.bytes-before > 24*512 {
		t.Errorf("%d bytes were read, %v", counted.bytes-before, err)
	}
}

// What is said to be wrong is what was wrong first.
func TestFirstFault(t *testing.T) {
	t.Parallel()
	d := simple(512)
	image := d.finish()
	image[(d.mainSequence()+3)*512+300]++
	clear(image[d.reserveSequence()*512:][:512])
	_, err := udf.Open(bytes.NewReader(image), int64(len(image)))
	if !errors.Is(err, discfs.ErrDamaged) || !strings.Contains(err.Error(), "CRC") {
		t.Errorf("%v, want a wrong CRC", err)
	}
}

// counting counts the bytes that are read, and fails to read some sectors of 512 bytes.
type counting struct {
	io.ReaderAt
	reads, bytes int
	bad          map[int64]bool
}

var errUnreadable = errors.New("medium error")

func (c *counting) ReadAt(b []byte, at int64) (int, error) {
	c.reads++
	c.bytes += len(b)
	for sector := at / 512; sector*512 < at+int64(len(b)); sector++ {
		if c.bad[sector] {
			return 0, errUnreadable
		}
	}
	return c.ReaderAt.ReadAt(b, at)
}

// A cold open reads the anchor, six volume descriptors, the file set and the entries of
// the root and its files, and the file.
func TestSectorsRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		read func(v *udf.Volume, image io.ReaderAt) error
		want int
	}{
		{"recognising", func(_ *udf.Volume, image io.ReaderAt) error { udf.Recognize(image); return nil }, 3},
		{"opening", func(*udf.Volume, io.ReaderAt) error { return nil }, 9},
		{"reading a file in its entry", func(v *udf.Volume, _ io.ReaderAt) error { _, err := fs.ReadFile(v.FS(), "ovf-env.xml"); return err }, 13},
		{"reading it twice", func(v *udf.Volume, _ io.ReaderAt) error {
			_, err := fs.ReadFile(v.FS(), "ovf-env.xml")
			_, again := fs.ReadFile(v.FS(), "ovf-env.xml")
			return errors.Join(err, again)
		}, 14},
		{"reading a file of two sectors", func(v *udf.Volume, _ io.ReaderAt) error { _, err := fs.ReadFile(v.FS(), "two"); return err }, 14},
		{"asking for one that is not there", func(v *udf.Volume, _ io.ReaderAt) error {
			if _, err := fs.Stat(v.FS(), "other"); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(2048, 300)
			d.anchors = []int{256}
			d.next = 280
			d.add("ovf-env.xml", within([]byte("<Environment/>")))
			d.add("two", d.stored(1, pattern(2049)))
			image := &counting{ReaderAt: bytes.NewReader(d.finish())}
			var v *udf.Volume
			if tc.name != "recognising" {
				var err error
				if v, err = udf.Open(image, int64(len(d.b))); err != nil {
					t.Fatal(err)
				}
			}
			if err := tc.read(v, image); err != nil {
				t.Error(err)
			}
			if image.reads > tc.want || image.bytes > tc.want*2048 {
				t.Errorf("%d reads of %d bytes, want %d sectors at most", image.reads, image.bytes, tc.want)
			}
		})
	}
}

// What cannot be read is told from what is damaged, and takes nothing else with it.
func TestUnreadableSectors(t *testing.T) {
	t.Parallel()
	d := simple(512)
	d.add("sub", entry{kind: 4, form: 3})
	image := d.finish()
	last := len(image)/512 - 1
	for _, tc := range []struct {
		name    string
		sectors []int
		open    error
		files   map[string]error
	}{
		{"the anchor", []int{last}, errUnreadable, nil},
		{"both sequences", []int{d.mainSequence() + 2, d.reserveSequence()}, errUnreadable, nil},
		{"the main sequence", []int{d.mainSequence()}, nil, map[string]error{"two": nil}},
		{"the reserve sequence", []int{d.reserveSequence()}, nil, map[string]error{"two": nil}},
		{"the volume recognition sequence", []int{64}, nil, map[string]error{"two": nil}},
		{"the file set", []int{d.start}, errUnreadable, nil},
		{"the root's entry", []int{d.start + 1}, errUnreadable, nil},
		{"a file's entry", []int{d.start + 3}, nil, map[string]error{"ovf-env.xml": nil, "two": errUnreadable, "three": fs.ErrNotExist}},
		{"a directory's entry", []int{d.start + 4}, nil, map[string]error{"ovf-env.xml": nil, "sub/file": errUnreadable}},
		{"a file's content", []int{d.start + 13}, nil, map[string]error{"ovf-env.xml": nil, "two": errUnreadable}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			flawed := &counting{ReaderAt: bytes.NewReader(image), bad: map[int64]bool{}}
			for _, sector := range tc.sectors {
				flawed.bad[int64(sector)] = true
			}
			v, err := udf.Open(flawed, int64(len(image)))
			if !errors.Is(err, tc.open) || errors.Is(err, discfs.ErrDamaged) {
				t.Fatalf("Open: %v, want %v", err, tc.open)
			}
			for name, want := range tc.files {
				if _, err := fs.ReadFile(v.FS(), name); !errors.Is(err, want) || errors.Is(err, discfs.ErrDamaged) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
			}
			// The drive may read it another time.
			clear(flawed.bad)
			for name := range tc.files {
				_, err := fs.ReadFile(v.FS(), name)
				if absent := name == "three" || name == "sub/file"; errors.Is(err, fs.ErrNotExist) != absent || err != nil && !absent {
					t.Errorf("%s, again: %v", name, err)
				}
			}
		})
	}
}

// On media that are written once, what is not written yet may not be readable.
func TestUnreadableIndirectEntry(t *testing.T) {
	t.Parallel()
	d := newDisk(512, 24)
	e := within([]byte("content"))
	e.strategy = 4096
	d.add("file", e)
	image := &counting{ReaderAt: bytes.NewReader(d.finish()), bad: map[int64]bool{int64(d.start + 3): true}}
	v, err := udf.Open(image, int64(len(d.b)))
	if err != nil {
		t.Fatal(err)
	}
	if content, err := fs.ReadFile(v.FS(), "file"); string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
}

// The map of the metadata partition may come before that of the partition it is in.
func TestMetadataMapFirst(t *testing.T) {
	t.Parallel()
	d := newDisk(512, 24)
	m := mapOf("*UDF Metadata Partition")
	m[40], m[44] = 12, 13
	d.maps = [][]byte{m, mapPlain()}
	d.place = func(block int) int { return 16 + block }
	d.putAt(d.start+12, 12, entry{kind: 250, extended: true, ads: short(0, 4*512, 16), size: 4 * 512})
	d.add("file", within([]byte("content")))
	if content, err := fs.ReadFile(open(t, d.finish()).FS(), "file"); string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		ids    string
		stride int
		want   bool
	}{
		{"NSR02", "BEA01 NSR02 TEA01", 2048, true},
		{"NSR03", "BEA01 NSR03 TEA01", 2048, true},
		{"behind ISO 9660", "CD001 CD001 CD001 BEA01 NSR02 TEA01", 2048, true},
		{"sectors of 4096 bytes", "BEA01 NSR03 TEA01", 4096, true},
		{"in a second extended area", "BEA01 BOOT2 TEA01 BEA01 NSR03 TEA01", 2048, true},
		{"ISO 9660 only", "CD001 CD001", 2048, false},
		{"nothing", "", 2048, false},
		{"no beginning", "NSR02 TEA01", 2048, false},
		{"behind the end", "BEA01 TEA01 NSR02 TEA01", 2048, false},
		{"no end", "BEA01 NSR02", 2048, false},
		{"of an unknown standard", "BEA01 NSR01 TEA01", 2048, false},
		{"after something unknown", "WHAT? BEA01 NSR02 TEA01", 2048, false},
		{"after too much", strings.Repeat("CD001 ", 14) + "BEA01 NSR02 TEA01", 2048, false},
		{"after much", strings.Repeat("CD001 ", 13) + "BEA01 NSR02 TEA01", 2048, true},
	} {
		image := make([]byte, 256<<10)
		for i, id := range strings.Fields(tc.ids) {
			copy(image[32<<10+i*tc.stride+1:], id)
		}
		counted := &counting{ReaderAt: bytes.NewReader(image)}
		if got := udf.Recognize(counted); got != tc.want || counted.reads > 32 {
			t.Errorf("%s: %v after %d reads, want %v", tc.name, got, counted.reads, tc.want)
		}
	}
	if udf.Recognize(strings.NewReader("short")) {
		t.Error("a short image is recognised")
	}
}
