package iso9660

import (
	"encoding/binary"
	"unicode/utf16"
)

// isJoliet reports whether a supplementary volume descriptor has the escape sequences
// (ECMA-119, 8.5.6) of UCS-2 in level 1, 2 or 3, which is what makes it Joliet's (Joliet
// specification, "SVD Escape Sequences Field").
func isJoliet(b []byte) bool {
	switch string(b[88:91]) {
	case "%/@", "%/C", "%/E":
		return true
	}
	return false
}

// jolietText decodes UCS-2, big-endian. Writers record what is not in UCS-2 as UTF-16.
func jolietText(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
