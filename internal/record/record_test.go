package record_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

func bare(values ...string) []azprov.Detail {
	fields := make([]azprov.Detail, 0, len(values))
	for _, v := range values {
		fields = append(fields, azprov.Detail{Value: v})
	}
	return fields
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fields []azprov.Detail
		quote  byte
		want   string
	}{
		{"plain, delimiter and quote", bare("a", "b c", "d|e", "f'g"), record.QuoteSingle, `a|b c|'d|e'|'f''g'`},
		{"a line feed quotes the whole field", bare("a", "b\nc"), record.QuoteSingle, "a|'b\nc'"},
		{"a carriage return too", bare("b\rc", "a"), record.QuoteSingle, "'b\rc'|a"},
		{"white space at the end is stripped", bare("a", "end "), record.QuoteSingle, "a|end"},
		{"white space at the end of a quoted field is not", bare("a", "end|  "), record.QuoteSingle, "a|'end|  '"},
		{"a single empty field", bare(""), record.QuoteSingle, "''"},
		{"an empty field among others", bare("a", "", "b"), record.QuoteSingle, "a||b"},
		{"no field", nil, record.QuoteSingle, ""},
		{"commas, double quotes, tabs, leading blanks", bare("a,b", `c"d`, "e\tf", " g"), record.QuoteSingle, "a,b|c\"d|e\tf| g"},
		{
			"keys",
			[]azprov.Detail{{Key: "result", Value: "error"}, {Key: "exception", Value: "UrlError('boom')"}},
			record.QuoteSingle, `result=error|'exception=UrlError(''boom'')'`,
		},
		{
			"azure-init's quote",
			[]azprov.Detail{{Key: "result", Value: "error"}, {Key: "error", Value: `"x" | it's`}},
			record.QuoteDouble, `result=error|"error=""x"" | it's"`,
		},
		{"single quotes are plain to azure-init", bare("f'g"), record.QuoteDouble, "f'g"},
		{"a field begins with the other quote", bare(`"x`, "y"), record.QuoteSingle, `'"x'|y`},
		{"no such quote", bare("d|e"), 0, "'d|e'"},
		{"a value with an equals sign", []azprov.Detail{{Key: "url", Value: "a=b"}}, record.QuoteSingle, "url=a=b"},
		{"a key without a value", []azprov.Detail{{Key: "k"}}, record.QuoteSingle, "k="},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := record.Encode(tc.fields, tc.quote); got != tc.want {
				t.Errorf("Encode = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   string
		want []azprov.Detail
	}{
		{"cloud-init's quoting", `a|b c|'d|e'|'f''g'`, bare("a", "b c", "d|e", "f'g")},
		{"azure-init's quoting", `a|"d|e"|"f""g"|it's`, bare("a", "d|e", `f"g`, "it's")},
		{"the first quoted field decides", `'a|b'|"c"|d`, bare("a|b", `"c"`, "d")},
		{"a quote inside a field is plain", `it's|k="x"`, []azprov.Detail{{Value: "it's"}, {Key: "k", Value: `"x"`}}},
		{"a line feed in quotes", "'a\nb'|c", bare("a\nb", "c")},
		{"an empty record", "", nil},
		{"a single empty field", "''", bare("")},
		{"empty fields", "a||", bare("a", "", "")},
		{"only the first equals sign splits", "url=a=b|=c", []azprov.Detail{{Key: "url", Value: "a=b"}, {Value: "=c"}}},
		{
			"a success record", "result=success|agent=Cloud-Init/26.1|timestamp=2026-11-23T06:38:18+00:00|vm_id=None",
			[]azprov.Detail{
				{Key: "result", Value: "success"},
				{Key: "agent", Value: "Cloud-Init/26.1"},
				{Key: "timestamp", Value: "2026-11-23T06:38:18+00:00"},
				{Key: "vm_id", Value: "None"},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := record.Decode(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeBroken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   string
		want []azprov.Detail
	}{
		{
			"cut inside a quoted field", `result=error|'exception=UrlError(''boo`,
			[]azprov.Detail{{Key: "result", Value: "error"}, {Key: "exception", Value: "UrlError('boo"}},
		},
		{"text after a closing quote", `a|'b'c|d`, bare("a", "b")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := record.Decode(tc.in)
			if !errors.Is(err, azprov.ErrMalformed) {
				t.Fatalf("error = %v, want malformed", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "''", `a|'b|c'|d`, `a|"b|c"|'d`, "k=v|k=|=", "'x", `"a"b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		fields, err := record.Decode(in)
		if err != nil {
			return
		}
		for _, quote := range []byte{record.QuoteSingle, record.QuoteDouble} {
			once := record.Encode(fields, quote)
			again, err := record.Decode(once)
			if err != nil {
				t.Fatalf("%q does not decode: %v", once, err)
			}
			if twice := record.Encode(again, quote); twice != once {
				t.Errorf("%q became %q", once, twice)
			}
		}
	})
}
