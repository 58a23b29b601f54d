package record

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// Shorten makes a record fit: measure(result) is at most limit. measure is the
// length, in whatever unit counts, of what is sent for a candidate; it must not
// grow when text is taken away.
//
// Supporting data goes first, the longest value first: all values are cut to the
// greatest common length that fits. Then the reason is shortened, and only when
// that is not enough the agent, the ids and the rest, the result last. A field
// with nothing left is dropped. No rune is cut, the result is valid UTF-8, and it
// decodes, in the dialect of the record. A text that is no record (it does not
// decode, or has no "result") is cut at its end. A record that fits is returned
// as it is.
func Shorten(record string, measure func(candidate string) int, limit int) string {
	record = strings.ToValidUTF8(record, string(utf8.RuneError))
	fits := func(candidate string) bool { return measure(candidate) <= limit }
	if fits(record) {
		return record
	}
	fields, quote, err := decode(record)
	if err != nil || !slices.ContainsFunc(fields, hasKey(KeyResult)) {
		n := longest(len(record), func(n int) bool { return fits(prefix(record, n)) })
		return prefix(record, n)
	}
	for _, expendable := range sacrifices() {
		n := longest(longestValue(fields, expendable), func(n int) bool {
			return fits(Encode(level(fields, expendable, n), quote))
		})
		fields = level(fields, expendable, n)
		if short := Encode(fields, quote); fits(short) {
			return short
		}
	}
	return ""
}

// sacrifices lists what may be shortened, in order.
func sacrifices() []func(azprov.Detail) bool {
	return []func(azprov.Detail) bool{
		Supporting,
		hasKey(KeyReason),
		func(f azprov.Detail) bool { return f.Key != KeyResult },
		func(azprov.Detail) bool { return true },
	}
}

func hasKey(key string) func(azprov.Detail) bool {
	return func(f azprov.Detail) bool { return f.Key == key }
}

// Supporting reports whether f is supporting data, which [Shorten] gives up first.
func Supporting(f azprov.Detail) bool {
	switch f.Key {
	case KeyResult, KeyReason, KeyAgent, KeyVMID, KeyPPSType, KeyTimestamp, KeyDocumentationURL:
		return false
	default:
		return true
	}
}

// level returns fields with the expendable values cut to n bytes. Those that this
// empties are dropped, and with n = 0 all of them are.
func level(fields []azprov.Detail, expendable func(azprov.Detail) bool, n int) []azprov.Detail {
	kept := make([]azprov.Detail, 0, len(fields))
	for _, field := range fields {
		if !expendable(field) {
			kept = append(kept, field)
			continue
		}
		short := prefix(field.Value, n)
		if n == 0 || (short == "" && field.Value != "") {
			continue
		}
		kept = append(kept, azprov.Detail{Key: field.Key, Value: short})
	}
	return kept
}

func longestValue(fields []azprov.Detail, expendable func(azprov.Detail) bool) int {
	n := 0
	for _, field := range fields {
		if expendable(field) {
			n = max(n, len(field.Value))
		}
	}
	return n
}

// longest returns the greatest length up to n that fits, or 0 if none does.
func longest(n int, fits func(n int) bool) int {
	return max(0, sort.Search(n+1, func(i int) bool { return !fits(i) })-1)
}

// prefix returns at most the first n bytes of s, cut before a rune that does not
// fit whole.
func prefix(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
