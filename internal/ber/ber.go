// Package ber reads ASN.1 in the Basic Encoding Rules (X.690) from a source that is not
// trusted, and writes the Distinguished ones. It is what the certificate containers of
// the wire server need and no more: CMS may be streamed in indefinite lengths and
// chopped strings, which encoding/asn1 does not read, and the readers that do overflow
// the stack on input that is nested deeply enough.
package ber

import "errors"

const (
	// MaxSize bounds a document. The XML document that carries one has at most as much.
	MaxSize = 1 << 20
	// MaxDepth bounds nesting. A CMS envelope with authenticated attributes in it has
	// some ten levels, a PFX as many.
	MaxDepth = 24
	// maxLengthOctets bounds the length of a length: 4 octets count 4 GiB.
	maxLengthOctets = 4
)

// ErrTooLarge is the error for a document over MaxSize.
var ErrTooLarge = errors.New("over 1 MiB")

var (
	errTruncated    = errors.New("truncated")
	errDepth        = errors.New("nested too deeply")
	errLength       = errors.New("a length of over four octets")
	errHighTag      = errors.New("a tag number over 30")
	errEndOfContent = errors.New("an end of contents where none belongs")
	errPrimitive    = errors.New("a primitive element of indefinite length")
	errTrailing     = errors.New("data after the end")
)

// Tag is the class of an element (bits 8 and 7) and its number (bits 5 to 1), without
// the bit that says whether it is constructed: strings may be either.
type Tag byte

// The universal tags in use.
const (
	Integer     Tag = 2
	BitString   Tag = 3
	OctetString Tag = 4
	Null        Tag = 5
	ObjectID    Tag = 6
	UTF8String  Tag = 12
	Sequence    Tag = 16
	Set         Tag = 17
	BMPString   Tag = 30
)

const (
	constructedBit = 0x20
	contextClass   = 0x80
	tagNumber      = 0x1f
	longForm       = 0x80
)

// Context is the context-specific tag of that number.
func Context(number byte) Tag { return Tag(contextClass | number&tagNumber) }

// Element is one encoded value. Its slices alias the document.
type Element struct {
	Tag         Tag
	Constructed bool
	// Raw is the whole encoding, tag and length included.
	Raw []byte
	// Content is the value of a primitive element, and the encodings of the children of
	// a constructed one.
	Content []byte
}

// Parse reads a document of exactly one element and checks all of it: lengths, nesting,
// and that constructed elements hold elements.
func Parse(b []byte) (Element, error) {
	if len(b) > MaxSize {
		return Element{}, ErrTooLarge
	}
	e, err := scan(b, 1)
	if err != nil {
		return Element{}, err
	}
	if len(e.Raw) != len(b) {
		return Element{}, errTrailing
	}
	return e, nil
}

// scan reads the element at the beginning of b, which is depth levels down.
func scan(b []byte, depth int) (Element, error) {
	if depth > MaxDepth {
		return Element{}, errDepth
	}
	if len(b) < 2 {
		return Element{}, errTruncated
	}
	if b[0]&tagNumber == tagNumber {
		return Element{}, errHighTag
	}
	e := Element{Tag: Tag(b[0] &^ constructedBit), Constructed: b[0]&constructedBit != 0}
	if e.Tag == 0 {
		return Element{}, errEndOfContent
	}
	header, length, indefinite, err := readLength(b)
	if err != nil {
		return Element{}, err
	}
	rest := b[header:]
	switch {
	case indefinite && !e.Constructed:
		return Element{}, errPrimitive
	case indefinite:
		length, err = scanChildren(rest, depth, true)
		if err != nil {
			return Element{}, err
		}
		e.Raw, e.Content = b[:header+length+2], rest[:length]
		return e, nil
	case length > len(rest):
		return Element{}, errTruncated
	}
	e.Raw, e.Content = b[:header+length], rest[:length]
	if e.Constructed {
		_, err = scanChildren(e.Content, depth, false)
	}
	return e, err
}

// scanChildren returns how many bytes of elements b begins with: all of it, or, for an
// indefinite length, those before the end of contents.
func scanChildren(b []byte, depth int, indefinite bool) (int, error) {
	at := 0
	for at < len(b) {
		if indefinite && len(b)-at >= 2 && b[at] == 0 && b[at+1] == 0 {
			return at, nil
		}
		child, err := scan(b[at:], depth+1)
		if err != nil {
			return 0, err
		}
		at += len(child.Raw)
	}
	if indefinite {
		return 0, errTruncated
	}
	return at, nil
}

// readLength reads the length behind the one octet of the tag.
func readLength(b []byte) (header, length int, indefinite bool, err error) {
	first := b[1]
	switch {
	case first < longForm:
		return 2, int(first), false, nil
	case first == longForm:
		return 2, 0, true, nil
	}
	octets := int(first &^ longForm)
	if octets > maxLengthOctets {
		return 0, 0, false, errLength
	}
	header = 2 + octets
	if len(b) < header {
		return 0, 0, false, errTruncated
	}
	for _, octet := range b[2:header] {
		// No document is this long, whatever the size of an int.
		if length = length<<8 | int(octet); length > MaxSize {
			return 0, 0, false, errTruncated
		}
	}
	return header, length, false, nil
}
