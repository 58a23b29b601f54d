package lint

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/coreos/ignition/v2/config/util"
	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
)

// leaf is one value of a config.
type leaf struct {
	// path names elements of lists by their keys, "passwd.users[pilot].groups[wheel]".
	path string
	// value is for comparing.
	value string
	// element: it is an element of a list of values, like a key or a group.
	element bool
	// list is the path of that list.
	list string
}

// leaves lists all values of a config.
func leaves(config types.Config) []leaf {
	var all []leaf
	walk(reflect.ValueOf(config), "", &all)
	return all
}

func walk(v reflect.Value, path string, all *[]leaf) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
	case v.Kind() == reflect.Pointer && util.IsPrimitive(v.Elem().Kind()): // a zero there was said
		*all = append(*all, leaf{path: path, value: fmt.Sprint(v.Elem().Interface())})
	case v.Kind() == reflect.Pointer:
		walk(v.Elem(), path, all)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), join(path, v.Type().Field(i)), all)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			element := v.Index(i)
			at := path + "[" + key(element, i) + "]"
			if util.IsPrimitive(element.Kind()) {
				*all = append(*all, leaf{path: at, value: fmt.Sprint(element.Interface()), element: true, list: path})
				continue
			}
			walk(element, at, all)
		}
	case util.IsPrimitive(v.Kind()) && !v.IsZero():
		*all = append(*all, leaf{path: path, value: fmt.Sprint(v.Interface())})
	}
}

// join appends a field's name; an embedded struct has none.
func join(path string, field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	switch {
	case name == "":
		return path
	case path == "":
		return name
	}
	return path + "." + name
}

// key names an element of a list: as Ignition does where it merges by keys, else by number.
func key(element reflect.Value, i int) string {
	if element.Kind() == reflect.String {
		return element.String()
	}
	if keyed, ok := reflect.TypeAssert[util.Keyed](element); ok && keyed.Key() != "" {
		return keyed.Key()
	}
	return fmt.Sprint(i)
}

// touches reports whether a config has the value too, or others for its list, or something
// else where it would be.
func touches(config types.Config, l leaf) bool {
	for _, other := range leaves(config) {
		switch {
		case l.element:
			if other.list == l.list && other.path != l.path {
				return true
			}
		case other.path == l.path, sameNode(other.path, l.path):
			return true
		}
	}
	return false
}

// sameNode: files, directories and links of one path replace each other.
func sameNode(a, b string) bool {
	kindA, nodeA := node(a)
	kindB, nodeB := node(b)
	return nodeA != "" && nodeA == nodeB && kindA != kindB
}

func node(path string) (kind, name string) {
	for _, kind := range []string{"files", "directories", "links"} {
		if rest, ok := strings.CutPrefix(path, "storage."+kind+"["); ok {
			name, _, _ = strings.Cut(rest, "]")
			return kind, name
		}
	}
	return "", ""
}
