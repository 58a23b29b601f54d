package xmldoc

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/azprov/azprov"
)

const testOp = "xmldoc.Test"

// utf16Of encodes s in the byte order that bigEndian names, without a mark.
func utf16Of(s string, bigEndian bool) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		hi, lo := byte(unit>>8), byte(unit)
		if bigEndian {
			out = append(out, hi, lo)
		} else {
			out = append(out, lo, hi)
		}
	}
	return out
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	const plain = `<R><A>grün 🦊</A></R>`
	const declared = `<?xml version="1.0" encoding="utf-16"?>` + plain
	for name, in := range map[string][]byte{
		"plain UTF-8":                            []byte(plain),
		"UTF-8 byte-order mark":                  []byte("\xEF\xBB\xBF" + plain),
		"UTF-8 bytes that declare utf-16":        []byte(declared),
		"UTF-8 bytes that declare us-ascii":      []byte(`<?xml version="1.0" encoding="us-ascii"?>` + plain),
		"UTF-16 little-endian, mark":             join([]byte{0xFF, 0xFE}, utf16Of(declared, false)),
		"UTF-16 big-endian, mark":                join([]byte{0xFE, 0xFF}, utf16Of(declared, true)),
		"UTF-16 little-endian, declaration only": utf16Of(declared, false),
		"UTF-16 big-endian, declaration only":    utf16Of(declared, true),
		"UTF-16, mark, no declaration":           join([]byte{0xFF, 0xFE}, utf16Of(plain, false)),
		"white space before the declaration":     []byte("\r\n \t" + declared),
		"mark, then white space":                 []byte("\xEF\xBB\xBF\n" + declared),
		"comments and white space beside":        []byte("<!-- a -->\n" + plain + "\n<!-- b -->\n"),
		"document type without definitions":      []byte(`<!DOCTYPE R SYSTEM "r.dtd">` + plain),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := Parse(testOp, in, Options{Root: "R"})
			if err != nil {
				t.Fatal(err)
			}
			if got := Text(Child(root, "", "A")); got != "grün 🦊" {
				t.Errorf("text = %q", got)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("<R>", DefaultMaxBytes/3)
	manyAttrs := "<R " + strings.Repeat(`a="" `, 2) + attributes(maxAttrs+1) + "/>"
	for name, row := range map[string]struct {
		in   string
		kind azprov.Kind
		want string
	}{
		"empty":                     {"", azprov.KindMalformed, "no element found: the document is empty"},
		"white space only":          {" \r\n", azprov.KindMalformed, "the document is empty"},
		"byte-order mark only":      {"\xEF\xBB\xBF", azprov.KindMalformed, "the document is empty"},
		"text only":                 {"badxml", azprov.KindMalformed, "junk outside of the root element"},
		"directive junk":            {"<!!!!>", azprov.KindMalformed, "no element found"},
		"comment only":              {"<!-- x -->", azprov.KindMalformed, "no element found"},
		"cut in a tag":              {"<R><A", azprov.KindMalformed, "(line 1): the document ends inside"},
		"cut between tags":          {"<R><A></A>", azprov.KindMalformed, "an element is not closed"},
		"closed by another name":    {"<R></Q>", azprov.KindMalformed, "an element is not closed"},
		"end tag only":              {"</R>", azprov.KindMalformed, "not well-formed"},
		"two roots":                 {"<R/><R/>", azprov.KindMalformed, "2 root elements, want 1"},
		"text after the root":       {"<R/>junk", azprov.KindMalformed, "junk outside of the root element"},
		"CDATA after the root":      {"<R/><![CDATA[ ]]>", azprov.KindMalformed, "junk outside of the root element"},
		"text before the root":      {"junk<R/>", azprov.KindMalformed, "junk outside of the root element"},
		"another root":              {"<html><R/></html>", azprov.KindMalformed, "root element is <html>, want <R>"},
		"root with a giant name":    {"<" + strings.Repeat("x", 1000) + "/>", azprov.KindMalformed, "xxx…>, want <R>"},
		"HTML":                      {"<!DOCTYPE html><html><head><meta charset=utf-8></head></html>", azprov.KindMalformed, "not well-formed (line 1)"},
		"not UTF-8":                 {"<R>\xff\xfe\xfd</R>", azprov.KindMalformed, "not valid UTF-8"},
		"not UTF-8 in a comment":    {"<R><!-- \xff --></R>", azprov.KindMalformed, "not valid UTF-8"},
		"half a UTF-16 unit":        {"\xff\xfe<\x00R", azprov.KindMalformed, "odd number of bytes"},
		"half a surrogate pair":     {"\xff\xfe\x00\xd8<\x00", azprov.KindMalformed, "not valid UTF-16"},
		"surrogate at the end":      {"\xff\xfe<\x00\x00\xd8", azprov.KindMalformed, "not valid UTF-16"},
		"UTF-32":                    {"\xff\xfe\x00\x00<\x00\x00\x00R\x00\x00\x00", azprov.KindMalformed, "not well-formed"},
		"XML 1.1":                   {`<?xml version="1.1"?><R/>`, azprov.KindMalformed, "the XML version is not 1.0"},
		"undefined entity":          {"<R>&bang;</R>", azprov.KindMalformed, "an entity that is not defined"},
		"unescaped ampersand":       {"<R>a & b</R>", azprov.KindMalformed, "an & that is not escaped"},
		"forbidden character":       {"<R>\x01</R>", azprov.KindMalformed, "a character that XML does not allow"},
		"entity definition":         {`<!DOCTYPE R [<!ENTITY a "b">]><R/>`, azprov.KindMalformed, "document type with definitions"},
		"entity bomb":               {entityBomb, azprov.KindMalformed, "an entity that is not defined"},
		"1 MiB of nesting":          {nested, azprov.KindMalformed, "more than 256 levels"},
		"too many attributes":       {manyAttrs, azprov.KindMalformed, "more than 256 attributes"},
		"too many, deeper":          {"<R><A>" + manyAttrs + "</A></R>", azprov.KindMalformed, "more than 256 attributes"},
		"one byte over the limit":   {"<R>" + strings.Repeat(" ", DefaultMaxBytes-6) + "</R>", azprov.KindTooLarge, "more than the limit of 1048576"},
		"root in another namespace": {`<R xmlns="urn:y"/>`, azprov.KindMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Root: "R", Reason: "error parsing x.xml"}
			if name == "root in another namespace" {
				o.Namespace = "urn:x"
				row.want = "root element <R> is not in the namespace urn:x"
			}
			start := time.Now()
			root, err := Parse(testOp, []byte(row.in), o)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			var e *azprov.Error
			if root != nil || !errors.As(err, &e) {
				t.Fatalf("Parse = %v, %v, want an *azprov.Error", root, err)
			}
			if e.Op != testOp || e.Kind != row.kind {
				t.Errorf("op, kind = %q, %q, want %q, %q", e.Op, e.Kind, testOp, row.kind)
			}
			if !strings.Contains(e.Message, row.want) {
				t.Errorf("message %q lacks %q", e.Message, row.want)
			}
			if e.Reason != "error parsing x.xml: "+e.Message {
				t.Errorf("reason = %q", e.Reason)
			}
			if strings.Contains(e.Error(), "\n") || len(e.Error()) > 300 {
				t.Errorf("error is no short line: %q", e.Error())
			}
		})
	}
}

