package iso9660_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/iso9660"
	"github.com/azprov/azprov/internal/programtest"
)

// files of a disc by path.
type files map[string]string

// provisioning is what a disc of Azure has, and some more.
var provisioning = files{
	"ovf-env.xml":       "<Environment/>\n",
	"CustomData.bin":    strings.Repeat("\x00\xff custom data", 5000),
	"empty":             "",
	"Sub Dir/file.conf": "nested",
	"Sub Dir/sector":    strings.Repeat("s", 2048),
	"no extension":      "x",
	"two.dots.txt":      "y",
	"UPPER.TXT":         "upper",
}

// write makes a directory of the files for a program to read.
func write(t *testing.T, content files) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// genisoimage and xorriso make images of a directory.
func genisoimage(t *testing.T, dir string, options ...string) []byte {
	t.Helper()
	return master(t, dir, "genisoimage", append([]string{"-quiet"}, charset(options)...))
}

// charset adds that of the names, which genisoimage does not know at level 4.
func charset(options []string) []string {
	if slices.Contains(options, "4") {
		return append([]string{"-input-charset", "iso8859-1"}, options...)
	}
	return append([]string{"-input-charset", "utf-8"}, options...)
}

func xorriso(t *testing.T, dir string, options ...string) []byte {
	t.Helper()
	return master(t, dir, "xorriso", append([]string{"-as", "mkisofs", "-quiet"}, charset(options)...))
}

func master(t *testing.T, dir, program string, options []string) []byte {
	t.Helper()
	out := t.TempDir()
	programtest.Run(t, out, program, append(options, "-V", "a label", "-o", "image.iso", dir)...)
	return programtest.Read(t, out, "image.iso")
}

// open opens an image that must be right.
func open(t *testing.T, image []byte) *iso9660.Volume {
	t.Helper()
	volume, err := iso9660.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

// read returns the files that a volume has, by path.
func read(t *testing.T, fsys fs.FS) files {
	t.Helper()
	got := files{}
	err := fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, path)
		got[path] = string(b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return got
}

// check holds a volume against the files that went into it.
func check(t *testing.T, fsys fs.FS, want files) {
	t.Helper()
	got := read(t, fsys)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %d bytes that differ from the %d that went in", name, len(got[name]), len(text))
		}
	}
	if err := fstest.TestFS(fsys, slices.Collect(maps.Keys(want))...); err != nil {
		t.Error(err)
	}
}

// plainNames maps the names of provisioning to those that level 1 makes of them.
var plainNames = map[string]string{
	"ovf-env.xml":       "OVF_ENV.XML",
	"CustomData.bin":    "CUSTOMDA.BIN",
	"empty":             "EMPTY",
	"Sub Dir/file.conf": "SUB_DIR/FILE.CON",
	"Sub Dir/sector":    "SUB_DIR/SECTOR",
	"no extension":      "NO_EXTEN",
	"two.dots.txt":      "TWO_DOTS.TXT",
	"UPPER.TXT":         "UPPER.TXT",
}

func rename(content files, names map[string]string) files {
	renamed := files{}
	for name, text := range content {
		renamed[names[name]] = text
	}
	return renamed
}

