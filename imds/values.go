package imds

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Bool is a boolean as IMDS sends it: nearly always the text "true" or "false",
// and "" where it does not apply. It keeps the text that came; JSON's own
// booleans and numbers are kept as their text, null as "".
//
// A missing value is not false: osProfile.disablePasswordAuthentication is "" on
// Windows and on Azure Stack Hub, which says nothing about passwords.
type Bool string

// NewBool returns the Bool that IMDS would send for v.
func NewBool(v bool) Bool { return Bool(strconv.FormatBool(v)) }

// Value returns the boolean; the case of the text and blanks around it do not
// matter. ok is false if there is no value, or one that is no boolean.
func (b Bool) Value() (v, ok bool) {
	text := strings.TrimSpace(string(b))
	v = strings.EqualFold(text, "true")
	return v, v || strings.EqualFold(text, "false")
}

// UnmarshalJSON accepts a string, a boolean, a number and null. An object or
// array is a *json.UnmarshalTypeError.
func (b *Bool) UnmarshalJSON(data []byte) error {
	text, err := scalarJSON(data, reflect.TypeFor[Bool]())
	if err == nil {
		*b = Bool(text)
	}
	return err
}

// Int is a whole number as IMDS sends it: decimal digits in a string, and ""
// where it does not apply. It keeps the text that came; JSON's own numbers and
// booleans are kept as their text, null as "".
type Int string

// NewInt returns the Int that IMDS would send for n.
func NewInt(n int64) Int { return Int(strconv.FormatInt(n, 10)) }

// Value returns the number; blanks around the text do not matter. ok is false if
// there is no value, or one that is no decimal number of 64 bits.
func (i Int) Value() (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(i)), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// UnmarshalJSON accepts a string, a number, a boolean and null. An object or
// array is a *json.UnmarshalTypeError.
func (i *Int) UnmarshalJSON(data []byte) error {
	text, err := scalarJSON(data, reflect.TypeFor[Int]())
	if err == nil {
		*i = Int(text)
	}
	return err
}

// scalarJSON returns the text of one JSON value that is neither object nor array.
func scalarJSON(data []byte, into reflect.Type) (string, error) {
	switch {
	case len(data) == 0 || string(data) == "null":
		return "", nil
	case data[0] == '"':
		var text string
		err := json.Unmarshal(data, &text)
		return text, err
	case data[0] == '{':
		return "", &json.UnmarshalTypeError{Value: "object", Type: into}
	case data[0] == '[':
		return "", &json.UnmarshalTypeError{Value: "array", Type: into}
	default:
		return string(data), nil
	}
}
