package imds

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/azprov/azprov"
)

// vectorsDir is the directory of captured documents; without one the test is
// skipped.
func vectorsDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS does not name a directory of captured documents")
	}
	return dir
}

func readFile(t *testing.T, elements ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fits says which Go types fit a type of the schema.
func fits(schemaType string, goType reflect.Type) bool {
	switch schemaType {
	case "object":
		return goType.Kind() == reflect.Struct
	case "array<object>":
		return goType.Kind() == reflect.Slice && goType.Elem().Kind() == reflect.Struct
	case "string(bool)", "bool":
		return goType == reflect.TypeFor[Bool]()
	case "string(int)":
		return goType == reflect.TypeFor[Int]()
	case "int":
		return goType.Kind() == reflect.Int
	case "string":
		return goType == reflect.TypeFor[azprov.Secret]() || goType.Kind() == reflect.String &&
			goType != reflect.TypeFor[Bool]() && goType != reflect.TypeFor[Int]()
	default:
		return false
	}
}

// field finds the type at a path like "network.interface[].ipv4", by the exact
// json names.
func field(model reflect.Type, path string) (reflect.Type, bool) {
	for name := range strings.SplitSeq(path, ".") {
		name, isElement := strings.CutSuffix(name, "[]")
		found := false
		for i := range model.NumField() {
			if f := model.Field(i); f.Tag.Get("json") == name {
				model, found = f.Type, true
				break
			}
		}
		if !found {
			return nil, false
		}
		if isElement {
			model = model.Elem()
		}
	}
	return model, true
}

func TestModelsFollowSchema(t *testing.T) {
	t.Parallel()
	var rows []struct{ Path, Type, Doc string }
	if err := json.Unmarshal(readFile(t, vectorsDir(t), "imds", "schema.json"), &rows); err != nil {
		t.Fatal(err)
	}
	type loadBalancerDocument struct {
		LoadBalancer LoadBalancer `json:"loadbalancer"`
	}
	models := map[string]reflect.Type{
		"instance":     reflect.TypeFor[Instance](),
		"loadbalancer": reflect.TypeFor[loadBalancerDocument](),
	}
	counts := map[string]int{}
	for _, row := range rows {
		model, ok := models[row.Doc]
		if !ok {
			continue
		}
		counts[row.Doc]++
		goType, ok := field(model, row.Path)
		if !ok {
			t.Errorf("%s: no field for %s (%s)", row.Doc, row.Path, row.Type)
		} else if !fits(row.Type, goType) {
			t.Errorf("%s: %s is a %s, which does not fit %s", row.Doc, row.Path, goType, row.Type)
		}
	}
	if counts["instance"] < 130 || counts["loadbalancer"] < 13 {
		t.Errorf("the schema has too few rows: %v", counts)
	}
}

// TestModelKinds guards what the lenient reader can fill: every field of the
// models is of a kind it knows, so that leniency cannot lose one.
func TestModelKinds(t *testing.T) {
	t.Parallel()
	var walk func(goType reflect.Type, path string)
	walk = func(goType reflect.Type, path string) {
		switch {
		case goType == reflect.TypeFor[azprov.Secret]():
		case goType.Kind() == reflect.String, goType.Kind() == reflect.Int:
		case goType.Kind() == reflect.Slice:
			walk(goType.Elem(), path+"[]")
		case goType.Kind() == reflect.Struct:
			for i := range goType.NumField() {
				f := goType.Field(i)
				name := f.Tag.Get("json")
				if name == "-" || !f.IsExported() {
					continue
				}
				if name == "" || strings.Contains(name, ",") || f.Anonymous {
					t.Errorf("%s.%s: the lenient reader wants a plain json name, not %q", path, f.Name, name)
				}
				walk(f.Type, path+"."+name)
			}
		default:
			t.Errorf("%s is a %s", path, goType)
		}
	}
	walk(reflect.TypeFor[Instance](), "instance")
	walk(reflect.TypeFor[LoadBalancer](), "loadbalancer")
	walk(reflect.TypeFor[ServiceError](), "error")
}
