package emulator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	var names []string
	ids := map[azprov.VMID]string{}
	for _, s := range emulator.Scenarios() {
		names = append(names, s.Name)
		if !strings.HasSuffix(s.Description, ".") || len(s.Description) < 30 {
			t.Errorf("%s: description %q is no sentence", s.Name, s.Description)
		}
		if s.Source == "" || s.Group == "" || len(s.Assert) == 0 {
			t.Errorf("%s has no source, group or assertions", s.Name)
		}
		if other, ok := ids[s.VM.ID]; ok {
			t.Errorf("%s has the id of %s", s.Name, other)
		}
		ids[s.VM.ID] = s.Name
		found, err := emulator.LookupScenario(s.Name)
		if err != nil || found.Description != s.Description {
			t.Errorf("%s: %v", s.Name, err)
		}
		if _, err := emulator.NewFabric(s, nil); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	files, err := filepath.Glob("scenarios/*.json")
	if err != nil || len(files) < 25 {
		t.Errorf("%d files, %v", len(files), err)
	}
	// A file that does not parse would be missing.
	want := []string{emulator.DefaultScenario}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); name != emulator.DefaultScenario {
			want = append(want, name)
		}
	}
	slices.Sort(want[1:])
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if s, err := emulator.LookupScenario(""); err != nil || s.Name != emulator.DefaultScenario {
		t.Errorf("the default is %s, %v", s.Name, err)
	}
}

func TestLookupScenarioListsTheNames(t *testing.T) {
	t.Parallel()
	_, err := emulator.LookupScenario("linux")
	if azprov.KindOf(err) != azprov.KindNotFound || !strings.Contains(err.Error(), "did you mean linux-vm? known are linux-vm, bad-ovf, certificate-rotation, certificates-moved") {
		t.Errorf("error %v", err)
	}
}

