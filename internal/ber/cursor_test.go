package ber_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/ber"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	c := parse(t, bin("30 19 02 01 07 06 03 2a 03 04 24 06 04 01 61 04 01 62 a0 02 05 00 81 01 09 05 00")).Children()
	if n := c.Int(); n != 7 {
		t.Errorf("Int = %d", n)
	}
	if oid := c.OID(); oid != "1.2.3.4" {
		t.Errorf("OID = %q", oid)
	}
	if _, there := c.Optional(ber.OctetString); !there {
		t.Error("no OCTET STRING, though one in pieces")
	}
	if _, there := c.Optional(ber.Context(1)); there {
		t.Error("[1] comes before [0]")
	}
	if e := c.Take(ber.Context(0)); !e.Constructed || len(e.Raw) != 4 {
		t.Errorf("[0] = %+v", e)
	}
	if e, there := c.Optional(ber.Context(1)); !there || e.Content[0] != 9 {
		t.Errorf("[1] = %+v, %t", e, there)
	}
	if e := c.Next(); e.Tag != ber.Null || c.More() || c.Err() != nil {
		t.Errorf("at the end: %+v, more: %t, %v", e, c.More(), c.Err())
	}
	if _, there := c.Optional(ber.Null); there || c.Err() != nil {
		t.Errorf("there is something behind the end, or %v", c.Err())
	}
}

func TestCursorOctets(t *testing.T) {
	t.Parallel()
	c := parse(t, bin("30 0b 04 01 78 24 06 04 01 61 04 01 62")).Children()
	if got := []string{string(c.Octets()), string(c.Octets())}; !cmp.Equal(got, []string{"x", "ab"}) || c.Err() != nil {
		t.Errorf("%q, %v", got, c.Err())
	}
}

// A cursor that has failed says why, and nothing else, however often it is asked.
func TestCursorStaysFailed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		fail     func(*ber.Cursor)
		want     string
	}{
		{"nothing left", "30 00", func(c *ber.Cursor) { c.Next() }, truncated},
		{"another tag", "30 05 05 00 02 01 05", func(c *ber.Cursor) { c.Take(ber.Integer) }, "tag 5 where 2 belongs"},
		{"no INTEGER", "30 05 05 00 02 01 05", func(c *ber.Cursor) { c.Int() }, "tag 5 where 2 belongs"},
		{"no OCTET STRING", "30 05 05 00 02 01 05", func(c *ber.Cursor) { c.Octets() }, "tag 5 where 4 belongs"},
		{"no OBJECT IDENTIFIER", "30 05 05 00 02 01 05", func(c *ber.Cursor) { c.OID() }, "tag 5 where 6 belongs"},
		{"a bad INTEGER", "30 06 02 01 80 02 01 05", func(c *ber.Cursor) { c.Int() }, "an INTEGER below 0 or over 2147483647"},
		{"a bad OCTET STRING", "30 0a 24 05 04 01 61 05 00 02 01 05", func(c *ber.Cursor) { c.Octets() }, "tag 5 where 4 belongs"},
		{"a bad OBJECT IDENTIFIER", "30 05 06 00 02 01 05", func(c *ber.Cursor) { c.OID() }, "an OBJECT IDENTIFIER that is none"},
		{"a primitive element", "04 03 02 01 05", func(*ber.Cursor) {}, "a primitive element in place of a constructed one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, bin(tc.in)).Children()
			tc.fail(c)
			checkFailed(t, c, tc.want)
		})
	}
	t.Run("children that were never parsed", func(t *testing.T) {
		t.Parallel()
		c := ber.Element{Tag: ber.Sequence, Constructed: true, Content: bin("05 00 02 01")}.Children()
		c.Take(ber.Null)
		if _, there := c.Optional(ber.Integer); there {
			t.Error("half an element is there")
		}
		checkFailed(t, c, truncated)
	})
}

func checkFailed(t *testing.T, c *ber.Cursor, want string) {
	t.Helper()
	for range 2 {
		if c.Err() == nil || c.Err().Error() != want {
			t.Fatalf("error = %v, want %s", c.Err(), want)
		}
		optional, there := c.Optional(ber.Integer)
		if diff := cmp.Diff([]ber.Element{{}, {}, {}}, []ber.Element{c.Next(), c.Take(ber.Integer), optional}); diff != "" {
			t.Errorf("an element: %s", diff)
		}
		if n, b, oid := c.Int(), c.Octets(), c.OID(); there || n != 0 || b != nil || oid != "" || c.More() {
			t.Errorf("optional: %t, Int: %d, Octets: %v, OID: %q, more: %t", there, n, b, oid, c.More())
		}
	}
}

// What fails gives nothing at all, not what it had found until then.
func TestCursorFailsWithNothing(t *testing.T) {
	t.Parallel()
	children := func(in string) *ber.Cursor { return parse(t, bin(in)).Children() }
	if b := children("30 07 24 05 04 01 61 05 00").Octets(); b != nil {
		t.Errorf("Octets = % x", b)
	}
	if oid := children("30 0e 06 0c 2a 80 80 80 80 80 80 80 80 80 80 01").OID(); oid != "" {
		t.Errorf("OID = %q", oid)
	}
	if n := children("30 07 02 05 7f 00 00 00 00").Int(); n != 0 {
		t.Errorf("Int = %d", n)
	}
	if e := children("30 02 05 00").Take(ber.Integer); !cmp.Equal(e, ber.Element{}) {
		t.Errorf("Take = %+v", e)
	}
}
