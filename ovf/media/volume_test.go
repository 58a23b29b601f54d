package media_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/discimage"
	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/ovf"
	"github.com/azprov/azprov/ovf/media"
)

const (
	sector     = 2048
	document   = "ovf-env.xml"
	customData = "CustomData.bin"
)

// files are those of a provisioning medium. The document is a real one, if a small one.
func files(t *testing.T) fstest.MapFS {
	t.Helper()
	b, err := (&ovf.Environment{HostName: "jetty-07", UserName: "pilot"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		document:   {Data: b, ModTime: time.Unix(1e9, 0)},
		customData: {Data: bytes.Repeat([]byte("#cloud-config\n"), 500)},
	}
}

func image(t *testing.T, format discimage.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := discimage.Write(&b, files(t), discimage.Options{Format: format, Label: "PROVISIONING"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// is fails the test unless the error is of that operation and kind, with the text in it.
func is(t *testing.T, err error, op string, kind azprov.Kind, text string) {
	t.Helper()
	var e *azprov.Error
	if !errors.As(err, &e) || e.Op != op || e.Kind != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %s: %s %q", err, op, kind, text)
	}
}

// same fails the test unless the volume has exactly the files.
func same(t *testing.T, got fs.FS, want fstest.MapFS) {
	t.Helper()
	for name, file := range want {
		b, err := fs.ReadFile(got, name)
		if err != nil || !bytes.Equal(b, file.Data) {
			t.Errorf("%s: %d bytes, want %d; %v", name, len(b), len(file.Data), err)
		}
	}
	entries, err := fs.ReadDir(got, ".")
	if err != nil || len(entries) != len(want) {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestReadVolume(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		format  discimage.Format
		kind    media.FileSystem
		details string
	}{
		{discimage.FormatUDF, media.FileSystemUDF, "revision 1.02"},
		{discimage.FormatISO9660, media.FileSystemISO9660, "rock ridge names"},
		{discimage.FormatBridge, media.FileSystemUDF, "revision 1.02"},
	} {
		t.Run(string(row.format), func(t *testing.T) {
			t.Parallel()
			b := image(t, row.format)
			v, err := media.ReadVolume(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if v.Type != row.kind || v.Label != "PROVISIONING" || v.Details != row.details || len(v.Warnings) > 0 {
				t.Errorf("%+v", v)
			}
			same(t, v.FS, files(t))
			if err := fstest.TestFS(v.FS, document, customData); err != nil {
				t.Error(err)
			}
			if env, err := ovf.ReadFS(v.FS); err != nil || env.HostName != "jetty-07" || env.CustomData.Len() != 7000 {
				t.Errorf("%v, %+v", err, env)
			}
		})
	}
}

// TestGenisoimage reads the discs that everybody makes for tests.
func TestGenisoimage(t *testing.T) {
	t.Parallel()
	programtest.Need(t, "genisoimage")
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "files"), files(t)); err != nil {
		t.Fatal(err)
	}
	for options, want := range map[string]media.FileSystem{
		"": media.FileSystemISO9660, "-J": media.FileSystemISO9660, "-R": media.FileSystemISO9660,
		"-udf": media.FileSystemUDF, "-udf -J -R": media.FileSystemUDF,
	} {
		t.Run("genisoimage "+options, func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(options, " ", "") + ".img"
			programtest.Run(t, dir, "genisoimage", append(append([]string{"-quiet", "-o", name}, strings.Fields(options)...), "files")...)
			disc, err := media.OpenDisc(filepath.Join(dir, name), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = disc.Close() }()
			// Without extensions ISO 9660 has its own forms of the names, which ovf knows.
			if env, err := ovf.ReadFS(disc.FS); err != nil || disc.Type != want || env.HostName != "jetty-07" || env.CustomData.Len() != 7000 {
				t.Errorf("%s: %v, %+v", disc.Type, err, env)
			}
		})
	}
}

// faulty fails to read one sector.
type faulty struct {
	io.ReaderAt
	bad int64
}

var errSector = errors.New("medium error")

func (f faulty) ReadAt(b []byte, at int64) (int, error) {
	if at <= f.bad && f.bad < at+int64(len(b)) {
		return 0, errSector
	}
	return f.ReaderAt.ReadAt(b, at)
}

// unreadable is a drive that is out of order.
type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errSector }

func TestVolumesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	wipe := func(b []byte, from, sectors int) []byte {
		clear(b[from*sector : (from+sectors)*sector])
		return b
	}
	iso, udf := image(t, discimage.FormatISO9660), image(t, discimage.FormatUDF)
	for _, row := range []struct {
		name  string
		image io.ReaderAt
		size  int
		kind  azprov.Kind
		cause error
	}{
		{"nothing", bytes.NewReader(nil), 0, azprov.KindNotFound, nil},
		{"a sector", bytes.NewReader(make([]byte, sector)), sector, azprov.KindNotFound, nil},
		{"zeros", bytes.NewReader(make([]byte, 1<<20)), 1 << 20, azprov.KindNotFound, nil},
		{"text", strings.NewReader(strings.Repeat("rope ", 1<<17)), 5 << 17, azprov.KindNotFound, nil},
		{"the first half of UDF's descriptors", bytes.NewReader(udf[:40*sector]), 40 * sector, azprov.KindMalformed, nil},
		{"an ISO 9660 without its first descriptor", bytes.NewReader(wipe(bytes.Clone(iso), 16, 1)), len(iso), azprov.KindNotFound, nil},
		{"a sector that cannot be read", faulty{bytes.NewReader(iso), 16 * sector}, len(iso), azprov.KindInternal, errSector},
		{"no sector that can be read", unreadable{}, 1 << 20, azprov.KindInternal, errSector},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v, err := media.ReadVolume(row.image, int64(row.size))
			var e *azprov.Error
			if !errors.As(err, &e) || e.Kind != row.kind || e.Op != "media.ReadVolume" || (row.cause != nil && !errors.Is(err, row.cause)) {
				t.Errorf("%v, %+v", err, v)
			}
		})
	}
}

