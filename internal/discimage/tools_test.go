package discimage

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azprov/azprov/internal/programtest"
)

func TestSevenZip(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "7z")
	for name, disc := range discs(anyFormat) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			types := map[Format][]string{FormatUDF: {"udf"}, FormatISO9660: {"iso"}, FormatBridge: {"udf", "iso"}}
			for _, kind := range types[disc.format] {
				dir := t.TempDir()
				path := programtest.Write(t, dir, "disc.img", image)
				out := programtest.Run(t, dir, "7z", "x", "-t"+kind, "-oout", path)
				if !bytes.Contains(out, []byte("Everything is Ok")) || bytes.Contains(bytes.ToLower(out), []byte("warning")) {
					t.Errorf("7z -t%s says\n%s", kind, out)
				}
				sameContents(t, contents(t, os.DirFS(dir)), with(contents(t, disc.files), dir, image))
			}
		})
	}
}

// with is what a directory holds into which an image has been unpacked.
func with(files map[string]string, dir string, image []byte) map[string]string {
	all := map[string]string{"disc.img": string(image)}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		all["out/"] = ""
	}
	for path, content := range files {
		all["out/"+path] = content
	}
	return all
}

func TestBlkid(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "blkid")
	for name, disc := range discs(anyFormat) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			path := programtest.Write(t, t.TempDir(), "disc.img", image)
			want := map[string]string{"TYPE": "udf", "LABEL": testLabel, "VERSION": "1.02", "BLOCK_SIZE": "2048"}
			if disc.format == FormatISO9660 {
				want["TYPE"], want["VERSION"] = "iso9660", `Joliet\ Extension`
			}
			// Of a tag that there is not, there is no line.
			got := string(programtest.Run(t, "", "blkid", "-p", "-o", "export", path))
			for key, value := range want {
				if !slices.Contains(strings.Split(got, "\n"), key+"="+value) {
					t.Errorf("%s is not %s:\n%s", key, value, got)
				}
			}
		})
	}
}

func TestUdfinfo(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "udfinfo")
	for name, disc := range discs(Format.hasUDF) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			path := programtest.Write(t, t.TempDir(), "disc.img", image)
			out, complaints, err := programtest.Try(t, "", "udfinfo", "--utf8", path)
			if err != nil || len(complaints) > 0 {
				t.Fatalf("udfinfo: %v\n%s", err, complaints)
			}
			directories, regular := 1, 0
			for path := range contents(t, disc.files) {
				if strings.HasSuffix(path, "/") {
					directories++
				} else {
					regular++
				}
			}
			for _, want := range []string{
				"label=" + testLabel, "lvid=" + testLabel, "vid=" + testLabel, "fsid=" + testLabel,
				"udfrev=1.02", "integrity=closed", "accesstype=readonly", "blocksize=2048",
				"numfiles=" + strconv.Itoa(regular), "numdirs=" + strconv.Itoa(directories),
				"start=32, blocks=16, type=MVDS", "start=48, blocks=16, type=RVDS",
				"start=256, blocks=1, type=ANCHOR", "start=" + strconv.Itoa(len(image)/sectorSize-1) + ", blocks=1, type=ANCHOR",
			} {
				if !slices.Contains(strings.Split(string(out), "\n"), want) {
					t.Errorf("udfinfo does not say %s:\n%s", want, out)
				}
			}
		})
	}
}

func TestIsoinfo(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "isoinfo")
	for name, disc := range discs(Format.hasISO9660) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			dir := t.TempDir()
			programtest.Write(t, dir, "disc.img", image)
			out := string(programtest.Run(t, dir, "isoinfo", "-d", "-i", "disc.img"))
			for _, want := range []string{
				"Volume id: " + testLabel, "Volume size is: " + strconv.Itoa(len(image)/sectorSize),
				"Joliet with UCS level 3 found", "Rock Ridge signatures version 1 found",
			} {
				if !slices.Contains(strings.Split(out, "\n"), want) {
					t.Errorf("isoinfo does not say %s:\n%s", want, out)
				}
			}
			isoinfoReads(t, dir, disc.files, strings.Clone, "-i", "disc.img", "-R")
			isoinfoReads(t, dir, disc.files, latin1, "-i", "disc.img", "-J", "-j", "iso8859-1")
		})
	}
}

