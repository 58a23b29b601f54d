package discimage

import (
	"fmt"
	"time"
)

const (
	// isoDescriptors is how many sectors the descriptors take.
	isoDescriptors = 3
	// Types of volume descriptors (ECMA-119, 8.1.1).
	isoPrimary       = 1
	isoSupplementary = 2
	isoTerminator    = 255
)

// isoVolume is the ISO 9660 side of an image.
type isoVolume struct {
	label           string
	at              time.Time
	primary, joliet *isoTree
	sectors         int // Of the whole image.
}

func newISOVolume(t *tree, label string, at time.Time) *isoVolume {
	return &isoVolume{
		label:   label,
		at:      at,
		primary: newISOTree(t.root(), at, shortNames, true),
		joliet:  newISOTree(t.root(), at, jolietNames, false),
	}
}

func (v *isoVolume) trees() []*isoTree { return []*isoTree{v.primary, v.joliet} }

// descriptors is the volume descriptor set (ECMA-119, 6.7.1).
func (v *isoVolume) descriptors() []byte {
	primary := v.descriptor(isoPrimary, v.primary, isoText)
	supplementary := v.descriptor(isoSupplementary, v.joliet, jolietText)
	supplementary.put(88, []byte(jolietLevel3))
	return sectorEach(primary, supplementary, isoDescriptor(isoTerminator))
}

// isoDescriptor is what all descriptors begin with (ECMA-119, 8.1).
func isoDescriptor(kind int) record {
	r := make(record, sectorSize)
	r.u8(0, kind)
	r.put(1, []byte("CD001"))
	r.u8(6, 1)
	return r
}

// descriptor is a primary or supplementary volume descriptor, which have the same fields;
// text fills one with characters (ECMA-119, 8.4 and 8.5).
func (v *isoVolume) descriptor(kind int, t *isoTree, text func(size int, s string) []byte) record {
	r := isoDescriptor(kind)
	field := func(at, size int, s string) { r.put(at, text(size, s)) }
	field(8, 32, "") // System identifier: nobody uses the first 16 sectors.
	field(40, 32, v.label)
	r.both32(80, v.sectors)
	r.both16(120, 1) // Volumes in the set, and which one this is.
	r.both16(124, 1)
	r.both16(128, sectorSize)
	r.both32(132, t.pathTableLength)
	r.u32(140, t.pathTable)
	r.big32(148, t.pathTable+sectorsOf(t.pathTableLength))
	r.put(156, t.directoryRecord(t.directories[0], isoSelfName))
	field(190, 128, "") // Volume set,
	field(318, 128, "") // publisher,
	field(446, 128, "") // data preparer,
	field(574, 128, developer)
	field(702, 37, "")            // and the files with the copyright,
	field(739, 37, "")            // an abstract
	field(776, 37, "")            // and a bibliography.
	r.put(813, v.timestamp(v.at)) // Creation,
	r.put(830, v.timestamp(v.at)) // modification;
	r.put(847, noTimestamp())     // no expiration,
	r.put(864, noTimestamp())     // and it can be used at any time.
	r.u8(881, 1)
	return r
}

// isoText is filled up with blanks (ECMA-119, 7.4.3).
func isoText(size int, s string) []byte { return fmt.Appendf(nil, "%-*s", size, s) }

// timestamp is in digits, to the hundredth of a second, and the last octet the offset from
// UTC (ECMA-119, 8.4.26.1).
func (v *isoVolume) timestamp(t time.Time) []byte {
	return append([]byte(t.Format("20060102150405")), '0', '0', 0)
}

// noTimestamp is the value for "not specified".
func noTimestamp() []byte { return append([]byte("0000000000000000"), 0) }
