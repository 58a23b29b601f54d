package iso9660_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/iso9660"
)

// walk does with an image what a program may do: it lists all directories and reads the
// beginning of all files, up to a number. Errors do not stop it, and it returns the first.
func walk(image io.ReaderAt, size int64, visited *int) error {
	iso9660.Recognize(image)
	volume, err := iso9660.Open(image, size)
	if err != nil {
		return err
	}
	n := 0
	if visited == nil {
		visited = &n
	}
	first := func(e error) {
		if err == nil {
			err = e
		}
	}
	fsys := volume.FS()
	first(fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if *visited++; *visited > 2000 {
			return fs.SkipAll
		}
		if err != nil {
			first(err)
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		f, err := fsys.Open(path)
		if err != nil {
			first(err)
			return nil
		}
		_, err = io.Copy(io.Discard, io.LimitReader(f, 1<<12))
		first(err)
		return f.Close()
	}))
	return err
}

// zeros is an image of which the end is a hole.
type zeros struct{ image }

func (z zeros) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	if at < int64(len(z.image)) {
		copy(b, z.image[at:])
	}
	return len(b), nil
}

func TestHostileImages(t *testing.T) {
	long := strings.Repeat("x", 200)
	dir := func(name string, sector, length uint32) row {
		return row{name: name, flags: isDir, sector: sector, length: length}
	}
	change := func(i *image, at int, b ...byte) *image {
		copy((*i)[at:], b)
		return i
	}
	const root = rootAt*2048 + 2*34 // behind the two records of the directory itself
	manyLinks := make([]row, 0, 1000)
	for n := range 1000 {
		manyLinks = append(manyLinks, file(fmt.Sprint(n), ce(freeAt, 0, 4096), entry("RE")))
	}
	manyDirs := make([]row, 0, 400)
	for n := range 400 {
		manyDirs = append(manyDirs, dir(fmt.Sprint(n), rootAt, 20480))
	}
	sections := make([]row, 65)
	for n := range sections {
		sections[n] = row{name: "A", flags: isMore}
	}
	sections[64].flags = 0
	tiny := directory(row{name: "f"})[:34]
	for _, tc := range []struct {
		name string
		i    *image
		want error
	}{
		{"blocks of no size", change(disc(), primaryAt*2048+128, 0, 0), discfs.ErrDamaged},
		{"blocks of an odd size", change(disc(), primaryAt*2048+128, 1, 8), discfs.ErrDamaged},
		{"blocks of more than a sector", change(disc().put(primaryAt, descriptor(1, "CD001", "", dir("\x00", rootAt/2, 2048))), primaryAt*2048+128, 0, 16), discfs.ErrDamaged},
		{"Joliet's blocks of no size", change(disc().joliet("%/E"), jolietAt*2048+128, 0, 0), discfs.ErrDamaged},
		{"no primary descriptor", disc().put(primaryAt, descriptor(0, "CD001", "", row{})), discfs.ErrDamaged},
		{"descriptors for ever", endless(), discfs.ErrDamaged},
		{"a root that is a file", disc().put(primaryAt, descriptor(1, "CD001", "", row{name: "\x00", sector: rootAt, length: 2048})), discfs.ErrDamaged},
		{"a root that is interleaved", disc().put(primaryAt, descriptor(1, "CD001", "", row{name: "\x00", flags: isDir, sector: rootAt, gap: 1})), discfs.ErrDamaged},
		{"a root without a record", change(disc(), primaryAt*2048+156, 0), discfs.ErrDamaged},
		{"a root whose record is longer than its place", change(disc(), primaryAt*2048+156, 35), discfs.ErrDamaged},
		{"a root beyond the image", disc().put(primaryAt, descriptor(1, "CD001", "", dir("\x00", 0xffffffff, 2048))), discfs.ErrDamaged},
		{"a root of 1 MiB and more", disc().put(primaryAt, descriptor(1, "CD001", "", dir("\x00", rootAt, 1<<20+1))), discfs.ErrDamaged},
		{"a root of 4 GiB", disc().put(primaryAt, descriptor(1, "CD001", "", dir("\x00", rootAt, 0xffffffff))), discfs.ErrDamaged},
		{"a root that goes on beyond the image", disc().put(primaryAt, descriptor(1, "CD001", "", dir("\x00", rootAt, 1<<20))), discfs.ErrDamaged},
		{"a root that does not begin with itself", disc().put(rootAt, directory(file("A"))), discfs.ErrDamaged},
		{"a root that begins with a file of its name", disc().put(rootAt, directory(row{name: "\x00"})), discfs.ErrDamaged},
		{"a root that begins with its parent", disc().put(rootAt, directory(dir("\x01", rootAt, 0))), discfs.ErrDamaged},
		{"an empty root", disc().put(rootAt, make([]byte, 2048)), discfs.ErrDamaged},

		{"a record of 33 bytes", change(disc(file("A")), root, 33), discfs.ErrDamaged},
		{"a record of 1 byte", change(disc(file("A")), root, 1), discfs.ErrDamaged},
		{"a record beyond its sector", disc().put(rootAt, join(directory(dir("\x00", rootAt, 0))[:34], bytes.Repeat([]byte{106}, 19*106))), discfs.ErrDamaged},
		{"a record of 255 bytes beyond its sector", disc().put(rootAt, join(directory(dir("\x00", rootAt, 0))[:34], bytes.Repeat(file(long).record(), 8), bytes.Repeat([]byte{255}, 200))), discfs.ErrDamaged},
		{"an identifier of no length", change(disc(file("A")), root+32, 0), discfs.ErrDamaged},
		{"an identifier beyond its record", change(disc(file("A")), root+32, 2), discfs.ErrDamaged},
		{"an identifier far beyond its record", change(disc(file("A")), root+32, 255), discfs.ErrDamaged},
		{"an identifier to the end of its record", change(disc(file("AB")), root+32, 3), nil},
		{"a record of no length ends a sector", change(disc(file("A"), file("B")), root, 0), nil},

		{"a directory in itself", disc(dir("A", rootAt, 2048)), discfs.ErrDamaged},
		{"two directories in each other", disc(dir("A", freeAt, 2048)).put(freeAt, directory(dir("B", freeAt+1, 2048))).
			put(freeAt+1, directory(dir("A", freeAt, 2048))), discfs.ErrDamaged},
		{"directories that are in themselves, many", disc(manyDirs...), discfs.ErrDamaged},
		{"a directory in sections", disc(row{name: "A", flags: isDir | isMore, sector: freeAt}), discfs.ErrDamaged},
		{"an interleaved directory", disc(row{name: "A", flags: isDir, sector: freeAt, unit: 1, gap: 1}), discfs.ErrDamaged},
		{"a directory beyond the image", disc(dir("A", 0xffffffff, 2048)), discfs.ErrDamaged},
		{"a directory of 1 MiB and more", disc(dir("A", freeAt, 1<<20+2048)), discfs.ErrDamaged},
		{"more entries than are listed", disc(dir("A", 100, 1<<20)).put(100, bytes.Repeat(append(bytes.Repeat(tiny, 60), make([]byte, 8)...), 512)), discfs.ErrDamaged},

		{"as many entries as are listed", disc(dir("A", 100, 1<<18)).put(100, join(bytes.Repeat(append(bytes.Repeat(tiny, 60), make([]byte, 8)...), 68), bytes.Repeat(tiny, 16), make([]byte, 1<<18))), nil},
		{"one entry more", disc(dir("A", 100, 1<<18)).put(100, join(bytes.Repeat(append(bytes.Repeat(tiny, 60), make([]byte, 8)...), 68), bytes.Repeat(tiny, 17), make([]byte, 1<<18))), discfs.ErrDamaged},
		{"a file without its last section", disc(row{name: "A", flags: isMore}), discfs.ErrDamaged},
		{"another file in place of the last section", disc(row{name: "A", flags: isMore}, row{name: "B"}), discfs.ErrDamaged},
		{"a directory in place of the last section", disc(row{name: "A", flags: isMore}, row{name: "A", flags: isDir}), discfs.ErrDamaged},
		{"65 sections", disc(sections...), discfs.ErrDamaged},
		{"64 sections, twice", disc(slices.Concat(sections[1:], sections[1:])...), nil},
		{"a section of 4 GiB beyond the image", disc(row{name: "A", sector: 0xffffffff, length: 0xffffffff}), io.ErrUnexpectedEOF},

		{"a system use entry of length 0", rockRidge(file("A", []byte("NM\x00\x01\x00a"))), discfs.ErrDamaged},
		{"a system use entry of length 1", rockRidge(file("A", []byte("NM\x01\x01\x00a"))), discfs.ErrDamaged},
		{"a system use entry of length 3", rockRidge(file("A", []byte("NM\x03\x01\x00a"))), discfs.ErrDamaged},
		{"a system use entry beyond its area", rockRidge(file("A", []byte("NM\x07\x01\x00a"))), discfs.ErrDamaged},
		{"a name entry without flags", rockRidge(file("A", entry("NM"))), discfs.ErrDamaged},
		{"a PX entry that is too short", rockRidge(file("A", entry("PX", make([]byte, 7)))), discfs.ErrDamaged},
		{"a CL entry that is too short", rockRidge(file("A", entry("CL", make([]byte, 7)))), discfs.ErrDamaged},
		{"a CE entry that is too short", rockRidge(file("A", entry("CE", make([]byte, 23)))), discfs.ErrDamaged},
		{"a continuation beyond the image", rockRidge(file("A", ce(0xffffffff, 0xffffffff, 1))), discfs.ErrDamaged},
		{"a continuation that is too long", rockRidge(file("A", ce(freeAt, 0, 4097))).put(freeAt, make([]byte, 4100)), discfs.ErrDamaged},
		{"a continuation that is as long as it may be", rockRidge(file("A", ce(freeAt, 0, 4096))).put(freeAt, make([]byte, 4096)), nil},
		{"a continuation of 4 GiB", rockRidge(file("A", ce(freeAt, 0, 0xffffffff))), discfs.ErrDamaged},
		{"a continuation that is its own", rockRidge(file("A", ce(freeAt, 0, 28))).put(freeAt, ce(freeAt, 0, 28)), discfs.ErrDamaged},
		{"a root with a continuation that is its own", discOf(row{name: "\x00", flags: isDir, sector: rootAt, use: join(announcement, ce(freeAt, 0, 28))}).put(freeAt, ce(freeAt, 0, 28)), discfs.ErrDamaged},
		{"16 continuations", rockRidge(file("A", ce(freeAt, 0, 28))).put(freeAt, chain(16)), nil},
		{"17 continuations", rockRidge(file("A", ce(freeAt, 0, 28))).put(freeAt, chain(17)), discfs.ErrDamaged},
		{"many continuations of a sector and more", rockRidge(manyLinks...).put(freeAt, join(ce(freeAt, 0, 4096), bytes.Repeat(entry("XX"), 1017))), discfs.ErrDamaged},
		{"a name of 1025 bytes", rockRidge(file("A", ce(freeAt, 0, 1055))).put(freeAt, join(bytes.Repeat(nm(1, long), 5), nm(0, long[:25]))), discfs.ErrDamaged},
		{"a name of 1024 bytes", rockRidge(file("A", ce(freeAt, 0, 1054))).put(freeAt, join(bytes.Repeat(nm(1, long), 5), nm(0, long[:24]))), nil},
		{"a relocated directory beyond the image", rockRidge(file("A", entry("CL", both(0xffffffff)))), discfs.ErrDamaged},
		{"a relocated directory that is a file", rockRidge(file("A", entry("CL", both(freeAt)))).put(freeAt, directory(file("x"))), discfs.ErrDamaged},
		{"a relocated directory of zeros", rockRidge(file("A", entry("CL", both(freeAt)))), discfs.ErrDamaged},
		{"a relocated directory that is the root", rockRidge(file("A", entry("CL", both(rootAt)))), discfs.ErrDamaged},
		{"a relocated directory of 4 GiB", rockRidge(file("A", entry("CL", both(freeAt)))).put(freeAt, directory(dir("\x00", freeAt, 0xffffffff))), discfs.ErrDamaged},
	} {
		text(tc.i)
		boundtest.Check(t, func() {
			visited := 0
			err := walk(bytes.NewReader(*tc.i), int64(len(*tc.i)), &visited)
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: error %v, want %v", tc.name, err, tc.want)
			}
		})
	}
}

