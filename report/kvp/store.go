package kvp

import (
	"bytes"
	"errors"
	"io"
)

// maxFile bounds what is read of a file: a pool, and a journal of all of it.
const maxFile = 2*maxPool + 2*RecordSize

var errTooLarge = errors.New("the file is larger than a pool can be")

// disk is the file, locked.
type disk interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// store is the records of a locked file.
type store struct {
	disk disk
	// records is what the file has, whole records.
	records []byte
}

// read returns the bytes of a file.
func read(d io.ReaderAt, size int64) ([]byte, error) {
	if size > maxFile {
		return nil, errTooLarge
	}
	b := make([]byte, size)
	n, err := d.ReadAt(b, 0)
	if errors.Is(err, io.EOF) { // who knows no locks has made it shorter
		err = nil
	}
	return b[:n], err
}

// openStore reads a file that is locked for writing and repairs what a killed writer has
// left.
func openStore(d disk, size int64) (*store, error) {
	file, err := read(d, size)
	if err != nil {
		return nil, err
	}
	records, from, clean := resolve(file)
	if len(records) > maxPool {
		return nil, errTooLarge
	}
	s := &store{disk: d, records: records}
	if clean {
		return s, nil
	}
	return s, s.put(from)
}

// put writes the records from an offset on, and cuts the file behind them.
func (s *store) put(from int) error {
	if from < len(s.records) {
		if _, err := s.disk.WriteAt(s.records[from:], int64(from)); err != nil {
			return err
		}
	}
	return s.disk.Truncate(int64(len(s.records)))
}

// add writes behind all records, in one write. What could not be written whole is taken
// back.
func (s *store) add(b []byte) error {
	end := int64(len(s.records))
	if _, err := s.disk.WriteAt(b, end); err != nil {
		return errors.Join(err, s.disk.Truncate(end))
	}
	return nil
}

// replace changes all records from an offset on to tail, of which there is no more than
// before. Whenever it is interrupted, the file means the old records or the new ones.
func (s *store) replace(from int, tail []byte) error {
	if len(tail) > 0 {
		if err := s.add(encodeJournal(from, tail)); err != nil {
			return err
		}
	}
	s.records = append(s.records[:from:from], tail...)
	return s.put(from)
}

// without returns where the first record with that key is, and what is behind it but those
// with that key.
func (s *store) without(key string) (from int, tail []byte, removed int) {
	from = len(s.records)
	for at := 0; at < len(s.records); at += RecordSize {
		record := s.records[at : at+RecordSize]
		switch {
		case hasKey(record, key):
			from = min(from, at)
			removed++
		case removed > 0:
			tail = append(tail, record...)
		}
	}
	return from, tail, removed
}

func hasKey(record []byte, key string) bool {
	return bytes.HasPrefix(record, []byte(key)) && (len(key) == keySize || record[len(key)] == 0)
}
