package xmldoc

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 removes a byte-order mark and turns UTF-16 into UTF-8. Without a mark,
// UTF-16 shows itself by a zero byte beside the first character, which UTF-8
// cannot have (XML 1.0, appendix F.1). A declaration that says utf-16 in UTF-8
// bytes changes nothing: whoever re-encoded the document forgot to change it.
func toUTF8(b []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return b[3:], nil
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return fromUTF16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return fromUTF16(b[2:], binary.BigEndian)
	case len(b) >= 2 && b[0] != 0 && b[1] == 0:
		return fromUTF16(b, binary.LittleEndian)
	case len(b) >= 2 && b[0] == 0 && b[1] != 0:
		return fromUTF16(b, binary.BigEndian)
	default:
		return b, nil
	}
}

// fromUTF16 is strict: half a unit or half a surrogate pair is an error, since a
// replacement character in a password would not be seen by anyone.
func fromUTF16(b []byte, order binary.ByteOrder) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, malformed("the document is UTF-16 with an odd number of bytes")
	}
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(b) {
				return nil, malformed("the document is not valid UTF-16")
			}
			i += 2
			r = utf16.DecodeRune(r, rune(order.Uint16(b[i:])))
			if r == utf8.RuneError {
				return nil, malformed("the document is not valid UTF-16")
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}