// latin1 is how isoinfo prints the names of Joliet: it knows sets of 256 characters only.
func latin1(s string) string {
	var b []byte
	for _, r := range s {
		if r > 0xFF {
			r = '_'
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// isoinfoReads compares the list of files, and the content of up to 20. Names are as shown.
func isoinfoReads(t *testing.T, dir string, files fs.FS, shown func(string) string, args ...string) {
	t.Helper()
	listed, written, all := map[string]string{}, map[string]string{}, contents(t, files)
	for path := range strings.Lines(string(programtest.Run(t, dir, "isoinfo", append(args, "-f")...))) {
		listed[strings.Trim(path, "/\n")] = ""
	}
	for path := range all {
		written[shown(strings.Trim(path, "/"))] = ""
	}
	sameContents(t, listed, written)
	for i, path := range slices.Sorted(maps.Keys(all)) {
		if strings.HasSuffix(path, "/") || i%(len(all)/20+1) != 0 {
			continue
		}
		if got := programtest.Run(t, dir, "isoinfo", append(args, "-x", "/"+shown(path))...); string(got) != all[path] {
			t.Errorf("isoinfo %q reads %d bytes of %q, not the %d that were written", args, len(got), path, len(all[path]))
		}
	}
}

// The primary tree stays within interchange level 1, and has as many entries.
func TestIsoinfoShortNames(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "isoinfo")
	for name, disc := range discs(Format.hasISO9660) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			dir := t.TempDir()
			programtest.Write(t, dir, "disc.img", image)
			listing := strings.Fields(string(programtest.Run(t, dir, "isoinfo", "-f", "-i", "disc.img")))
			short := regexp.MustCompile(`^(/[A-Z0-9_]{1,8})*/[A-Z0-9_]{1,8}(\.[A-Z0-9_]{0,3};1)?$`)
			for _, path := range listing {
				if !short.MatchString(path) {
					t.Errorf("%q is not a short name", path)
				}
			}
			slices.Sort(listing)
			if got, want := len(slices.Compact(listing)), len(contents(t, disc.files)); got != want {
				t.Errorf("%d different names, want %d", got, want)
			}
		})
	}
}

func TestXorriso(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "xorriso")
	for name, disc := range discs(Format.hasISO9660) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			dir := t.TempDir()
			programtest.Write(t, dir, "disc.img", image)
			// It says how bad what it says is: from DEBUG to FATAL.
			out, complaints, err := programtest.Try(t, dir, "xorriso", "-abort_on", "HINT", "-report_about", "HINT",
				"-indev", "disc.img", "-toc", "-osirrox", "on:auto_chmod_off:sort_lba_off", "-extract", "/", "out")
			if err != nil || bytes.Contains(complaints, []byte("xorriso : ")) {
				t.Errorf("xorriso: %v\n%s", err, complaints)
			}
			for _, want := range []string{"ISO offers   : Rock_Ridge Joliet\n", "s , " + testLabel + "\n"} {
				if !bytes.Contains(out, []byte(want)) {
					t.Errorf("xorriso does not say %s:\n%s", want, out)
				}
			}
			checkModes(t, filepath.Join(dir, "out"))
			sameContents(t, contents(t, os.DirFS(filepath.Join(dir, "out"))), contents(t, disc.files))
		})
	}
}

// checkModes looks at what Rock Ridge says about each file, and then lets the test remove
// them.
func checkModes(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o444)
		if entry.IsDir() {
			want = fs.ModeDir | 0o555
		}
		if info.Mode() != want || !info.ModTime().Equal(testTime()) {
			t.Errorf("%s: %s of %s, want %s of %s", path, info.Mode(), info.ModTime(), want, testTime())
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
