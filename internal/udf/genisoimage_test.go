package udf_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/internal/udf"
)

// randomBytes are the same each time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// open opens an image that must be right.
func open(t *testing.T, image []byte) *udf.Volume {
	t.Helper()
	v, err := udf.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// readAll returns the content of all files of a tree.
func readAll(t *testing.T, tree fs.FS) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(tree, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGenisoimage(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "genisoimage")
	files := map[string][]byte{
		"ovf-env.xml":         []byte("<Environment/>"),
		"empty":               {},
		"a block":             randomBytes(2048),
		"a block and a byte":  randomBytes(2049),
		"more than a MiB":     randomBytes(3<<20 + 17),
		"Grüße.txt":           []byte("8 bits"),
		"日本語.txt":             []byte("16 bits"),
		"sub/.hidden":         []byte("hidden"),
		"sub/ΑΒΓ/deeper/file": []byte("deep"),
		"sub/a-rather-long-name-of-all-possible-characters, with blanks.text": []byte("long"),
	}
	source := t.TempDir()
	for name, content := range files {
		path := filepath.Join(source, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		programtest.Write(t, filepath.Dir(path), filepath.Base(path), content)
	}
	for name, options := range map[string][]string{
		"UDF":                        {"-udf"},
		"with Joliet and Rock Ridge": {"-udf", "-J", "-R", "-joliet-long"},
		"without padding":            {"-udf", "-no-pad", "-allow-lowercase"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"-quiet", "-input-charset", "utf-8", "-V", "rd_rdfe_stable", "-o", "image"}, options...)
			programtest.Run(t, dir, "genisoimage", append(args, source)...)
			image := programtest.Read(t, dir, "image")
			if !udf.Recognize(bytes.NewReader(image)) {
				t.Error("it is not recognised")
			}
			v := open(t, image)
			if got := []any{v.Label(), v.Revision(), v.BlockSize()}; !cmp.Equal(got, []any{"rd_rdfe_stable", uint16(0x102), 2048}) {
				t.Errorf("label, revision, block size: %v", got)
			}
			if diff := cmp.Diff(files, readAll(t, v.FS())); diff != "" {
				t.Errorf("files (-want +got):\n%.2000s", diff)
			}
			names := make([]string, 0, len(files))
			for name := range files {
				names = append(names, name)
			}
			if err := fstest.TestFS(v.FS(), names...); err != nil {
				t.Error(err)
			}
			info, err := fs.Stat(v.FS(), "ovf-env.xml")
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.Stat(filepath.Join(source, "ovf-env.xml"))
			if err != nil {
				t.Fatal(err)
			}
			if age := want.ModTime().Sub(info.ModTime()).Abs(); age > 2e9 {
				t.Errorf("modified %v, want %v", info.ModTime(), want.ModTime())
			}
		})
	}
}
