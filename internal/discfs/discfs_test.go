package discfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/discfs"
)

// tree is a volume of directories by their ID; the root's is 0.
type tree map[int64][]*discfs.Node

func (t tree) Root() *discfs.Node { return &discfs.Node{Dir: true, ModTime: day} }

func (t tree) ReadDir(dir *discfs.Node) ([]*discfs.Node, error) {
	children, ok := t[dir.ID]
	if !ok {
		return nil, errNoDirectory
	}
	return children, nil
}

var (
	day            = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	errNoDirectory = errors.New("no such directory")
)

const image = "0123456789"

func of(t tree) fs.FS { return discfs.New(strings.NewReader(image), t) }

func dir(name string, id int64) *discfs.Node {
	return &discfs.Node{Name: name, ID: id, Dir: true, ModTime: day}
}

// file is one of extents, and its size what they have.
func file(name string, extents ...discfs.Extent) *discfs.Node {
	node := &discfs.Node{Name: name, Extents: extents, ModTime: day}
	for _, extent := range extents {
		node.Size += extent.Length
	}
	return node
}

func TestFS(t *testing.T) {
	t.Parallel()
	fsys := of(tree{
		0: {dir("d", 1), file("b", discfs.Extent{Offset: 2, Length: 3}), file("a"), dir("empty", 2)},
		1: {file("c", discfs.Extent{Offset: 8, Length: 2}, discfs.Extent{Length: 1}), dir("d", 3)},
		2: {},
		3: {{Name: "data", Data: []byte("held"), Size: 4}},
	})
	if err := fstest.TestFS(fsys, "a", "b", "d/c", "empty", "d/d/data"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a": "", "b": "234", "d/c": "890", "d/d/data": "held"} {
		if b, err := fs.ReadFile(fsys, name); string(b) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, b, err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	levels := tree{}
	for n := range int64(discfs.MaxDepth + 3) {
		levels[n] = []*discfs.Node{dir("d", n+1), file("f")}
	}
	path := func(n int) string { return strings.Repeat("d/", n-1) + "f" }
	loops := tree{
		0: {dir("self", 0), dir("a", 1), file("f"), dir("missing", 9)},
		1: {dir("b", 2), file("f")},
		2: {dir("a", 1), dir("root", 0), file("f")},
	}
	for _, tc := range []struct {
		fsys fs.FS
		name string
		want error // nil is success, any is some error
	}{
		{of(loops), "f", nil},
		{of(loops), "a/b/f", nil},
		{of(loops), "", fs.ErrInvalid},
		{of(loops), "/f", fs.ErrInvalid},
		{of(loops), "a/", fs.ErrInvalid},
		{of(loops), "a/../f", fs.ErrInvalid},
		{of(loops), "./f", fs.ErrInvalid},
		{of(loops), "\xff", fs.ErrInvalid},
		{of(loops), "F", fs.ErrNotExist},
		{of(loops), "a/x", fs.ErrNotExist},
		{of(loops), "f/x", fs.ErrNotExist},
		{of(loops), "f/f", fs.ErrNotExist}, // as if a file's ID meant something
		{of(loops), "self", discfs.ErrDamaged},
		{of(loops), "a/b/a", discfs.ErrDamaged},
		{of(loops), "a/b/root", discfs.ErrDamaged},
		{of(loops), "a/b/root/f", discfs.ErrDamaged},
		{of(loops), "missing/x", errNoDirectory},
		{of(levels), path(discfs.MaxDepth), nil},
		{of(levels), path(discfs.MaxDepth + 1), errAny},
		{of(levels), strings.Repeat("d/", discfs.MaxDepth-1) + "d", nil},
		{of(levels), strings.Repeat("d/", discfs.MaxDepth) + "d", errAny},
	} {
		f, err := tc.fsys.Open(tc.name)
		if (err == nil) != (tc.want == nil) || !errors.Is(tc.want, errAny) && !errors.Is(err, tc.want) {
			t.Errorf("Open(%q): %v, want %v", tc.name, err, tc.want)
		}
		var pathError *fs.PathError
		if err != nil && (!errors.As(err, &pathError) || pathError.Path != tc.name || pathError.Op != "open" || f != nil) {
			t.Errorf("Open(%q): %v, %#v", tc.name, f, err)
		}
	}
}

var errAny = errors.New("any")

// A node of a name that no path can have is not there.
func TestNames(t *testing.T) {
	t.Parallel()
	fsys := of(tree{0: {
		file("z"), file(""), file("."), file(".."), file("a/b"), file("/"), file("\xff"),
		file("twice", discfs.Extent{Offset: 1, Length: 1}), file("twice", discfs.Extent{Offset: 2, Length: 1}),
		file("c:"), file("ü"), file(" "), file("B"), file("b"), file("a\x00"), dir("twice", 7),
	}})
	if err := fstest.TestFS(fsys, "z", "twice", "c:", "ü", " ", "B", "b", "a\x00"); err != nil {
		t.Error(err)
	}
	entries, err := fs.ReadDir(fsys, ".")
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff([]string{" ", "B", "a\x00", "b", "c:", "twice", "z", "ü"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if b, err := fs.ReadFile(fsys, "twice"); string(b) != "1" || err != nil {
		t.Errorf("of a name that is there twice: %q, %v", b, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	extent := func(offset, length int64) discfs.Extent { return discfs.Extent{Offset: offset, Length: length} }
	hole := func(length int64) discfs.Extent { return discfs.Extent{Offset: 1 << 60, Length: length, Hole: true} }
	sized := func(size int64, node *discfs.Node) *discfs.Node { node.Size = size; return node }
	for _, tc := range []struct {
		name string
		node *discfs.Node
		want string
		err  error
	}{
		{"one extent", file("f", extent(3, 4)), "3456", nil},
		{"extents out of order", file("f", extent(8, 2), extent(0, 3)), "89012", nil},
		{"an extent twice", file("f", extent(1, 2), extent(1, 2)), "1212", nil},
		{"empty extents", file("f", extent(1, 0), extent(1, 2), extent(1<<60, 0), extent(5, 1), extent(0, 0)), "125", nil},
		{"holes", file("f", hole(2), extent(5, 1), hole(1), extent(6, 1)), "\x00\x005\x006", nil},
		{"extents of more than the size", sized(3, file("f", extent(0, 2), extent(5, 4))), "015", nil},
		{"extents of less than the size", sized(5, file("f", extent(0, 2), extent(5, 1))), "015", io.ErrUnexpectedEOF},
		{"no extents", sized(5, file("f")), "", io.ErrUnexpectedEOF},
		{"an extent that goes on behind the image", file("f", extent(0, 1), extent(8, 4)), "0", io.ErrUnexpectedEOF},
		{"an extent behind the image", file("f", extent(0, 1), extent(10, 1)), "0", io.ErrUnexpectedEOF},
		{"an extent far behind the image", file("f", extent(math.MaxInt64-1, 1)), "", io.ErrUnexpectedEOF},
		{"extents of all bytes there may be", sized(3, file("f", extent(0, math.MaxInt64), extent(0, math.MaxInt64))), "012", nil},
		{"an extent in front of the image", file("f", extent(-2, 2)), "", errAny},
		{"data and extents", &discfs.Node{Name: "f", Data: []byte("data"), Size: 5, Extents: []discfs.Extent{extent(4, 9)}}, "data", io.ErrUnexpectedEOF},
		{"data", &discfs.Node{Name: "f", Data: []byte("data"), Size: 4}, "data", nil},
		{"data of more than the size", &discfs.Node{Name: "f", Data: []byte("data"), Size: 2}, "da", nil},
		{"data of less than the size", &discfs.Node{Name: "f", Data: []byte("data"), Size: 6}, "data", io.ErrUnexpectedEOF},
		{"data of nothing", &discfs.Node{Name: "f", Data: []byte{}}, "", nil},
		{"less than nothing", &discfs.Node{Name: "f", Size: -1}, "", errAny},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			checkRead(t, of(tree{0: {tc.node}}), tc.want, tc.err)
			// Byte by byte nothing more is lost than what the image lacks.
			f := opened(t, of(tree{0: {tc.node}}))
			got, err := io.ReadAll(iotest.OneByteReader(f))
			if !strings.HasPrefix(string(got), tc.want) || (err == nil) != (tc.err == nil) {
				t.Errorf("byte by byte %q, %v", got, err)
			}
			if tc.err == nil {
				if err := iotest.TestReader(opened(t, of(tree{0: {tc.node}})), []byte(tc.want)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func opened(t *testing.T, fsys fs.FS) fs.File {
	t.Helper()
	f, err := fsys.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func checkRead(t *testing.T, fsys fs.FS, want string, wantErr error) {
	t.Helper()
	got, err := io.ReadAll(opened(t, fsys))
	if string(got) != want || (err == nil) != (wantErr == nil) || !errors.Is(wantErr, errAny) && !errors.Is(err, wantErr) {
		t.Errorf("%q, %v, want %q, %v", got, err, want, wantErr)
	}
}

func TestReadAtAndSeek(t *testing.T) {
	t.Parallel()
	f := opened(t, of(tree{0: {file("f",
		discfs.Extent{Offset: 2, Length: 3}, discfs.Extent{Length: 2, Hole: true}, discfs.Extent{Offset: 9, Length: 1})}}))
	const whole = "234\x00\x009"
	for at := range len(whole) + 2 {
		for length := range len(whole) + 3 {
			b := bytes.Repeat([]byte{'x'}, length)
			n, err := f.(io.ReaderAt).ReadAt(b, int64(at))
			want := whole[min(at, len(whole)):min(at+length, len(whole))]
			if string(b[:n]) != want || (err != nil) != (n < length || at >= len(whole)) || err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("%d bytes at %d: %q, %v, want %q", length, at, b[:n], err, want)
			}
		}
	}
	seeker := f.(io.Seeker)
	if at, err := seeker.Seek(-2, io.SeekEnd); at != 4 || err != nil {
		t.Errorf("%d, %v", at, err)
	}
	if b, err := io.ReadAll(f); string(b) != "\x009" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := seeker.Seek(-1, io.SeekStart); err == nil {
		t.Error("before the beginning")
	}
}

func TestReadAtBehindTheData(t *testing.T) {
	t.Parallel()
	f := opened(t, of(tree{0: {{Name: "f", Data: []byte("data"), Size: 9}}}))
	if n, err := f.(io.ReaderAt).ReadAt(make([]byte, 2), 6); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Of many nodes of a name it is the first too.
func TestTheFirstOfANameCounts(t *testing.T) {
	t.Parallel()
	nodes := []*discfs.Node{file("f", discfs.Extent{Offset: 7, Length: 1})}
	for n := range 100 {
		nodes = append(nodes, file("f"), file(fmt.Sprint(n)))
	}
	checkRead(t, of(tree{0: nodes}), "7", nil)
}

// An error of the image is the reader's error.
func TestReadPassesErrorsThrough(t *testing.T) {
	t.Parallel()
	checkRead(t, discfs.New(broken{}, tree{0: {file("f", discfs.Extent{Length: 1})}}), "", errBroken)
	checkRead(t, discfs.New(short{}, tree{0: {file("f", discfs.Extent{Length: 1})}}), "", io.ErrUnexpectedEOF)
}

var errBroken = errors.New("medium error")

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

// short reads nothing and does not say why.
type short struct{}

func (short) ReadAt([]byte, int64) (int, error) { return 0, nil }

func TestReadDir(t *testing.T) {
	t.Parallel()
	fsys := of(tree{0: {dir("d", 1)}, 1: {file("a"), file("b"), file("c")}})
	f, err := fsys.Open("d")
	if err != nil {
		t.Fatal(err)
	}
	lister := f.(fs.ReadDirFile)
	for _, want := range []int{2, 1, 0, 0} {
		entries, err := lister.ReadDir(2)
		if len(entries) != want || (want == 0) != errors.Is(err, io.EOF) {
			t.Errorf("%d entries, %v, want %d", len(entries), err, want)
		}
	}
	if entries, err := lister.ReadDir(-1); len(entries) != 0 || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
	again, err := fsys.Open("d")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := again.(fs.ReadDirFile).ReadDir(1)
	_ = append(first, first...) // must not write into what is left
	if rest, err := again.(fs.ReadDirFile).ReadDir(-1); err != nil || len(rest) != 2 || rest[0].Name() != "b" {
		t.Errorf("%v, %v", rest, err)
	}
	if _, err := f.Read(make([]byte, 1)); err == nil {
		t.Error("a directory was read")
	}
	missing, err := of(tree{0: {dir("d", 1)}}).Open("d")
	if err != nil {
		t.Fatal(err)
	}
	var pathError *fs.PathError
	if _, err := missing.(fs.ReadDirFile).ReadDir(0); !errors.Is(err, errNoDirectory) || !errors.As(err, &pathError) || pathError.Path != "d" {
		t.Errorf("error %v", err)
	}
}

func TestStat(t *testing.T) {
	t.Parallel()
	fsys := of(tree{0: {dir("d", 1), file("f", discfs.Extent{Length: 3})}, 1: nil})
	for name, want := range map[string]string{
		".": "dr-xr-xr-x 0 2024-02-29 12:00:00 ./",
		"d": "dr-xr-xr-x 0 2024-02-29 12:00:00 d/",
		"f": "-r--r--r-- 3 2024-02-29 12:00:00 f",
	} {
		got, err := fs.Stat(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		if fs.FormatFileInfo(got) != want || got.Sys() != nil {
			t.Errorf("%s, want %s", fs.FormatFileInfo(got), want)
		}
	}
}

func entries(n int) []*discfs.Node {
	nodes := make([]*discfs.Node, n)
	for i := range nodes {
		nodes[i] = file(fmt.Sprint(i))
	}
	return nodes
}

func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	if got, err := fs.ReadDir(of(tree{0: entries(discfs.MaxEntries)}), "."); len(got) != discfs.MaxEntries || err != nil {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if _, err := fs.ReadDir(of(tree{0: entries(discfs.MaxEntries + 1)}), "."); err == nil {
		t.Error("a directory of too many entries is listed")
	}
}

// A walk of directories that are all in each other comes to an end.
func TestListedEntriesAreBounded(t *testing.T) {
	t.Parallel()
	const each = 1024
	everywhere := tree{}
	children := make([]*discfs.Node, each)
	for n := range int64(each) {
		children[n] = dir(fmt.Sprint(n), n+1)
		everywhere[n+1] = children
	}
	everywhere[0] = children
	counted := &counting{tree: everywhere}
	failed := 0
	_ = fs.WalkDir(discfs.New(strings.NewReader(image), counted), ".", func(_ string, _ fs.DirEntry, err error) error {
		if err != nil {
			failed++
		}
		return nil // and on it goes
	})
	if want := discfs.MaxListed/each + 1; counted.n != want || failed == 0 {
		t.Errorf("%d directories read, want %d, %d errors", counted.n, want, failed)
	}
}

type counting struct {
	tree
	n int
}

func (c *counting) ReadDir(dir *discfs.Node) ([]*discfs.Node, error) {
	c.n++
	return c.tree.ReadDir(dir)
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	fsys := of(tree{
		0: {file("b", discfs.Extent{Offset: 4, Length: 4}), dir("d", 1), file("a")},
		1: {file("c", discfs.Extent{Length: 2})},
	})
	f := opened(t, of(tree{0: {file("f", discfs.Extent{Length: 10})}})).(io.ReaderAt)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				b := make([]byte, 10)
				if _, err := f.ReadAt(b, 0); string(b) != image || err != nil {
					t.Errorf("%q, %v", b, err)
				}
				c, err := fs.ReadFile(fsys, "d/c")
				listed, errList := fs.ReadDir(fsys, ".")
				if string(c) != "01" || err != nil || len(listed) != 3 || errList != nil {
					t.Errorf("%q, %v, %v, %v", c, err, listed, errList)
				}
			}
		})
	}
	group.Wait()
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("root: %w", discfs.Damaged("a loop"))
	if !errors.Is(err, discfs.ErrDamaged) || err.Error() != "root: the volume is damaged: a loop" {
		t.Errorf("%v", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("it is everything")
	}
}
