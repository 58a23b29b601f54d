package emulator_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// baseDocuments are what the tests' scenarios extend.
var baseDocuments = map[string]string{
	"base": `{"name":"base","description":"A base.","source":"Here.","group":"Tests","seed":7,
		"vm":{"id":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","hostName":"low","userName":"keeper","zone":"1","tags":[{"name":"a","value":"b"}]},
		"imds":{"faults":[{"status":410}],"rateLimit":false,"instance":{"compute":{"location":"here","licenseType":null},"network":null}},
		"assert":[{"state":"Ready"}]}`,
	"middle": `{"name":"middle","extends":"base","vm":{"hostName":"mid","zone":null}}`,
	"a":      `{"name":"a","extends":"b"}`,
	"b":      `{"name":"b","extends":"a"}`,
	"self":   `{"name":"self","extends":"self"}`,
	"broken": "{\"name\":\"broken\",\n\"vmm\":{}}",
	"lost":   `{"name":"lost","extends":"nowhere"}`,
}

func readBase(name string) ([]byte, error) {
	if document, ok := baseDocuments[name]; ok {
		return []byte(document), nil
	}
	return nil, errors.New("no such document")
}

func TestInheritance(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, document, path, want string }{
		{"what is not said", `{"name":"x","extends":"base"}`, "vm.userName", `"keeper"`},
		{"what is said", `{"name":"x","extends":"base","vm":{"userName":"pilot"}}`, "vm.userName", `"pilot"`},
		{"beside what is said", `{"name":"x","extends":"base","vm":{"userName":"pilot"}}`, "vm.hostName", `"low"`},
		{"its own name", `{"name":"x","extends":"base"}`, "name", `"x"`},
		{"no description", `{"name":"x","extends":"base"}`, "description", `null`},
		{"no source", `{"name":"x","extends":"base"}`, "source", `null`},
		{"the group", `{"name":"x","extends":"base"}`, "group", `"Tests"`},
		{"what it extends", `{"name":"x","extends":"base"}`, "extends", `"base"`},
		{"a number", `{"name":"x","extends":"base"}`, "seed", `7`},
		{"null", `{"name":"x","extends":"base","vm":{"zone":null}}`, "vm.zone", `null`},
		{"null for an object", `{"name":"x","extends":"base","imds":null}`, "imds.faults", `null`},
		{"a list is replaced", `{"name":"x","extends":"base","imds":{"faults":[{"status":503}]}}`, "imds.faults", `[{"status":503}]`},
		{"a list is taken away", `{"name":"x","extends":"base","imds":{"faults":null}}`, "imds.faults", `null`},
		{"false", `{"name":"x","extends":"base"}`, "imds.rateLimit", `false`},
		{"a patch is inherited, with its nulls", `{"name":"x","extends":"base"}`, "imds.instance", `{"compute":{"licenseType":null,"location":"here"},"network":null}`},
		{"patches are joined, with their nulls", `{"name":"x","extends":"base","imds":{"instance":{"compute":{"location":null,"zone":"2"}}}}`, "imds.instance", `{"compute":{"licenseType":null,"location":null,"zone":"2"},"network":null}`},
		{"a patch over a null", `{"name":"x","extends":"base","imds":{"instance":{"network":{"interface":[]}}}}`, "imds.instance", `{"compute":{"licenseType":null,"location":"here"},"network":{"interface":[]}}`},
		{"a patch is taken away", `{"name":"x","extends":"base","imds":{"instance":null}}`, "imds.instance", `null`},
		{"over two", `{"name":"x","extends":"middle"}`, "vm.hostName", `"mid"`},
		{"a null of the middle", `{"name":"x","extends":"middle"}`, "vm.zone", `null`},
		{"over two, from below", `{"name":"x","extends":"middle"}`, "vm.userName", `"keeper"`},
		{"a shipped one", `{"name":"x","extends":"linux-vm"}`, "vm.hostName", `"harbour-01"`},
		{"a shipped one of its own name", `{"name":"linux-vm","extends":"linux-vm","vm":{"hostName":"y"}}`, "vm.hostName", `"y"`},
		{"a patch without a base", `{"name":"x","vm":{"id":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","hostName":"a"},"imds":{"instance":{"network":null}}}`, "imds.instance", `{"network":null}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := emulator.ParseScenarioWith([]byte(row.document), readBase)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			var value any
			if err := json.Unmarshal(b, &value); err != nil {
				t.Fatal(err)
			}
			for key := range strings.SplitSeq(row.path, ".") {
				members, _ := value.(map[string]any)
				value = members[key]
			}
			got, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInheritanceRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, document, want string }{
		{"a circle", `{"name":"x","extends":"a"}`, "extends goes round in a circle: a extends b extends a"},
		{"itself", `{"name":"x","extends":"self"}`, "extends goes round in a circle: self extends self"},
		{"nothing of that name", `{"name":"x","extends":"nowhere"}`, `extends "nowhere": no such document`},
		{"nothing of that name, further down", `{"name":"x","extends":"lost"}`, `in lost, which is extended: extends "nowhere": no such document`},
		{"a mistake in the base", `{"name":"x","extends":"broken"}`, `in broken, which is extended: line 2: unknown key "vmm" in the scenario; did you mean "vm"?`},
		{"a mistake before the base is read", "{\"name\":\"x\",\n\"extends\":\"broken\",\n\"vn\":{}}", `line 3: unknown key "vn"`},
		{"no name of its own", `{"extends":"base"}`, "name is empty"},
		{"a VM without its id", `{"name":"x","extends":"base","vm":{"id":null}}`, "vm.id is missing"},
		{"a number for a name", `{"name":"x","extends":7}`, "extends is a number, want a text"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := emulator.ParseScenarioWith([]byte(row.document), readBase)
			if azprov.KindOf(err) != azprov.KindMalformed || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
	_, err := emulator.ParseScenario([]byte(`{"name":"x","extends":"linuxvm"}`))
	if err == nil || !strings.Contains(err.Error(), `extends "linuxvm": there is no such scenario; did you mean linux-vm?`) {
		t.Errorf("error %v", err)
	}
}

func TestErrorsHaveTheirLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ value, want string }{
		{`"vm": {"zone": 1}`, `line 3: vm.zone is a number, want a text; put it into quotes`},
		{`"vm": {"image": []}`, "line 3: vm.image is a list, want an object"},
		{`"imds": {"faults": "no"}`, "line 3: imds.faults is no list"},
		{`"imds": {"faults": [{"delay": "soon"}]}`, "line 3: imds.faults[0].delay: want a duration"},
		{`"imds": {"faults": [{"headers": {"A": 1}}]}`, "line 3: imds.faults[0].headers is a number, want a text"},
		{`"imds": {"faults": [{"delay": 5}]}`, "line 3: imds.faults[0].delay is a number, want a text; write a duration with its unit"},
		{`"vm": {"password": 12345}`, "line 3: vm.password is a number, want a text; put it into quotes"},
		{`"vm": {"id": 12345}`, "line 3: vm.id is a number, want a text"},
		{`"steps": [{"after": {"request": "comp=goalstate"}}]`, "line 3: steps[0].after.request is neither an object nor a list; it is an object with some of apiVersion, headers, method, path, service, status"},
		{`"imds": {"absent": "yes"}`, "line 3: imds.absent is a text, want true or false"},
		{`"vm": {"disablePasswordAuthentication": "yes"}`, "line 3: vm.disablePasswordAuthentication"},
		{`"seed": -1`, "line 3: seed is a number, want a whole number from 0"},
		{`"seed": 1, "seed": 2`, "line 3: seed is there twice"},
		{`"zzzzzz": 1`, `line 3: unknown key "zzzzzz"`},
	} {
		_, err := emulator.ParseScenario([]byte("{\n\"name\": \"x\", \"extends\": \"linux-vm\",\n" + row.value + "\n}"))
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "soon") || strings.Contains(err.Error(), "yes") {
			t.Errorf("%s: error %v, want %q", row.value, err, row.want)
		}
	}
}
