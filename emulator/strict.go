package emulator

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/nearest"
)

// strictJSON checks that b is what type t can be read from. Unlike encoding/json it
// refuses keys that are unknown, spelt in another case or there twice, and says of
// everything that is wrong in which line it is and below which keys.
func strictJSON(op string, b []byte, t reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(b))
	w := keyWalker{op: op, decoder: d, document: b}
	if err := w.value(t, ""); err != nil {
		return jsonError(op, b, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed(op, "there is more after the JSON object")
	}
	return nil
}

// jsonError says in words of ours what encoding/json found: its own would quote
// values, which may be secrets.
func jsonError(op string, b []byte, err error) error {
	var own *azprov.Error
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return &azprov.Error{Op: op, Kind: azprov.KindMalformed, Message: own.Message, Hint: own.Hint, Last: own.Last}
	case errors.As(err, &syntax):
		return malformed(op, fmt.Sprintf("not JSON: line %d: %v", lineOf(b, syntax.Offset), syntax))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(op, "not JSON: it ends too early")
	default:
		return malformed(op, "a value is not of the form it must have")
	}
}

func lineOf(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n"))
}

// firstWord leaves out the value in "number 12.5".
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// A keyWalker reads the tokens of a document next to the type they are meant for.
type keyWalker struct {
	op       string
	decoder  *json.Decoder
	document []byte
}

// wrong is an error at the token that was read last.
func (w keyWalker) wrong(message string) *azprov.Error {
	return &azprov.Error{
		Op: w.op, Kind: azprov.KindMalformed,
		Message: fmt.Sprintf("line %d: %s", lineOf(w.document, w.decoder.InputOffset()), message),
	}
}

// value reads one value. Types that read JSON or text on their own are left to it.
func (w keyWalker) value(t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if readsItself(t) || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice {
		return w.leaf(t, path)
	}
	token, err := w.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		if t.Kind() != reflect.Struct {
			return w.wrong(path + " is an object, want a list")
		}
		return w.object(t, path)
	case json.Delim('['):
		if t.Kind() != reflect.Slice {
			return w.wrong(orDocument(path) + " is a list, want an object")
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
	if t.Kind() == reflect.Slice {
		return w.wrong(path + " is no list")
	}
	wrong := w.wrong(orDocument(path) + " is neither an object nor a list")
	wrong.Hint = "it is an object with some of " + strings.Join(slices.Sorted(maps.Keys(keysOf(t))), ", ")
	return wrong
}

// keysOf returns the types of a struct's fields by their keys.
func keysOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Type
	}
	return fields
}

// readsItself reports whether a type has a form of its own in JSON.
func readsItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// leaf reads a value without keys of ours, and tries whether it fits.
func (w keyWalker) leaf(t reflect.Type, path string) error {
	var value json.RawMessage
	if err := w.decoder.Decode(&value); err != nil {
		return err
	}
	err := json.Unmarshal(value, reflect.New(t).Interface())
	var own *azprov.Error
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return w.wrong(path + ": " + own.Message)
	case errors.As(err, &kind):
		want := kind.Type
		if readsItself(want) || want.Kind() == reflect.Pointer { // Its form is a text.
			want = reflect.TypeFor[string]()
		}
		wrong := w.wrong(fmt.Sprintf("%s is %s, want %s", path, valueName(firstWord(kind.Value)), valueName(want.Kind().String())))
		switch {
		case t == reflect.TypeFor[Duration]():
			wrong.Hint = "write a duration with its unit, such as 1.5s or 100ms"
		case want.Kind() == reflect.String:
			wrong.Hint = "put it into quotes"
		}
		return wrong
	default:
		return w.wrong(path + " is not of the form it must have")
	}
}

// valueName is what people call a kind of value, of JSON or of Go.
func valueName(kind string) string {
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array", "slice":
		return "a list"
	case "object", "map", "struct":
		return "an object"
	case "float64", "number":
		return "a number"
	case "uint64":
		return "a whole number from 0"
	default:
		return "a whole number"
	}
}

// inLine puts the line in front of an error that begins with the path of a value which
// stands in the document itself, and not in what it extends.
func inLine(b []byte, err error) error {
	var own *azprov.Error
	if !errors.As(err, &own) {
		return err
	}
	path, _, _ := strings.Cut(own.Message, " ")
	line := linesOf(b)[strings.TrimSuffix(path, ":")]
	if line == 0 {
		return err
	}
	told := *own
	told.Message = fmt.Sprintf("line %d: %s", line, own.Message)
	return &told
}

// linesOf returns the lines of the values in a document by their paths.
func linesOf(b []byte) map[string]int {
	lines := map[string]int{}
	d := json.NewDecoder(bytes.NewReader(b))
	var walk func(path string)
	walk = func(path string) {
		token, err := d.Token()
		if err != nil {
			return
		}
		lines[path] = lineOf(b, d.InputOffset())
		for i := 0; (token == json.Delim('{') || token == json.Delim('[')) && d.More(); i++ {
			at := fmt.Sprintf("%s[%d]", path, i)
			if token == json.Delim('{') {
				key, _ := d.Token()
				at = strings.TrimPrefix(fmt.Sprintf("%s.%v", path, key), ".")
			}
			walk(at)
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			_, _ = d.Token()
		}
	}
	walk("")
	delete(lines, "")
	return lines
}

// object reads the members of an object up to its end.
func (w keyWalker) object(t reflect.Type, path string) error {
	fields := keysOf(t)
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
			return w.unknownKey(path, key, fields)
		}
		if seen[key] {
			return w.wrong(at + " is there twice")
		}
		seen[key] = true
		if err := w.value(field, at); err != nil {
			return err
		}
	}
	_, err := w.decoder.Token()
	return err
}

func (w keyWalker) unknownKey(path, key string, fields map[string]reflect.Type) error {
	known := slices.Sorted(maps.Keys(fields))
	err := w.wrong(fmt.Sprintf("unknown key %q in %s", key, orDocument(path)))
	near, within := nearest.Word(key, known), keysWith(fields, key)
	switch {
	case len(within) > 0:
		err.Hint = "it belongs in " + strings.Join(within, ", or in ") + ": indent it"
	case near != "":
		err.Hint = fmt.Sprintf("did you mean %q?", near)
	default:
		err.Hint = "known are " + strings.Join(known, ", ")
	}
	return err
}

// keysWith returns the keys whose objects have a member of that name.
func keysWith(fields map[string]reflect.Type, member string) []string {
	var within []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		t := fields[key]
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || readsItself(t) {
			continue
		}
		if _, known := keysOf(t)[member]; known {
			within = append(within, key)
		}
	}
	return within
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