func TestParseScenarioRefuses(t *testing.T) {
	t.Parallel()
	const vm = `"vm":{"id":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","hostName":"a"}`
	for _, row := range []struct{ name, document, want string }{
		{"nothing", ``, "not JSON: it ends too early"},
		{"an open end", `{"name":`, "not JSON"},
		{"no JSON", "{\n\n!", "not JSON: line 3"},
		{"a list", `[]`, "the scenario is a list, want an object"},
		{"a word", `"x"`, "the scenario is neither an object nor a list"},
		{"null", `null`, "name is empty"},
		{"two documents", `{"name":"a",` + vm + `}{}`, "more after the JSON object"},
		{"an unknown key", `{"nmae":"a"}`, `unknown key "nmae" in the scenario; did you mean "name"?`},
		{"another case", `{"Name":"a"}`, `unknown key "Name" in the scenario; did you mean "name"?`},
		{"an unknown key below", `{"name":"a","vm":{"host":"b"}}`, `unknown key "host" in vm; did you mean "hostName"?`},
		{"an unknown key in a list", `{"name":"a","imds":{"faults":[{"status":410},{"retry-after":"1"}]}}`, `unknown key "retry-after" in imds.faults[1]; did you mean "retryAfter"?`},
		{"a key like no other", `{"zzzzzzzz":1}`, "known are assert, description, extends, group, hostGA, imds, medium, name, pool, seed, source, steps, vm, wireServer"},
		{"a key twice", `{"name":"a","name":"b"}`, "name is there twice"},
		{"a list for an object", `{"name":"a","vm":[]}`, "vm is a list, want an object"},
		{"an object for a list", `{"name":"a","imds":{"faults":{}}}`, "imds.faults is an object, want a list"},
		{"a number for an object", `{"name":"a","vm":7}`, "vm is neither an object nor a list"},
		{"a text for a number", `{"name":"a","vm":{"generation":"two"}}`, "line 1: vm.generation is a text, want a whole number"},
		{"a bad id", `{"name":"a","vm":{"id":"x"}}`, "a VM id has 36 characters"},
		{"a redacted password", `{"name":"a","vm":{"password":"[redacted]"}}`, "the value was redacted"},
		{"a bad duration", `{"name":"a",` + vm + `,"imds":{"faults":[{"delay":"soon"}]}}`, "want a duration such as 1.5s"},
		{"a bad address", `{"name":"a",` + vm[:len(vm)-1] + `,"interfaces":[{"macAddress":"000D3A000001","addresses":["10.0.0.4"]}]}}`, "line 1: vm.interfaces[0].addresses[0] is not of the form it must have"},
		{"no name", `{` + vm + `}`, "name is empty"},
		{"no id", `{"name":"a","vm":{"hostName":"a"}}`, "vm.id is missing: write a UUID, or extends: linux-vm, which has one"},
		{"no host", `{"name":"a","vm":{"id":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf"}}`, "vm.name and vm.hostName are both empty"},
		{"generation 3", `{"name":"a",` + vm[:len(vm)-1] + `,"generation":3}}`, "vm.generation is 3, want 1 or 2"},
		{"a bad MAC address", `{"name":"a",` + vm[:len(vm)-1] + `,"interfaces":[{"macAddress":"00:0D"}]}}`, "vm.interfaces[0].macAddress is not twelve"},
		{"a bad api-version", `{"name":"a",` + vm + `,"imds":{"apiVersions":["latest"]}}`, "imds.apiVersions[0] is not a date"},
		{"a patch that is no object", `{"name":"a",` + vm + `,"imds":{"instance":[1]}}`, "imds.instance is not a JSON object"},
		{"a negative incarnation", `{"name":"a",` + vm + `,"wireServer":{"incarnation":-1}}`, "wireServer.incarnation is negative"},
		{"a medium that is not there", `{"name":"a",` + vm + `,"medium":{"absent":true,"document":"x"}}`, "medium is absent and has a document"},
		{"a password that is too long", `{"name":"a",` + vm[:len(vm)-1] + `,"password":"` + strings.Repeat("x", 73) + `"}}`, "cannot be put on a medium"},
		{"a fault that does nothing", `{"name":"a",` + vm + `,"wireServer":{"faults":[{}]}}`, "wireServer.faults[0]: the step does nothing"},
		{"an unknown kind of fault", `{"name":"a",` + vm + `,"wireServer":{"faults":[{"kind":"explode"}]}}`, `line 1: wireServer.faults[0]: kind "explode" is not one of reset, lose, hang, truncate, longer, shorter`},
		{"a kind of fault that is nearly one", "{\"name\":\"a\",\n" + vm + `,"imds":{` + "\n" + `"faults":[{"status":410},` + "\n" + `{"kind":"truncated"}]}}`, `line 4: imds.faults[1]: kind "truncated" is not one of reset, lose, hang, truncate, longer, shorter; did you mean truncate?`},
		{"a key of three objects", `{"name":"a",` + vm + `,"faults":[]}`, `unknown key "faults" in the scenario; it belongs in hostGA, or in imds, or in wireServer: indent it`},
		{"a key of an object below", `{"name":"a","hostName":"b"}`, `unknown key "hostName" in the scenario; it belongs in vm: indent it`},
		{"a text for a truth", `{"name":"a","imds":{"absent":"no"}}`, "imds.absent is a text, want true or false"},
		{"times and always", `{"name":"a",` + vm + `,"imds":{"faults":[{"status":410,"times":1,"always":true}]}}`, "imds.faults[0]: times and always exclude each other"},
		{"negative times", `{"name":"a",` + vm + `,"imds":{"faults":[{"status":410,"times":-1}]}}`, "times is negative"},
		{"a status that is none", `{"name":"a",` + vm + `,"imds":{"faults":[{"status":42}]}}`, "status is not between 200 and 599"},
		{"a negative delay", `{"name":"a",` + vm + `,"imds":{"faults":[{"delay":"-1s"}]}}`, "a duration is negative"},
		{"refuse with more", `{"name":"a",` + vm + `,"imds":{"faults":[{"refuse":"1s","status":410}]}}`, "refuse stands alone in its step"},
		{"a pool without a type", `{"name":"a",` + vm + `,"pool":{"switchAfter":"1s"}}`, "pool has no type, want Running"},
		{"a pool of another type", `{"name":"a",` + vm + `,"pool":{"type":"Paused","owner":{"hostName":"b"}}}`, `pool.type is "Paused", want Running, Savable`},
		{"a pool without an owner", `{"name":"a",` + vm + `,"pool":{"type":"Running"}}`, "pool.owner.name and pool.owner.hostName are both empty"},
		{"an owner of generation 3", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b","generation":3}}}`, "pool.owner.generation is 3"},
		{"an owner whose key is no certificate", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b","sshKeys":[{"certificate":"x"}]}}}`, "pool.owner.sshKeys[0].certificate is no"},
		{"an owner with a password that is too long", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b","password":"` + strings.Repeat("x", 73) + `"}}}`, "cannot be put on a medium"},
		{"an owner's patch that is no object", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b"},"instance":[1]}}`, "pool.instance is not a JSON object"},
		{"a disk that is switched", `{"name":"a",` + vm + `,"pool":{"type":"PreprovisionedOSDisk","owner":{"hostName":"b"},"switched":true}}`, "a VM whose disk is taken is not switched"},
		{"a negative wait in the pool", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b"},"outage":"-1s"}}`, "pool: a duration is negative"},
		{"a status for not yet that is none", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b"},"notYet":42}}`, "pool.notYet is not between 200 and 599"},
		{"negative stale reads", `{"name":"a",` + vm + `,"pool":{"type":"Running","owner":{"hostName":"b"},"staleReads":-1}}`, "pool.staleReads is negative"},
		{"a pool without the rate limit", `{"name":"a",` + vm + `,"imds":{"rateLimit":false},"pool":{"type":"Running","owner":{"hostName":"b"}}}`, "imds.rateLimit is off, and Azure limits"},
		{"vmSettings that are no object", `{"name":"a",` + vm + `,"hostGA":{"vmSettings":[1]}}`, "hostGA.vmSettings is not a JSON object"},
		{"a step of the HostGAPlugin that does nothing", `{"name":"a",` + vm + `,"hostGA":{"faults":[{}]}}`, "hostGA.faults[0]: the step does nothing"},
		{"a family without a name", `{"name":"a",` + vm + `,"wireServer":{"extensions":{"families":[{"name":"Prod"},{"version":"1"}]}}}`, "wireServer.extensions.families[1].name is empty"},
		{"a blob of another kind", `{"name":"a",` + vm + `,"wireServer":{"extensions":{"statusUploadBlob":{"type":"Append"}}}}`, `wireServer.extensions.statusUploadBlob.type is "Append", want BlockBlob or PageBlob`},
		{"a negative sequence number", `{"name":"a",` + vm + `,"wireServer":{"extensions":{"sequenceNumber":-1}}}`, "wireServer.extensions.sequenceNumber is negative"},
		{"a time that is none", `{"name":"a",` + vm + `,"wireServer":{"extensions":{"createdOn":"yesterday"}}}`, "wireServer.extensions.createdOn is not of the form it must have"},
		{"a reset with an answer", `{"name":"a",` + vm + `,"imds":{"faults":[{"kind":"reset","status":410}]}}`, "a step of kind reset has no answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := emulator.ParseScenario([]byte(row.document))
			if azprov.KindOf(err) != azprov.KindMalformed {
				t.Fatalf("error %v, want KindMalformed", err)
			}
			text := err.Error()
			if !strings.Contains(text, row.want) || !strings.HasPrefix(text, "emulator.ParseScenario: ") || strings.Contains(text, "\n") {
				t.Errorf("error %q, want %q", text, row.want)
			}
		})
	}
}

func TestScenarioDefaults(t *testing.T) {
	t.Parallel()
	vm := fabric(t, nil).VM()
	if vm.Generation != 2 || vm.Name != "test_vm-1" || vm.Environment != "AzurePublicCloud" ||
		vm.SSHKeys[0].Path != "/home/tester/.ssh/authorized_keys" || vm.SSHKeys[1].Path != "/keys" {
		t.Errorf("VM %+v", vm)
	}
}

// A scenario that is written out again must not give the secrets away, nor be
// taken for the original.
func TestScenarioDoesNotMarshalSecrets(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(fabric(t, nil).Scenario())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "Bollard") || strings.Contains(string(b), "not to be seen") {
		t.Errorf("secrets in %s", b)
	}
	if _, err := emulator.ParseScenario(b); azprov.KindOf(err) != azprov.KindMalformed {
		t.Errorf("read back: %v", err)
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(testScenario))
	f.Add([]byte(`{"imds":{"instance":{"a":null}}}`))
	for _, document := range baseDocuments {
		f.Add([]byte(document))
	}
	files, err := filepath.Glob("scenarios/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := emulator.ParseScenarioWith(b, readBase)
		if err != nil {
			if azprov.KindOf(err) != azprov.KindMalformed || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
			return
		}
		f, err := emulator.NewFabric(s, nil)
		if err != nil {
			t.Fatalf("parsed and refused: %v", err)
		}
		f.Check()
	})
}
