package udf_test

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/internal/udf"
)

// edited applies edits of 5 bytes to an image: where, behind the system area, and two
// bytes. They are small, so that the fuzzer can tell what matters in them.
func edited(image, edits []byte) []byte {
	const begin = 32 << 10
	image = bytes.Clone(image)
	for ; len(edits) >= 5; edits = edits[5:] {
		at := begin + (int(edits[0])|int(edits[1])<<8|int(edits[2])<<16)%(len(image)-begin-1)
		image[at], image[at+1] = edits[3], edits[4]
	}
	return image
}

// resealAll makes the tags right, as far as descriptors are in 512 bytes: else hardly a
// change would get behind them.
func resealAll(image []byte) {
	for at := 32 << 10; at+512 <= len(image); at += 512 {
		b := image[at : at+512]
		if length := int(little.Uint16(b[10:])); length <= 496 && b[4] != 0 {
			reseal(b[:16+length])
		}
	}
}

// FuzzOpen opens what is nearly a volume, one of the samples or the input itself, and
// reads something of all its files.
func FuzzOpen(f *testing.F) {
	all := samples()
	for i := range all {
		f.Add(uint8(i), []byte{}, true)
		f.Add(uint8(i), []byte{12, 0x60, 0, 1, 0, 0xff, 0xff, 0, 0x80, 0}, false)
	}
	f.Add(uint8(255), []byte("\x00BEA01"), false)
	f.Fuzz(func(t *testing.T, base uint8, edits []byte, right bool) {
		if len(edits) > 1<<20 {
			return
		}
		image := edits
		if int(base) < len(all) {
			image = edited(all[base].image, edits)
		}
		if right {
			image = bytes.Clone(image)
			resealAll(image)
		}
		boundtest.Check(t, func() {
			_ = walk(bytes.NewReader(image), int64(len(image)))
			udf.Recognize(bytes.NewReader(image))
		})
	})
}

// From opening to the bytes of a file.
func BenchmarkReadFile(b *testing.B) {
	image := simple(2048).finish()
	b.ReportAllocs()
	for b.Loop() {
		v, err := udf.Open(bytes.NewReader(image), int64(len(image)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := fs.ReadFile(v.FS(), "ovf-env.xml"); err != nil {
			b.Fatal(err)
		}
	}
}
