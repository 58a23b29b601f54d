package discimage

import "strings"

// jolietLevel3 is the escape sequence of ISO/IEC 10646 UCS-2, level 3, which makes a
// supplementary volume descriptor one of Joliet (Joliet, "SVD escape sequences field").
const jolietLevel3 = "%/E"

// jolietNames gives entries their own names, in UCS-2, by which they are in order: it is
// that of UTF-8 too. There is no version number: other writers leave it out as well
// (genisoimage, libisofs), and so no reader has to remove it.
func jolietNames(children []*node) []isoEntry {
	var entries []isoEntry
	for _, child := range children {
		entries = append(entries, isoEntry{node: child, identifier: ucs2(child.name)})
	}
	return entries
}

// jolietText is filled up with blanks; what does not fit is cut off, and the last octet of
// an odd field is 0.
func jolietText(size int, s string) []byte {
	b := ucs2(s + strings.Repeat(" ", size/2))[:size&^1]
	return append(b, make([]byte, size%2)...)
}
