package ber_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
)

// bin decodes hexadecimal digits, with blanks where they help to read them.
func bin(digits string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// parse is Parse of what must be right.
func parse(t *testing.T, b []byte) ber.Element {
	t.Helper()
	e, err := ber.Parse(b)
	if err != nil {
		t.Fatalf("Parse(% x): %v", b, err)
	}
	return e
}

// outline writes an element and all below it: tag, and the content or the children.
func outline(t *testing.T, e ber.Element) string {
	t.Helper()
	name := hex.EncodeToString([]byte{byte(e.Tag)})
	if !e.Constructed {
		return name + ":" + hex.EncodeToString(e.Content)
	}
	var children []string
	cursor := e.Children()
	for cursor.More() {
		children = append(children, outline(t, cursor.Next()))
	}
	if cursor.Err() != nil {
		t.Errorf("children of % x: %v", e.Raw, cursor.Err())
	}
	return name + "(" + strings.Join(children, " ") + ")"
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		in      string
		want    string
		content string
	}{
		{"a primitive element", "02 01 05", "02:05", "05"},
		{"nothing in it", "05 00", "05:", ""},
		{"an empty sequence", "30 00", "10()", ""},
		{"a definite length", "30 06 02 01 05 04 01 78", "10(02:05 04:78)", "02 01 05 04 01 78"},
		{"an indefinite length", "30 80 02 01 05 04 01 78 00 00", "10(02:05 04:78)", "02 01 05 04 01 78"},
		{"an indefinite length of nothing", "30 80 00 00", "10()", ""},
		{"indefinite in definite", "30 06 31 80 05 00 00 00", "10(11(05:))", "31 80 05 00 00 00"},
		{"definite in indefinite", "30 80 31 02 05 00 00 00", "10(11(05:))", "31 02 05 00"},
		{"indefinite in indefinite", "30 80 31 80 00 00 31 80 05 00 00 00 00 00", "10(11() 11(05:))", "31 80 00 00 31 80 05 00 00 00"},
		{"two zeros in a primitive element end nothing", "30 80 04 04 00 00 00 00 00 00", "10(04:00000000)", "04 04 00 00 00 00"},
		{"a length of one octet more than it takes", "02 81 01 05", "02:05", "05"},
		{"a length with leading zeros", "30 84 00 00 00 03 02 01 05", "10(02:05)", "02 01 05"},
		{"a string in pieces", "24 06 04 01 61 04 01 62", "04(04:61 04:62)", "04 01 61 04 01 62"},
		{"a context-specific tag", "a0 03 80 01 05", "80(80:05)", "80 01 05"},
		{"an application tag", "41 01 05", "41:05", "05"},
		{"a private tag", "fe 80 de 00 00 00", "de(de:)", "de 00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := bin(tc.in)
			e := parse(t, in)
			if diff := cmp.Diff(tc.want, outline(t, e)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !bytes.Equal(e.Raw, in) || !bytes.Equal(e.Content, bin(tc.content)) {
				t.Errorf("raw % x, content % x", e.Raw, e.Content)
			}
		})
	}
}

const (
	truncated = "truncated"
	misplaced = "an end of contents where none belongs"
	trailing  = "data after the end"
	tooDeep   = "nested too deeply"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", "", truncated},
		{"a tag only", "30", truncated},
		{"a length with its octets cut off", "30 82 01", truncated},
		{"a length over what is there", "04 02 61", truncated},
		{"a child over its parent", "30 03 04 02 61", truncated},
		{"a child longer than its parent, in the document", "30 06 30 02 04 02 61 62", truncated},
		{"half a child", "30 01 04", truncated},
		{"an indefinite length without an end", "30 80 05 00", truncated},
		{"an indefinite length with half an end", "30 80 05 00 00", truncated},
		{"an indefinite child without an end in a definite parent", "30 04 31 80 05 00 00 00", truncated},
		{"a length of four octets over any document", "04 84 ff ff ff ff", truncated},
		{"a length that overflows 32 bits", "04 84 80 00 00 01 00", truncated},
		{"a length of five octets", "04 85 00 00 00 00 01 61", "a length of over four octets"},
		{"a length of 127 octets, which is reserved", "04 ff", "a length of over four octets"},
		{"a tag in several octets", "1f 81 01 00", "a tag number over 30"},
		{"a constructed tag in several octets", "bf 20 00", "a tag number over 30"},
		{"a tag in several octets, deeper", "30 04 9f 81 01 00", "a tag number over 30"},
		{"an end of contents alone", "00 00", misplaced},
		{"an end of contents in a definite length", "30 02 00 00", misplaced},
		{"an end of contents before the end", "30 04 00 00 05 00", misplaced},
		{"a constructed end of contents", "30 80 20 00 00 00", misplaced},
		{"an end of contents with content", "30 80 00 01 00 00 00", misplaced},
		{"a primitive element of indefinite length", "04 80 00 00", "a primitive element of indefinite length"},
		{"a primitive element of indefinite length, deeper", "30 80 05 80 00 00 00 00", "a primitive element of indefinite length"},
		{"data after a definite length", "30 00 00", trailing},
		{"a second element", "05 00 05 00", trailing},
		{"data after the end of contents", "30 80 00 00 00 00", trailing},
		{"a constructed string that holds no elements", "24 02 61 62", truncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := ber.Parse(bin(tc.in))
			if err == nil || err.Error() != tc.want {
				t.Fatalf("error = %v, want %s", err, tc.want)
			}
			if diff := cmp.Diff(ber.Element{}, e); diff != "" {
				t.Errorf("an element beside the error: %s", diff)
			}
		})
	}
}

