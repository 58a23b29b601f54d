package discimage

import "time"

const (
	udfRevision = 0x0102 // UDF 1.02, 2.1.5.3.
	tagSize     = 16
	// developer identifies this implementation (UDF 1.02, 2.1.5.2).
	developer = "*azprov discimage"
	domain    = "*OSTA UDF Compliant"
)

// seal fills in the tag of a descriptor that is otherwise complete (ECMA-167, 3/7.2 and
// 4/7.2). The location is the descriptor's own: a sector, and within the partition a block
// of it.
func (r record) seal(id, location int) record {
	r.u16(0, id)
	r.u16(2, 2) // The descriptor version of the second edition, NSR02.
	r.u8(5, 0)
	r.u16(6, 0) // Serial number: this is the first use of the disc (3/7.2.5).
	r.u16(8, crc(r[tagSize:]))
	r.u16(10, len(r)-tagSize)
	r.u32(12, location)
	sum := 0
	for at, b := range r[:tagSize] {
		if at != 4 {
			sum += int(b)
		}
	}
	r.u8(4, sum&0xFF)
	return r
}

// crc is that of ECMA-167, 3/7.2.6: x^16 + x^12 + x^5 + 1, high bit first, from 0.
func crc(b []byte) int {
	sum := 0
	for _, octet := range b {
		sum ^= int(octet) << 8
		for range 8 {
			if sum <<= 1; sum > 0xFFFF {
				sum ^= 0x11021
			}
		}
	}
	return sum
}

// charspec names OSTA's character set (UDF 1.02, 2.1.2).
func (r record) charspec(at int) { r.put(at+1, []byte("OSTA Compressed Unicode")) }

// dstring is a field for characters: the last octet has the length that is used, 0 for
// nothing (ECMA-167, 1/7.2.12; UDF 1.02, 2.1.3).
func (r record) dstring(at, size int, s string) {
	text := cs0(s)
	r.put(at, text)
	r.u8(at+size-1, len(text))
}

// regid identifies an entity. The suffix of an implementation has its operating system,
// which is left undefined (ECMA-167, 1/7.4; UDF 1.02, 2.1.5).
func (r record) regid(at int, identifier string) { r.put(at+1, []byte(identifier)) }

// domainID also says that the medium can only be read: bit 0 (UDF 1.02, 2.1.5.3).
func (r record) domainID(at int) {
	r.regid(at, domain)
	r.u16(at+24, udfRevision)
	r.u8(at+26, 1)
}

// timestamp is UTC: type 1, local time, with an offset of 0 minutes (ECMA-167, 1/7.3; UDF
// 1.02, 2.1.4.1).
func (r record) timestamp(at int, t time.Time) {
	r.u16(at, 1<<12)
	r.u16(at+2, t.Year())
	for i, v := range []int{int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()} {
		r.u8(at+4+i, v)
	}
}

// extent is a run of sectors; its length is in bytes (ECMA-167, 3/7.1).
func (r record) extent(at, length, sector int) {
	r.u32(at, length)
	r.u32(at+4, sector)
}

// longAD is a long allocation descriptor within partition 0 (ECMA-167, 4/14.14.2).
func (r record) longAD(at, length, block int) { r.extent(at, length, block) }
