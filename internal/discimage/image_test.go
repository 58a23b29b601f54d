package discimage

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const testLabel = "Provisioning_2.1-a"

func testTime() time.Time { return time.Date(2024, 2, 29, 23, 58, 57, 0, time.UTC) }

// testTrees are the file systems that every format has to carry.
func testTrees() map[string]fstest.MapFS {
	assorted := fstest.MapFS{
		"empty-directory":             {Mode: fs.ModeDir},
		strings.Repeat("日", 63) + "a": file("64 characters, 190 octets, a continuation of Rock Ridge"),
	}
	for _, name := range []string{
		"file.txt", "FILE.TXT", "file1.txt", "file .txt", "filename1.config", "filename2.config",
		".hidden", "archive.tar.gz", "README", "readme", "two  blanks.txt", " leading",
		"ünïcode.xml", "日本語.txt", "mixed é日.bin", "empty", strings.Repeat("n", 60) + ".txt",
		"dir/dir", "dir.d/x", "DIR/x", "b/c/d/e/f/g/h/deep.txt", "dir/" + strings.Repeat("p", 48),
	} {
		assorted[name] = file("content of " + name + "\n")
	}
	assorted["empty"] = file("")
	assorted["dir/empty"] = file("")
	for _, size := range []int{sectorSize - 1, sectorSize, sectorSize + 1, 1<<20 + 12345} {
		assorted[fmt.Sprintf("size/%d", size)] = &fstest.MapFile{Data: noise(size)}
	}
	// Every other name of the first directory has no room in a directory record.
	many := fstest.MapFS{}
	for i := range 300 {
		many[fmt.Sprintf("many/%03d%s.text", i, strings.Repeat("日", 30+i%27))] = file(strings.Repeat("many ", i))
		many[fmt.Sprintf("more/same beginning %d.bin", i)] = file(fmt.Sprint(i))
	}
	return map[string]fstest.MapFS{
		"provisioning": provisioning(),
		"nothing":      {},
		"assorted":     assorted,
		"many":         many,
	}
}

func provisioning() fstest.MapFS {
	return fstest.MapFS{
		"ovf-env.xml":    file("<Environment/>\n"),
		"CustomData.bin": file("#cloud-config\n"),
	}
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

// noise is the same every time, and no two sectors of it are.
func noise(size int) []byte {
	b := make([]byte, size)
	state := uint32(size) | 1
	for i := range b {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		b[i] = byte(state)
	}
	return b
}

// testDisc is a test tree and the format to write it in.
type testDisc struct {
	format Format
	files  fstest.MapFS
}

// discs are all trees in all formats that have something.
func discs(has func(Format) bool) map[string]testDisc {
	all := map[string]testDisc{}
	for name, files := range testTrees() {
		for _, format := range PossibleFormatValues() {
			if has(format) {
				all[name+"/"+string(format)] = testDisc{format, files}
			}
		}
	}
	return all
}

func anyFormat(Format) bool { return true }

func (d testDisc) image(t *testing.T) []byte {
	t.Helper()
	return mustWrite(t, d.files, Options{Format: d.format, Label: testLabel, ModTime: testTime()})
}

func mustWrite(t *testing.T, files fs.FS, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, files, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contents maps the path of each file to what it holds, and of each directory, with a slash
// at the end, to nothing.
func contents(t *testing.T, files fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case entry.IsDir():
			all[path+"/"] = ""
			return nil
		}
		b, err := fs.ReadFile(files, path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameContents compares, and is brief about what differs.
func sameContents(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		content, ok := got[path]
		switch {
		case !ok:
			t.Errorf("%q is missing", path)
		case content != want[path]:
			t.Errorf("%q: %d bytes, not the %d that were written", path, len(content), len(want[path]))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			t.Errorf("%q is not one of the files", path)
		}
	}
}
