package unitfailure

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// fields are those of an entry that are asked for (systemd.journal-fields(7)).
const fields = "MESSAGE,PRIORITY,_PID,UNIT,MESSAGE_ID,UNIT_RESULT,JOB_RESULT,EXIT_CODE,EXIT_STATUS,INVOCATION_ID,_SYSTEMD_INVOCATION_ID"

// entry is one of the journal. Each field is empty if it is not there.
type entry struct {
	Message   field `json:"MESSAGE"`
	Priority  field `json:"PRIORITY"`
	PID       field `json:"_PID"`
	Unit      field `json:"UNIT"` // whom a message of systemd is about
	MessageID field `json:"MESSAGE_ID"`
	Result    field `json:"UNIT_RESULT"`
	JobResult field `json:"JOB_RESULT"`
	Code      field `json:"EXIT_CODE"`
	Status    field `json:"EXIT_STATUS"`
	About     field `json:"INVOCATION_ID"` // of the unit that systemd speaks of
	From      field `json:"_SYSTEMD_INVOCATION_ID"`
}

// managers reports whether systemd itself has written the entry. Programs cannot pretend
// it: a field that begins with _ is journald's.
func (e entry) managers() bool { return e.PID == "1" }

// priority is from 0, an emergency, to 7; that of an entry without one is informational,
// as journald has it for the output of a service.
func (e entry) priority() int {
	const info = 6
	if n, err := strconv.Atoi(string(e.Priority)); err == nil && n >= 0 && n <= 7 {
		return n
	}
	return info
}

// parseEntries reads lines of JSON, at most limit of them; broken counts those that are
// none.
func parseEntries(out []byte, limit int) (entries []entry, broken int) {
	out = out[:min(len(out), maxJournal)]
	for text := range bytes.Lines(out) {
		if len(entries)+broken >= limit {
			break
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		var e entry
		if json.Unmarshal(text, &e) != nil {
			broken++
			continue
		}
		e.Message = middleOut(e.Message)
		entries = append(entries, e)
	}
	return entries, broken
}

// middleOut takes the middle out of a message that is too long.
func middleOut(m field) field {
	if len(m) <= maxMessage {
		return m
	}
	return m[:maxMessage/2] + "\n" + m[len(m)-maxMessage/2:]
}

// field is a value of an entry in JSON: a string; an array of bytes if it is not UTF-8 or
// has control characters; an array of values if the field is there more than once, of
// which the first counts; null if it is too long to be shown (journalctl(1)).
type field string

// UnmarshalJSON takes any value; one of another form is empty.
func (f *field) UnmarshalJSON(b []byte) error {
	*f = ""
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*f = field(s)
	case '[':
		inner := bytes.TrimLeft(b[1:], " \t\r\n")
		if inner[0] != '"' && inner[0] != '[' {
			*f = field(octets(b))
			return nil
		}
		// Only the first value is decoded.
		var first json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(inner)).Decode(&first); err != nil {
			return err
		}
		if first[0] == '"' {
			return f.UnmarshalJSON(first)
		}
		*f = field(octets(first))
	}
	return nil
}

// octets reads an array of numbers from 0 to 255. Each costs no more than its byte, unlike
// with package json.
func octets(b []byte) []byte {
	rest := bytes.Trim(b, "[] \t\r\n")
	out := make([]byte, 0, len(rest)/4+1)
	for len(rest) > 0 {
		var number []byte
		number, rest, _ = bytes.Cut(rest, []byte(","))
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 8); err == nil {
			out = append(out, byte(n))
		}
	}
	return out
}
