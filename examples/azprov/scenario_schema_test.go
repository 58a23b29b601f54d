package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/ovf"
)

var update = flag.Bool("update", false, "write scenario.schema.json and the reference in docs/scenarios.md anew instead of comparing with them")

// docsFile has the reference, between two marks.
const (
	docsFile       = "../../docs/scenarios.md"
	referenceBegin = "<!-- reference: begin; made by TestScenarioReference -->\n"
	referenceEnd   = "<!-- reference: end -->\n"
)

// TestScenarioSchema holds the schema that is printed against the types and their comments.
func TestScenarioSchema(t *testing.T) {
	t.Parallel()
	golden(t, "scenario.schema.json", scenarioTypes(t).schema(t))
}

// TestScenarioReference holds the reference of the documentation against the same.
func TestScenarioReference(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(b), referenceBegin)
	_, after, ended := strings.Cut(rest, referenceEnd)
	if !begun || !ended {
		t.Fatalf("%s has no marks for the reference", docsFile)
	}
	golden(t, docsFile, []byte(before+referenceBegin+scenarioTypes(t).reference()+referenceEnd+after))
}

func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Errorf("%s is not what the types of package emulator say; go test ./examples/azprov -update writes it", path)
	}
}

// typeList is the struct types of a scenario, outermost first, with their comments.
type typeList struct {
	types    []reflect.Type
	comments map[string]string // of "Type" and "Type.Field"
	words    map[string][]word // of the types with a closed list
}

// word is a value of a closed list.
type word struct{ text, comment string }

func scenarioTypes(t *testing.T) *typeList {
	t.Helper()
	l := &typeList{comments: map[string]string{}, words: map[string][]word{}}
	files, err := filepath.Glob("../../emulator/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, l.note)
	}
	l.add(reflect.TypeFor[emulator.Scenario]())
	for _, typ := range l.types {
		for _, field := range reflect.VisibleFields(typ) {
			if l.describe(typ, field) == "" {
				t.Errorf("%s.%s has no comment", typ.Name(), field.Name)
			}
		}
	}
	return l
}

// note keeps the comments of a declaration.
func (l *typeList) note(n ast.Node) bool {
	declaration, ok := n.(*ast.GenDecl)
	if !ok {
		return true
	}
	for _, spec := range declaration.Specs {
		if constant, ok := spec.(*ast.ValueSpec); ok {
			l.noteWord(constant)
		}
		named, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		structure, ok := named.Type.(*ast.StructType)
		if !ok {
			continue
		}
		l.comments[named.Name.Name] = declaration.Doc.Text()
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				l.comments[named.Name.Name+"."+name.Name] = field.Doc.Text()
			}
		}
	}
	return true
}

// noteWord keeps a value of a closed list, and what is said of it behind its name.
func (l *typeList) noteWord(constant *ast.ValueSpec) {
	named, ok := constant.Type.(*ast.Ident)
	if !ok || len(constant.Values) != 1 {
		return
	}
	literal, ok := constant.Values[0].(*ast.BasicLit)
	if !ok {
		return
	}
	_, meaning, _ := strings.Cut(strings.Join(strings.Fields(constant.Doc.Text()), " "), " ")
	l.words[named.Name] = append(l.words[named.Name], word{strings.Trim(literal.Value, `"`), meaning})
}

func (l *typeList) add(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
		t = t.Elem()
	}
	if !isOurs(t) || slices.Contains(l.types, t) {
		return
	}
	l.types = append(l.types, t)
	for _, field := range reflect.VisibleFields(t) {
		l.add(field.Type)
	}
}

// isOurs reports whether a type has keys of its own.
func isOurs(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[emulator.Scenario]().PkgPath()
}

