package emulator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table of versions and the document made from a scenario agree with the
// schema that was put together from the documentation and from captures.
func TestDocumentAgreesWithTheSchema(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS names no directory with captured documents")
	}
	b, err := os.ReadFile(filepath.Join(dir, "imds", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Path, Since, Doc, Status string }
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, row := range rows {
		if row.Doc == "instance" {
			known[row.Path] = row.Since
		}
	}
	if len(known) < 100 {
		t.Fatalf("%d rows", len(known))
	}
	s, err := LookupScenario(DefaultScenario)
	if err != nil {
		t.Fatal(err)
	}
	document := instanceDocument(s, s.VM, "None", nil)
	table := since()
	var check func(path string, value any)
	check = func(path string, value any) {
		first, ok := known[path]
		if path != "" && !ok && !strings.HasSuffix(path, "[]") {
			t.Errorf("%s is not in the schema", path)
		}
		if first > "2017-04-02" && first != effective(table, path) && !strings.HasPrefix(path, "extended") {
			t.Errorf("%s is since %s, here since %q", path, first, effective(table, path))
		}
		switch v := value.(type) {
		case object:
			for key, child := range v {
				check(strings.TrimPrefix(path+"."+key, "."), child)
			}
		case []any:
			for _, child := range v {
				check(path+"[]", child)
			}
		}
	}
	check("", document)
	for path, version := range table {
		if first, ok := known[path]; !ok || first != "" && first != version {
			t.Errorf("the table has %s since %s, the schema %q", path, version, first)
		}
	}
}

// effective is the latest version of a path and what is above it.
func effective(table map[string]string, path string) string {
	latest := ""
	for at, version := range table {
		if (at == path || strings.HasPrefix(path, at+".") || strings.HasPrefix(path, at+"[]")) && version > latest {
			latest = version
		}
	}
	return latest
}
