package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
	"github.com/azprov/azprov/report/kvp"
)

func (f *kvpFlags) open() *kvp.Pool {
	return kvp.Open(&kvp.Options{Path: f.pool.value, Create: f.create})
}

func (a *app) runKVPGet(ctx context.Context, f *kvpFlags, key string) error {
	ctx, cancel := a.context(ctx)
	defer cancel()
	records, err := f.open().List(ctx)
	if err != nil {
		return poolError(err)
	}
	value, found := "", false
	for _, r := range records {
		if r.Key == key {
			value, found = r.Value, true
		}
	}
	if !found {
		return f.noSuchKey("kvp get", key, records)
	}
	document := object{{"path", f.pool.value}, {"key", textView(key)}, {"value", textView(value)}}
	return a.print(document, func(w io.Writer) {
		text := strings.Map(steady, strings.ToValidUTF8(value, "\uFFFD"))
		_, _ = fmt.Fprintln(w, text)
		if text != value {
			a.remark("Not all of it is text and was replaced; --output json has it as it is.")
		}
	})
}

// steady replaces what would steer a terminal.
func steady(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return ' '
	}
	return r
}

// noSuchKey suggests the key that was meant.
func (f *kvpFlags) noSuchKey(op, key string, records []kvp.Record) error {
	keys := make([]string, 0, len(records))
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	hint := "azprov kvp list shows the keys"
	if len(key) <= kvp.MaxKey { // a longer one is not worth the time
		if meant := nearest.Word(key, keys); meant != "" {
			hint = "did you mean " + strconv.Quote(azprov.OneLine(meant)) + "? " + hint
		}
	}
	return &azprov.Error{
		Op: op, Target: filepath.Clean(f.pool.value), Kind: azprov.KindNotFound,
		Message: "no record has the key " + strconv.Quote(azprov.OneLine(key)), Hint: hint,
	}
}

func (a *app) runKVPWrite(ctx context.Context, f *kvpFlags, key, value string) error {
	if value == "-" {
		b, err := a.readFile("-")
		if err != nil {
			return err
		}
		value = strings.TrimSuffix(string(b), "\n")
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	pool := f.open()
	var err error
	if f.append {
		err = pool.Append(ctx, kvp.Record{Key: key, Value: value})
	} else {
		err = pool.Upsert(ctx, key, value)
	}
	if err == nil {
		err = pool.Flush(ctx)
	}
	if err != nil {
		return poolError(err)
	}
	return a.print(object{{"path", pool.Path()}, {"key", key}, {"bytes", len(value)}, {"appended", f.append}}, func(w io.Writer) {
		printFacts(w, "", []fact{
			{name: "written", value: key + ", " + plural(len(value), "byte", "bytes")}, {name: "pool", value: pool.Path()},
		})
	})
}

func (a *app) runKVPDelete(ctx context.Context, f *kvpFlags, key string) error {
	ctx, cancel := a.context(ctx)
	defer cancel()
	pool := f.open()
	n, err := pool.Delete(ctx, key)
	if err != nil {
		return poolError(err)
	}
	if n == 0 {
		records, _ := pool.List(ctx) // for the hint alone
		return f.noSuchKey("kvp delete", key, records)
	}
	return a.print(object{{"path", pool.Path()}, {"key", textView(key)}, {"deleted", n}}, func(w io.Writer) {
		printFacts(w, "", []fact{
			{name: "deleted", value: key + ", " + plural(n, "record", "records")}, {name: "pool", value: pool.Path()},
		})
	})
}

func (a *app) runKVPClear(ctx context.Context, f *kvpFlags) error {
	ctx, cancel := a.context(ctx)
	defer cancel()
	pool := f.open()
	if !f.ifStale {
		if err := pool.Clear(ctx); err != nil {
			return poolError(err)
		}
		return a.print(object{{"path", pool.Path()}, {"cleared", true}}, func(w io.Writer) {
			printFacts(w, "", []fact{{name: "cleared", value: pool.Path()}})
		})
	}
	boot, err := kvp.BootTime(a.proc)
	if err != nil {
		return withHint(err, "without --if-stale the pool is cleared in any case")
	}
	cleared, err := pool.ClearStale(ctx, boot)
	if err != nil {
		return poolError(err)
	}
	at := boot.Format(time.RFC3339)
	return a.print(object{{"path", pool.Path()}, {"cleared", cleared}, {"boot", at}}, func(w io.Writer) {
		result := fact{name: "kept", value: pool.Path() + ": empty, or written since the boot at " + at}
		if cleared {
			result = fact{name: "cleared", value: pool.Path() + ": last written before the boot at " + at}
		}
		printFacts(w, "", []fact{result})
	})
}

// poolHints say what to do about a pool, and recordHints about a record, by the kind of
// the error; the package's own speak to programmers.
var (
	poolHints = map[azprov.Kind]string{
		azprov.KindNotFound: "hv_kvp_daemon makes it when it starts (package hyperv-daemons, on Ubuntu linux-cloud-tools); " +
			"--create of kvp write makes it before, --pool FILE names another",
		azprov.KindDenied:    "run it as root, or name a file of your own with --pool FILE",
		azprov.KindMalformed: "name the file itself with --pool FILE",
		azprov.KindTooLarge:  "look at the file; azprov kvp clear removes all that is in it",
		azprov.KindTimeout:   "see who keeps the file locked, with fuser or lslocks, and try again",
	}
	recordHints = map[azprov.Kind]string{
		azprov.KindTooLarge:  "shorten it, or write pieces of it under several keys",
		azprov.KindMalformed: "write it as text, in base64 for example",
	}
)

// poolError gives an error of a pool the hint for users of the command. An error about a
// record is one without a file.
func poolError(err error) error {
	var e *azprov.Error
	if !errors.As(err, &e) {
		return err
	}
	hints := poolHints
	if e.Target == "" {
		hints = recordHints
	}
	return withHint(err, hints[e.Kind])
}

// withHint returns the error with another hint, unless that is empty.
func withHint(err error, hint string) error {
	var e *azprov.Error
	if hint == "" || !errors.As(err, &e) {
		return err
	}
	told := *e
	told.Hint = hint
	return &told
}
