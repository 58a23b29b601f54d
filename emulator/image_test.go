package emulator_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf/media"
)

// TestMediumImage: what is on the disc is what is on the medium, in every format.
func TestMediumImage(t *testing.T) {
	t.Parallel()
	kinds := map[emulator.ImageFormat]media.FileSystem{
		"": media.FileSystemUDF, "bridge": media.FileSystemUDF, "udf": media.FileSystemUDF, "iso9660": media.FileSystemISO9660,
	}
	for _, format := range append(emulator.PossibleImageFormatValues(), "") {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			f := fabricOf(t, "custom-data")
			var image, again bytes.Buffer
			if err := errors.Join(f.WriteMediumImage(&image, format), f.WriteMediumImage(&again, format)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(image.Bytes(), again.Bytes()) {
				t.Error("two images differ")
			}
			disc, err := media.ReadVolume(bytes.NewReader(image.Bytes()), int64(image.Len()))
			if err != nil || disc.Type != kinds[format] || disc.Label != "AZPROV" {
				t.Fatalf("%v, %+v", err, disc)
			}
			medium, _ := f.Medium()
			for _, name := range []string{"ovf-env.xml", "CustomData.bin"} {
				want, err := fs.ReadFile(medium, name)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := fs.ReadFile(disc.FS, name); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestMediumImageThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if err := fabricOf(t, "no-ovf").WriteMediumImage(&bytes.Buffer{}, ""); azprov.KindOf(err) != azprov.KindNotFound {
		t.Errorf("no medium: %v", err)
	}
	if err := fabricOf(t, "linux-vm").WriteMediumImage(full{}, ""); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("a full disk: %v", err)
	}
	if err := fabricOf(t, "linux-vm").WriteMediumImage(&bytes.Buffer{}, "floppy"); azprov.KindOf(err) != azprov.KindInternal {
		t.Errorf("an unknown format: %v", err)
	}
}
