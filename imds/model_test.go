package imds

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

func TestBoolValue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text  Bool
		v, ok bool
	}{
		{"true", true, true},
		{"True", true, true},
		{" TRUE ", true, true},
		{"false", false, true},
		{"FALSE", false, true},
		{"", false, false},
		{"1", false, false},
		{"yes", false, false},
		{"null", false, false},
	} {
		if v, ok := row.text.Value(); v != row.v || ok != row.ok {
			t.Errorf("%q: %v, %v", row.text, v, ok)
		}
	}
	if NewBool(true) != "true" || NewBool(false) != "false" {
		t.Error("NewBool")
	}
}

func TestIntValue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text Int
		n    int64
		ok   bool
	}{
		{"0", 0, true},
		{" 30 ", 30, true},
		{"-1", -1, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"", 0, false},
		{"9223372036854775808", 0, false},
		{"1.5", 0, false},
		{"0x10", 0, false},
		{"many", 0, false},
	} {
		if n, ok := row.text.Value(); n != row.n || ok != row.ok {
			t.Errorf("%q: %v, %v", row.text, n, ok)
		}
	}
	if NewInt(-7) != "-7" {
		t.Error("NewInt")
	}
}

func TestValuesRefuseContainers(t *testing.T) {
	t.Parallel()
	for _, document := range []string{`{}`, `[]`, `["true"]`} {
		var b Bool
		var i Int
		var typeError *json.UnmarshalTypeError
		if err := json.Unmarshal([]byte(document), &b); !errors.As(err, &typeError) {
			t.Errorf("Bool of %s: %v", document, err)
		}
		if err := json.Unmarshal([]byte(document), &i); !errors.As(err, &typeError) {
			t.Errorf("Int of %s: %v", document, err)
		}
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ computerName, name, want string }{
		{"web000003", "web_3", "web000003"},
		{" padded ", "x", "padded"},
		{"", "web_3", "web-3"},
		{"", "_web_", "web"},
		{"", "Build-01", "Build-01"},
		{"", "a.b_c.d", "a.b-c.d"},
		{"", "a..-b-.", "a.b"},
		{"", "naïve vm", "na-ve-vm"},
		{"", "___", ""},
		{"", "", ""},
		{"", strings.Repeat("a", 62) + "_b", strings.Repeat("a", 62)},
		{"", strings.Repeat("a", 70), strings.Repeat("a", 63)},
		{"", strings.Repeat("a", 63) + ".b", strings.Repeat("a", 63)},
	} {
		c := Compute{Name: row.name, OSProfile: OSProfile{ComputerName: row.computerName}}
		if got := c.HostName(); got != row.want {
			t.Errorf("computerName %q, name %q: got %q, want %q", row.computerName, row.name, got, row.want)
		}
	}
}