// mixed has every form of length, in every form of the other.
var mixed = bin("30 80 02 01 05 30 84 00 00 00 0c 24 80 04 01 61 24 03 04 01 62 00 00" +
	" a0 81 04 a1 80 00 00 31 80 30 80 05 00 00 00 06 03 2a 03 04 00 00 00 00")

func TestParseTruncated(t *testing.T) {
	t.Parallel()
	parse(t, mixed)
	for n := range mixed {
		if _, err := ber.Parse(mixed[:n]); err == nil || err.Error() != truncated {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// nest returns a NULL, depth levels down.
func nest(depth int, indefinite func(level int) bool) []byte {
	b := ber.EncodeNull()
	for level := depth - 1; level > 0; level-- {
		if indefinite(level) {
			b = bytes.Join([][]byte{{0x30, 0x80}, b, {0, 0}}, nil)
		} else {
			b = ber.Constructed(ber.Sequence, b)
		}
	}
	return b
}

func TestParseDepth(t *testing.T) {
	t.Parallel()
	for name, indefinite := range map[string]func(int) bool{
		"definite lengths":   func(int) bool { return false },
		"indefinite lengths": func(int) bool { return true },
		"in turn":            func(level int) bool { return level%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parse(t, nest(ber.MaxDepth, indefinite))
			for range ber.MaxDepth - 1 {
				e = e.Children().Take(map[bool]ber.Tag{true: ber.Sequence, false: ber.Null}[e.Content[0] != 5])
			}
			if e.Tag != ber.Null {
				t.Errorf("at the bottom: %+v", e)
			}
			if _, err := ber.Parse(nest(ber.MaxDepth+1, indefinite)); err == nil || err.Error() != tooDeep {
				t.Errorf("one level more: %v", err)
			}
		})
	}
}

// fill returns a sequence of exactly size bytes with an indefinite length that is full of
// an element.
func fill(size int, element string) []byte {
	const around = 4
	n := (size - around) / len(element)
	var pad []byte
	if rest := size - around - n*len(element); rest > 0 { // a string in place of one element
		n--
		pad = ber.Primitive(ber.OctetString, make([]byte, rest+len(element)-2))
	}
	return bytes.Join([][]byte{{0x30, 0x80}, []byte(strings.Repeat(element, n)), pad, {0, 0}}, nil)
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	parse(t, fill(ber.MaxSize, "\x05\x00"))
	for name, in := range map[string][]byte{
		"one byte over":           fill(ber.MaxSize+1, "\x05\x00"),
		"trailing data over that": append(bin("05 00"), make([]byte, ber.MaxSize)...),
		"no BER at all":           make([]byte, ber.MaxSize+1),
	} {
		if _, err := ber.Parse(in); !errors.Is(err, ber.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing of up to the largest size takes long, neither to parse nor to walk. The deepest
// nesting counts most: every level looks at all that is below it. Not parallel, because
// what is measured is the whole program.
func TestParseBounds(t *testing.T) {
	crowd := func(depth int, element string) []byte {
		b := fill(ber.MaxSize-4*depth, element)
		for range depth {
			b = bytes.Join([][]byte{{0x24, 0x80}, b, {0, 0}}, nil)
		}
		return b
	}
	pieces := func(element string) []byte {
		b := crowd(ber.MaxDepth-2, element)
		b[2*(ber.MaxDepth-2)] = 0x24 // The innermost is a string, too.
		return b
	}
	for _, tc := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"indefinite lengths in each other", bytes.Repeat(bin("30 80"), ber.MaxSize/2), false},
		{"definite lengths in each other", bytes.Repeat(bin("30 84 00 0f ff ff"), ber.MaxSize/6), false},
		{"empty strings", fill(ber.MaxSize, "\x04\x00"), true},
		{"NULLs", fill(ber.MaxSize, "\x05\x00"), true},
		{"empty sequences", fill(ber.MaxSize, "\x30\x00"), true},
		{"NULLs in a definite length", ber.Constructed(ber.Sequence, bytes.Repeat(bin("05 00"), ber.MaxSize/2-8)), true},
		{"NULLs at the bottom", crowd(ber.MaxDepth-2, "\x05\x00"), true},
		{"pieces of nothing at the bottom", pieces("\x04\x00"), true},
		{"pieces of one byte at the bottom", pieces("\x04\x01a"), true},
		{"a length over the document", append(bin("04 83 0f ff ff"), make([]byte, 100)...), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			boundtest.Check(t, func() {
				e, err := ber.Parse(tc.in)
				if (err == nil) != tc.ok {
					t.Errorf("error = %v", err)
				}
				_, _ = e.Octets() // What it costs is the question.
				for c := e.Children(); c.More(); {
					c.Next()
				}
			})
		})
	}
}
