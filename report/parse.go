package report

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

// MaxText is the size in bytes over which no text is searched for a record. A record
// itself has 4,095 at most, the wire server's limit; a page around it some more.
const MaxText = 64 << 10

// maxWarnings is enough to see what is wrong with a record.
const maxWarnings = 16

// layouts of timestamps. Python writes none for the zone where an agent has not set it.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"}

// Parse reads a record of either dialect, or a text that holds one: a message of the
// portal, with words around the record and lines broken where the window ended.
// Warnings say what was left out or is missing; they quote nothing of the record's data.
//
// A record that was cut, as agents and platform do, gives what is left of it. VM id and
// timestamp are empty where the agent wrote None. Of two fields of one key the first
// counts, since supporting data follows the reason. A pps_type among the supporting data
// stays there too, so that the report is written as it was read.
//
// Errors: [azprov.KindMalformed] if the text has no record, a field "result=";
// [azprov.KindTooLarge] if it is over [MaxText].
func Parse(text string) (Report, []string, error) {
	if len(text) > MaxText {
		return Report{}, nil, failed(azprov.KindTooLarge,
			"the text has "+strconv.Itoa(len(text))+" bytes, more than the limit of "+strconv.Itoa(MaxText))
	}
	p := parser{seen: map[string]bool{}}
	body, ok := p.find(text)
	if !ok {
		return Report{}, nil, failed(azprov.KindMalformed, "there is no record: nothing begins with result=")
	}
	fields, err := record.Decode(body)
	if err != nil {
		p.warn("the record is damaged, and what follows was left out: " + message(err))
	}
	for i, field := range fields {
		p.take(field, fields[i+1:])
	}
	p.missing()
	return p.report, p.warnings, nil
}

func failed(kind azprov.Kind, message string) error {
	return &azprov.Error{
		Op: "report.Parse", Kind: kind, Message: message,
		Hint: "copy the whole of it, from result= to the documentation's address",
	}
}

// parser fills a report.
type parser struct {
	report   Report
	warnings []string
	seen     map[string]bool
}

func (p *parser) warn(text string) {
	if len(p.warnings) < maxWarnings {
		p.warnings = append(p.warnings, text)
	}
}

// take files one field, with those that follow it.
func (p *parser) take(field azprov.Detail, following []azprov.Detail) {
	if record.Supporting(field) {
		p.report.Supporting = append(p.report.Supporting, field)
		return
	}
	if p.seen[field.Key] {
		p.warn("there is a second " + field.Key + ", which was left out")
		return
	}
	p.seen[field.Key] = true
	last := len(following) == 0
	switch field.Key {
	case record.KeyResult:
		p.result(field.Value)
	case record.KeyReason:
		p.report.Reason = field.Value
	case record.KeyAgent:
		p.report.Agent = someone(field.Value)
	case record.KeyVMID:
		p.report.VMID = someone(p.word(field.Value, last))
	case record.KeyPPSType:
		p.report.PPSType = field.Value
		if !last && record.Supporting(following[0]) {
			p.report.Supporting = append(p.report.Supporting, field)
		}
	case record.KeyTimestamp:
		p.timestamp(p.word(field.Value, last))
	case record.KeyDocumentationURL:
		p.report.DocumentationURL = whole(p.word(field.Value, last))
	}
}

func (p *parser) result(text string) {
	p.report.Result = Result(letters(text))
	if string(p.report.Result) != strings.TrimSpace(text) {
		p.warn("text behind the result was left out")
	}
	if !slices.Contains(PossibleResultValues(), p.report.Result) {
		p.warn("the result is neither success nor error")
	}
}

// word is a value that has no white space in it. In the last field white space ends it,
// and the rest is not the record's; before, a broken line has brought it in.
func (p *parser) word(value string, last bool) string {
	value = clean(value)
	if !last {
		value = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, value)
	}
	w := word(value)
	if w != strings.TrimSpace(value) {
		p.warn("text behind the record was left out")
	}
	return w
}

func (p *parser) timestamp(text string) {
	if text == unset {
		return
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			p.report.Timestamp = t.UTC()
			return
		}
	}
	p.warn("the timestamp cannot be read and was left out")
}

// missing warns of the fields that every record has.
func (p *parser) missing() {
	keys := []string{record.KeyAgent, record.KeyVMID, record.KeyTimestamp}
	if p.report.Result != ResultSuccess {
		keys = append(keys, record.KeyReason, record.KeyDocumentationURL)
	}
	var absent []string
	for _, key := range keys {
		if !p.seen[key] {
			absent = append(absent, key)
		}
	}
	if len(absent) > 0 {
		p.warn("the record was cut, or is not whole: it has no " + strings.Join(absent, ", "))
	}
}

// someone is a value, empty if the agent did not know it.
func someone(text string) string {
	if text == unset {
		return ""
	}
	return text
}

// whole completes the platform's address, which is the last field and the first to be
// cut.
func whole(address string) string {
	if rest, ok := strings.CutPrefix(azprov.DocumentationURL, address); ok && address != "" {
		return address + rest
	}
	return address
}
