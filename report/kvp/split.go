package kvp

import "unicode/utf8"

// Split makes records of a value of any length: as many as it takes, all with the same
// key, in order, which is azure-init's form. Every slice fits ([MaxValue]) and no slice
// ends inside a character, so that each is valid UTF-8 if the value is. An empty value is
// one record.
//
// For JSON, which a cut would break, see [Source.Records].
func Split(key, value string) []Record {
	var records []Record
	for {
		n := cut(value, MaxValue)
		records = append(records, Record{Key: key, Value: value[:n]})
		if value = value[n:]; value == "" {
			return records
		}
	}
}

// cut is the length of the longest beginning of s that has at most limit bytes and does not
// end inside a character. It is never 0 for a limit of a character or more: what is not
// UTF-8 is cut anywhere.
func cut(s string, limit int) int {
	if len(s) <= limit {
		return len(s)
	}
	for n := limit; n > limit-utf8.UTFMax && n > 0; n-- {
		if utf8.RuneStart(s[n]) {
			return n
		}
	}
	return limit
}