func TestOpenSSH(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		data, want string
		ok         bool
	}{
		"plain":                     {"ssh-ed25519 AAAA a@b", "ssh-ed25519 AAAA a@b", true},
		"without a comment":         {"ssh-rsa AAAA", "ssh-rsa AAAA", true},
		"nistp256":                  {"ecdsa-sha2-nistp256 AAAA", "ecdsa-sha2-nistp256 AAAA", true},
		"nistp384":                  {"ecdsa-sha2-nistp384 AAAA", "ecdsa-sha2-nistp384 AAAA", true},
		"nistp521":                  {"ecdsa-sha2-nistp521 AAAA", "ecdsa-sha2-nistp521 AAAA", true},
		"security key":              {"sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com AAAA", true},
		"security key, ecdsa":       {"sk-ecdsa-sha2-nistp256@openssh.com AAAA", "sk-ecdsa-sha2-nistp256@openssh.com AAAA", true},
		"certificate":               {"ssh-rsa-cert-v01@openssh.com AAAA", "ssh-rsa-cert-v01@openssh.com AAAA", true},
		"security key certificate":  {"sk-ssh-ed25519-cert-v01@openssh.com AAAA", "sk-ssh-ed25519-cert-v01@openssh.com AAAA", true},
		"certificate of no kind":    {"x-cert-v01@openssh.com AAAA", "", false},
		"line end after it":         {"ssh-rsa AAAA c\r\n", "ssh-rsa AAAA c", true},
		"line ends inside":          {"ssh-rsa AA\r\nAA\nBB c\r\n", "ssh-rsa AAAABB c", true},
		"blanks around":             {" \tssh-rsa AAAA ", "ssh-rsa AAAA", true},
		"tabs between":              {"ssh-rsa\tAAAA\tc", "ssh-rsa\tAAAA\tc", true},
		"options":                   {"no-pty,restrict ssh-rsa AAAA", "no-pty,restrict ssh-rsa AAAA", true},
		"options with blanks":       {`command="run \"this thing\"",no-pty ssh-rsa AAAA c`, `command="run \"this thing\"",no-pty ssh-rsa AAAA c`, true},
		"an open quote":             {`command="run ssh-rsa AAAA c`, "", false},
		"a type inside the options": {`command="x ssh-rsa AAAA" foo AAAA`, "", false},
		"options and no key":        {"no-pty ssh-rsa", "", false},
		"type alone":                {"ssh-rsa", "", false},
		"unknown type":              {"ssh-foo AAAA", "", false},
		"PEM":                       {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "", false},
		"SSH2":                      {"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----", "", false},
		"private key":               {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "", false},
		"control characters":        {"ssh-rsa AAAA\x00 c", "", false},
		"escape sequence":           {"ssh-rsa AAAA \x1b[2J", "", false},
		"nothing":                   {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := (PublicKey{KeyData: row.data}).OpenSSH(); got != row.want || ok != row.ok {
				t.Errorf("got %q, %v; want %q, %v", got, ok, row.want, row.ok)
			}
		})
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		compute Compute
		want    []Tag
	}{
		"none":                        {Compute{}, nil},
		"the list is preferred":       {Compute{Tags: "a:1", TagsList: []Tag{{"b", "2"}}}, []Tag{{"b", "2"}}},
		"text":                        {Compute{Tags: "env:test;owner:team a"}, []Tag{{"env", "test"}, {"owner", "team a"}}},
		"an empty value":              {Compute{Tags: "a:;b:2"}, []Tag{{"a", ""}, {"b", "2"}}},
		"a colon in a value":          {Compute{Tags: "url:http://x"}, []Tag{{"url", "http://x"}}},
		"a semicolon in a value":      {Compute{Tags: "rule:a;b;c:3"}, []Tag{{"rule", "a;b"}, {"c", "3"}}},
		"a semicolon ends the value":  {Compute{Tags: "rule:a;"}, []Tag{{"rule", "a;"}}},
		"a name without its colon":    {Compute{Tags: "alone"}, []Tag{{"alone", ""}}},
		"separators without anything": {Compute{Tags: ";;"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.want, row.compute.AllTags()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	got := Compute{TagsList: []Tag{{"a", "1"}, {"b", "2"}, {"a", "3"}}}.TagMap()
	if diff := cmp.Diff(map[string]string{"a": "3", "b": "2"}, got); diff != "" {
		t.Errorf("TagMap (-want +got)\n%s", diff)
	}
}

func TestScaleSets(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		compute           Compute
		uniform, flexible bool
	}{
		"alone":                       {Compute{}, false, false},
		"uniform":                     {Compute{VMScaleSetName: "web"}, true, false},
		"flexible":                    {Compute{VMScaleSetName: "web", VirtualMachineScaleSet: SubResource{"/x"}}, false, true},
		"flexible, without the name":  {Compute{VirtualMachineScaleSet: SubResource{"/x"}}, false, true},
		"the placement group is none": {Compute{PlacementGroupID: "x"}, false, false},
	} {
		if row.compute.InUniformScaleSet() != row.uniform || row.compute.InFlexibleScaleSet() != row.flexible {
			t.Errorf("%s: uniform %v, flexible %v", name, row.compute.InUniformScaleSet(), row.compute.InFlexibleScaleSet())
		}
	}
}

func TestUserDataBytes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		encoded, want string
		unset, bad    bool
	}{
		"plain":           {encoded: "aGV3IHRoZSBzdG9uZQ==", want: "hew the stone"},
		"white space":     {encoded: " aGV3\tIHRo\r\nZSBz\vdG9u\fZQ== \n", want: "hew the stone"},
		"without padding": {encoded: "aGV3IHRoZSBzdG9uZQ", want: "hew the stone"},
		"binary":          {encoded: "AP8=", want: "\x00\xff"},
		"unset":           {encoded: "", unset: true},
		"blanks":          {encoded: " \n", unset: true},
		"not base64":      {encoded: "#cloud-config", bad: true},
		"cut":             {encoded: "aGV3I", bad: true},
		"other script":    {encoded: "аGVЗ", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := Compute{UserData: azprov.NewSecret([]byte(row.encoded))}.UserDataBytes()
			if row.bad != errors.Is(err, azprov.ErrMalformed) || row.bad != (err != nil) {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), row.encoded) {
				t.Errorf("the error shows the data: %v", err)
			}
			if data.RevealString() != row.want || data.IsZero() != (row.unset || row.bad) {
				t.Errorf("got %q, zero %v", data.RevealString(), data.IsZero())
			}
		})
	}
}

