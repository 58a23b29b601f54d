package goalstate

import (
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

const (
	xmlDeclaration = `<?xml version="1.0" encoding="utf-8"?>`
	xsiNamespace   = "http://www.w3.org/2001/XMLSchema-instance"
	xsdNamespace   = "http://www.w3.org/2001/XMLSchema"
	indent         = "  "
)

type attr struct {
	name, value string
}

// writer builds a document in the layout of the wire server: one element a line,
// two blanks a level, no line feed at the end. Elements and attributes without a
// value are left out.
type writer struct {
	b    strings.Builder
	open []string
}

func newWriter() *writer {
	w := &writer{}
	w.b.WriteString(xmlDeclaration)
	return w
}

// start opens an element; end closes the one opened last.
func (w *writer) start(name string, attrs ...attr) {
	w.line()
	w.tag(name, attrs)
	w.b.WriteString(">")
	w.open = append(w.open, name)
}

func (w *writer) end() {
	name := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.line()
	w.b.WriteString("</" + name + ">")
}

// startSchema opens the root element of a document that names its schema.
func (w *writer) startSchema(name, schema string) {
	w.start(name, attr{"xmlns:xsi", xsiNamespace}, attr{"xsi:noNamespaceSchemaLocation", schema})
}

// text writes an element with a text.
func (w *writer) text(name, text string) {
	if text != "" {
		w.textOrEmpty(name, text)
	}
}

// textOrEmpty writes the element even without a text.
func (w *writer) textOrEmpty(name, text string) {
	w.line()
	w.b.WriteString("<" + name + ">" + escapeText(text) + "</" + name + ">")
}

// leaf writes an element that has only attributes.
func (w *writer) leaf(name string, attrs ...attr) {
	for _, a := range attrs {
		if a.value != "" {
			w.line()
			w.tag(name, attrs)
			w.b.WriteString(" />")
			return
		}
	}
}

func (w *writer) line() {
	w.b.WriteString("\n" + strings.Repeat(indent, len(w.open)))
}

func (w *writer) tag(name string, attrs []attr) {
	w.b.WriteString("<" + name)
	for _, a := range attrs {
		if a.value != "" {
			w.b.WriteString(" " + a.name + `="` + escapeAttr(a.value) + `"`)
		}
	}
}

func (w *writer) bytes() []byte { return []byte(w.b.String()) }

// escapeText escapes what cloud-init and WALinuxAgent escape, & < and > only, and
// drops what XML 1.0 cannot hold (section 2.2), which they do not.
func escapeText(s string) string { return escape(s, "") }

// escapeAttr also escapes the quote, and the white space that a parser would turn
// into blanks (XML 1.0, section 3.3.3).
func escapeAttr(s string) string { return escape(s, "\"\t\n\r") }

func escape(s, more string) string {
	var b strings.Builder
	for _, r := range legalXML(s) {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case !strings.ContainsRune(more, r):
			b.WriteRune(r)
		case r == '"':
			b.WriteString("&quot;")
		case r == '\t':
			b.WriteString("&#x9;")
		case r == '\n':
			b.WriteString("&#xA;")
		case r == '\r':
			b.WriteString("&#xD;")
		}
	}
	return b.String()
}

// legalXML replaces what is not UTF-8 and removes the characters that XML 1.0
// does not allow in any form.
func legalXML(s string) string {
	keep := func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
			return r
		default:
			return -1
		}
	}
	return strings.Map(keep, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// writeSwitch is "" for a switch that is not set.
func writeSwitch(s azprov.Switch) string {
	on, ok := s.Value()
	switch {
	case !ok:
		return ""
	case on:
		return "true"
	default:
		return "false"
	}
}
