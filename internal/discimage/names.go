package discimage

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// cs0Name is the longest file identifier of UDF: its length has one octet, and the first
	// octet of the identifier is the compression id (ECMA-167, 4/14.4.4; UDF 1.02, 2.1.1).
	cs0Name = 255
	// udfPath is the longest path (UDF 1.02, 2, table of basic restrictions).
	udfPath = 1023
	// cs0Label is what the shortest field for the label holds, the primary volume
	// descriptor's volume identifier of 32 octets, of which the last is the length. ISO 9660
	// has more room (ECMA-119, 8.4.7), and gets the same labels.
	cs0Label = 31

	isoLevels = 8 // ECMA-119, 6.8.2.1.
	// jolietName and jolietPath are in octets, two a character (Joliet, "Relaxation of ISO
	// 9660 directory restrictions").
	jolietName = 128
	jolietPath = 240
	// jolietForbidden in file and directory names, beside control characters (Joliet,
	// "Allowed character set"). The slash has been refused already.
	jolietForbidden = `*:;?\`
)

var (
	errNotText   = errors.New("it is not UTF-8")
	errPlane     = errors.New("it has a character that 16 bits cannot hold")
	errByteOrder = errors.New("it has U+FEFF or U+FFFE")
	errControl   = errors.New("it has a control character")
)

// checkText refuses what neither OSTA's compressed Unicode nor Joliet can encode. Both are
// 16-bit Unicode, from before surrogates (UDF 1.02, 2.1.1, which also excludes the two
// byte-order marks; Joliet, "Unicode character set").
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errNotText
	}
	for _, r := range s {
		switch {
		case r > 0xFFFF:
			return errPlane
		case r == 0xFEFF, r == 0xFFFE:
			return errByteOrder
		}
	}
	return nil
}

func checkLabel(format Format, label string) error {
	if err := checkLabelText(format, label); err != nil {
		return fmt.Errorf("the label %q: %w", label, err)
	}
	return nil
}

func checkLabelText(format Format, label string) error {
	if err := checkText(label); err != nil {
		return err
	}
	if strings.TrimSpace(label) != label {
		// ISO 9660 fills up with blanks, and readers of both remove them.
		return errors.New("it begins or ends with white space")
	}
	if strings.ContainsFunc(label, unicode.IsControl) {
		return errControl
	}
	if len(cs0(label)) > cs0Label {
		return errors.New("it is too long: 30 characters, or 15 if some are not in ISO 8859-1")
	}
	if !format.hasISO9660() {
		return nil
	}
	// The standard wants capitals, digits and low lines only (ECMA-119, 8.4.7), but real
	// labels, "cidata" or Azure's own, are not like that, and no reader minds.
	if strings.ContainsFunc(label, func(r rune) bool { return r > '~' }) {
		return errors.New("it is not ASCII")
	}
	return nil
}

// checkName refuses a name that would not come back from the disc as it is.
func checkName(format Format, n *node) error {
	if n.name == "" || n.name == "." || n.name == ".." || strings.ContainsAny(n.name, "/\x00") {
		return errors.New("no name for a file")
	}
	if err := checkText(n.name); err != nil {
		return err
	}
	if format.hasUDF() {
		if len(cs0(n.name)) > cs0Name {
			return errors.New("the name is too long for UDF: 254 characters, or 127 if some are not in ISO 8859-1")
		}
		if pathLength(n, func(s string) int { return len(cs0(s)) }) > udfPath {
			return fmt.Errorf("the path is too long for UDF: %d octets", udfPath)
		}
	}
	if format.hasISO9660() {
		return checkJoliet(n)
	}
	return nil
}

// checkJoliet is enough for ISO 9660: Rock Ridge takes any name of up to 250 octets, more
// than 64 characters can be.
func checkJoliet(n *node) error {
	if len(ucs2(n.name)) > jolietName {
		return fmt.Errorf("the name is too long for Joliet: %d characters", jolietName/2)
	}
	if pathLength(n, func(s string) int { return len(ucs2(s)) }) > jolietPath {
		return fmt.Errorf("the path is too long for Joliet: %d characters", jolietPath/2)
	}
	if strings.ContainsFunc(n.name, isControl) {
		return errControl
	}
	if at := strings.IndexAny(n.name, jolietForbidden); at >= 0 {
		return fmt.Errorf("its %q is not allowed in Joliet", n.name[at])
	}
	// Readers take it for the separator of an extension that is not there: Linux
	// (fs/isofs/joliet.c) and Windows leave it out.
	if strings.HasSuffix(n.name, ".") {
		return errors.New("its full stop at the end would be lost in Joliet")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' }

// pathLength is the length of the names with one octet between each, as both standards
// count.
func pathLength(n *node, length func(string) int) int {
	sum := length(n.name)
	for dir := n.parent; dir != dir.parent; dir = dir.parent {
		sum += length(dir.name) + 1
	}
	return sum
}

// cs0 is OSTA's compressed Unicode: a compression id, then 8 or 16 bits a character (UDF
// 1.02, 2.1.1). Nothing is nothing.
func cs0(s string) []byte {
	if s == "" {
		return nil
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r > 0xFF }) {
		return append([]byte{16}, ucs2(s)...)
	}
	b := []byte{8}
	for _, r := range s {
		b = append(b, byte(r)) //nolint:gosec // At most 0xFF.
	}
	return b
}

// ucs2 is 16 bits a character, the high octet first.
func ucs2(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, r := range s {
		b = append(b, byte(r>>8), byte(r)) //nolint:gosec // At most 0xFFFF.
	}
	return b
}
