package kvp_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/boundtest"
	"github.com/azprov/azprov/report/kvp"
)

// raw is a record by hand: 512 bytes of key, 2048 of value.
func raw(key, value string) []byte {
	b := make([]byte, 512+2048)
	copy(b, key)
	copy(b[512:], value)
	return b
}

func TestEncode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 254)
	for _, row := range []struct {
		name    string
		records []kvp.Record
		want    []byte
		kind    azprov.Kind
	}{
		{"none", nil, []byte{}, ""},
		{"one", []kvp.Record{{"berth", "jetty-07"}}, raw("berth", "jetty-07"), ""},
		{"an empty value", []kvp.Record{{"berth", ""}}, raw("berth", ""), ""},
		{"two", []kvp.Record{{"a", "1"}, {"a", "é"}}, append(raw("a", "1"), raw("a", "é")...), ""},
		{"the longest", []kvp.Record{{long, strings.Repeat("v", 1022)}}, raw(long, strings.Repeat("v", 1022)), ""},
		{"a key too long", []kvp.Record{{long + "k", ""}}, nil, azprov.KindTooLarge},
		{"a value too long", []kvp.Record{{"a", strings.Repeat("v", 1023)}}, nil, azprov.KindTooLarge},
		{"a value too long in bytes", []kvp.Record{{"a", strings.Repeat("é", 512)}}, nil, azprov.KindTooLarge},
		{"no key", []kvp.Record{{"", "v"}}, nil, azprov.KindMalformed},
		{"NUL in the key", []kvp.Record{{"a\x00b", "v"}}, nil, azprov.KindMalformed},
		{"NUL in the value", []kvp.Record{{"a", "v\x00"}}, nil, azprov.KindMalformed},
		{"a key that is not UTF-8", []kvp.Record{{"\xff", "v"}}, nil, azprov.KindMalformed},
		{"a value that is not UTF-8", []kvp.Record{{"a", "\xc3"}}, nil, azprov.KindMalformed},
		{"the second is bad", []kvp.Record{{"a", "b"}, {"", ""}}, nil, azprov.KindMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := kvp.Encode(row.records...)
			if azprov.KindOf(err) != row.kind || !bytes.Equal(got, row.want) {
				t.Errorf("%d bytes, %v; want %d, %q", len(got), err, len(row.want), row.kind)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	fullKey, fullValue := strings.Repeat("k", 512), strings.Repeat("v", 2048)
	for _, row := range []struct {
		name string
		file []byte
		want []kvp.Record
	}{
		{"empty", nil, nil},
		{"one", raw("a", "1"), []kvp.Record{{"a", "1"}}},
		{"a key twice", append(raw("a", "1"), raw("a", "2")...), []kvp.Record{{"a", "1"}, {"a", "2"}}},
		{"full fields", raw(fullKey, fullValue), []kvp.Record{{fullKey, fullValue}}},
		{"what is behind NUL", raw("a\x00b", "1\x002"), []kvp.Record{{"a", "1"}}},
		{"not UTF-8", raw("\xff", "\xfe"), []kvp.Record{{"\xff", "\xfe"}}},
		{"torn", append(raw("a", "1"), raw("b", "2")[:2559]...), []kvp.Record{{"a", "1"}}},
		{"torn at once", []byte("a"), nil},
		{"without a key", slices.Concat(raw("", "1"), raw("b", "2")), []kvp.Record{{"b", "2"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := kvp.Parse(row.file)
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	most := bytes.Repeat(raw("a", "1"), 4<<20/kvp.RecordSize)
	if got, err := kvp.Parse(most); err != nil || len(got) != 1638 {
		t.Errorf("%d, %v", len(got), err)
	}
	if _, err := kvp.Parse(append(most, most[:kvp.RecordSize]...)); azprov.KindOf(err) != azprov.KindTooLarge {
		t.Errorf("%v", err)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, value string
		want        []int
	}{
		{"empty", "", []int{0}},
		{"one record", strings.Repeat("v", 1022), []int{1022}},
		{"one byte more", strings.Repeat("v", 1023), []int{1022, 1}},
		{"three", strings.Repeat("v", 2045), []int{1022, 1022, 1}},
		{"two bytes a character", strings.Repeat("é", 512), []int{1022, 2}},
		{"two bytes over the edge", "v" + strings.Repeat("é", 511), []int{1021, 2}},
		{"three bytes", strings.Repeat("港", 341), []int{1020, 3}},
		{"four bytes", strings.Repeat("⛵🚢", 160), []int{1022, 98}},
		{"four bytes over the edge", "vvv" + strings.Repeat("🚢", 256), []int{1019, 8}},
		{"not UTF-8", strings.Repeat("\x80", 1023), []int{1022, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var sizes []int
			var whole strings.Builder
			for _, r := range kvp.Split("a", row.value) {
				sizes = append(sizes, len(r.Value))
				whole.WriteString(r.Value)
				if r.Key != "a" || utf8.ValidString(row.value) != utf8.ValidString(r.Value) {
					t.Errorf("%q", r)
				}
			}
			if whole.String() != row.value || !slices.Equal(sizes, row.want) {
				t.Errorf("%v, want %v", sizes, row.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add(raw("a", "1")[:600], uint16(1))
	f.Add([]byte("\x00azprov-journal1\x00\x00\x00\x00\x01\x00\x00\x00"), uint16(2))
	f.Add([]byte("\x00azprov-journal1\xff\xff\xff\xff\xff\xff\xff\xff"), uint16(9))
	f.Fuzz(func(t *testing.T, b []byte, before uint16) {
		if len(b) > 1<<20 {
			return
		}
		// Records of zeros to either side, so that a small input says much.
		file := slices.Concat(make([]byte, int(before%8)*kvp.RecordSize), b, make([]byte, int(before/8%4)*kvp.RecordSize))
		boundtest.Check(t, func() {
			records, err := kvp.Parse(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if r.Key == "" || strings.ContainsRune(r.Key+r.Value, 0) {
					t.Errorf("%q", r)
				}
			}
		})
	})
}

func FuzzSplit(f *testing.F) {
	f.Add(strings.Repeat("é", 600))
	f.Add("\x80\xff")
	f.Fuzz(func(t *testing.T, value string) {
		var whole strings.Builder
		for _, r := range kvp.Split("a", value) {
			if whole.WriteString(r.Value); len(r.Value) > kvp.MaxValue || utf8.ValidString(value) && !utf8.ValidString(r.Value) {
				t.Errorf("%q", r.Value)
			}
		}
		if whole.String() != value {
			t.Error("not the same")
		}
	})
}