func TestOpenReadsWhatIsMastered(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		program func(t *testing.T, dir string, options ...string) []byte
		name    string
		options string
		names   string
		want    files
	}{
		{genisoimage, "genisoimage", "", "plain", rename(provisioning, plainNames)},
		{genisoimage, "genisoimage", "-J", "joliet", provisioning},
		{genisoimage, "genisoimage", "-R", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-r -D", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-J -R", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-udf -J -R", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-udf -J", "joliet", provisioning},
		{genisoimage, "genisoimage", "-iso-level 1 -J", "joliet", provisioning},
		{genisoimage, "genisoimage", "-iso-level 2 -R", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-iso-level 3 -J", "joliet", provisioning},
		{genisoimage, "genisoimage", "-iso-level 4", "plain", provisioning},
		{genisoimage, "genisoimage", "-iso-level 4 -J -R", "rock ridge", provisioning},
		{genisoimage, "genisoimage", "-U", "plain", provisioning},
		{genisoimage, "genisoimage", "-N", "plain", rename(provisioning, plainNames)},
		{xorriso, "xorriso", "-R -J", "rock ridge", provisioning},
		{xorriso, "xorriso", "-J --norock", "joliet", provisioning},
		{xorriso, "xorriso", "--norock", "plain", rename(provisioning, plainNames)},
		{xorriso, "xorriso", "-R -iso-level 3", "rock ridge", provisioning},
	} {
		t.Run(row.name+" "+row.options, func(t *testing.T) {
			t.Parallel()
			programtest.Need(t, row.name)
			volume := open(t, row.program(t, write(t, provisioning), strings.Fields(row.options)...))
			if volume.Names() != row.names || volume.Label() != "a label" {
				t.Errorf("%s %q, want %s %q", volume.Names(), volume.Label(), row.names, "a label")
			}
			check(t, volume.FS(), row.want)
		})
	}
}

// Trees that need more than the simple means of the format.
func TestOpenReadsLargeTrees(t *testing.T) {
	t.Parallel()
	many := files{}
	for n := range 100 {
		many[fmt.Sprintf("many/file number %d", n)] = strings.Repeat("m", n)
	}
	deep := strings.Repeat("level/", 12)
	for _, row := range []struct {
		name    string
		options string
		names   string
		content files
	}{
		{"directories of more than a sector", "-R", "rock ridge", many},
		{"directories of more than a sector", "-J", "joliet", many},
		{"a file of over 1 MiB", "-R", "rock ridge", files{"large": strings.Repeat("0123456789", 150_000)}},
		{"more levels than eight", "-R", "rock ridge", files{deep + "file": "deep", deep + "other": "too"}},
		{"more levels than eight that stay", "-R -D", "rock ridge", files{deep + "file": "deep"}},
		{"more levels than eight", "-J -R", "rock ridge", files{deep + "file": "deep"}},
		{"more levels than eight", "-J -joliet-long -D", "joliet", files{deep + "file": "deep"}},
		{"long names", "-R", "rock ridge", files{
			strings.Repeat("a", 32): "32", strings.Repeat("b", 65): "65",
			strings.Repeat("c", 200): "200", strings.Repeat("d", 255): "255",
			strings.Repeat("e", 250) + "/" + strings.Repeat("f", 255): "both",
		}},
		{"long names", "-J", "joliet", files{strings.Repeat("a", 32): "32", strings.Repeat("b", 64): "64"}},
		{"long names", "-J -joliet-long", "joliet", files{strings.Repeat("c", 103): "103"}},
		{"names beyond ASCII", "-J", "joliet", files{"Grüße.txt": "1", "日本語": "2", "ελληνικά": "3"}},
		{"names beyond ASCII", "-R", "rock ridge", files{"Grüße.txt": "1", "日本語": "2", "a😀b": "3"}},
		{"names with dots", "-J", "joliet", files{".hidden": "1", "ends in a dot.": "2"}},
		{"names with dots", "-R", "rock ridge", files{".hidden": "1", "ends in a dot.": "2", "a;1": "3"}},
		{"nothing", "-R", "rock ridge", files{}},
		{"nothing", "", "plain", files{}},
	} {
		for name, program := range map[string]func(*testing.T, string, ...string) []byte{
			"genisoimage": genisoimage, "xorriso": xorriso,
		} {
			t.Run(row.name+" "+name+" "+row.options, func(t *testing.T) {
				t.Parallel()
				programtest.Need(t, name)
				options := strings.Fields(row.options)
				if name == "xorriso" && row.names != "rock ridge" {
					options = append(options, "--norock")
				}
				volume := open(t, program(t, write(t, row.content), options...))
				if volume.Names() != row.names {
					t.Errorf("%s, want %s", volume.Names(), row.names)
				}
				check(t, volume.FS(), row.content)
			})
		}
	}
}
