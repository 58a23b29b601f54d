// Package record writes, reads and shortens the one-line record in which a
// provisioning agent tells the platform how provisioning went:
//
//	result=error|reason=connection timeout querying IMDS|agent=…|vm_id=…|timestamp=…
//
// It is one CSV record with the delimiter "|" and quotes only where they are
// needed. cloud-init (cloudinit/sources/azure/errors.py) quotes with ', azure-init
// (libazureinit/src/error.rs) with "; both double the quote inside a quoted field.
package record

import (
	"strings"
	"unicode"

	"github.com/azprov/azprov"
)

// The quote characters of the two dialects.
const (
	// QuoteSingle is what cloud-init writes.
	QuoteSingle byte = '\''
	// QuoteDouble is what azure-init writes.
	QuoteDouble byte = '"'
)

const delimiter = '|'

// Keys of the record's own fields, which it always keeps: they are never supporting
// data. The platform and Azure's support read them.
const (
	KeyResult           = "result"
	KeyReason           = "reason"
	KeyAgent            = "agent"
	KeyVMID             = "vm_id"
	KeyPPSType          = "pps_type"
	KeyTimestamp        = "timestamp"
	KeyDocumentationURL = "documentation_url"
)

// Encode returns fields as one record. A Detail with a key becomes "key=value",
// one without is written as its bare value. quote is [QuoteSingle] or
// [QuoteDouble]; anything else counts as QuoteSingle.
//
// A field is quoted if it contains the delimiter, the quote, CR or LF, or begins
// with the other dialect's quote, so that [Decode] need not be told the dialect.
// White space at the end of the record is dropped, as cloud-init does.
func Encode(fields []azprov.Detail, quote byte) string {
	if quote != QuoteDouble {
		quote = QuoteSingle
	}
	if len(fields) == 1 && fields[0] == (azprov.Detail{}) {
		return string([]byte{quote, quote})
	}
	var b strings.Builder
	for i, field := range fields {
		if i > 0 {
			b.WriteByte(delimiter)
		}
		writeField(&b, Text(field), quote)
	}
	return strings.TrimRightFunc(b.String(), unicode.IsSpace)
}

// Text is a field as [Encode] writes it, before quoting.
func Text(field azprov.Detail) string {
	if field.Key == "" {
		return field.Value
	}
	return field.Key + "=" + field.Value
}

func writeField(b *strings.Builder, field string, quote byte) {
	special := string([]byte{delimiter, quote, '\r', '\n'})
	if !strings.ContainsAny(field, special) && !startsQuoted(field) {
		b.WriteString(field)
		return
	}
	q := string(quote)
	b.WriteString(q)
	b.WriteString(strings.ReplaceAll(field, q, q+q))
	b.WriteString(q)
}

func startsQuoted(field string) bool {
	return field != "" && (field[0] == QuoteSingle || field[0] == QuoteDouble)
}

// Decode splits a record of either dialect into its fields. The first field that
// begins with a quote decides the dialect. A field without "=", or that begins
// with it, has no key. The empty record has no fields.
//
// A record that ends inside a quoted field (both peers and the platform cut
// records) or has text after a closing quote is an error of
// [azprov.KindMalformed]; the fields read so far come with it.
func Decode(record string) ([]azprov.Detail, error) {
	fields, _, err := decode(record)
	return fields, err
}

// decode also returns the quote that the record's writer must have used.
func decode(record string) ([]azprov.Detail, byte, error) {
	if record == "" {
		return nil, QuoteSingle, nil
	}
	var fields []azprov.Detail
	var quote byte
	for rest, more := record, true; more; {
		if quote == 0 && startsQuoted(rest) {
			quote = rest[0]
		}
		var field string
		var err error
		field, rest, more, err = cutField(rest, quote)
		fields = append(fields, Split(field))
		if err != nil {
			return fields, quote, err
		}
	}
	if quote == 0 {
		quote = unusedQuote(record)
	}
	return fields, quote, nil
}

// cutField takes the first field off rest; more is false after the last.
func cutField(rest string, quote byte) (field, after string, more bool, err error) {
	if rest == "" || quote == 0 || rest[0] != quote {
		field, after, more = strings.Cut(rest, string(delimiter))
		return field, after, more, nil
	}
	var b strings.Builder
	for rest = rest[1:]; ; {
		end := strings.IndexByte(rest, quote)
		if end < 0 {
			b.WriteString(rest)
			return b.String(), "", false, malformed("the record ends inside a quoted field")
		}
		b.WriteString(rest[:end])
		rest = rest[end+1:]
		switch {
		case rest == "":
			return b.String(), "", false, nil
		case rest[0] == delimiter:
			return b.String(), rest[1:], true, nil
		case rest[0] != quote:
			return b.String(), "", false, malformed("text follows the closing quote of a field")
		}
		b.WriteByte(quote)
		rest = rest[1:]
	}
}

// Split is how [Decode] takes one field apart: a text without "=", or that begins with
// it, has no key.
func Split(field string) azprov.Detail {
	key, value, found := strings.Cut(field, "=")
	if !found || key == "" {
		return azprov.Detail{Value: field}
	}
	return azprov.Detail{Key: key, Value: value}
}

// unusedQuote tells the dialect of a record without a quoted field: a quote that
// stands in it unquoted is not its own.
func unusedQuote(record string) byte {
	if strings.IndexByte(record, QuoteSingle) >= 0 {
		return QuoteDouble
	}
	return QuoteSingle
}

func malformed(message string) error {
	return &azprov.Error{Op: "record.Decode", Kind: azprov.KindMalformed, Message: message}
}
