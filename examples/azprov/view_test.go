package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

type inner struct {
	ContainerID string
}

type sample struct {
	inner   // not exported, so not shown
	Shown   inner
	Tagged  string        `json:"tag"`
	Hidden  string        `json:"-"`
	Left    azprov.Secret `json:"left,omitzero"`
	Secret  azprov.Secret
	Bytes   azprov.Secret
	Data    []byte
	List    []string
	Switch  azprov.Switch
	VMID    azprov.VMID
	Map     map[azprov.Kind]int
	Missing *inner
}

func TestView(t *testing.T) {
	t.Parallel()
	v := sample{
		Shown: inner{"<hull>"}, Tagged: "x", Hidden: "y",
		Secret: azprov.NewSecret([]byte("keel")), Bytes: azprov.NewSecret([]byte{0xff, 0x00}),
		Data: []byte("abc"), Switch: azprov.SwitchOff, Map: map[azprov.Kind]int{"b": 2, "a": 1},
	}
	for reveal, want := range map[bool]string{
		false: `{"shown":{"containerId":"<hull>"},"tag":"x","secret":"[redacted]","bytes":"[redacted]","data":{"bytes":3},"list":[],"switch":false,"vmid":"","map":{"a":1,"b":2},"missing":null}`,
		true:  `{"shown":{"containerId":"<hull>"},"tag":"x","secret":"keel","bytes":{"base64":"/wA="},"data":{"bytes":3},"list":[],"switch":false,"vmid":"","map":{"a":1,"b":2},"missing":null}`,
	} {
		got, err := encodeJSON(view(v, reveal))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("reveal %v (-want +got):\n%s", reveal, diff)
		}
	}
}

func TestLowerCamel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ContainerID": "containerId", "URL": "url", "KMSServerHostname": "kmsServerHostname", "LBProbePorts": "lbProbePorts",
		"HostName": "hostName", "GUID": "guid", "DisableSSHPasswordAuthentication": "disableSshPasswordAuthentication", "ID": "id",
	} {
		if got := lowerCamel(name); got != want {
			t.Errorf("lowerCamel(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDescribeKey(t *testing.T) {
	t.Parallel()
	const data = "AAAAC3NzaC1lZDI1NTE5AAAAIGIUsU2s4odSeOog24CPv9XA70VUmlMzd5aIW1/vUV6w"
	const sum = "SHA256:DhR/7FLgDMt6bgLLMaUFuk036lfJqSdfbhRnZXkR2kw" // ssh-keygen -lf
	for line, want := range map[string]string{
		"ssh-ed25519 " + data + " mate@example.test":         "ssh-ed25519 " + sum + " mate@example.test",
		"ssh-ed25519 " + data:                                "ssh-ed25519 " + sum,
		"no-pty,command=\"ls\" ssh-ed25519 " + data + " a b": "ssh-ed25519 " + sum + " a b",
		"no key at all":                                      "no key at all",
		"\x1b[31mred":                                        "[31mred",
	} {
		if got := describeKey(line); got != want {
			t.Errorf("describeKey(%q) = %q, want %q", line, got, want)
		}
	}
}

// TestTerminalIsNotSteered: text from outside cannot hold escape sequences.
func TestTerminalIsNotSteered(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b]0;title\x07\r\nb\u009b2J"
	var out bytes.Buffer
	printFacts(&out, "", []fact{{name: "x", value: evil}})
	printWarnings(&out, []string{evil})
	printTree(&out, "", object{{"x", evil}})
	printSecret(&out, "x", azprov.NewSecret([]byte(evil)))
	for _, r := range out.String() {
		if r != '\n' && (r < ' ' || (r >= 0x7f && r < 0xa0)) {
			t.Errorf("%q is in the output:\n%q", r, out.String())
		}
	}
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, path, format, body string
		want                     string // empty: nothing may be shown
	}{
		{"versions", "versions", "", `{"apiVersions":[]}`, `{"apiVersions":[]}`},
		{"the instance, redacted", "/metadata/instance", "", `{"compute":{"USERDATA":"c2VjcmV0","x":1}}`, `{ "compute": { "USERDATA": "[redacted]", "x": 1 } }`},
		{"a list", "instance/network/interface", "json", `[{"customData":"x"}]`, `[ { "customData": "[redacted]" } ]`},
		{"a leaf", "instance/compute/location", "text", "westeurope", "westeurope"},
		{"user data in any case", "Instance/compute/USERDATA/", "text", "c2VjcmV0", ""},
		{"what is no JSON", "instance", "", "<html>c2VjcmV0", ""},
		{"two values", "instance", "", `{} {"userData":"c2VjcmV0"}`, ""},
		{"a token", "/metadata/identity/oauth2/token", "", `{"access_token":"x"}`, ""},
		{"attested data", "attested/document", "", `{"signature":"x"}`, ""},
		{"reprovision data", "reprovisiondata", "", "<Environment/>", ""},
		{"the root", "/metadata", "", `{"instance":{}}`, ""},
		{"a name that begins alike", "instances", "", `{"userData":"x"}`, ""},
	} {
		got, ok := harmless(row.path, row.format, []byte(row.body))
		if ok != (row.want != "") || (ok && strings.Join(strings.Fields(string(got)), " ") != row.want) {
			t.Errorf("%s: %q, %v, want %q", row.name, got, ok, row.want)
		}
	}
}
