package ber_test

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"github.com/azprov/azprov/internal/ber"
	"github.com/azprov/azprov/internal/boundtest"
)

// What parses lies in the input as it says, to the last child, and its values can be
// written.
func FuzzParse(f *testing.F) {
	f.Add(mixed)
	f.Add(nest(ber.MaxDepth, func(level int) bool { return level%3 == 0 }))
	f.Add(bytes.Repeat(bin("30 80"), 30))
	f.Add(bin("30 80 04 04 00 00 00 00 00 00"))
	f.Add(bin("04 84 00 00 00 01 61"))
	f.Add(bin("02 04 7f ff ff ff"))
	f.Add(bin("1f 01 00"))
	for _, oid := range identifiers {
		f.Add(ber.EncodeOID(oid))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		boundtest.Check(t, func() {
			e, err := ber.Parse(in)
			if err != nil {
				return
			}
			if !bytes.Equal(e.Raw, in) {
				t.Error("the element is not the whole document")
			}
			checkElement(t, in, e, 1)
		})
		if !bytes.Equal(in, before) {
			t.Error("the document was changed")
		}
	})
}

func checkElement(t *testing.T, parent []byte, e ber.Element, depth int) {
	t.Helper()
	header := len(e.Raw) - len(e.Content)
	switch {
	case depth > ber.MaxDepth:
		t.Fatalf("%d levels", depth)
	case len(e.Raw) < 2 || &e.Raw[0] != &parent[0]:
		t.Fatalf("% x does not begin % x", e.Raw, parent)
	case e.Raw[0]&0x20 != 0 != e.Constructed || e.Tag != ber.Tag(e.Raw[0]&^0x20):
		t.Errorf("tag %d of % x", e.Tag, e.Raw)
	}
	end := 0
	if e.Constructed && e.Raw[1] == 0x80 {
		end = 2
	}
	if want := e.Raw[header-end : len(e.Raw)-end]; !bytes.Equal(e.Content, want) {
		t.Fatalf("content % x of % x", e.Content, e.Raw)
	}
	var reference asn1.RawValue
	if _, err := asn1.Unmarshal(e.Raw, &reference); err == nil && !bytes.Equal(reference.Bytes, e.Content) {
		t.Errorf("encoding/asn1 has % x, we % x", reference.Bytes, e.Content)
	}
	checkValues(t, e)
	if !e.Constructed {
		return
	}
	at := 0
	cursor := e.Children()
	for cursor.More() {
		child := cursor.Next()
		if cursor.Err() != nil {
			break
		}
		checkElement(t, e.Content[at:], child, depth+1)
		at += len(child.Raw)
	}
	if cursor.Err() != nil || at != len(e.Content) {
		t.Errorf("children up to %d of %d: %v", at, len(e.Content), cursor.Err())
	}
}

func checkValues(t *testing.T, e ber.Element) {
	t.Helper()
	if oid, err := e.OID(); err == nil {
		if got, err := parse(t, ber.EncodeOID(oid)).OID(); err != nil || got != oid {
			t.Errorf("%s became %q, %v", oid, got, err)
		}
	}
	if n, err := e.Int(); err == nil {
		if got, err := parse(t, ber.EncodeInt(n)).Int(); err != nil || got != n || n < 0 {
			t.Errorf("%d became %d, %v", n, got, err)
		}
	}
	if b, err := e.Octets(); err == nil && len(b) > len(e.Content) || err != nil && b != nil {
		t.Errorf("%d octets of %d, %v", len(b), len(e.Content), err)
	}
}
