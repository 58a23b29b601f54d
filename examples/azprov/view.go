package main

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/azprov/azprov"
)

// member and object are a JSON object with its members in order.
type member struct {
	name  string
	value any
}

type object []member

// MarshalJSON keeps the order of the members.
func (o object) MarshalJSON() ([]byte, error) {
	parts := make([]string, 0, len(o))
	for _, m := range o {
		name, err := encodeJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := encodeJSON(m.value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(name)+":"+string(value))
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// view turns a value of the SDK into objects, lists and plain values for output. It
// is the one place where secrets become text: a secret is "[redacted]", or, with
// reveal, its text, or {"base64": …} if its bytes are no text. Fields have the names
// of their json tags, or their own in lower camel case; lists are never null.
func view(v any, reveal bool) any { return viewOf(reflect.ValueOf(v), reveal) }

func viewOf(v reflect.Value, reveal bool) any {
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case azprov.Secret:
		return viewSecret(x, reveal)
	case object, json.RawMessage:
		return x
	case json.Marshaler, encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil
		}
		b, err := encodeJSON(x)
		if err != nil {
			return nil
		}
		return json.RawMessage(b)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return viewOf(v.Elem(), reveal)
	case reflect.Struct:
		return viewStruct(v, reveal)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return object{{"bytes", v.Len()}} // data that only its reader understands
		}
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			list = append(list, viewOf(v.Index(i), reveal))
		}
		return list
	case reflect.Map:
		return viewMap(v, reveal)
	default:
		return v.Interface()
	}
}

func viewSecret(s azprov.Secret, reveal bool) any {
	switch {
	case s.IsZero():
		return nil
	case !reveal:
		return azprov.Redacted
	case utf8.Valid(s.Reveal()):
		return s.RevealString()
	default:
		return object{{"base64", base64.StdEncoding.EncodeToString(s.Reveal())}}
	}
}

func viewStruct(v reflect.Value, reveal bool) any {
	o := object{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !field.IsExported() || tag == "-":
			continue
		case field.Anonymous && tag == "" && field.Type.Kind() == reflect.Struct:
			if inner, ok := viewOf(v.Field(i), reveal).(object); ok {
				o = append(o, inner...)
			}
			continue
		case strings.Contains(options, "omit") && isZero(v.Field(i)):
			continue
		case tag == "":
			tag = lowerCamel(field.Name)
		}
		o = append(o, member{tag, viewOf(v.Field(i), reveal)})
	}
	return o
}

// isZero follows encoding/json's omitzero and omitempty: both leave out an empty list.
func isZero(v reflect.Value) bool {
	if zeroer, ok := reflect.TypeAssert[interface{ IsZero() bool }](v); ok {
		return zeroer.IsZero()
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

func viewMap(v reflect.Value, reveal bool) any {
	o := make(object, 0, v.Len())
	for _, key := range v.MapKeys() {
		o = append(o, member{fmt.Sprint(key.Interface()), viewOf(v.MapIndex(key), reveal)})
	}
	slices.SortFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return o
}

// lowerCamel turns a Go name into one for JSON: ContainerID into containerId,
// KMSServerHostname into kmsServerHostname.
func lowerCamel(name string) string {
	runes := []rune(name)
	for i := range runes {
		startsWord := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		insideInitialism := i > 0 && unicode.IsUpper([]rune(name)[i-1])
		if i == 0 || (insideInitialism && !startsWord) {
			runes[i] = unicode.ToLower(runes[i])
		}
	}
	return string(runes)
}

// printTree writes a view as indented lines, leaving out what is empty.
func printTree(w io.Writer, indent string, v any) {
	o, ok := v.(object)
	if !ok {
		_, _ = fmt.Fprintln(w, indent+plain(v))
		return
	}
	width := 0
	for _, m := range o {
		width = max(width, utf8.RuneCountInString(m.name))
	}
	for _, m := range o {
		switch value := m.value.(type) {
		case object:
			if len(value) > 0 && !emptyTree(value) {
				_, _ = fmt.Fprintln(w, indent+m.name)
				printTree(w, indent+"  ", value)
			}
		case []any:
			for _, item := range value {
				if _, nested := item.(object); nested {
					_, _ = fmt.Fprintln(w, indent+m.name)
					printTree(w, indent+"  ", item)
					continue
				}
				_, _ = fmt.Fprintln(w, indent+pad(m.name, width)+"  "+plain(item))
			}
		default:
			if text := plain(value); text != "" {
				_, _ = fmt.Fprintln(w, indent+pad(m.name, width)+"  "+text)
			}
		}
	}
}

func emptyTree(v any) bool {
	switch x := v.(type) {
	case object:
		return !slices.ContainsFunc(x, func(m member) bool { return !emptyTree(m.value) })
	case []any:
		return len(x) == 0
	default:
		return plain(x) == ""
	}
}

// plain is a leaf in one line, "" for nothing.
func plain(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case json.RawMessage:
		var text string
		if json.Unmarshal(x, &text) == nil {
			return azprov.OneLine(text)
		}
		return strings.TrimSuffix(azprov.OneLine(string(x)), "null")
	default:
		return azprov.OneLine(fmt.Sprint(x))
	}
}