// withoutAnchors clears the sectors where UDF looks for its anchors (ECMA-167, 3/8.4.2.1).
func withoutAnchors(b []byte) []byte {
	last := len(b)/sector - 1
	for _, n := range []int{256, last - 256, last} {
		clear(b[n*sector : (n+1)*sector])
	}
	return b
}

// A bridge has two chances.
func TestBridgeWithADamagedSide(t *testing.T) {
	t.Parallel()
	b := withoutAnchors(image(t, discimage.FormatBridge))
	v, err := media.ReadVolume(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if v.Type != media.FileSystemISO9660 || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "UDF side") {
		t.Errorf("%+v", v)
	}
	same(t, v.FS, files(t))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := programtest.Write(t, dir, "disc.img", image(t, discimage.FormatBridge))
	disc, err := media.OpenDisc(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, disc.FS, files(t))
	if err := disc.Close(); err != nil {
		t.Error(err)
	}
	if _, err := fs.ReadFile(disc.FS, document); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for name, row := range map[string]struct {
		path string
		kind azprov.Kind
		want string
	}{
		"no such file":  {filepath.Join(dir, "absent"), azprov.KindNotFound, "absent"},
		"not a disc":    {programtest.Write(t, dir, "text", []byte("rope")), azprov.KindNotFound, "there is no UDF and no ISO 9660 volume"},
		"a directory":   {dir, azprov.KindInternal, ""},
		"an empty file": {programtest.Write(t, dir, "empty", nil), azprov.KindNotFound, "no UDF"},
	} {
		if runtime.GOOS == "windows" && name == "a directory" {
			continue // there it cannot even be opened
		}
		_, err := media.OpenDisc(row.path, nil)
		var e *azprov.Error
		if !errors.As(err, &e) || e.Kind != row.kind || e.Op != "media.OpenDisc" || e.Target == "" || !strings.Contains(err.Error(), row.want) || name == "no such file" && strings.Count(err.Error(), dir) > 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A drive without a disc says so, and is closed whatever is in it.
func TestOpenDiscOfADrive(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status media.DriveStatus
		kind   azprov.Kind
		want   string
	}{
		{media.DriveStatusNoDisc, azprov.KindNotFound, "there is no disc in the drive"},
		{media.DriveStatusTrayOpen, azprov.KindNotFound, "the drive's tray is open"},
		{media.DriveStatusNotReady, azprov.KindNotReady, "the drive is not ready"},
		{media.DriveStatusDisc, azprov.KindNotFound, "there is no UDF and no ISO 9660 volume"},
		{media.DriveStatusUnknown, azprov.KindNotFound, "there is no UDF and no ISO 9660 volume"},
	} {
		w := newWorld(t)
		d := holding(make([]byte, 1<<20)).with(func(d *fakeDisc) { d.status = row.status })
		w.drive("sr0", d)
		_, err := media.OpenDisc("/dev/sr0", &media.OpenDiscOptions{System: w})
		if is(t, err, "media.OpenDisc", row.kind, row.want); d.open != 0 {
			t.Errorf("%s: left open", row.status)
		}
	}
}
