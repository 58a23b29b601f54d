package discimage

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/azprov/azprov/internal/iso9660"
	"github.com/azprov/azprov/internal/udf"
)

// The readers of this module are others' work than this package, and find the same files.
func TestReaders(t *testing.T) {
	t.Parallel()
	for name, disc := range discs(anyFormat) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := disc.image(t)
			if disc.format.hasUDF() {
				volume, err := udf.Open(bytes.NewReader(image), int64(len(image)))
				if err != nil {
					t.Fatal(err)
				}
				checkVolume(t, disc, volume.FS(), volume.Label())
			}
			if disc.format.hasISO9660() {
				volume, err := iso9660.Open(bytes.NewReader(image), int64(len(image)))
				if err != nil {
					t.Fatal(err)
				}
				checkVolume(t, disc, volume.FS(), volume.Label())
			}
		})
	}
}

func checkVolume(t *testing.T, disc testDisc, volume fs.FS, label string) {
	t.Helper()
	if label != testLabel {
		t.Errorf("the label is %q", label)
	}
	sameContents(t, contents(t, volume), contents(t, disc.files))
}
