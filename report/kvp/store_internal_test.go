package kvp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// memory is a disk that dies: it writes a number of bytes, and then nothing any more.
type memory struct {
	content []byte
	left    int // bytes; a change of size is one
}

var errDead = errors.New("killed")

const immortal = 1 << 30

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(m.content)) {
		return 0, io.EOF
	}
	n := copy(b, m.content[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	n := min(len(b), m.left)
	m.left -= n
	if grow := int(at) + n - len(m.content); grow > 0 {
		m.content = append(m.content, make([]byte, grow)...)
	}
	copy(m.content[at:], b[:n])
	if n < len(b) {
		m.left = 0
		return n, errDead
	}
	return n, nil
}

func (m *memory) Truncate(size int64) error {
	if m.left == 0 {
		return errDead
	}
	m.left--
	m.content = append(m.content[:min(size, int64(len(m.content)))], make([]byte, max(0, size-int64(len(m.content))))...)
	return nil
}

func (m *memory) open(t *testing.T) *store {
	t.Helper()
	s, err := openStore(m, int64(len(m.content)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func upsert(s *store, key, value string) error {
	b, err := encode("", []Record{{key, value}})
	if err != nil {
		return err
	}
	from, tail, removed := s.without(key)
	if removed == 0 {
		return s.add(b)
	}
	return s.replace(from, append(tail, b...))
}

func remove(s *store, key string) error {
	from, tail, removed := s.without(key)
	if removed == 0 {
		return nil
	}
	return s.replace(from, tail)
}

func letters(keys string) []Record {
	var records []Record
	for i, k := range keys {
		records = append(records, Record{string(k), fmt.Sprint(i)})
	}
	return records
}

func mustEncode(t *testing.T, records []Record) []byte {
	t.Helper()
	b, err := Encode(records...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Killed after any number of bytes, and again in the repair: what is read is the old or the
// new, and so is what the next writer finds.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		before string
		change func(*store) error
		want   []Record
	}{
		{"append", "ab", func(s *store) error { return s.add(mustEncode(t, []Record{{"c", "x"}})) }, append(letters("ab"), Record{"c", "x"})},
		{"upsert of a new key", "ab", func(s *store) error { return upsert(s, "c", "x") }, append(letters("ab"), Record{"c", "x"})},
		{"upsert of the last", "ab", func(s *store) error { return upsert(s, "b", "x") }, []Record{{"a", "0"}, {"b", "x"}}},
		{"upsert of the first", "abc", func(s *store) error { return upsert(s, "a", "x") }, []Record{{"b", "1"}, {"c", "2"}, {"a", "x"}}},
		{"upsert of several", "abacad", func(s *store) error { return upsert(s, "a", "x") }, []Record{{"b", "1"}, {"c", "3"}, {"d", "5"}, {"a", "x"}}},
		{"delete the first", "abc", func(s *store) error { return remove(s, "a") }, []Record{{"b", "1"}, {"c", "2"}}},
		{"delete several", "abaca", func(s *store) error { return remove(s, "a") }, []Record{{"b", "1"}, {"c", "3"}}},
		{"delete the last", "abc", func(s *store) error { return remove(s, "c") }, letters("ab")},
		{"delete the only one", "a", func(s *store) error { return remove(s, "a") }, []Record{}},
		{"others keep their order", "xbbxbb", func(s *store) error { return remove(s, "x") }, []Record{{"b", "1"}, {"b", "2"}, {"b", "4"}, {"b", "5"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			before := mustEncode(t, letters(row.before))
			done := false
			for budget := 0; !done; budget += 97 {
				m := &memory{content: bytes.Clone(before), left: immortal}
				s := m.open(t)
				m.left = budget
				done = row.change(s) == nil
				state := check(t, m.content, letters(row.before), row.want, done)
				m.left = budget / 2
				_, _ = openStore(m, int64(len(m.content)))
				check(t, m.content, state, state, true)
				m.left = immortal
				m.open(t)
				check(t, m.content, state, state, true)
				if !bytes.Equal(m.content, mustEncode(t, state)) {
					t.Fatalf("after %d bytes: not repaired", budget)
				}
			}
		})
	}
}

func check(t *testing.T, content []byte, before, after []Record, done bool) []Record {
	t.Helper()
	got, err := Parse(content)
	if err != nil || !slices.Equal(got, after) && (done || !slices.Equal(got, before)) {
		t.Fatalf("%q, %v; want %q or (%v) %q", got, err, after, done, before)
	}
	return got
}

// A write that fails, and does not kill, is taken back.
func TestFailedWriteIsTakenBack(t *testing.T) {
	t.Parallel()
	before := mustEncode(t, letters("abc"))
	for name, change := range map[string]func(*store) error{
		"append": func(s *store) error { return s.add(before) },
		"upsert": func(s *store) error { return upsert(s, "a", "x") },
	} {
		m := &full{memory{content: bytes.Clone(before), left: immortal}}
		s, err := openStore(m, int64(len(before)))
		if err != nil {
			t.Fatal(err)
		}
		if err := change(s); !errors.Is(err, errDead) || !bytes.Equal(m.content, before) {
			t.Errorf("%s: %v, %d bytes", name, err, len(m.content))
		}
	}
}

// full is a disk without room: it takes the half of what is written.
type full struct{ memory }

func (f *full) WriteAt(b []byte, at int64) (int, error) {
	n, _ := f.memory.WriteAt(b[:len(b)/2], at)
	return n, errDead
}

// Somebody who knows no journals has appended behind one.
func TestForeignRecordBehindAJournal(t *testing.T) {
	t.Parallel()
	before := mustEncode(t, letters("abc"))
	journal := encodeJournal(0, mustEncode(t, []Record{{"b", "1"}, {"c", "2"}}))
	foreign := mustEncode(t, []Record{{"z", "foreign"}})
	want := []Record{{"b", "1"}, {"c", "2"}, {"z", "foreign"}}
	m := &memory{content: slices.Concat(before, journal, foreign), left: immortal}
	check(t, m.content, want, want, true)
	m.open(t)
	if !bytes.Equal(m.content, mustEncode(t, want)) {
		t.Error("not repaired")
	}
}

// A journal counts only as it was written.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	before := letters("abc")
	good := encodeJournal(RecordSize, mustEncode(t, []Record{{"x", "y"}}))
	for name, row := range map[string]struct {
		journal []byte
		applied bool
	}{
		"good":                {good, true},
		"start":               {flipped(good, startOffset), false},
		"number":              {flipped(good, countOffset), false},
		"sum":                 {flipped(good, sumOffset), false},
		"content":             {flipped(good, RecordSize), false},
		"end of the content":  {flipped(good, 2*RecordSize-1), false},
		"short":               {good[:RecordSize], false},
		"over its own header": {encodeJournal(RecordSize, mustEncode(t, letters("xyz"))), false},
		"as far as itself":    {encodeJournal(2*RecordSize, mustEncode(t, letters("x"))), true},
	} {
		got, err := Parse(append(mustEncode(t, before), row.journal...))
		if err != nil || slices.Equal(got, before) == row.applied {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// Any course of changes, each of which may be killed, agrees with a list in memory.
func TestAnyCourse(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := &memory{left: immortal}
		var model []Record
		for step := range 40 {
			m.left = immortal
			s := m.open(t)
			if random.IntN(3) == 0 {
				m.left = random.IntN(4 * RecordSize)
			}
			key, value := string(rune('a'+random.IntN(5))), fmt.Sprint(step)
			next := slices.Clone(model)
			var err error
			switch random.IntN(4) {
			case 0, 1:
				next = append(next, Record{key, value})
				err = s.add(mustEncode(t, []Record{{key, value}}))
			case 2:
				next = append(slices.DeleteFunc(next, func(r Record) bool { return r.Key == key }), Record{key, value})
				err = upsert(s, key, value)
			default:
				next = slices.DeleteFunc(next, func(r Record) bool { return r.Key == key })
				err = remove(s, key)
			}
			model = slices.Clone(check(t, m.content, model, next, err == nil))
		}
	}
}

func FuzzRepair(f *testing.F) {
	good := encodeJournal(0, make([]byte, RecordSize))
	f.Add(good[:64], uint8(2), uint8(1))
	f.Add([]byte("a"), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, before, behind uint8) {
		content := slices.Concat(make([]byte, int(before%8)*RecordSize), b, make([]byte, int(behind%8)*RecordSize))
		if len(content) > 1<<20 {
			return
		}
		want, err := Parse(content)
		if err != nil {
			t.Fatal(err)
		}
		m := &memory{content: content, left: immortal}
		s := m.open(t)
		if len(m.content)%RecordSize != 0 || !bytes.Equal(m.content, s.records) {
			t.Error("the file is not what it means")
		}
		if got := decode(s.records); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
