package ber

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Primitive encodes an element with that value.
func Primitive(tag Tag, value []byte) []byte {
	return slices.Concat(head(byte(tag), len(value)), value)
}

// Constructed encodes an element with these children, which are encoded already.
func Constructed(tag Tag, children ...[]byte) []byte {
	length := 0
	for _, child := range children {
		length += len(child)
	}
	return slices.Concat(append([][]byte{head(byte(tag)|constructedBit, length)}, children...)...)
}

// head is tag and length, the length in the shortest form, as DER wants it.
func head(tag byte, length int) []byte {
	if length < longForm {
		return []byte{tag, byte(length)} //nolint:gosec // Under 128.
	}
	var octets []byte
	for n := length; n > 0; n >>= 8 {
		octets = append([]byte{byte(n)}, octets...)
	}
	return append([]byte{tag, longForm | byte(len(octets))}, octets...) //nolint:gosec // 8 at most.
}

// EncodeInt encodes an INTEGER that is not negative.
func EncodeInt(n int) []byte { return EncodeBigInt(big.NewInt(int64(n))) }

// EncodeBigInt encodes an INTEGER that is not negative.
func EncodeBigInt(n *big.Int) []byte {
	value := n.Bytes()
	if len(value) == 0 || value[0]&0x80 != 0 {
		value = append([]byte{0}, value...)
	}
	return Primitive(Integer, value)
}

// EncodeOID encodes an OBJECT IDENTIFIER in dotted form, which must be one: it comes
// from this program's own tables.
func EncodeOID(dotted string) []byte {
	var arcs []uint64
	for text := range strings.SplitSeq(dotted, ".") {
		arc, _ := strconv.ParseUint(text, 10, 63)
		arcs = append(arcs, arc)
	}
	value := appendArc(nil, arcs[0]*40+arcs[1])
	for _, arc := range arcs[2:] {
		value = appendArc(value, arc)
	}
	return Primitive(ObjectID, value)
}

func appendArc(b []byte, arc uint64) []byte {
	groups := []byte{byte(arc & 0x7f)}
	for arc >>= 7; arc > 0; arc >>= 7 {
		groups = append([]byte{byte(arc&0x7f) | 0x80}, groups...)
	}
	return append(b, groups...)
}

// EncodeNull encodes a NULL.
func EncodeNull() []byte { return Primitive(Null, nil) }
