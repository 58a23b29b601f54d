package report

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/record"
)

// unset is what both agents write for a value that they do not know (Python's and
// Rust's None).
const unset = "None"

// ownPrefix makes a supporting detail of one that has the key of a field of the record
// itself, so that it cannot pass for that field.
const ownPrefix = "detail_"

// here is the place of the supporting data in an order.
const here = ""

// orders of the fields. Both agents have another for a success than for a failure; what
// a peer does not write in a success, but a Report may have, comes behind the rest.
var (
	cloudInitSuccess = []string{
		record.KeyResult, record.KeyAgent, record.KeyTimestamp, record.KeyVMID,
		record.KeyReason, here, record.KeyPPSType, record.KeyDocumentationURL,
	}
	azureInitSuccess = []string{
		record.KeyResult, record.KeyAgent, record.KeyPPSType, record.KeyVMID, record.KeyTimestamp,
		record.KeyReason, here, record.KeyDocumentationURL,
	}
	// failure is the same in both, but for the type, which cloud-init does not have.
	failure = []string{
		record.KeyResult, record.KeyReason, record.KeyAgent, here,
		record.KeyPPSType, record.KeyVMID, record.KeyTimestamp, record.KeyDocumentationURL,
	}
)

// Encode returns the report as one record. An unknown dialect counts as cloud-init's.
//
// It cannot fail, because a report must not be lost for what is in it: text that is not
// UTF-8 and control characters other than tab and line breaks are replaced, the latter
// by blanks; VM id and URL end before the first white space; supporting data with the key of
// a field of the record itself gets the prefix "detail_" on it. Only a pps_type may
// stand among the supporting data, once: it is then not written again.
func (r Report) Encode(dialect Dialect) string {
	return record.Encode(r.fields(dialect), quote(dialect))
}

// EncodeWithin is [Report.Encode] within limit bytes of UTF-8. The supporting data is
// shortened, the longest value first and never inside a rune, until the record fits;
// everything else survives and the record can be decoded.
//
// If that is not enough, the error is of [azprov.KindTooLarge], and the record that
// comes with it has also lost of its reason, then of the rest, the result last. It fits
// still, and can be sent.
func (r Report) EncodeWithin(dialect Dialect, limit int) (string, error) {
	size := func(candidate string) int { return len(candidate) }
	short := record.Shorten(r.Encode(dialect), size, limit)
	var kept []azprov.Detail
	for _, field := range r.fields(dialect) {
		if !record.Supporting(field) {
			kept = append(kept, field)
		}
	}
	if least := len(record.Encode(kept, quote(dialect))); least > limit {
		return short, &azprov.Error{
			Op: "report.EncodeWithin", Kind: azprov.KindTooLarge,
			Message: "without any supporting data the record has " + strconv.Itoa(least) +
				" bytes, more than the limit of " + strconv.Itoa(limit),
			Hint: "shorten the reason: what explains it belongs into the supporting data",
		}
	}
	return short, nil
}

func quote(dialect Dialect) byte {
	if dialect == DialectAzureInit {
		return record.QuoteDouble
	}
	return record.QuoteSingle
}

func order(dialect Dialect, success bool) []string {
	switch {
	case !success:
		return failure
	case dialect == DialectAzureInit:
		return azureInitSuccess
	default:
		return cloudInitSuccess
	}
}

// fields is the record before it is written.
func (r Report) fields(dialect Dialect) []azprov.Detail {
	supporting, ppsType := r.supporting(dialect)
	own := map[string]string{
		record.KeyResult:           string(r.result()),
		record.KeyReason:           clean(r.Reason),
		record.KeyAgent:            known(clean(r.Agent)),
		record.KeyVMID:             known(word(clean(r.VMID))),
		record.KeyPPSType:          ppsType,
		record.KeyTimestamp:        stamp(r.Timestamp, dialect),
		record.KeyDocumentationURL: word(clean(r.DocumentationURL)),
	}
	success := r.result() == ResultSuccess
	if !success {
		own[record.KeyReason] = either(own[record.KeyReason], reasonUnknown)
		own[record.KeyDocumentationURL] = either(own[record.KeyDocumentationURL], azprov.DocumentationURL)
	}
	var fields []azprov.Detail
	for _, key := range order(dialect, success) {
		switch {
		case key == here:
			fields = append(fields, supporting...)
		case own[key] != "":
			fields = append(fields, azprov.Detail{Key: key, Value: own[key]})
		}
	}
	return fields
}

// supporting is the supporting data as it is written, and what is to be written as the
// type of its own: azure-init always has one, in its place; in cloud-init's records it is
// supporting data where there is one at all (ReportableErrorMissingCustomData).
func (r Report) supporting(dialect Dialect) (details []azprov.Detail, ppsType string) {
	ppsType = clean(r.PPSType)
	among := false
	for _, d := range r.Supporting {
		d = record.Split(clean(record.Text(d)))
		switch {
		case record.Supporting(d):
		case d.Key == record.KeyPPSType && !among:
			among = true
			ppsType = either(ppsType, d.Value)
			if dialect == DialectAzureInit {
				continue
			}
		default:
			d.Key = ownPrefix + d.Key
		}
		details = append(details, d)
	}
	switch {
	case dialect == DialectAzureInit:
		return details, known(ppsType)
	case among:
		return details, ""
	default:
		return details, ppsType
	}
}

func (r Report) result() Result {
	return Result(either(letters(string(r.Result)), string(ResultError)))
}

// stamp is the time as the dialect's agent writes it: Python leaves a fraction of zero
// out, and chrono writes three, six or nine digits, as many as are needed.
func stamp(t time.Time, dialect Dialect) string {
	if t.IsZero() {
		return unset
	}
	t = t.UTC()
	layout := "2006-01-02T15:04:05"
	nanos := t.Nanosecond()
	switch {
	case dialect != DialectAzureInit && nanos/1000 == 0, nanos == 0:
	case dialect != DialectAzureInit, nanos%1e6 != 0 && nanos%1000 == 0:
		layout += ".000000"
	case nanos%1e6 == 0:
		layout += ".000"
	default:
		layout += ".000000000"
	}
	return t.Format(layout) + "+00:00"
}

func known(s string) string { return either(s, unset) }

func either(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// clean makes s fit for where records go: a Hyper-V pool ends a value at a NUL, and XML
// 1.0 knows no other control characters than tab and line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// word is the part of s that can be an id or an address: up to white space, a quote or a
// bracket, without the punctuation of a sentence around it.
func word(s string) string {
	s = strings.TrimSpace(s)
	if end := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("<>\"'`|", r)
	}); end >= 0 {
		s = s[:end]
	}
	return strings.TrimRight(s, ".,;:!?)]}")
}

// letters is the part of s that can be a result.
func letters(s string) string {
	if end := strings.IndexFunc(s, func(r rune) bool { return !inWord(r) }); end >= 0 {
		s = s[:end]
	}
	return s
}

// inWord reports whether r can stand in a key or a result.
func inWord(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
