package discimage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"
)

var update = flag.Bool("update", false, "write the golden file")

// The sums tell that an image is another one than before, on any machine. That it is a good
// one, other tests do.
func TestGolden(t *testing.T) {
	t.Parallel()
	const golden = "testdata/sha256"
	files := provisioning()
	files["dir/日本語.txt"] = file(strings.Repeat("text\n", 1000))
	var got strings.Builder
	for _, format := range PossibleFormatValues() {
		image := mustWrite(t, files, Options{Format: format, Label: testLabel, ModTime: testTime()})
		fmt.Fprintf(&got, "%x %d %s\n", sha256.Sum256(image), len(image), format)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("made\n%swant\n%s", got.String(), want)
	}
}

func TestSameInputSameImage(t *testing.T) {
	t.Parallel()
	for name, disc := range discs(anyFormat) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			// Other times and modes, another order of listing, and a fraction of a second.
			other := fstest.MapFS{}
			for path, f := range disc.files {
				other[path] = &fstest.MapFile{Data: f.Data, Mode: f.Mode | 0o640, ModTime: time.Now()}
			}
			berlin := testTime().Add(time.Second / 3).In(time.FixedZone("", 3600))
			if !bytes.Equal(image, mustWrite(t, backwards{other}, Options{Format: disc.format, Label: testLabel, ModTime: berlin})) {
				t.Error("another image")
			}
		})
	}
}

// backwards lists directories in the wrong order.
type backwards struct{ fstest.MapFS }

func (b backwards) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := b.MapFS.ReadDir(name)
	for i, j := 0, len(entries)-1; i < j; i, j = i+1, j-1 {
		entries[i], entries[j] = entries[j], entries[i]
	}
	return entries, err
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := mustWrite(t, provisioning(), Options{})
	want := mustWrite(t, provisioning(), Options{Format: FormatBridge, ModTime: time.Unix(0, 0)})
	if !bytes.Equal(got, want) {
		t.Error("the zero value is not a bridge of 1970")
	}
}

// Images of the same second whose files differ have different identifiers.
func TestSetIdentifier(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, label := range []string{"a", "b"} {
		for _, files := range []fstest.MapFS{{}, {"a": file("")}, {"a": file("1")}, {"b": file("")}, {"a": {Mode: fs.ModeDir}}} {
			image := mustWrite(t, files, Options{Format: FormatUDF, Label: label})
			ids[string(image[32*sectorSize+72:][:17])] = true
		}
	}
	if len(ids) != 10 {
		t.Errorf("%d identifiers of 10 images", len(ids))
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	latin, ascii := strings.Repeat("é", 30), strings.Repeat("a", 30)
	all := PossibleFormatValues()
	udf, iso := all[:1], all[1:]
	for name, row := range map[string]struct {
		options Options
		formats []Format
		want    string // "" if it is fine.
	}{
		"the longest label":        {Options{Label: ascii}, all, ""},
		"a label too long":         {Options{Label: ascii + "a"}, all, "too long"},
		"the longest Latin label":  {Options{Label: latin}, udf, ""},
		"a Latin label too long":   {Options{Label: latin + "é"}, udf, "too long"},
		"a Latin label":            {Options{Label: "é"}, iso, "not ASCII"},
		"the longest wide label":   {Options{Label: strings.Repeat("日", 15)}, udf, ""},
		"a wide label too long":    {Options{Label: strings.Repeat("日", 16)}, udf, "too long"},
		"a wide label":             {Options{Label: "日"}, iso, "not ASCII"},
		"a label beyond 16 bits":   {Options{Label: "😀"}, all, "16 bits"},
		"a label not UTF-8":        {Options{Label: "a\xff"}, all, "not UTF-8"},
		"a label with byte order":  {Options{Label: "a\uFEFF"}, all, "U+FEFF"},
		"a control in a label":     {Options{Label: "a\nb"}, all, "control character"},
		"DEL in a label":           {Options{Label: "a\x7fb"}, all, "control character"},
		"a blank before a label":   {Options{Label: " a"}, all, "white space"},
		"a blank behind a label":   {Options{Label: "a "}, all, "white space"},
		"a blank within a label":   {Options{Label: "a b"}, all, ""},
		"the first second":         {Options{ModTime: time.Unix(0, 0)}, all, ""},
		"before the first second":  {Options{ModTime: time.Unix(-1, 0)}, all, "1969-12-31"},
		"the last second":          {Options{ModTime: time.Date(2155, 12, 31, 23, 59, 59, 9, time.UTC)}, all, ""},
		"after the last second":    {Options{ModTime: time.Date(2156, 1, 1, 0, 0, 0, 0, time.UTC)}, all, "2156-01-01"},
		"a format that is unknown": {Options{}, []Format{"UDF"}, `"UDF" is no format`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range row.formats {
				row.options.Format = format
				checkError(t, Write(io.Discard, provisioning(), row.options), row.want)
			}
		})
	}
}

