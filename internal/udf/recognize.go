package udf

import "io"

const (
	// The volume recognition sequence begins behind the system area (2/8.3), in
	// descriptors of 2048 bytes that begin a sector each.
	recognitionStart  = 32 << 10
	recognitionLength = 2048
	// maxRecognition bounds the sequence: ISO 9660's own descriptors, which come before,
	// are a handful.
	maxRecognition = 16
)

// Recognize reports whether the image says that it has a UDF volume: NSR02 or NSR03
// within the extended area of the volume recognition sequence (2/8.3, 3/9.1). It reads
// three to six sectors of one that does, and one or two of another.
func Recognize(image io.ReaderAt) bool {
	// In sectors of 4096 bytes every other descriptor would be in the middle of one.
	return recognize(image, recognitionLength) || recognize(image, 2*recognitionLength)
}

func recognize(image io.ReaderAt, stride int64) bool {
	b := make([]byte, recognitionLength)
	extended, found := false, false
	for i := range int64(maxRecognition) {
		if n, _ := image.ReadAt(b, recognitionStart+i*stride); n < len(b) {
			return false
		}
		switch string(b[1:6]) {
		case "CD001", "CDW02", "BOOT2":
		case "BEA01":
			extended = true
		case "NSR02", "NSR03":
			found = extended
		case "TEA01":
			// Another extended area may follow (2/8.3.1), for another standard.
			if found {
				return true
			}
			extended = false
		default:
			return false
		}
	}
	return false
}