// endless is an image of boot records without an end of them.
func endless() *image {
	i := new(image)
	for n := range 100 {
		i.put(primaryAt+n, descriptor(0, "CD001", "", row{}))
	}
	return i.put(primaryAt+50, descriptor(1, "CD001", "", row{name: "\x00", flags: isDir, sector: rootAt}))
}

// chain is a sector with continuations of which each leads to the next, but for the last.
func chain(length int) []byte {
	var b []byte
	for n := range length - 1 {
		b = append(b, ce(freeAt, uint32(28*(n+1)), 28)...)
	}
	return b
}

func TestTruncatedImages(t *testing.T) {
	whole := *text(rockRidge(file("A", ce(freeAt, 0, 9)), row{name: "D", flags: isDir, sector: freeAt + 1})).
		put(freeAt, nm(0, "name")).put(freeAt+1, directory(file("B", nm(0, "b"))))
	for size := range len(whole) {
		if size%2048 > 3 && size%2048 != 1024 && size%2048 < 2046 {
			continue
		}
		want := []error{discfs.ErrDamaged, io.ErrUnexpectedEOF}
		if size < (primaryAt+1)*2048 {
			want = []error{iso9660.ErrNotISO9660}
		}
		for _, image := range []io.ReaderAt{bytes.NewReader(whole[:size]), bytes.NewReader(whole)} {
			boundtest.Check(t, func() {
				err := walk(image, int64(size), nil)
				if size < content*2048+4 && !errors.Is(err, want[0]) && !errors.Is(err, want[len(want)-1]) {
					t.Errorf("%d bytes: error %v", size, err)
				}
			})
		}
	}
	if _, err := iso9660.Open(bytes.NewReader(whole), -1); !errors.Is(err, iso9660.ErrNotISO9660) {
		t.Errorf("a negative size: %v", err)
	}
}

