package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/azprov/azprov/emulator"
)

// newImage writes the platform's medium as a disc.
func newImage(t *testing.T, p platform, format emulator.ImageFormat) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disc.img")
	flags := &emulateFlags{media: path, mediaFormat: choice{value: string(format)}}
	if err := writeSurroundings(p.fabric, flags); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	return path
}

func TestMediaShow(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	for format, want := range map[emulator.ImageFormat]string{"bridge": "udf", "udf": "udf", "iso9660": "iso9660"} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			path := newImage(t, p, format)
			got := cli(t, "media", "show", path).want(t, exitDone).stdout
			contains(t, got, want+", ", "AZPROV", "ovf-env.xml, ", "CustomData.bin, 29 bytes", "harbour-01", "password                22 bytes, [redacted]")
			document := oneObject(t, cli(t, "media", "show", path, "--output", "json").want(t, exitDone).stdout)
			if at(t, document, "type") != want || at(t, document, "environment", "hostName") != "harbour-01" || len(at(t, document, "files").([]any)) != 2 {
				t.Errorf("%v", document)
			}
			for _, secret := range secretTexts() {
				if strings.Contains(got, secret) {
					t.Errorf("%q got out", secret)
				}
			}
			contains(t, cli(t, "media", "show", path, "--reveal").want(t, exitDone).stdout, testPassword, "bosun: whistle")
		})
	}
}

func TestMediaExtract(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	path, to := newImage(t, p, "bridge"), filepath.Join(t.TempDir(), "new", "medium")
	got := cli(t, "media", "extract", "--to", to, path).want(t, exitDone)
	contains(t, got.stdout, "ovf-env.xml, ")
	contains(t, got.stderr, "2 files written to "+to)
	if info, err := os.Stat(to); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, name := range []string{"ovf-env.xml", "CustomData.bin"} {
		want, err := os.ReadFile(filepath.Join(p.medium, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(to, name))
		info, statErr := os.Stat(filepath.Join(to, name))
		if err != nil || statErr != nil || !bytes.Equal(b, want) || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, err, info.Mode())
		}
	}
	object := oneObject(t, cli(t, "media", "extract", "--to", to, path, "--output", "json").want(t, exitDone).stdout)
	if len(at(t, object, "files").([]any)) != 2 || at(t, object, "to") != to {
		t.Errorf("%v", object)
	}
}

// A disc may say anything of its files: what is taken from it is bounded.
func TestMediaExtractIsBounded(t *testing.T) {
	t.Parallel()
	disc := fstest.MapFS{"a": {Data: make([]byte, 60)}, "b": {Data: make([]byte, 60)}, "deck/c": {Data: make([]byte, 1)}}
	for name, row := range map[string]struct {
		x    extraction
		want string
	}{
		"all of it":       {extraction{left: 121}, ""},
		"too much":        {extraction{left: 119}, "b): there are more than 64 MiB on the disc"},
		"too many":        {extraction{left: 121, files: make([]discFile, maxDiscFiles-1)}, "b): there are more than 1000 files"},
		"a name for none": {extraction{left: 121, disc: fstest.MapFS{"a\x00b": {}}}, "the name is not possible here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := row.x
			if x.to = t.TempDir(); x.disc == nil {
				x.disc = disc
			}
			err := fs.WalkDir(x.disc, ".", x.take)
			if (row.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if _, statErr := os.Stat(filepath.Join(x.to, "deck", "c")); row.want == "" && statErr != nil {
				t.Error(statErr)
			}
		})
	}
}

// A disc that is not for provisioning is shown, and says so.
func TestMediaShowOfAnotherDisc(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	b, err := os.ReadFile(newImage(t, p, "iso9660"))
	if err != nil {
		t.Fatal(err)
	}
	// The same disc with another name for its document, in Rock Ridge and in 8.3.
	for old, name := range map[string]string{"ovf-env.xml": "cargo-1.xml", "OVF_ENV.XML": "CARGO_1.XML"} {
		b = bytes.ReplaceAll(b, []byte(old), []byte(name))
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "other.img"), string(b))
	contains(t, cli(t, "media", "show", path).want(t, exitDone).stdout, "cargo-1.xml", "warning: it is no provisioning medium")
	object := oneObject(t, cli(t, "media", "show", path, "--output", "json").want(t, exitDone).stdout)
	if at(t, object, "environment") != nil {
		t.Errorf("%v", object)
	}
}

func TestMediaThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := writeFile(t, filepath.Join(dir, "text"), "rope")
	image := newImage(t, newPlatform(t, nil), "udf")
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"show", "/nonexistent"}, exitNotFound, "cannot show the disc: media.Open (/nonexistent): cannot be opened"},
		{[]string{"show", text}, exitNotFound, "there is no UDF and no ISO 9660 volume"},
		{[]string{"show"}, exitUsage, "the argument IMAGE is missing"},
		{[]string{"extract", image}, exitUsage, "--to DIR is missing"},
		{[]string{"extract", "--to", "json", image}, exitUsage, "want a directory"},
		{[]string{"extract", "--to", text, image}, exitFailed, "cannot extract the disc"},
		{[]string{"extract", "--to", dir, "/nonexistent"}, exitNotFound, "cannot extract the disc"},
	} {
		t.Run(strings.Join(row.args, " "), func(t *testing.T) {
			t.Parallel()
			got := cli(t, slices.Concat([]string{"media", "--output", "json"}, row.args)...).want(t, row.code)
			contains(t, got.stderr, row.want)
			at(t, oneObject(t, got.stdout), "error", "message")
		})
	}
}

func TestProvisionFromADisc(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	got := cli(t, p.flags("provision", "--media", newImage(t, p, "udf"))...).want(t, exitDone)
	contains(t, got.stdout, "custom data", "29 bytes", "Ready: accepted at")
	text := writeFile(t, filepath.Join(t.TempDir(), "text"), "rope")
	contains(t, cli(t, p.flags("provision", "--media", text, "--ovf", text)...).want(t, exitUsage).stderr, "--ovf and --media are two media")
	contains(t, cli(t, p.flags("provision", "--media", "/nonexistent")...).want(t, exitUsage).stderr, "--media: ")
}
