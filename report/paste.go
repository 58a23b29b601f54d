package report

import (
	"errors"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

// start is how a record begins: the result is its first field in both dialects.
const start = record.KeyResult + "="

// find cuts the record out of text and makes one line of it.
func (p *parser) find(text string) (string, bool) {
	if valid := strings.ToValidUTF8(text, "\uFFFD"); valid != text {
		p.warn("text that is not UTF-8 was replaced")
		text = valid
	}
	text = strings.TrimSpace(text)
	at := begin(text)
	if at < 0 {
		return "", false
	}
	before, body := text[:at], text[at:]
	if nul := strings.IndexByte(body, 0); nul >= 0 { // the padding of a Hyper-V pool
		body = body[:nul]
	}
	if q := closing(before); q != "" {
		before, body = before[:len(before)-1], strings.TrimSuffix(body, q)
	}
	if strings.TrimSpace(before) != "" {
		p.warn("text before the record was left out")
	}
	body = strings.TrimSpace(body)
	if strings.ContainsAny(body, "\r\n") && !written(body) {
		p.warn("broken lines were joined")
		body = joined(body)
	}
	return body, true
}

// begin is where a record begins in text, -1 if nowhere: at its very beginning, or else at
// the first result that is one of ours and is followed by a field, or else at the first.
func begin(text string) int {
	first := -1
	for at := 0; ; {
		i := strings.Index(text[at:], start)
		if i < 0 {
			return first
		}
		at += i
		rest := text[at+len(start):]
		if at == 0 || !inWord(rune(text[at-1])) {
			if first < 0 {
				first = at
			}
			if at == 0 || fieldFollows(rest) {
				return at
			}
		}
		at += len(start)
	}
}

// fieldFollows reports whether rest begins with a result of ours and the delimiter.
func fieldFollows(rest string) bool {
	for _, result := range PossibleResultValues() {
		if after, ok := strings.CutPrefix(rest, string(result)); ok && strings.HasPrefix(strings.TrimSpace(after), "|") {
			return true
		}
	}
	return false
}

// closing is the quote that ends a text in quotes, if what stands before it opens one.
func closing(before string) string {
	if before == "" {
		return ""
	}
	if last := before[len(before)-1]; last == record.QuoteSingle || last == record.QuoteDouble || last == '`' {
		return string(last)
	}
	return ""
}

// written reports whether an agent can have written body as it is. A line break of its
// own is always in quotes; one that is not was made by whoever copied the record.
func written(body string) bool {
	fields, err := record.Decode(body)
	if err != nil {
		return false
	}
	return record.Encode(fields, record.QuoteSingle) == body || record.Encode(fields, record.QuoteDouble) == body
}

// joined makes one line of several. Beside a delimiter nothing is put in the break's
// place, else a blank: most lines are broken there.
func joined(body string) string {
	var b strings.Builder
	open := true // nothing, or a delimiter, stands before the next line
	for line := range strings.FieldsFuncSeq(body, func(r rune) bool { return r == '\r' || r == '\n' }) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if !open && !strings.HasPrefix(line, "|") {
			b.WriteByte(' ')
		}
		b.WriteString(line)
		open = strings.HasSuffix(line, "|")
	}
	return b.String()
}

// message is what a decoder says, without the operation.
func message(err error) string {
	var e *azprov.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