func TestSparseImage(t *testing.T) {
	i := zeros{*disc(row{name: "A", sector: 1 << 20, length: 0xffffffff}, row{name: "D", flags: isDir, sector: 1 << 21, length: 1 << 20})}
	boundtest.Check(t, func() {
		visited := 0
		if err := walk(i, 10<<30, &visited); err != nil || visited != 3 {
			t.Errorf("%d files, %v", visited, err)
		}
	})
	// A byte more than a directory may have.
	i = zeros{*disc(row{name: "D", flags: isDir, sector: 1 << 21, length: 1<<20 + 1})}
	if err := walk(i, 10<<30, nil); !errors.Is(err, discfs.ErrDamaged) {
		t.Error(err)
	}
	boundtest.Check(t, func() {
		if _, err := iso9660.Open(zeros{}, 10<<30); !errors.Is(err, iso9660.ErrNotISO9660) {
			t.Error(err)
		}
	})
}

// Bytes of a good image are changed; nothing may come of it but an error or files.
func TestRandomBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seed := *seeds()[0]
	noise := make(image, 1<<18)
	for n := range noise {
		noise[n] = byte(random.Uint32())
	}
	copy(noise[primaryAt*2048:], descriptor(1, "CD001", "", row{name: "\x00", flags: isDir, sector: rootAt, length: 1 << 17}))
	boundtest.Check(t, func() {
		if err := walk(bytes.NewReader(noise), int64(len(noise)), nil); !errors.Is(err, discfs.ErrDamaged) {
			t.Error(err)
		}
	})
	for range 300 {
		b := bytes.Clone(seed)
		for range 1 + random.IntN(8) {
			b[primaryAt*2048+random.IntN(len(b)-primaryAt*2048)] = byte(random.Uint32())
			b[rootAt*2048+random.IntN(400)] = byte(random.Uint32())
		}
		boundtest.Check(t, func() { _ = walk(bytes.NewReader(b), int64(len(b)), nil) })
	}
}

