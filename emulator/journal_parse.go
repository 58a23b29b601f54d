package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

const (
	opParseJournal = "emulator.ParseJournal"
	// journalLine is the longest line that is read, in bytes: two bodies of 64 KiB of
	// which every character is escaped, and the rest of an entry.
	journalLine = 2 << 20
	// The statuses of HTTP.
	lowestStatus, highestStatus = 100, 599
)

// ParseJournal reads what a fabric has written to [Options.Journal]: an [Entry] in JSON on
// each line. Blank lines are skipped, and nothing at all is no entries. Anything else, a
// last line that is cut short among it, is an error of azprov.KindMalformed that names the
// line, and the field where that is known; one in reading r is of azprov.KindInternal. With
// a last line that is cut short, an error in whose chain io.ErrUnexpectedEOF is, the entries
// before it are returned too.
func ParseJournal(r io.Reader) ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewReaderSize(r, journalLine)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		last := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, journalError(number, fmt.Sprintf("it is longer than %d bytes", journalLine), wantJournal)
		case err != nil && !last:
			return nil, &azprov.Error{Op: opParseJournal, Kind: azprov.KindInternal, Message: "cannot be read", Last: err}
		}
		if len(bytes.TrimSpace(line)) > 0 {
			entry, err := parseEntry(number, line)
			switch {
			case err != nil && last && len(entries) > 0 && errors.Is(err, io.ErrUnexpectedEOF):
				return entries, err
			case err != nil:
				return nil, err
			}
			entries = append(entries, entry)
		}
		if last {
			return entries, nil
		}
	}
}

const wantJournal = "want a file that azprov emulate --journal has written"

// noJournal is the error of a line that no journal has, be it of a later version: the first
// one says it of the whole.
func noJournal(line int, message string) error {
	if line == 1 {
		message += ": it is no journal"
	}
	return journalError(line, message, wantJournal)
}

func journalError(line int, message, hint string) error {
	return &azprov.Error{
		Op: opParseJournal, Kind: azprov.KindMalformed, Message: fmt.Sprintf("line %d: %s", line, message), Hint: hint,
	}
}

func parseEntry(number int, line []byte) (Entry, error) {
	if !utf8.Valid(line) || slices.Contains(line, 0) {
		return Entry{}, noJournal(number, "it is no text in UTF-8")
	}
	var entry Entry
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&entry); err != nil {
		return Entry{}, entryError(number, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, journalError(number, "there is more after the JSON object", "want one object on each line")
	}
	if field, message := entry.flaw(); field != "" {
		return Entry{}, journalError(number, field+" "+message, wantJournal)
	}
	return entry, nil
}

// entryError says in words of ours what encoding/json found.
func entryError(number int, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &wrong) && wrong.Field == "":
		return noJournal(number, "it is a "+firstWord(wrong.Value)+", want an object")
	case errors.As(err, &wrong):
		return journalError(number, fmt.Sprintf("%s is a %s, want %s", wrong.Field, firstWord(wrong.Value), wrong.Type), wantJournal)
	case isUnknown:
		hint := "it may be of a later version of the emulator"
		if near := nearest.Word(strings.Trim(unknown, `"`), entryFields()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return journalError(number, "unknown field "+unknown, hint)
	case errors.Is(err, io.ErrUnexpectedEOF):
		cut := &azprov.Error{
			Op: opParseJournal, Kind: azprov.KindMalformed, Message: fmt.Sprintf("line %d: it is cut short", number), Last: io.ErrUnexpectedEOF,
			Hint: "its writer was ended before it was done; delete that line to read the others",
		}
		if number == 1 {
			cut.Message, cut.Hint = cut.Message+", or it is no journal", wantJournal
		}
		return cut
	case errors.As(err, &syntax):
		return noJournal(number, fmt.Sprintf("not JSON: column %d: %v", syntax.Offset, syntax))
	default:
		return journalError(number, "a value is not of the form it must have: "+azprov.OneLine(err.Error()), wantJournal)
	}
}

// entryFields are the names of an entry's fields.
func entryFields() []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Entry]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// flaw names a field that no entry has like this; empty if there is none.
func (e *Entry) flaw() (field, message string) {
	switch {
	case e.Seq < 1:
		return "seq", "is missing, or below 1"
	case e.Time.IsZero():
		return "time", "is missing"
	case e.Service == "":
		return "service", "is missing"
	case !slices.Contains(PossibleServiceValues(), e.Service):
		return "service", fmt.Sprintf("is %q, which is none of the services", string(e.Service))
	case e.Method == "":
		return "method", "is missing"
	case e.Path == "":
		return "path", "is missing"
	case e.Status != 0 && (e.Status < lowestStatus || e.Status > highestStatus):
		return "status", fmt.Sprintf("is %d, which is no status of HTTP", e.Status)
	case e.DurationMs < 0:
		return "durationMs", "is negative"
	}
	for field, body := range map[string]*Body{"body": e.Body, "answer.body": e.Answer.body()} {
		switch {
		case body == nil:
		case body.Length < 1:
			return field + ".length", "is missing, or below 1"
		case !slices.Contains(PossibleLeftValues(), body.Left):
			return field + ".left", fmt.Sprintf("is %q, which is none of the values", string(body.Left))
		}
	}
	return "", ""
}

// body is the answer's, nil if there is none.
func (a *Answer) body() *Body {
	if a == nil {
		return nil
	}
	return a.Body
}