const entityBomb = `<!DOCTYPE R [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">` +
	`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><R>&c;</R>`

// attributes returns n attributes of different names.
func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(` x` + strings.Repeat("y", i) + `=""`)
	}
	return b.String()
}

// What the document holds may be a password, so no error may repeat it.
func TestErrorsDoNotQuote(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, in := range map[string]string{
		"entity":           "<R>p&" + secret + ";</R>",
		"open entity":      "<R>p&" + secret + "</R>",
		"end tag":          "<R></" + secret + " x>",
		"wrong end tag":    "<R></" + secret + ">",
		"attribute":        "<R " + secret + ">",
		"name":             "<R><a\u2028" + secret + ">",
		"processing":       "<?" + secret,
		"version":          `<?xml version="` + secret + `"?><R/>`,
		"text at the top":  "<R/>" + secret,
		"document type":    `<!DOCTYPE R [<!ENTITY a "` + secret + `">]><R/>`,
		"namespace":        `<R xmlns="` + secret + `"/>`,
		"not closed":       "<R>" + secret,
		"not closed CDATA": "<R><![CDATA[" + secret,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(testOp, []byte(in), Options{Root: "R", Namespace: "urn:x"})
			if err == nil {
				t.Fatal("no error")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("error quotes the document: %v", e)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	full := "<R>" + strings.Repeat(" ", 100-7) + "</R>"
	if _, err := Parse(testOp, []byte(full), Options{Root: "R", MaxBytes: 100}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := Parse(testOp, []byte(full+" "), Options{Root: "R", MaxBytes: 100}); !errors.Is(err, azprov.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	deep := strings.Repeat("<R>", maxDepth) + strings.Repeat("</R>", maxDepth)
	if _, err := Parse(testOp, []byte(deep), Options{Root: "R"}); err != nil {
		t.Errorf("at the depth limit: %v", err)
	}
	if _, err := Parse(testOp, []byte("<R>"+deep+"</R>"), Options{Root: "R"}); !errors.Is(err, azprov.ErrMalformed) {
		t.Errorf("over the depth limit: %v", err)
	}
	if _, err := Parse(testOp, nil, Options{Root: "R"}); err == nil || err.(*azprov.Error).Reason != "" { //nolint:errorlint // The concrete type is the contract.
		t.Errorf("reason without a prefix: %v", err)
	}
}

// Writing a document that was read changes nothing that XML counts.
func TestDocumentSurvivesWriting(t *testing.T) {
	t.Parallel()
	const in = `<?xml version="1.0"?><!-- c --><R xmlns:q="urn:q" q:a="1&#xA;2">` +
		"<q:A>a&#xD;b</q:A><B><![CDATA[<x>]]></B> <?p i?></R>\n"
	doc, err := ParseDocument(testOp, []byte(in), Options{Root: "R"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	if out != in {
		t.Errorf("wrote %s\nwant  %s", out, in)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><R xmlns:a="urn:a"><a:A>x</a:A><![CDATA[y]]></R>`))
	f.Add(join([]byte{0xFF, 0xFE}, utf16Of("<R/>", false)))
	f.Add([]byte(entityBomb))
	f.Fuzz(func(t *testing.T, in []byte) {
		doc, err := ParseDocument(testOp, in, Options{Root: "R"})
		if err != nil {
			if kind := azprov.KindOf(err); kind != azprov.KindMalformed && kind != azprov.KindTooLarge {
				t.Fatalf("kind %q: %v", kind, err)
			}
			return
		}
		out, err := doc.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(testOp, out, Options{Root: "R", MaxBytes: len(out)})
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%q", err, out)
		}
		if Text(again) != Text(doc.Root()) {
			t.Fatalf("text changed: %q, %q", Text(doc.Root()), Text(again))
		}
	})
}
