package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

// What a record is.
const (
	recordReport = "report"
	recordEvent  = "event"
	recordOther  = "other"
)

// recordWidth is the length of the longest of them.
const recordWidth = len(recordReport)

// maxKeyColumn is how far values are aligned: most keys of events without their ids fit.
const maxKeyColumn = 48

// minEventParts is what the key of an event has at least: azure-init's has agent, VM id,
// level, name and an id; cloud-init's prefix, boot, type, name, since 26.1 the VM id, an id,
// and an index for a slice.
const minEventParts = 5

func (a *app) runKVPList(ctx context.Context, f *kvpFlags) error {
	ctx, cancel := a.context(ctx)
	defer cancel()
	records, err := f.open().List(ctx)
	if err != nil {
		return poolError(err)
	}
	records = slices.DeleteFunc(records, func(r kvp.Record) bool { return !strings.HasPrefix(r.Key, f.keyPrefix) })
	list := make([]any, 0, len(records))
	for _, r := range records {
		list = append(list, object{{"kind", recordKind(r.Key)}, {"key", textView(r.Key)}, {"value", textView(r.Value)}})
	}
	return a.print(object{{"path", f.pool.value}, {"records", list}}, func(w io.Writer) {
		width := 0
		if columns, ok := terminal(w, a.getenv); ok {
			width = columns()
		}
		cut := printRecords(w, records, width)
		switch {
		case len(records) == 0 && f.keyPrefix != "":
			a.remark("No key in %s begins with %q.", f.pool.value, f.keyPrefix)
		case len(records) == 0:
			a.remark("There are no records in %s.", f.pool.value)
		case cut:
			a.remark("--output json shows whole keys and values.")
		}
	})
}

// textView is a text for JSON, {"base64": …} if it is none.
func textView(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return object{{"base64", base64.StdEncoding.EncodeToString([]byte(s))}}
}

// recordKind recognises a record by its key.
func recordKind(key string) string {
	if key == kvp.ReportKey {
		return recordReport
	}
	parts := strings.Split(key, "|")
	if last := len(parts) - 1; isNumber(parts[last]) { // the index of a slice
		parts = parts[:last]
	}
	if len(parts) >= minEventParts && isUUID(parts[len(parts)-1]) {
		return recordEvent
	}
	return recordOther
}

func isUUID(s string) bool {
	_, err := azprov.ParseVMID(s)
	return err == nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// printRecords writes a line for each record, cut to a terminal of that width, or whole if
// it is 0. It tells whether something was left out.
func printRecords(w io.Writer, records []kvp.Record, width int) (cut bool) {
	type row struct{ kind, whole, key, value string }
	rows := make([]row, 0, len(records))
	keyWidth := 0
	for _, r := range records {
		row := row{kind: recordKind(r.Key), whole: azprov.OneLine(r.Key), value: azprov.OneLine(r.Value)}
		row.key = row.whole
		if row.kind == recordEvent {
			row.value = eventDigest(r.Value)
			if width > 0 {
				row.key = withoutIDs(row.key)
			}
		}
		rows = append(rows, row)
		keyWidth = max(keyWidth, utf8.RuneCountInString(row.key))
	}
	keyWidth = min(keyWidth, maxKeyColumn)
	room := max(width-1-recordWidth-2-2, 2) // a line of the full width may wrap
	if width > 0 {
		keyWidth = min(keyWidth, room/2)
	}
	for _, row := range rows {
		key, value := row.key, row.value
		if width > 0 {
			key, value = clip(key, keyWidth), clip(value, room-keyWidth)
		}
		cut = cut || key != row.whole || value != row.value
		line := pad(row.kind, recordWidth) + "  " + pad(key, keyWidth) + "  " + value
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	return cut
}

// clip is the begin of a text in that many columns.
func clip(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:max(width-1, 0)]) + "…"
}

// withoutIDs leaves out of an event's key what only programs compare.
func withoutIDs(key string) string {
	const bootDigits = 9 // of a time in seconds, since 1973; an index has fewer
	parts := strings.Split(key, "|")
	for i, part := range parts {
		if isUUID(part) || isNumber(part) && len(part) >= bootDigits {
			parts[i] = "…"
		}
	}
	return strings.Join(slices.CompactFunc(parts, func(a, b string) bool { return a == "…" && b == "…" }), "|")
}

// eventDigest is an event of cloud-init's form without what its key says already; another
// is shown as it is.
func eventDigest(value string) string {
	var e struct {
		Name     string      `json:"name"`
		Time     string      `json:"ts"`
		Result   string      `json:"result"`
		Duration json.Number `json:"duration"`
		Message  string      `json:"msg"`
	}
	if err := json.Unmarshal([]byte(value), &e); err != nil || e.Name == "" || e.Time == "" {
		return azprov.OneLine(value)
	}
	if at, err := time.Parse(time.RFC3339, e.Time); err == nil {
		e.Time = at.UTC().Format(time.RFC3339)
	}
	words := []string{e.Time, e.Result}
	if e.Duration != "" {
		words = append(words, e.Duration.String()+"s")
	}
	return azprov.OneLine(strings.Join(append(words, e.Message), " "))
}
