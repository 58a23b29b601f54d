package main

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

// maxNesting is how often a report may be a text in JSON that is itself a text in JSON.
// The platform has two: the error of a deployment repeats that of the VM in its message.
const maxNesting = 4

// findReport reads the report in a text that somebody has copied: with words around it, out
// of JSON, or without its begin. Errors are those of [report.Parse].
func findReport(text string) (report.Report, []string, error) {
	if len(text) <= report.MaxText { // of a longer one nothing is read
		for range maxNesting {
			inner, ok := fromJSON(text)
			if !ok {
				break
			}
			text = inner
		}
	}
	r, warnings, err := report.Parse(text)
	if rest := strings.TrimSpace(text); azprov.KindOf(err) == azprov.KindMalformed && strings.HasPrefix(rest, "reason=") {
		// A failure, since a success has no reason.
		r, warnings, err = report.Parse("result=" + string(report.ResultError) + "|" + rest)
		warnings = append([]string{"the record's begin is missing"}, warnings...)
	}
	return r, warnings, err
}

// fromJSON returns the JSON string that a report begins in. The text around it need not be
// JSON: people copy a line out of it, or with words before, or without its end. It is told
// from another text in quotes, and from a report with quotes in it, by what is beside them.
func fromJSON(text string) (inner string, ok bool) {
	before, _, found := strings.Cut(text, "result=")
	opening := unescapedQuote(before, true)
	if !found || opening < 0 || !endsIn(text[:opening], "{[,:") {
		return "", false
	}
	body, behind := text[opening+1:], ""
	if end := unescapedQuote(body, false); end >= 0 {
		body, behind = body[:end], strings.TrimSpace(body[end+1:])
	}
	if strings.HasSuffix(body, "|") || behind != "" && !strings.ContainsAny(behind[:1], ",]}") {
		return "", false
	}
	// Where a window has broken the lines; JSON has no line break of its own in a string.
	body = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(body)
	err := json.Unmarshal([]byte(`"`+body+`"`), &inner)
	return inner, err == nil
}

// endsIn reports whether s ends in one of those characters, blanks aside, or is empty.
func endsIn(s, characters string) bool {
	s = strings.TrimSpace(s)
	return s == "" || strings.ContainsAny(s[len(s)-1:], characters)
}

// unescapedQuote is where the first double quote without a backslash before it is, or the
// last; -1 if there is none.
func unescapedQuote(s string, last bool) int {
	found := -1
	escaped := false
	for i := range len(s) {
		switch {
		case escaped:
			escaped = false
		case s[i] == '\\':
			escaped = true
		case s[i] == '"':
			if found = i; !last {
				return i
			}
		}
	}
	return found
}

// tracebackKey is where cloud-init has the traceback of an exception without a reason of its
// own: in base64, since 25.2 with its lines in reverse order, so that of a record that was
// cut the exception is left (cloudinit/sources/azure/errors.py).
const tracebackKey = "traceback_base64"

// firstTracebackLine begins a traceback of Python's.
const firstTracebackLine = "Traceback (most recent call last)"

// decodeTraceback returns the traceback with the oldest call first, as Python prints it, ""
// if there is none. Of one that was cut it returns what is left.
func decodeTraceback(value string) string {
	value = strings.TrimRight(strings.Join(strings.Fields(value), ""), "=")
	if len(value)%4 == 1 { // six bits of the next byte
		value = value[:len(value)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(value)
	for range utf8.UTFMax - 1 { // of a character that was cut
		if r, size := utf8.DecodeLastRune(b); r == utf8.RuneError && size == 1 {
			b = b[:len(b)-1]
		}
	}
	if err != nil || !utf8.Valid(b) {
		return ""
	}
	text := strings.Trim(string(b), "\r\n")
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if !strings.HasPrefix(strings.TrimSpace(lines[0]), firstTracebackLine) {
		slices.Reverse(lines)
	}
	return strings.Join(lines, "\n")
}
