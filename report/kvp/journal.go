package kvp

import (
	"encoding/binary"
	"hash/crc32"
)

// A change of records that are in the file already is written twice, so that a process
// killed in the middle can be made up for: first behind all records, as a journal, then in
// its place; then the file is cut behind it. Who takes the lock next finds the journal, and
// does the change again if it is complete, or drops it. The file cannot be replaced by
// another one: hv_kvp_daemon locks the one that it has opened at its start
// (tools/hv/hv_kvp_daemon.c, kvp_file_init).
//
// The journal's header looks like a record without a key, which is no record for anybody:
//
//	 1 byte    0
//	15 bytes   the magic
//	 4 bytes   index of the first record that changes, little endian
//	 4 bytes   number of records in the journal
//	 4 bytes   CRC-32 (IEEE) of the two numbers and the records
//
// and zeros. The records, from the first that changes to the end, follow.
const (
	magic       = "azprov-journal1"
	startOffset = 1 + len(magic)
	countOffset = startOffset + 4
	sumOffset   = countOffset + 4
)

// journal is one that was found in a file.
type journal struct {
	// start is the offset of what changes.
	start int
	// content is what comes there; nil if the journal is not complete.
	content []byte
	// rest is what somebody who knows no journals has appended since.
	rest []byte
}

// encodeJournal makes the content of the file from offset start on be content.
func encodeJournal(start int, content []byte) []byte {
	b := make([]byte, RecordSize, RecordSize+len(content))
	copy(b[1:], magic)
	binary.LittleEndian.PutUint32(b[startOffset:], uint32(start/RecordSize))        //nolint:gosec // a pool is far below 4 GiB
	binary.LittleEndian.PutUint32(b[countOffset:], uint32(len(content)/RecordSize)) //nolint:gosec // the same
	binary.LittleEndian.PutUint32(b[sumOffset:], checksum(b, content))
	return append(b, content...)
}

func checksum(header, content []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(header[startOffset:sumOffset]), crc32.IEEETable, content)
}

// findJournal returns the offset of the first header; file is whole records.
func findJournal(file []byte) (at int, found bool) {
	for at := 0; at < len(file); at += RecordSize {
		if file[at] == 0 && string(file[at+1:at+1+len(magic)]) == magic {
			return at, true
		}
	}
	return 0, false
}

// readJournal reads the one whose header is at the offset. One that would reach its own
// header is none of ours.
func readJournal(file []byte, at int) journal {
	header, behind := file[at:at+RecordSize], file[at+RecordSize:]
	start := int64(binary.LittleEndian.Uint32(header[startOffset:])) * RecordSize
	size := int64(binary.LittleEndian.Uint32(header[countOffset:])) * RecordSize
	if size > int64(len(behind)) || start+size > int64(at) {
		return journal{}
	}
	content := behind[:size:size]
	if checksum(header, content) != binary.LittleEndian.Uint32(header[sumOffset:]) {
		return journal{}
	}
	return journal{start: int(start), content: content, rest: behind[size:]}
}

// logical is what the bytes of a file mean: whole records, the journal applied. clean says
// that they are just that.
func logical(file []byte) (records []byte, clean bool) {
	records, _, clean = resolve(file)
	return records, clean
}

// resolve also tells from which offset on the file differs from what it means.
func resolve(file []byte) (records []byte, from int, clean bool) {
	whole := file[:len(file)-len(file)%RecordSize]
	at, found := findJournal(whole)
	if !found {
		return whole, len(whole), len(whole) == len(file)
	}
	j := readJournal(whole, at)
	if j.content == nil {
		return whole[:at], at, false
	}
	records = make([]byte, 0, j.start+len(j.content)+len(j.rest))
	records = append(records, whole[:j.start]...)
	records = append(records, j.content...)
	return append(records, j.rest...), j.start, false
}
