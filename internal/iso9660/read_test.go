package iso9660_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/discfs"
	"github.com/azprov/azprov/internal/iso9660"
)

// Files that are there but cannot be read fail when they are.
func TestReadFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		records []row
		size    int64
	}{
		{"interleaved", []row{{name: "A", sector: content, length: 9, unit: 1, gap: 1}}, 9},
		{"interleaved by a unit only", []row{{name: "A", sector: content, length: 9, unit: 1}}, 9},
		{"interleaved by a gap only", []row{{name: "A", sector: content, length: 9, gap: 1}}, 9},
		{"interleaved in part", []row{
			{name: "A", sector: content, length: 4, flags: isMore},
			{name: "A", sector: content, length: 4, flags: isMore, gap: 1},
			{name: "A", sector: content, length: 4},
		}, 12},
		{"compressed", []row{file("A", entry("ZF", []byte("pz"), make([]byte, 10)))}, 4},
		{"beyond the image", []row{{name: "A", sector: 0xffffffff, length: 0xffffffff}}, 1<<32 - 1},
		{"partly beyond the image", []row{{name: "A", sector: content, length: 4097}}, 4097},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fsys := open(t, *text(rockRidge(append(tc.records, file("B"))...))).FS()
			f, err := fsys.Open("A")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			if info, err := f.Stat(); err != nil || info.Size() != tc.size {
				t.Errorf("%d bytes, want %d, %v", info.Size(), tc.size, err)
			}
			if _, err := io.Copy(io.Discard, f); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v", err)
			}
			if b, err := fs.ReadFile(fsys, "B"); string(b) != "text" {
				t.Errorf("the next file: %q, %v", b, err)
			}
		})
	}
}

// A file of more than 4 GiB, most of which the image lacks.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	const section = 0xfffff800
	fsys := open(t, *text(disc(
		row{name: "A;1", sector: 1 << 30, length: section, flags: isMore},
		row{name: "A;1", sector: content, length: 4},
	))).FS()
	f, err := fsys.Open("A")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if n, err := f.(io.ReaderAt).ReadAt(b, section); n != 4 || string(b) != "text" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != section+4 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	plain := *disc()
	udfFirst := make(image, (primaryAt+3)*2048)
	for n, id := range []string{"BEA01", "NSR02", "TEA01"} {
		copy(udfFirst[(primaryAt+n)*2048+1:], id)
	}
	both := append(bytes.Clone(udfFirst), plain[primaryAt*2048:]...)
	udfWithout := append(bytes.Clone(udfFirst), make([]byte, 1<<16)...)
	udfEndless := bytes.Repeat(append([]byte("\x00NSR02\x01"), make([]byte, 2041)...), 60)
	for _, tc := range []struct {
		name string
		b    []byte
		want bool
		err  error
	}{
		{"a volume", plain, true, nil},
		{"a volume behind one of UDF", both, true, discfs.ErrDamaged}, // its root has moved
		{"UDF", udfWithout, false, iso9660.ErrNotISO9660},
		{"UDF to the end", udfFirst, false, iso9660.ErrNotISO9660},
		{"UDF for ever", udfEndless, false, iso9660.ErrNotISO9660},
		{"zeros", make([]byte, 1<<16), false, iso9660.ErrNotISO9660},
		{"nothing", nil, false, iso9660.ErrNotISO9660},
		{"a system area", plain[:primaryAt*2048], false, iso9660.ErrNotISO9660},
		{"High Sierra", append(make([]byte, primaryAt*2048+8), "\x01CDROM\x01"...), false, iso9660.ErrNotISO9660},
	} {
		if got := iso9660.Recognize(bytes.NewReader(tc.b)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
		if _, err := iso9660.Open(bytes.NewReader(tc.b), int64(len(tc.b))); !errors.Is(err, tc.err) {
			t.Errorf("%s: error %v, want %v", tc.name, err, tc.err)
		}
	}
}

// drive is an image with an unreadable sector, that counts what is read.
type drive struct {
	image
	bad     int64
	mu      sync.Mutex
	sectors map[int64]int
}

var errDrive = errors.New("medium error")

func (d *drive) ReadAt(b []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for sector := at / 2048; sector <= (at+int64(len(b))-1)/2048; sector++ {
		if sector == d.bad {
			return 0, errDrive
		}
		if d.sectors != nil {
			d.sectors[sector]++
		}
	}
	return bytes.NewReader(d.image).ReadAt(b, at)
}

// An error of the drive is neither damage nor the lack of a volume.
func TestErrorsOfTheImagePassThrough(t *testing.T) {
	t.Parallel()
	b := *text(rockRidge(
		file("A", ce(freeAt, 0, 9)),
		row{name: "B", use: entry("CL", both(freeAt+1))},
		row{name: "C", flags: isDir, sector: freeAt + 2},
	)).put(freeAt, nm(0, "name")).put(freeAt+1, directory(row{name: "\x00", flags: isDir, sector: freeAt + 2}))
	for _, sector := range []int64{primaryAt, primaryAt + 1, rootAt, freeAt, freeAt + 1, freeAt + 2, content} {
		d := &drive{image: b, bad: sector}
		err := walk(d, int64(len(b)), nil)
		if !errors.Is(err, errDrive) || errors.Is(err, discfs.ErrDamaged) || errors.Is(err, iso9660.ErrNotISO9660) {
			t.Errorf("sector %d: error %v", sector, err)
		}
	}
	if iso9660.Recognize(&drive{image: b, bad: primaryAt}) {
		t.Error("recognized without being read")
	}
}

// The way from nothing to the content of a file at the root.
func TestReadsFewSectors(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]*image{
		"rock ridge": rockRidge(file("A")),
		"plain":      disc(file("A")),
	} {
		d := &drive{image: *text(i), sectors: map[int64]int{}}
		volume, err := iso9660.Open(d, int64(len(d.image)))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := fs.ReadFile(volume.FS(), "A"); string(b) != "text" {
			t.Errorf("%q, %v", b, err)
		}
		want := map[int64]int{primaryAt: 1, jolietAt: 1, rootAt: 2, content: 1}
		if diff := cmp.Diff(want, d.sectors); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := *text(rockRidge(file("A", ce(freeAt, 0, 9)), row{name: "D", flags: isDir, sector: freeAt + 1})).
		put(freeAt, nm(0, "name")).put(freeAt+1, directory(file("B", nm(0, "b"))))
	fsys := open(t, b).FS()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if got := read(t, fsys); !cmp.Equal(got, files{"name": "text", "D/b": "text"}) {
					t.Errorf("%q", got)
				}
			}
		})
	}
	group.Wait()
}
