package lease

import "bytes"

// statement is one of dhclient's: up to a semicolon, or to a brace that opens or closes a
// block.
type statement struct {
	// text has no comments in it, and no white space around it. It holds until the next
	// statement is read.
	text []byte
	// end is ';', '{', '}', or 0 where the file ends.
	end byte
}

// scanner takes the files of ISC dhclient, and of its relatives in the BSDs, apart
// (dhclient.leases(5)).
type scanner struct {
	rest   []byte
	buffer []byte
}

// next returns the next statement. It is false at the end of the file.
func (s *scanner) next() (statement, bool) {
	s.buffer = s.buffer[:0]
	for len(s.rest) > 0 {
		c := s.rest[0]
		switch c {
		case ';', '{', '}':
			s.rest = s.rest[1:]
			return statement{bytes.TrimSpace(s.buffer), c}, true
		case '#':
			_, s.rest, _ = bytes.Cut(s.rest, []byte("\n"))
			s.buffer = append(s.buffer, ' ')
		case '"':
			size := quotedSize(s.rest)
			s.buffer = append(s.buffer, s.rest[:size]...)
			s.rest = s.rest[size:]
		default:
			s.buffer = append(s.buffer, c)
			s.rest = s.rest[1:]
		}
	}
	text := bytes.TrimSpace(s.buffer)
	return statement{text: text}, len(text) > 0
}

// quotedSize is the size of the quoted text that b begins with, quotes included, or of b
// if it has no end. Any byte may be in it.
func quotedSize(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// cutWord takes the first word off a statement.
func cutWord(text []byte) (word string, rest []byte) {
	end := bytes.IndexAny(text, " \t\r\n")
	if end < 0 {
		return string(text), nil
	}
	return string(text[:end]), bytes.TrimSpace(text[end:])
}

// newValue reads what is behind a name.
func newValue(text []byte) value {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return value{text: unescape(string(text[1 : len(text)-1])), quoted: true}
	}
	return value{text: string(text)}
}
