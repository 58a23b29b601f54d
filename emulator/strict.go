package emulator

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

// strictJSON reads b into target, a pointer to a struct. Unlike encoding/json it
// refuses keys that are unknown, spelt in another case or there twice, and says
// where they are.
func strictJSON(op string, b []byte, target any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	w := keyWalker{op: op, decoder: d}
	if err := w.value(reflect.TypeOf(target).Elem(), ""); err != nil {
		return jsonError(op, b, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed(op, "there is more after the JSON object")
	}
	if err := json.Unmarshal(b, target); err != nil {
		return jsonError(op, b, err)
	}
	return nil
}

// jsonError says in words of ours what encoding/json found: its own would quote
// values, which may be secrets.
func jsonError(op string, b []byte, err error) error {
	var own *azprov.Error
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: own.Message, Hint: own.Hint, Last: own.Last}
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n"))
		return malformed(op, fmt.Sprintf("not JSON: line %d: %v", line, syntax))
	case errors.As(err, &wrong):
		return malformed(op, fmt.Sprintf("%s is a %s, want %s", wrong.Field, firstWord(wrong.Value), wrong.Type))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(op, "not JSON: it ends too early")
	default:
		return malformed(op, "a value is not of the form it must have")
	}
}

// firstWord leaves out the value in "number 12.5".
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// A keyWalker reads the tokens of a document next to the type they are meant for.
type keyWalker struct {
	op      string
	decoder *json.Decoder
}

// value reads one value. Types that read JSON or text on their own are left to it.
func (w keyWalker) value(t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	opaque := reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	if opaque || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice {
		var skipped json.RawMessage
		return w.decoder.Decode(&skipped)
	}
	token, err := w.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		if t.Kind() != reflect.Struct {
			return malformed(w.op, path+" is an object, want a list")
		}
		return w.object(t, path)
	case json.Delim('['):
		if t.Kind() != reflect.Slice {
			return malformed(w.op, orDocument(path)+" is a list, want an object")
		}
		for i := 0; w.decoder.More(); i++ {
			if err := w.value(t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		_, err = w.decoder.Token()
		return err
	case nil:
		return nil
	}
	return malformed(w.op, orDocument(path)+" is neither an object nor a list")
}

// object reads the members of an object up to its end.
func (w keyWalker) object(t reflect.Type, path string) error {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Type
	}
	seen := map[string]bool{}
	for w.decoder.More() {
		token, err := w.decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		field, known := fields[key]
		if !known {
			return unknownKey(w.op, path, key, fields)
		}
		if seen[key] {
			return malformed(w.op, at+" is there twice")
		}
		seen[key] = true
		if err := w.value(field, at); err != nil {
			return err
		}
	}
	_, err := w.decoder.Token()
	return err
}

func unknownKey(op, path, key string, fields map[string]reflect.Type) error {
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	err := &azprov.Error{
		Op: op, Kind: azprov.KindMalformed,
		Message: fmt.Sprintf("unknown key %q in %s", key, orDocument(path)),
	}
	slices.Sort(known)
	if near := nearest.Word(key, known); near != "" {
		err.Hint = fmt.Sprintf("did you mean %q?", near)
	} else {
		err.Hint = "known are " + strings.Join(known, ", ")
	}
	return err
}

func orDocument(path string) string {
	if path == "" {
		return "the scenario"
	}
	return path
}

func malformed(op, message string) error {
	return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: message}
}
