package kvp

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// shortEscapes are the ones that JSON has a letter for.
var shortEscapes = map[rune]string{
	'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`,
}

// quoted is the inside of a JSON string in ASCII, as Python's json has it.
func quoted(s string) string {
	text, _ := quotedUpTo(s, 6*len(s)) // the longest: one byte, \u0001
	return text
}

// quotedUpTo quotes as much of a text as fits, and returns the rest. Something fits always:
// the room is more than a character takes.
func quotedUpTo(s string, room int) (text, rest string) {
	var b strings.Builder
	for i, r := range s {
		q := quote(r)
		if b.Len()+len(q) > room && i > 0 {
			return b.String(), s[i:]
		}
		b.WriteString(q)
	}
	return b.String(), ""
}

// quote escapes a character; one that is not UTF-8 is U+FFFD.
func quote(r rune) string {
	if short, ok := shortEscapes[r]; ok {
		return short
	}
	if ' ' <= r && r <= '~' {
		return string(r)
	}
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
