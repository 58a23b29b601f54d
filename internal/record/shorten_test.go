package record_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

func byteLen(s string) int { return len(s) }

// escapedLen measures as a health document does.
func escapedLen(s string) int {
	return len(s) + 4*strings.Count(s, "&") + 3*strings.Count(s, "<") + 3*strings.Count(s, ">")
}

func TestShorten(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for _, tc := range []struct {
		name    string
		in      string
		measure func(string) int
		limit   int
		want    string
	}{
		{"what fits stays as it is", "result=error|k=v  ", byteLen, 18, "result=error|k=v  "},
		{
			"supporting data before the reason", "result=error|reason=rrrr|data=" + x("d", 50) + "|vm_id=1", byteLen, 50,
			"result=error|reason=rrrr|data=" + x("d", 12) + "|vm_id=1",
		},
		{
			"the longest value first", "result=error|a=1234567890|b=12345|c=12", byteLen, 34,
			"result=error|a=123456|b=12345|c=12",
		},
		{
			"long values to one length", "result=error|a=1234567890|b=123456789|c=12", byteLen, 31,
			"result=error|a=1234|b=1234|c=12",
		},
		{"emptied fields are dropped", "result=error|a=1234567890|bare|vm_id=1", byteLen, 21, "result=error|vm_id=1"},
		{
			"the reason when nothing else is left", "result=error|reason=" + x("r", 50) + "|agent=A|a=1|vm_id=1", byteLen, 50,
			"result=error|reason=" + x("r", 14) + "|agent=A|vm_id=1",
		},
		{
			"the identity only when the reason is gone", "result=error|reason=r|agent=" + x("A", 50) + "|vm_id=1234", byteLen, 40,
			"result=error|agent=AAAAAAAAAA|vm_id=1234",
		},
		{"the result last", "result=error|vm_id=1", byteLen, 12, "result=error"},
		{"room for nothing", "result=error|vm_id=1", byteLen, -1, ""},
		{"no rune is cut", "result=error|a=ääää", byteLen, 18, "result=error|a=ä"},
		{"a rune too many empties the field", "result=error|a=😀", byteLen, 18, "result=error"},
		{"escaped length counts", "result=error|a=<<<<<<<<", escapedLen, 24, "result=error|a=<<"},
		{"doubled quotes count", "result=error|'a=" + x("'", 10) + "|z'|agent=A", byteLen, 32, "result=error|'a=" + x("'", 7) + "|agent=A"},
		{"the dialect stays azure-init's", `result=error|"a=""x"" | y"|vm_id=1`, byteLen, 31, `result=error|"a=""x"" "|vm_id=1`},
		{"an unquoted ' belongs to azure-init", "result=error|a=it's a long story|vm_id=1", byteLen, 31, "result=error|a=it's a l|vm_id=1"},
		{"a text that is no record is cut", "Starting the ünit", byteLen, 14, "Starting the "},
		{"a record without a result is a text", "reason=a|data=123456", byteLen, 16, "reason=a|data=12"},
		{"a record that does not decode is a text", "result=error|'a=bcdef", byteLen, 18, "result=error|'a=bc"},
		{"invalid UTF-8", "result=error|a=\xff\xff", byteLen, 18, "result=error|a=\uFFFD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := record.Shorten(tc.in, tc.measure, tc.limit)
			if got != tc.want {
				t.Errorf("Shorten = %q (%d), want %q (%d)", got, tc.measure(got), tc.want, tc.measure(tc.want))
			}
		})
	}
}

var protectedKeys = []string{"result", "reason", "agent", "vm_id", "pps_type", "timestamp", "documentation_url"}

func FuzzShorten(f *testing.F) {
	f.Add("result=error|reason=r|agent=A/1|'a=b''|c'|vm_id=x|timestamp=t", 40)
	f.Add(`result=error|"a=b""|c"|d=<&>|pps_type=None`, 20)
	f.Add("Starting <&> \xff ünit", 9)
	f.Add("result=error|'a=b", 14)
	f.Add("result=success|agent=", 0)
	f.Add("result='|\"|'x'", 12)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		got := record.Shorten(in, escapedLen, limit)
		if limit >= 0 && escapedLen(got) > limit {
			t.Fatalf("%q measures %d, limit %d", got, escapedLen(got), limit)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		fields, err := record.Decode(strings.ToValidUTF8(in, "\uFFFD"))
		if err != nil || !slices.ContainsFunc(fields, func(d azprov.Detail) bool { return d.Key == "result" }) {
			return
		}
		short, err := record.Decode(got)
		if err != nil {
			t.Fatalf("%q does not decode: %v", got, err)
		}
		if want := protected(fields); escapedLen(longerDialect(want)) <= limit {
			// White space at the end of a record does not survive encoding.
			if diff := cmp.Diff(trimLast(want), trimLast(protected(short))); diff != "" {
				t.Errorf("%q lost protected fields:\n%s", got, diff)
			}
		}
	})
}

func protected(fields []azprov.Detail) []azprov.Detail {
	var kept []azprov.Detail
	for _, d := range fields {
		if slices.Contains(protectedKeys, d.Key) {
			kept = append(kept, d)
		}
	}
	return kept
}

// longerDialect encodes in the dialect that takes more room.
func longerDialect(fields []azprov.Detail) string {
	a, b := record.Encode(fields, record.QuoteSingle), record.Encode(fields, record.QuoteDouble)
	if escapedLen(a) > escapedLen(b) {
		return a
	}
	return b
}

func trimLast(fields []azprov.Detail) []azprov.Detail {
	if len(fields) > 0 {
		last := &fields[len(fields)-1]
		last.Value = strings.TrimSpace(last.Value)
	}
	return fields
}
