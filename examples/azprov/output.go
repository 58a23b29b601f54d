package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// sticky remembers the first error of a writer, so that a verb need not check each
// line that it prints.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(b)
	s.err = err
	return n, err
}

// failure is the error of standard output, if it could not be written.
func (s *sticky) failure() error {
	if s.err == nil {
		return nil
	}
	return fmt.Errorf("standard output cannot be written: %w", s.err)
}

// locked lets several goroutines write: the log's and the verb's.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// print shows a result: the document in JSON, or what text writes.
func (a *app) print(document any, text func(w io.Writer)) error {
	if a.json() {
		return writeJSON(a.out, document, a.global.reveal)
	}
	text(a.out)
	return nil
}

// remark tells people something beside the result, which is never part of it.
func (a *app) remark(format string, args ...any) {
	if !a.json() {
		_, _ = fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// writeJSON writes one JSON value, indented, and a line end. Secrets in it are shown
// only if reveal is set.
func writeJSON(w io.Writer, v any, reveal bool) error {
	b, err := encodeJSON(view(v, reveal))
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = w.Write(indented.Bytes())
	return err
}

// encodeJSON is json.Marshal without the escapes that only HTML needs.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// fact is one line of a text output.
type fact struct {
	name  string
	value string
	// from says where the value came from. If any fact of a list has it, all do.
	from string
}

// printFacts writes aligned lines. Values come from outside: they are made one line,
// so that they cannot steer a terminal.
func printFacts(w io.Writer, indent string, facts []fact) {
	nameWidth, fromWidth := 0, 0
	for _, f := range facts {
		nameWidth = max(nameWidth, utf8.RuneCountInString(f.name))
		fromWidth = max(fromWidth, utf8.RuneCountInString(f.from))
	}
	for _, f := range facts {
		value := azprov.OneLine(f.value)
		if value == "" {
			value = "-"
		}
		line := indent + pad(f.name, nameWidth) + "  "
		if fromWidth > 0 {
			line += pad(f.from, fromWidth) + "  "
		}
		_, _ = fmt.Fprintln(w, line+value)
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// size describes a secret without showing it.
func size(s azprov.Secret) string {
	switch {
	case s.IsZero():
		return "none"
	case s.Len() == 1:
		return "1 byte, " + azprov.Redacted
	default:
		return fmt.Sprintf("%d bytes, %s", s.Len(), azprov.Redacted)
	}
}

// remarks says how many the emulated services made.
func remarks(n int) string {
	if n == 0 {
		return "no remarks"
	}
	return plural(n, "remark", "remarks")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