// checkError wants an error that has a text, or none.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("the error is %v, and lacks %q", err, want)
	case err != nil && (!strings.HasPrefix(err.Error(), "cannot write a disc image: ") || strings.Contains(err.Error(), "\n")):
		t.Errorf("an error like %q", err)
	}
}

// single has one file in its root, of any name.
type single struct {
	name string
	mode fs.FileMode
	size int64
	// content, if it is not size bytes.
	content io.Reader
	twice   bool
	err     error // Of Info.
	openErr error
}

func (s single) ReadDir(string) ([]fs.DirEntry, error) {
	if s.twice {
		return []fs.DirEntry{s, s}, nil
	}
	return []fs.DirEntry{s}, nil
}

func (s single) Open(string) (fs.File, error) {
	if s.openErr != nil {
		return nil, s.openErr
	}
	return s, nil
}

func (s single) Read(b []byte) (int, error) {
	if s.content == nil {
		return 0, io.EOF
	}
	return s.content.Read(b)
}

func (s single) Stat() (fs.FileInfo, error) { return s, nil }
func (s single) Info() (fs.FileInfo, error) { return s, s.err }
func (s single) Close() error               { return nil }
func (s single) Name() string               { return s.name }
func (s single) Type() fs.FileMode          { return s.mode.Type() }
func (s single) IsDir() bool                { return s.mode.IsDir() }
func (s single) Mode() fs.FileMode          { return s.mode }
func (s single) Size() int64                { return s.size }
func (s single) ModTime() time.Time         { return time.Time{} }
func (s single) Sys() any                   { return nil }

func TestFileErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, row := range map[string]struct {
		files fs.FS
		want  string
		is    error
	}{
		"as long as listed":   {single{name: "f", size: 5, content: strings.NewReader("12345")}, "", nil},
		"shorter than listed": {single{name: "f", size: 5, content: strings.NewReader("1234")}, `"f": it has 4 bytes and had 5 when listed`, nil},
		"longer than listed":  {single{name: "f", size: 5, content: strings.NewReader("123456")}, `"f": it has more than the 5 bytes that it had when listed`, nil},
		"no longer empty":     {single{name: "f", content: strings.NewReader("1")}, `"f": it has more than the 0 bytes`, nil},
		"read fails":          {single{name: "f", size: 5, content: iotest.ErrReader(broken)}, `"f": broken`, broken},
		"read fails at the end": {single{
			name: "f", size: 5,
			content: io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broken)),
		}, `"f": broken`, broken},
		"cannot be opened": {single{name: "f", openErr: broken}, "broken", broken},
		"cannot be listed": {single{name: "f", err: broken}, `"f": broken`, broken},
		"there twice":      {single{name: "f", twice: true}, `"f" is there twice`, nil},
		"a symbolic link":  {single{name: "f", mode: fs.ModeSymlink}, `"f": neither a regular file nor a directory`, nil},
		"a device":         {single{name: "f", mode: fs.ModeDevice}, `"f": neither a regular file nor a directory`, nil},
		"a negative size":  {single{name: "f", size: -1}, "bytes of data", nil},
		"a slash":          {single{name: "a/f"}, "no name for a file", nil},
		"no name":          {single{name: ""}, "no name for a file", nil},
		"the parent":       {single{name: ".."}, "no name for a file", nil},
		"endless levels":   {single{name: "d", mode: fs.ModeDir}, "too many levels", nil},
		"no root":          {os.DirFS("testdata/nothing here"), "no such file", fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Write(io.Discard, row.files, Options{})
			checkError(t, err, row.want)
			if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("the error %v does not wrap %v", err, row.is)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	var files fstest.MapFS
	tree := func(format Format) error {
		_, err := walk(files, format)
		return err
	}
	for _, format := range PossibleFormatValues() {
		files = fstest.MapFS{}
		for i := range maxEntries - 1 {
			files[fmt.Sprint(i)] = file("")
		}
		if err := tree(format); err != nil {
			t.Error(err)
		}
		files["one more"] = file("")
		if err := tree(format); !errors.Is(err, errEntries) {
			t.Errorf("the error is %v", err)
		}
	}
	for _, row := range []struct {
		size int64
		want error
	}{
		{maxData, nil}, {maxData + 1, errData}, {1 << 40, errData}, {maxData - 1, nil},
	} {
		if _, err := walk(single{name: "f", size: row.size}, FormatBridge); !errors.Is(err, row.want) {
			t.Errorf("%d bytes: the error is %v, want %v", row.size, err, row.want)
		}
	}
	// Every file counts with the whole sectors that it takes.
	if _, err := walk(pair{single{size: maxData - sectorSize}, single{size: sectorSize}}, FormatBridge); err != nil {
		t.Error(err)
	}
	if _, err := walk(pair{single{size: maxData - 2*sectorSize + 1}, single{size: sectorSize + 1}}, FormatBridge); !errors.Is(err, errData) {
		t.Errorf("the error is %v", err)
	}
}

// pair has two files.
type pair struct{ a, b single }

func (p pair) Open(string) (fs.File, error) { return nil, fs.ErrInvalid }
func (p pair) ReadDir(string) ([]fs.DirEntry, error) {
	p.a.name, p.b.name = "a", "b"
	return []fs.DirEntry{p.a, p.b}, nil
}

// A file of the greatest size fits in one extent, whose length has 30 bits; the two above
// them would say that nothing is recorded.
func TestGreatestFile(t *testing.T) {
	t.Parallel()
	tree, err := walk(single{name: "f", size: maxData}, FormatBridge)
	if err != nil {
		t.Fatal(err)
	}
	i := newImage(tree, FormatBridge, "", testTime())
	entry := newUDFVolume(tree, "", testTime()).fileEntry(tree.nodes[1])
	if got := le32(entry[176:]); got != maxData || got>>30 != 0 {
		t.Errorf("an extent of %#x bytes", got)
	}
	if data := maxData / sectorSize; i.sectors < data || i.sectors > data+500 {
		t.Errorf("%d sectors", i.sectors)
	}
}

// Wherever the writer fails, its error comes back and it is not written to again.
func TestWriterErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	for _, format := range PossibleFormatValues() {
		size := len(mustWrite(t, provisioning(), Options{Format: format}))
		for limit := 0; limit < size; limit += 16 * sectorSize {
			w := &failing{limit: limit, err: full}
			err := Write(w, provisioning(), Options{Format: format})
			if !errors.Is(err, full) || w.after {
				t.Errorf("after %d bytes: the error is %v; written to again: %t", limit, err, w.after)
			}
		}
		if err := Write(&failing{limit: size, err: full}, provisioning(), Options{Format: format}); err != nil {
			t.Error(err)
		}
	}
}

type failing struct {
	limit         int
	err           error
	failed, after bool
}

func (f *failing) Write(b []byte) (int, error) {
	f.after = f.after || f.failed
	if f.limit -= len(b); f.limit < 0 {
		f.failed = true
		return len(b) + f.limit, f.err
	}
	return len(b), nil
}
