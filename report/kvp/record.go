package kvp

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// The layout of a record: two fields, padded with NUL, no header (linux/hyperv.h,
// HV_KVP_EXCHANGE_MAX_KEY_SIZE and HV_KVP_EXCHANGE_MAX_VALUE_SIZE).
const (
	keySize   = 512
	valueSize = 2048
	// RecordSize is the size of a record in the file, in bytes.
	RecordSize = keySize + valueSize
)

// What reaches the host. The kernel's driver turns both into UTF-16 and drops what is over
// 254 and 1022 units, two short of the protocol's fields (azure-init, doc/kvp.md). As
// bytes of UTF-8, which are never fewer than units, both are safe.
const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 254
	// MaxValue is the longest value, in bytes.
	MaxValue = 1022
)

const (
	// MaxRecords is how many records a pool may have for [Pool.Append] to add to it:
	// libazureinit-kvp's bound, and more than a boot has to tell. Beyond it there is
	// still room for the report, by [Pool.Upsert].
	MaxRecords = 1024
	// maxPool bounds what is read of a pool, in bytes: diagnostics of others may have
	// passed MaxRecords, and 4 MiB are still read in a moment.
	maxPool = 4 << 20 / RecordSize * RecordSize
)

// Record is one pair.
type Record struct {
	Key   string
	Value string
}

// check reports why a record would not reach the host as it is. The text of the error does
// not have the value.
func (r Record) check(op string) error {
	if err := checkField(op, "key", r.Key, MaxKey); err != nil {
		return err
	}
	if r.Key == "" {
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: "the key is empty"}
	}
	return checkField(op, "value", r.Value, MaxValue)
}

func checkField(op, name, text string, limit int) error {
	switch {
	case len(text) > limit:
		return &azprov.Error{
			Op: op, Kind: azprov.KindTooLarge,
			Message: "the " + name + " has " + strconv.Itoa(len(text)) + " bytes, the host takes " + strconv.Itoa(limit),
		}
	case strings.IndexByte(text, 0) >= 0:
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: "the " + name + " contains NUL, which ends it in the file"}
	case !utf8.ValidString(text): // one such record makes the driver fail the whole exchange
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: "the " + name + " is not UTF-8"}
	}
	return nil
}

// Encode returns the records as a pool file has them.
//
// Errors: TooLarge (a key or value over the host's limit), Malformed (an empty key, NUL,
// text that is not UTF-8).
func Encode(records ...Record) ([]byte, error) { return encode("kvp.Encode", records) }

func encode(op string, records []Record) ([]byte, error) {
	b := make([]byte, len(records)*RecordSize)
	for i, r := range records {
		if err := r.check(op); err != nil {
			return nil, err
		}
		at := b[i*RecordSize:]
		copy(at, r.Key)
		copy(at[keySize:], r.Value)
	}
	return b, nil
}

// Parse reads the content of a pool file, as others may have written it: keys and values
// may be longer than the host takes, and need not be UTF-8. The begin of a record at the
// end of the file, and records without a key, are what killed writers leave, and are left
// out.
//
// Errors: TooLarge (over 4 MiB).
func Parse(b []byte) ([]Record, error) {
	content, _ := logical(b)
	if len(content) > maxPool {
		return nil, tooLarge("kvp.Parse")
	}
	return decode(content), nil
}

func decode(content []byte) []Record {
	records := make([]Record, 0, len(content)/RecordSize)
	for ; len(content) >= RecordSize; content = content[RecordSize:] {
		r := Record{Key: field(content[:keySize]), Value: field(content[keySize:RecordSize])}
		if r.Key != "" {
			records = append(records, r)
		}
	}
	return records
}

// field is what is before the padding; a field that is full has none.
func field(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

func tooLarge(op string) *azprov.Error {
	return &azprov.Error{
		Op: op, Kind: azprov.KindTooLarge, Message: "the pool has more than " + strconv.Itoa(maxPool) + " bytes",
		Hint: "clear it: what a boot has to tell is far less",
	}
}
