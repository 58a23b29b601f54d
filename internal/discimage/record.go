package discimage

import "encoding/binary"

// record is a structure of a disc that is being filled in. Positions count from 0, as BP
// does in ECMA-167; those of ECMA-119 count from 1. All numbers on the disc fit in 31 bits,
// by the limits of an image, and none is negative.
type record []byte

func (r record) u8(at, v int)    { r[at] = byte(v) }                                  //nolint:gosec // See record.
func (r record) u16(at, v int)   { binary.LittleEndian.PutUint16(r[at:], uint16(v)) } //nolint:gosec // See record.
func (r record) u32(at, v int)   { binary.LittleEndian.PutUint32(r[at:], uint32(v)) } //nolint:gosec // See record.
func (r record) u64(at, v int)   { binary.LittleEndian.PutUint64(r[at:], uint64(v)) } //nolint:gosec // See record.
func (r record) big16(at, v int) { binary.BigEndian.PutUint16(r[at:], uint16(v)) }    //nolint:gosec // See record.
func (r record) big32(at, v int) { binary.BigEndian.PutUint32(r[at:], uint32(v)) }    //nolint:gosec // See record.

// both16 and both32 write a number in both orders (ECMA-119, 7.2.3 and 7.3.3).
func (r record) both16(at, v int) {
	r.u16(at, v)
	r.big16(at+2, v)
}

func (r record) both32(at, v int) {
	r.u32(at, v)
	r.big32(at+4, v)
}

func (r record) put(at int, b []byte) { copy(r[at:], b) }
