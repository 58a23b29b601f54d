package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/mediatest"
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
	for old, name := range map[string]string{
		"ovf-env.xml": "cargo-1.xml", "OVF_ENV.XML": "CARGO_1.XML", "CustomData.bin": "CargoHold0.bin", "CUSTOMDA.BIN": "CARGOHOL.BIN",
	} {
		b = bytes.ReplaceAll(b, []byte(old), []byte(name))
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "other.img"), string(b))
	contains(t, cli(t, "media", "show", path).want(t, exitDone).stdout, "cargo-1.xml", "warning: it is no provisioning medium")
	object := oneObject(t, cli(t, "media", "show", path, "--output", "json").want(t, exitDone).stdout)
	if at(t, object, "environment") != nil {
		t.Errorf("%v", object)
	}
	// It can be read, and is not waited for.
	start := time.Now()
	cli(t, "media", "show", path, "--wait", "5m").want(t, exitDone)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
}

// otherDrive is a machine with the one drive, whose disc is mounted or which only the
// kernel can read.
type otherDrive struct {
	*mediatest.CDROM
	files fstest.MapFS
}

func (d otherDrive) FS() fs.FS { return d.files }

func (d otherDrive) Watch(context.Context) (<-chan struct{}, error) {
	return nil, errors.ErrUnsupported
}

func (d otherDrive) ReadMounted(_ context.Context, _ string, read func(fs.FS) error) error {
	return read(d.files)
}

// Nothing is taken from a mounted disc but what is on it.
func TestMediaOfAMountedDisc(t *testing.T) {
	t.Parallel()
	p, dir, secret := newPlatform(t, nil), t.TempDir(), writeFile(t, filepath.Join(t.TempDir(), "shadow"), "a user's")
	document, err := os.ReadFile(filepath.Join(p.medium, "ovf-env.xml"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "ovf-env.xml"), string(document))
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	inRoot := strings.TrimPrefix(filepath.ToSlash(dir), "/")
	drive := otherDrive{&mediatest.CDROM{}, fstest.MapFS{
		"dev/sr0": {Mode: fs.ModeDevice}, inRoot + "/ovf-env.xml": {Data: document},
		"proc/self/mountinfo": {Data: []byte("31 1 11:0 / /" + inRoot + " ro - iso9660 /dev/sr0 ro\n")},
	}}
	if runtime.GOOS == "windows" {
		t.Skip("a mount table has no drive letters")
	}
	contains(t, cliOn(t.Context(), drive, "", "media", "show").want(t, exitDone).stdout, dir, "harbour-01")
	to := t.TempDir()
	got := cliOn(t.Context(), drive, "", "media", "extract", "--to", to)
	contains(t, got.stderr, "link): cannot be read")
	if _, err := os.Stat(filepath.Join(to, "link")); err == nil {
		t.Error("a user's file was taken for the disc's")
	}
}

// Why the kernel was needed is told, whatever else there was to warn of.
func TestMediaOfADiscForTheKernel(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	document, err := os.ReadFile(filepath.Join(p.medium, "ovf-env.xml"))
	if err != nil {
		t.Fatal(err)
	}
	drive := otherDrive{&mediatest.CDROM{Image: make([]byte, 1<<20)}, fstest.MapFS{
		"dev/sr0": {Mode: fs.ModeDevice}, "ovf-env.xml": {Data: document},
	}}
	for _, wait := range []string{"0s", "10s"} {
		got := cliOn(t.Context(), drive, "", "media", "show", "--wait", wait)
		contains(t, got.stderr, "only the kernel could read the disc", "mount it, and name the directory")
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
		{[]string{"show", "/nonexistent"}, exitNotFound, "cannot show the disc: media.OpenDisc (/nonexistent): cannot be opened"},
		{[]string{"show", text}, exitNotFound, "there is no UDF and no ISO 9660 volume"},
		{[]string{"show", text, text}, exitUsage, "stray argument"},
		{[]string{"show", ""}, exitUsage, "the argument is empty"},
		{[]string{"eject", text}, exitFailed, "cannot eject the disc: media.Eject"},
		{[]string{"eject", "/nonexistent"}, exitNotFound, "cannot eject the disc"},
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

// Without an argument the verbs find the disc in the machine's drive.
func TestMediaVerbsFindTheDisc(t *testing.T) {
	t.Parallel()
	image, err := os.ReadFile(newImage(t, newPlatform(t, nil), "udf"))
	if err != nil {
		t.Fatal(err)
	}
	drive := &mediatest.CDROM{Image: image}
	on := func(args ...string) outcome {
		return cliOn(t.Context(), drive, "", append([]string{"media"}, args...)...)
	}
	contains(t, on("show").want(t, exitDone).stdout, "/dev/sr0", "harbour-01")
	to := filepath.Join(t.TempDir(), "medium")
	if files := at(t, oneObject(t, on("extract", "--to", to, "--output", "json").want(t, exitDone).stdout), "files").([]any); len(files) != 2 {
		t.Errorf("%v", files)
	}
	if got := at(t, oneObject(t, on("eject", "--output", "json").want(t, exitDone).stdout), "ejected"); got != "/dev/sr0" || drive.Ejected() != 1 {
		t.Errorf("%v, ejected %d times", got, drive.Ejected())
	}
	got := on("show").want(t, exitNotFound)
	contains(t, got.stderr, "/dev/sr0: no disc in the drive\n", "there is no provisioning medium; looked at /dev/sr0")
	on("eject").want(t, exitNotFound)
	contains(t, on("show", "--wait", "10ms").want(t, exitNotFound).stderr, "no disc yet; waiting 10ms at most")
	late := &mediatest.CDROM{Image: image, At: time.Now().Add(200 * time.Millisecond)}
	contains(t, cliOn(t.Context(), late, "", "media", "show", "/dev/sr0", "--wait", "20s").want(t, exitDone).stdout, "harbour-01")
}

// On a VM the disc is found, and stays where it is unless --eject is given.
func TestProvisionFindsTheDisc(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		flags   []string
		data    bool
		ejected int
	}{
		"found":         {[]string{"--media", "find"}, true, 0},
		"and ejected":   {[]string{"--media", "find", "--eject"}, true, 1},
		"named":         {[]string{"--media", "/dev/sr0"}, true, 0},
		"none":          {[]string{"--media", "none", "--allow-missing-custom-data"}, false, 0},
		"not asked for": {[]string{"--allow-missing-custom-data"}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, nil)
			image, err := os.ReadFile(newImage(t, p, "udf"))
			if err != nil {
				t.Fatal(err)
			}
			drive := &mediatest.CDROM{Image: image}
			got := cliOn(t.Context(), drive, "", p.flags(append([]string{"provision"}, row.flags...)...)...).want(t, exitDone)
			if strings.Contains(got.stdout, "29 bytes") != row.data || drive.Ejected() != row.ejected {
				t.Errorf("ejected %d times:\n%s", drive.Ejected(), got.stdout)
			}
		})
	}
}
