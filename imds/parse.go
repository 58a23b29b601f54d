package imds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// MaxDocument is the size in bytes over which no IMDS document is read. The
// largest real one, with a full storage profile and 64 KiB of user data in
// base64, stays well below it.
const MaxDocument = 1 << 20

// maxValues bounds the number of values in a document, counted as the bytes that
// precede one. A megabyte of "{},{},…" where disks are expected would otherwise
// unfold into hundreds of megabytes, more than an initramfs may have. A VM with
// every disk, address and tag that Azure allows has some ten thousand.
const maxValues = 64 << 10

// maxWarnings is enough to see what is wrong with a document.
const maxWarnings = 16

// reasonParse is the text that the platform knows for an unreadable document
// (cloud-init: cloudinit/sources/azure/errors.py).
const reasonParse = "error parsing IMDS metadata"

// parseDocument reads b, which must hold one JSON value that starts with open
// ('{' or '['), into the struct or slice that into points to.
//
// Documents of the documented shape take encoding/json's way. One with a value
// of another type is read again, leniently: scalars become text, and what cannot
// be used is left out with a warning (azure-init met booleans that were not
// strings; nobody promises that they are the last).
func parseDocument(op string, b []byte, open byte, into any) (warnings []string, err error) {
	b, err = inspectDocument(op, b, open)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(b, into)
	if err == nil {
		return nil, nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		// The text of a SyntaxError quotes the document, so it is left out.
		return nil, documentError(op, azprov.KindMalformed,
			fmt.Sprintf("invalid JSON at byte %d of %d", syntax.Offset, len(b)))
	}
	return parseLeniently(op, b, into)
}

func parseLeniently(op string, b []byte, into any) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, documentError(op, azprov.KindMalformed, "invalid JSON")
	}
	target := reflect.ValueOf(into).Elem()
	target.SetZero()
	l := lenient{}
	l.set(target, tree, "")
	if l.err != nil {
		return nil, documentError(op, azprov.KindMalformed, l.err.Error())
	}
	return l.warnings, nil
}

// inspectDocument refuses what is not worth parsing and returns b without a byte
// order mark.
func inspectDocument(op string, b []byte, open byte) ([]byte, error) {
	if len(b) > MaxDocument {
		return nil, documentError(op, azprov.KindTooLarge, "the document is over "+strconv.Itoa(MaxDocument)+" bytes")
	}
	if !utf8.Valid(b) {
		return nil, documentError(op, azprov.KindMalformed, "the document is not UTF-8")
	}
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	start := bytes.TrimLeft(b, " \t\r\n")
	if len(start) == 0 {
		return nil, documentError(op, azprov.KindMalformed, "the document is empty")
	}
	if start[0] != open {
		return nil, documentError(op, azprov.KindMalformed,
			"the document is "+describe(start[0])+", want "+describe(open))
	}
	values := bytes.Count(b, []byte(",")) + bytes.Count(b, []byte("{")) + bytes.Count(b, []byte("["))
	if values > maxValues {
		return nil, documentError(op, azprov.KindTooLarge, "the document holds over "+strconv.Itoa(maxValues)+" values")
	}
	return b, nil
}

// describe says what a document is, by its first byte.
func describe(first byte) string {
	switch first {
	case '{':
		return "a JSON object"
	case '[':
		return "a JSON array"
	case '<':
		return "HTML or XML"
	case '"':
		return "a JSON string"
	case 'n', 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return "a bare word or number"
	default:
		return "no JSON"
	}
}

func documentError(op string, kind azprov.Kind, message string) error {
	return &azprov.Error{
		Op: op, Kind: kind, Message: message, Reason: reasonParse,
		Details: []azprov.Detail{{Key: "exception", Value: message}},
	}
}

// lenient fills models from a tree of any, string, json.Number, bool, nil, maps
// and slices.
type lenient struct {
	warnings []string
	err      error
}

// set puts node into v and reports whether it could. What it could not use is
// named in a warning by its path, which consists of the model's own names: the
// document's text stays out of warnings.
func (l *lenient) set(v reflect.Value, node any, path string) bool {
	if node == nil {
		return true
	}
	if secret, ok := reflect.TypeAssert[*azprov.Secret](v.Addr()); ok {
		return l.setSecret(secret, node, path)
	}
	switch v.Kind() {
	case reflect.String:
		text, ok := scalarText(node)
		if !ok {
			return l.refuse(path, node, "a string")
		}
		v.SetString(text)
	case reflect.Int:
		text, _ := scalarText(node)
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 0)
		if err != nil {
			return l.refuse(path, node, "a whole number")
		}
		v.SetInt(n)
	case reflect.Pointer:
		value := reflect.New(v.Type().Elem())
		if !l.set(value.Elem(), node, path) {
			return false
		}
		v.Set(value)
	case reflect.Struct:
		return l.setStruct(v, node, path)
	case reflect.Slice:
		return l.setSlice(v, node, path)
	default:
		// The models have no other kinds; TestModelKinds would tell.
		return l.refuse(path, node, v.Kind().String())
	}
	return true
}

func (l *lenient) setSecret(secret *azprov.Secret, node any, path string) bool {
	text, ok := scalarText(node)
	if !ok {
		return l.refuse(path, node, "a string")
	}
	if err := secret.UnmarshalText([]byte(text)); err != nil && l.err == nil {
		l.err = fmt.Errorf("%s: %w", path, err)
	}
	return true
}

func (l *lenient) setStruct(v reflect.Value, node any, path string) bool {
	object, ok := node.(map[string]any)
	if !ok {
		return l.refuse(path, node, "an object")
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if name == "" || name == "-" {
			continue
		}
		if value, ok := lookup(object, name); ok {
			l.set(v.Field(i), value, strings.TrimPrefix(path+"."+name, "."))
		}
	}
	return true
}

func (l *lenient) setSlice(v reflect.Value, node any, path string) bool {
	array, ok := node.([]any)
	if !ok {
		return l.refuse(path, node, "an array")
	}
	kept := reflect.MakeSlice(v.Type(), 0, len(array))
	for i, value := range array {
		element := reflect.New(v.Type().Elem()).Elem()
		if l.set(element, value, path+"["+strconv.Itoa(i)+"]") {
			kept = reflect.Append(kept, element)
		}
	}
	v.Set(kept)
	return true
}

// lookup prefers the documented spelling and then, as encoding/json does, takes
// any case. Of several other spellings the least is taken, so that the result
// does not depend on the order of a map.
func lookup(object map[string]any, name string) (any, bool) {
	if value, ok := object[name]; ok {
		return value, true
	}
	found := ""
	for key := range object {
		if strings.EqualFold(key, name) && (found == "" || key < found) {
			found = key
		}
	}
	value, ok := object[found]
	return value, ok && found != ""
}

// refuse notes that node is not used. An empty string is how IMDS says that a
// value does not apply, so it is nothing to warn about.
func (l *lenient) refuse(path string, node any, want string) bool {
	if node == "" {
		return true
	}
	if len(l.warnings) == maxWarnings {
		return false
	}
	if path == "" {
		path = "document"
	}
	warning := path + " is " + treeType(node) + ", want " + want + ": left out"
	if len(l.warnings) == maxWarnings-1 {
		warning = "more values left out"
	}
	l.warnings = append(l.warnings, warning)
	return false
}

// scalarText returns the text of a string, number or boolean.
func scalarText(node any) (string, bool) {
	switch value := node.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		return strconv.FormatBool(value), true
	default:
		return "", false
	}
}

func treeType(node any) string {
	switch node.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	default:
		return "a boolean"
	}
}