func key(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

var (
	links   = regexp.MustCompile(`\[([A-Za-z.]+)\]`)
	letters = regexp.MustCompile(`[A-Za-z]+`)
)

// describe is the comment of a field in the words of JSON: fields have their keys.
func (l *typeList) describe(t reflect.Type, field reflect.StructField) string {
	text := strings.Join(strings.Fields(l.comments[t.Name()+"."+field.Name]), " ")
	text = links.ReplaceAllString(text, "$1")
	keys := map[string]string{}
	for _, other := range reflect.VisibleFields(t) {
		keys[other.Name] = key(other)
	}
	var b strings.Builder
	end := 0
	for _, at := range letters.FindAllStringIndex(text, -1) {
		word, before := text[at[0]:at[1]], text[:at[0]]
		b.WriteString(text[end:at[0]])
		end = at[1]
		begins := before == "" || strings.HasSuffix(before, ". ")
		name, isKey := keys[word]
		element := strings.HasPrefix(text[end:], ".") && !strings.HasPrefix(text[end:]+" ", ". ") && end+1 < len(text) // CustomData.bin
		if isKey && !element && (word == field.Name && before == "" || !begins && word != strings.ToUpper(word)) {
			word = name
		}
		b.WriteString(word)
	}
	return b.String() + text[end:]
}

// words of a closed list, without the empty one.
func enumeration[T ~string](values []T) []string {
	var list []string
	for _, value := range values {
		if value != "" {
			list = append(list, string(value))
		}
	}
	return list
}

// form is what a JSON value of a type looks like: its name for people, and its schema.
func form(t reflect.Type) (name string, schema map[string]any) {
	closed := map[reflect.Type][]string{
		reflect.TypeFor[emulator.FaultKind]():       enumeration(emulator.PossibleFaultKindValues()),
		reflect.TypeFor[emulator.ReportState]():     enumeration(emulator.PossibleReportStateValues()),
		reflect.TypeFor[emulator.Service]():         enumeration(emulator.PossibleServiceValues()),
		reflect.TypeFor[emulator.Phase]():           enumeration(emulator.PossiblePhaseValues()),
		reflect.TypeFor[ovf.PreprovisionedVMType](): enumeration(ovf.PossiblePreprovisionedVMTypeValues()),
	}
	if list, ok := closed[t]; ok {
		options := []any{nil}
		for _, word := range list {
			options = append(options, word)
		}
		return strings.Join(list, ", "), map[string]any{"enum": options}
	}
	either := func(kind string, more ...any) map[string]any {
		s := map[string]any{"type": []any{kind, "null"}}
		for i := 0; i+1 < len(more); i += 2 {
			s[more[i].(string)] = more[i+1]
		}
		return s
	}
	switch t {
	case reflect.TypeFor[emulator.Duration]():
		return "duration", either("string", "pattern", `^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$`)
	case reflect.TypeFor[azprov.VMID]():
		return "UUID", either("string", "pattern", `^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	case reflect.TypeFor[azprov.Secret]():
		return "text", either("string")
	case reflect.TypeFor[azprov.Switch]():
		return "true, false", either("boolean")
	case reflect.TypeFor[netip.Prefix]():
		return "address/length", either("string", "pattern", "^[0-9a-fA-F.:]+/[0-9]+$")
	case reflect.TypeFor[json.RawMessage]():
		return "object", either("object")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return form(t.Elem())
	case reflect.Slice:
		name, item := form(t.Elem())
		return "list of " + name, either("array", "items", item)
	case reflect.Map:
		return "object of texts", either("object", "additionalProperties", map[string]any{"type": "string"})
	case reflect.Bool:
		return "true, false", either("boolean")
	case reflect.Int, reflect.Uint64:
		return "number", either("integer", "minimum", 0)
	case reflect.Float64:
		return "number", either("number", "minimum", 0, "maximum", 1)
	case reflect.Struct:
		return "[" + t.Name() + "](#" + strings.ToLower(t.Name()) + ")", map[string]any{
			"anyOf": []any{map[string]any{"$ref": "#/$defs/" + t.Name()}, map[string]any{"type": "null"}},
		}
	default:
		return "text", either("string")
	}
}

func (l *typeList) schema(t *testing.T) []byte {
	t.Helper()
	definitions := map[string]any{}
	for _, typ := range l.types {
		properties := map[string]any{}
		for _, field := range reflect.VisibleFields(typ) {
			_, property := form(field.Type)
			property["description"] = l.describe(typ, field)
			properties[key(field)] = property
		}
		definitions[typ.Name()] = map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	}
	root := definitions["Scenario"].(map[string]any)
	delete(definitions, "Scenario")
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "A scenario of azprov's emulator"
	root["$defs"], root["required"] = definitions, []any{"name"}
	root["anyOf"] = []any{
		map[string]any{"required": []any{"extends"}},
		map[string]any{"required": []any{"vm"}, "properties": map[string]any{"vm": map[string]any{"required": []any{"id"}}}},
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (l *typeList) reference() string {
	var b strings.Builder
	for _, typ := range l.types {
		fmt.Fprintf(&b, "\n### %s\n\n", typ.Name())
		b.WriteString("| key | value | meaning |\n| --- | --- | --- |\n")
		for _, field := range reflect.VisibleFields(typ) {
			name, _ := form(field.Type)
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key(field), name, strings.ReplaceAll(l.describe(typ, field), "|", `\|`))
		}
	}
	for _, name := range []string{"FaultKind", "ReportState", "Phase"} {
		fmt.Fprintf(&b, "\n### %s\n\n| value | meaning |\n| --- | --- |\n", name)
		for _, w := range l.words[name] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cmp.Or(w.text, " "), w.comment)
		}
	}
	return b.String() + "\n"
}

// holds is as much of JSON Schema as the schema uses.
func holds(root, schema map[string]any, value any) bool {
	if reference, ok := schema["$ref"].(string); ok {
		definitions := root["$defs"].(map[string]any)
		return holds(root, definitions[strings.TrimPrefix(reference, "#/$defs/")].(map[string]any), value)
	}
	if several, ok := schema["anyOf"].([]any); ok && !slices.ContainsFunc(several, func(one any) bool { return holds(root, one.(map[string]any), value) }) {
		return false
	}
	if options, ok := schema["enum"].([]any); ok && !slices.Contains(options, value) {
		return false
	}
	if kind, ok := schema["type"]; ok {
		kinds, several := kind.([]any)
		if !several {
			kinds = []any{kind}
		}
		if !slices.ContainsFunc(kinds, func(k any) bool { return isKind(k.(string), value) }) {
			return false
		}
	}
	switch v := value.(type) {
	case string:
		pattern, ok := schema["pattern"].(string)
		return !ok || regexp.MustCompile(pattern).MatchString(v)
	case float64:
		low, hasLow := schema["minimum"].(float64)
		high, hasHigh := schema["maximum"].(float64)
		return (!hasLow || v >= low) && (!hasHigh || v <= high)
	case []any:
		items, ok := schema["items"].(map[string]any)
		return !ok || !slices.ContainsFunc(v, func(item any) bool { return !holds(root, items, item) })
	case map[string]any:
		return holdsObject(root, schema, v)
	}
	return true
}

func holdsObject(root, schema, value map[string]any) bool {
	for _, name := range asList(schema["required"]) {
		if _, ok := value[name.(string)]; !ok {
			return false
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, member := range value {
		property, known := properties[name].(map[string]any)
		rest, open := schema["additionalProperties"].(map[string]any)
		switch {
		case known && !holds(root, property, member),
			!known && open && !holds(root, rest, member),
			!known && schema["additionalProperties"] == false:
			return false
		}
	}
	return true
}

func asList(v any) []any { list, _ := v.([]any); return list }

func isKind(kind string, value any) bool {
	switch v := value.(type) {
	case nil:
		return kind == "null"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == float64(int64(v))
	case []any:
		return kind == "array"
	default:
		return kind == "object"
	}
}

// accepts runs the schema that is printed.
func accepts(t *testing.T, document string) bool {
	t.Helper()
	var schema map[string]any
	var value any
	if err := json.Unmarshal([]byte(cli(t, "emulate", "--print-schema").want(t, exitDone).stdout), &schema); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatal(err)
	}
	return holds(schema, schema, value)
}

func TestSchemaAcceptsTheShippedScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../emulator/scenarios/*.json")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !accepts(t, string(b)) {
			t.Errorf("%s is not accepted", filepath.Base(file))
		}
	}
}

// What the schema refuses, the parser refuses as well.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	const base = `{"name":"a","extends":"linux-vm"%s}`
	for name, row := range map[string]struct {
		document string
		accepted bool
	}{
		"nothing wrong":            {fmt.Sprintf(base, `,"vm":{"userData":null},"steps":[{"at":"1.5s","migrate":true}],"assert":[{"verdicts":[]}]`), true},
		"no name":                  {`{"extends":"linux-vm"}`, false},
		"neither base nor VM":      {`{"name":"a"}`, false},
		"a VM without an id":       {`{"name":"a","vm":{"hostName":"b"}}`, false},
		"a list":                   {`[]`, false},
		"an unknown key":           {fmt.Sprintf(base, `,"nmae":"b"`), false},
		"an unknown key below":     {fmt.Sprintf(base, `,"imds":{"fault":[]}`), false},
		"an unknown key in a list": {fmt.Sprintf(base, `,"imds":{"faults":[{"state":410}]}`), false},
		"a number for a text":      {fmt.Sprintf(base, `,"vm":{"zone":1}`), false},
		"a text for a number":      {fmt.Sprintf(base, `,"vm":{"generation":"1"}`), false},
		"a text for a switch":      {fmt.Sprintf(base, `,"imds":{"absent":"yes"}`), false},
		"no duration":              {fmt.Sprintf(base, `,"imds":{"faults":[{"delay":"soon"}]}`), false},
		"an unknown kind":          {fmt.Sprintf(base, `,"imds":{"faults":[{"kind":"explode"}]}`), false},
		"a probability over 1":     {fmt.Sprintf(base, `,"imds":{"faults":[{"status":500,"probability":2}]}`), false},
		"negative times":           {fmt.Sprintf(base, `,"imds":{"faults":[{"status":500,"times":-1}]}`), false},
		"an unknown state":         {fmt.Sprintf(base, `,"assert":[{"state":"Happy"}]`), false},
		"an unknown service":       {fmt.Sprintf(base, `,"steps":[{"at":"1s","stop":["dns"]}]`), false},
		"a header that is no text": {fmt.Sprintf(base, `,"assert":[{"never":{"headers":{"Metadata":1}}}]`), false},
		"an address alone":         {fmt.Sprintf(base, `,"vm":{"interfaces":[{"macAddress":"000D3A000001","addresses":["10.0.0.4"]}]}`), false},
		"an id that is none":       {fmt.Sprintf(base, `,"vm":{"id":"7"}`), false},
	} {
		if got := accepts(t, row.document); got != row.accepted {
			t.Errorf("%s: accepted %t", name, got)
		}
		if _, err := emulator.ParseScenario([]byte(row.document)); (err == nil) != row.accepted {
			t.Errorf("%s: the parser says %v", name, err)
		}
	}
}

// TestScenarioDocsHold reads every example of the documentation.
func TestScenarioDocsHold(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), referenceBegin)
	const head = "name: a\nextends: linux-vm\n"
	var documents []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(block[1], "name:") {
			block[1] = head + block[1]
		}
		documents = append(documents, block[1])
	}
	for section, wrap := range map[string]string{
		"## Faults":     head + "imds: {faults: [%s]}",
		"## Assertions": head + "steps: [{name: moved, at: 1s, migrate: true}]\nassert: [%s]",
	} {
		_, rest, _ := strings.Cut(text, section+"\n")
		part, _, _ := strings.Cut(rest, "\n## ")
		for _, code := range regexp.MustCompile("`({[^`]*})`").FindAllStringSubmatch(part, -1) {
			documents = append(documents, fmt.Sprintf(wrap, code[1]))
		}
	}
	if len(documents) < 20 {
		t.Errorf("%d examples were found", len(documents))
	}
	for _, document := range documents {
		asJSON, err := jsonOfYAML([]byte(document))
		if err == nil {
			_, err = emulator.ParseScenario(asJSON)
		}
		if err != nil || !accepts(t, string(asJSON)) {
			t.Errorf("%v:\n%s", err, document)
		}
	}
}
