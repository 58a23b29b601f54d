package udf

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// decodeName decodes characters of OSTA's CS0 (UDF 2.1.1): a compression identifier, then
// code points of 8 or 16 bits. Identifiers 254 and 255 are those of deleted files.
func decodeName(b []byte) (string, bool) {
	if len(b) == 0 {
		return "", true
	}
	compression, b := b[0], b[1:]
	switch {
	case compression == 8:
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), true
	case compression == 16 && len(b)%2 == 0:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(b[2*i:])
		}
		// Revisions before 2.60 know no surrogates, but writers use them.
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// decodeField decodes a field of fixed length with a name, whose length is in its last
// byte (UDF 2.1.3). One that is not right is empty: it is for people to read.
func decodeField(b []byte) string {
	last := len(b) - 1
	length := int(b[last])
	if length > last {
		return ""
	}
	name, _ := decodeName(b[:length])
	return name
}

// decodeTime decodes a timestamp (1/7.3, UDF 2.1.4). One that is not right is zero.
func decodeTime(b []byte) time.Time {
	const maxOffset = 1440                         // minutes from UTC
	year := int(binary.LittleEndian.Uint16(b[2:])) // negative ones are of no use
	month, day, hour, minute, second := int(b[4]), int(b[5]), int(b[6]), int(b[7]), int(b[8])
	nano := 10*time.Millisecond*time.Duration(b[9]) + 100*time.Microsecond*time.Duration(b[10]) + time.Microsecond*time.Duration(b[11])
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 || nano >= time.Second {
		return time.Time{}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, int(nano), time.UTC)
	// The upper 4 bits are the type, 1 for local time; the others the zone in two's
	// complement, or -2047 for none.
	zone := int(binary.LittleEndian.Uint16(b))
	if offset := (zone&0xfff ^ 0x800) - 0x800; zone>>12 == 1 && -maxOffset <= offset && offset <= maxOffset {
		t = t.Add(-time.Duration(offset) * time.Minute)
	}
	return t
}