// The directories that a volume reads in its life are bounded even if they are all the same
// and empty, so that no count of entries is.
func TestListingsAreBounded(t *testing.T) {
	i := zeros{*disc(row{name: "D", flags: isDir, sector: freeAt + 1, length: 1 << 20})}
	volume, err := iso9660.Open(i, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = fs.ReadDir(volume.FS(), "D")
	}
	if n < 60 || n > 64 || errors.Is(err, discfs.ErrDamaged) {
		t.Errorf("%d times 1 MiB, %v", n, err)
	}
}

// seeds are small images that have everything.
func seeds() []*image {
	self := row{name: "\x00", flags: isDir, sector: freeAt + 1}
	return []*image{
		text(rockRidge(
			file("A;1", px(0o100644), nm(1, "ovf"), ce(freeAt, 0, 9)),
			row{name: "D", flags: isDir, sector: freeAt + 2},
			file("CL", nm(0, "moved"), entry("CL", both(freeAt+1))),
			row{name: "M", sector: content, length: 4, flags: isMore},
			row{name: "M", sector: content + 1, length: 4, use: entry("TF", []byte{2}, make([]byte, 7))},
		)).put(freeAt, nm(0, "-env")).put(freeAt+1, directory(self, file("B", nm(0, "b")))).
			put(freeAt+2, directory(file("C"))),
		text(disc(file("A;1"), row{name: "D", flags: isDir, sector: freeAt})).
			joliet("%/E", file(wide("ovf-env.xml;1")), row{name: wide("d"), flags: isDir, sector: freeAt + 1}),
		text(disc(file("A;1"))),
	}
}

func FuzzOpen(f *testing.F) {
	for _, i := range seeds() {
		f.Add([]byte((*i)[primaryAt*2048:]))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<20 {
			return
		}
		b := append(make([]byte, primaryAt*2048), in...) // The system area is not looked at.
		boundtest.Check(t, func() { _ = walk(bytes.NewReader(b), int64(len(b)), nil) })
	})
}

func BenchmarkOpenAndReadOneFile(b *testing.B) {
	i := *seeds()[0]
	for b.Loop() {
		volume, err := iso9660.Open(bytes.NewReader(i), int64(len(i)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := fs.ReadFile(volume.FS(), "ovf-env"); err != nil {
			b.Fatal(err)
		}
	}
}
