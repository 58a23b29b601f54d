package iso9660

import (
	"encoding/binary"
	"time"

	"github.com/azprov/azprov/internal/discfs"
)

// recordHeader is the length of a directory record (ECMA-119, 9.1) before its identifier,
// of which there is at least a byte.
const recordHeader = 33

// File Flags (ECMA-119, 9.1.6). Whether a file's existence need be made known to the user
// (bit 0) is not heeded, as on Linux.
const (
	flagDirectory  = 1 << 1
	flagAssociated = 1 << 2
	// flagMore is on every section of a file but the last.
	flagMore = 1 << 7
)

// record is a directory record. Its slices alias the sector it is in.
type record struct {
	// size of the record itself.
	size int
	// location is the first block of the content, behind the extended attribute record.
	location   int64
	length     int64
	date       []byte
	flags      byte
	unit, gap  byte
	identifier []byte
	systemUse  []byte
}

// parseRecord reads the record that b, the rest of a sector, begins with.
//
// Numbers are recorded in both byte orders (ECMA-119, 7.3.3). The little-endian ones count
// and are not compared with the others: so other systems read discs, and some that these
// read have wrong big-endian ones.
func parseRecord(b []byte) (record, error) {
	if int(b[0]) <= recordHeader || int(b[0]) > len(b) {
		return record{}, discfs.Damaged("a directory record has an impossible length")
	}
	b = b[:b[0]]
	end := recordHeader + int(b[32])
	if b[32] == 0 || end > len(b) {
		return record{}, discfs.Damaged("a directory record has an identifier of an impossible length")
	}
	r := record{
		size:       len(b),
		location:   int64(binary.LittleEndian.Uint32(b[2:])) + int64(b[1]),
		length:     int64(binary.LittleEndian.Uint32(b[10:])),
		date:       b[18:25],
		flags:      b[25],
		unit:       b[26],
		gap:        b[27],
		identifier: b[recordHeader:end],
	}
	// The System Use field begins at an even position, counted from 0 (9.1.12).
	if end += end & 1; end < len(b) {
		r.systemUse = b[end:]
	}
	return r, nil
}

func (r record) directory() bool   { return r.flags&flagDirectory != 0 }
func (r record) more() bool        { return r.flags&flagMore != 0 }
func (r record) interleaved() bool { return r.unit != 0 || r.gap != 0 }

// reserved reports whether the record is a directory's own or its parent's, which have the
// identifiers 0 and 1 (ECMA-119, 7.6.2).
func (r record) reserved() bool { return len(r.identifier) == 1 && r.identifier[0] <= 1 }

// self reports whether the record is a directory's own.
func (r record) self() bool { return r.reserved() && r.identifier[0] == 0 }

// modTime is the Recording Date and Time (ECMA-119, 9.1.5), zero if there is none.
func (r record) modTime() time.Time { return shortTime(r.date) }

// shortTime reads the 7 bytes: years since 1900, month, day, hour, minute, second, and the
// offset from Greenwich in quarters of an hour.
func shortTime(b []byte) time.Time {
	if b[1] == 0 { // a date that is not specified is all zeros
		return time.Time{}
	}
	local := time.Date(1900+int(b[0]), time.Month(b[1]), int(b[2]), int(b[3]), int(b[4]), int(b[5]), 0, time.UTC)
	return local.Add(-fromGreenwich(b[6]))
}

// fromGreenwich is the offset of a local time.
func fromGreenwich(quarters byte) time.Duration {
	return time.Duration(int8(quarters)) * 15 * time.Minute //nolint:gosec // The byte is a signed number.
}