// checkEnumeration demands that the known values are distinct and found in any case.
func checkEnumeration[T ~string](t *testing.T, possible []T, canonical func(T) T) {
	t.Helper()
	for i, value := range possible {
		if slices.Index(possible, value) != i {
			t.Errorf("%T %s is listed twice", value, value)
		}
		for _, other := range []T{value, T(strings.ToUpper(string(value))), T(strings.ToLower(string(value)))} {
			if got := canonical(other); got != value {
				t.Errorf("%T %s: got %s, want %s", value, other, got, value)
			}
		}
	}
	if canonical("") != "" || canonical("new") != "new" {
		t.Errorf("%T: an unknown value is not kept", possible)
	}
}

func TestEnumerations(t *testing.T) {
	t.Parallel()
	checkEnumeration(t, PossibleCloudValues(), Cloud.Canonical)
	checkEnumeration(t, PossibleOSTypeValues(), OSType.Canonical)
	checkEnumeration(t, PossiblePPSTypeValues(), PPSType.Canonical)
	checkEnumeration(t, PossiblePriorityValues(), Priority.Canonical)
	checkEnumeration(t, PossibleEvictionPolicyValues(), EvictionPolicy.Canonical)
	checkEnumeration(t, PossibleSecurityTypeValues(), SecurityType.Canonical)
	checkEnumeration(t, PossibleCachingValues(), Caching.Canonical)
	checkEnumeration(t, PossibleCreateOptionValues(), CreateOption.Canonical)
	checkEnumeration(t, PossibleDiffDiskOptionValues(), DiffDiskOption.Canonical)
	checkEnumeration(t, PossibleDiffDiskPlacementValues(), DiffDiskPlacement.Canonical)
	checkEnumeration(t, PossibleStorageAccountTypeValues(), StorageAccountType.Canonical)
	checkEnumeration(t, PossibleProtocolValues(), Protocol.Canonical)
	want := []PPSType{"None", "Running", "Savable", "PreprovisionedOSDisk"}
	if diff := cmp.Diff(want, PossiblePPSTypeValues()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseVersions(t *testing.T) {
	t.Parallel()
	got, err := ParseVersions([]byte(`{"apiVersions":["2017-04-02"," 2023-11-15 ",""]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2017-04-02", "2023-11-15"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, document := range []string{``, `[]`, `{}`, `{"apiVersions":[]}`, `{"apiVersions":null}`, `{"apiVersions":"2017-04-02"}`, `<html>`, `{"apiVersions":["2017`} {
		if _, err := ParseVersions([]byte(document)); !errors.Is(err, azprov.ErrMalformed) {
			t.Errorf("%q: %v", document, err)
		}
	}
}

func TestKnownVersions(t *testing.T) {
	t.Parallel()
	known := KnownVersions()
	if !slices.IsSorted(known) || len(slices.Compact(slices.Clone(known))) != len(known) {
		t.Error("the versions are not in ascending order, each once")
	}
	for _, version := range []string{"2019-06-01", "2021-01-01", "2021-08-01", "2023-11-15", "2025-04-07"} {
		if !slices.Contains(known, version) {
			t.Errorf("%s is missing", version)
		}
	}
	if slices.Contains(known, "2017-03-01") {
		t.Error("the preview's documents cannot be read")
	}
	known[0] = "changed"
	if KnownVersions()[0] == "changed" {
		t.Error("the list is shared")
	}
}

func TestParseServiceError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]ServiceError{
		`{"error":"Not found"}`: {Message: "Not found"},
		`{"error":"Bad request.","newest-versions":["2025-04-07","2024-07-17"]}`: {Message: "Bad request.", NewestVersions: []string{"2025-04-07", "2024-07-17"}},
		`{"newest-versions":["2025-04-07"]}`:                                     {NewestVersions: []string{"2025-04-07"}},
		`{"error":"invalid_request","error_description":"Identity not found"}`:   {Message: "invalid_request", Description: "Identity not found"},
		`{"error":400,"newest-versions":"2025-04-07"}`:                           {Message: "400"},
		``: {}, ` `: {}, `{}`: {}, `[]`: {}, `null`: {}, `"x"`: {}, `<html>503</html>`: {}, `{"error":`: {}, `Forbidden`: {}, "\xff": {},
		`{"apiVersions":["2017-04-02"]}`:        {},
		`{"error":{"code":"x","message":"no"}}`: {},
	} {
		got, ok := ParseServiceError([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || ok == reflect.ValueOf(want).IsZero() {
			t.Errorf("%q: ok %v (-want +got)\n%s", body, ok, diff)
		}
	}
}
