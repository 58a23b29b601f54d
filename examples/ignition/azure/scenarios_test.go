package azure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	v3_0 "github.com/coreos/ignition/v2/config/v3_0"
	v3_1 "github.com/coreos/ignition/v2/config/v3_1"
	v3_2 "github.com/coreos/ignition/v2/config/v3_2"
	v3_3 "github.com/coreos/ignition/v2/config/v3_3"
	v3_4 "github.com/coreos/ignition/v2/config/v3_4"
	v3_5 "github.com/coreos/ignition/v2/config/v3_5"
	v3_6 "github.com/coreos/ignition/v2/config/v3_6"
	"github.com/coreos/vcontext/report"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/examples/ignition/azure"
	"github.com/azprov/azprov/examples/ignition/lint"
	"github.com/azprov/azprov/examples/ignition/render"
	"github.com/azprov/azprov/imds"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/pps"
	"github.com/azprov/azprov/provision"
	"github.com/azprov/azprov/wireserver"
)

// machineless are the scenarios that describe no machine to an agent, and why.
var machineless = map[string]string{
	"bad-ovf":       "the medium is damaged",
	"ovf-duplicate": "the medium has two host names",
	"imds-denied":   "nobody names a user or a key",
	"pps-osdisk":    "the VM is stopped before it has an owner",
}

// store has the marker of a VM that has reported to its pool before.
type store struct{ marker *pps.Marker }

func (s *store) Load(context.Context) (m pps.Marker, ok bool, err error) {
	if s.marker != nil {
		m, ok = *s.marker, true
	}
	return m, ok, nil
}
func (s *store) Save(_ context.Context, m pps.Marker) error { s.marker = &m; return nil }
func (s *store) Clear(context.Context) error                { s.marker = nil; return nil }

// collect gathers the machine of a scenario, in virtual time.
func collect(t *testing.T, scenario emulator.Scenario) (*provision.Machine, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	links := emulator.NewMemoryLinks(scenario)
	fabric, err := emulator.NewFabric(scenario, &emulator.Options{Links: links})
	if err != nil {
		t.Fatal(err)
	}
	server := fabric.ListenInMemory(ctx)
	defer server.Close() //nolint:errcheck // The test is over.
	transport := azcore.ClientOptions{Transport: server.Client()}
	options := &provision.Options{Sysfs: fabric.DMI(), StateDir: provision.NoStateDir}
	options.Pool.Links = memlinks.Links(links)
	if scenario.Pool.Switched {
		options.Pool.Store = &store{&pps.Marker{VMID: scenario.VM.ID, Phase: pps.PhaseReported}}
	}
	if options.IMDS, err = imds.NewClient(&imds.ClientOptions{ClientOptions: transport}); err != nil {
		t.Fatal(err)
	}
	if options.WireServer, err = wireserver.NewClient(&wireserver.ClientOptions{ClientOptions: transport}); err != nil {
		t.Fatal(err)
	}
	if medium, ok := fabric.Medium(); ok {
		options.Medium = provision.MediumFS(medium)
	}
	collector, err := provision.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return collector.Collect(ctx)
}

// version is Ignition's own package of a version of the spec.
type version struct {
	spec render.Spec
	// merge parses the configs and merges them, the last above all.
	merge func(t *testing.T, raws ...[]byte) map[string]any
}

func of[C any](spec render.Spec, parse func([]byte) (C, report.Report, error), merge func(C, C) C) version {
	return version{spec, func(t *testing.T, raws ...[]byte) map[string]any {
		t.Helper()
		var sum C
		for _, raw := range raws {
			config, r, err := parse(raw)
			if err != nil || len(r.Entries) > 0 {
				t.Fatalf("Ignition says %v %v of\n%s", err, r, raw)
			}
			sum = merge(sum, config)
		}
		b, err := json.Marshal(sum)
		if err != nil {
			t.Fatal(err)
		}
		var merged map[string]any
		if err := json.Unmarshal(b, &merged); err != nil {
			t.Fatal(err)
		}
		return merged
	}}
}

func versions() []version {
	return []version{
		of("3.0.0", v3_0.Parse, v3_0.Merge), of("3.1.0", v3_1.Parse, v3_1.Merge), of("3.2.0", v3_2.Parse, v3_2.Merge),
		of("3.3.0", v3_3.Parse, v3_3.Merge), of("3.4.0", v3_4.Parse, v3_4.Merge), of("3.5.0", v3_5.Parse, v3_5.Merge),
		of("3.6.0", v3_6.Parse, v3_6.Merge),
	}
}

// at finds an element of a list of objects by a member, or returns nil.
func at(config map[string]any, section, list, member, value string) map[string]any {
	in, _ := config[section].(map[string]any)
	elements, _ := in[list].([]any)
	for _, element := range elements {
		if object, ok := element.(map[string]any); ok && object[member] == value {
			return object
		}
	}
	return nil
}

func source(file map[string]any) any {
	contents, _ := file["contents"].(map[string]any)
	return contents["source"]
}

const usersKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFMmxI7GHIqFvIpDmBUXRnJjOsXzxAPwUbOLbuVpXHAZ user@example.test"

// users are the user's configs: with nothing, with other things, with the same.
func users(name string, spec render.Spec) map[string]string {
	head := `{"ignition": {"version": "` + string(spec) + `"}`
	return map[string]string{
		"none":     head + `}`,
		"disjoint": head + `, "storage": {"files": [{"path": "/etc/harbour", "contents": {"source": "data:,berth"}}]}, "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["` + usersKey + `"]}]}}`,
		"conflicting": head + `, "storage": {"files": [
			{"path": "/etc/hostname", "mode": 384, "contents": {"source": "data:,users"}},
			{"path": "/etc/sudoers.d/90-platform-user", "contents": {"source": "data:,users"}},
			{"path": "/etc/ssh/sshd_config.d/10-platform.conf", "contents": {"source": "data:,users"}}]},
			"systemd": {"units": [{"name": "mnt-resource.mount", "enabled": false}]},
			"passwd": {"users": [{"name": "` + name + `", "passwordHash": "*", "sshAuthorizedKeys": ["` + usersKey + `"]}]}}`,
	}
}

// TestScenarios renders every shipped scenario in every version, has Ignition parse that and
// merge it with users' configs: the user's value wins each time.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, scenario := range emulator.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				found, err := collect(t, scenario)
				if why, none := machineless[scenario.Name]; none {
					if err == nil {
						t.Errorf("there is a machine, although %s", why)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				machine, err := azure.Machine(found, &azure.Options{Groups: []string{"wheel"}, ResourceDisk: azure.ResourceDisk()})
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range versions() {
					check(t, v, machine)
				}
			})
		})
	}
}

func check(t *testing.T, v version, machine render.Machine) {
	t.Helper()
	fragments, err := render.Render(machine, &render.Options{Spec: v.spec})
	if err != nil {
		t.Fatal(err)
	}
	again, _ := render.Render(machine, &render.Options{Spec: v.spec})
	var raws [][]byte
	for i, f := range fragments {
		raws = append(raws, f.Content)
		if !bytes.Equal(f.Content, again[i].Content) || f.Secret != strings.Contains(string(f.Content), "$6$") {
			t.Errorf("%s: other bytes the second time, or secret is wrong", f.Name)
		}
	}
	for name, config := range users(machine.User.Name, v.spec) {
		findings, err := lint.Files(lint.Of(fragments), &lint.Options{Knows: v.spec, User: []byte(config)})
		if err != nil || slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Verdict == lint.Refused }) {
			t.Errorf("%s, %s: %v %v", v.spec, name, findings, err)
		}
		if told := slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Verdict == lint.Overridden }); told != (name == "conflicting") {
			t.Errorf("%s, %s: %v", v.spec, name, findings)
		}
		merged := v.merge(t, append(slices.Clone(raws), []byte(config))...)
		outcome(t, name, machine, merged)
	}
}

// outcome holds what Ignition has merged against whose value is to win.
func outcome(t *testing.T, name string, machine render.Machine, merged map[string]any) {
	t.Helper()
	host := at(merged, "storage", "files", "path", "/etc/hostname")
	sudo := at(merged, "storage", "files", "path", "/etc/sudoers.d/90-platform-user")
	sshd := at(merged, "storage", "files", "path", "/etc/ssh/sshd_config.d/10-platform.conf")
	disk := at(merged, "systemd", "units", "name", "mnt-resource.mount")
	user := at(merged, "passwd", "users", "name", machine.User.Name)
	keys, _ := user["sshAuthorizedKeys"].([]any)
	groups := []any{"wheel"}
	if !reflect.DeepEqual(user["groups"], groups) || disk == nil {
		t.Errorf("%s: groups %v, disk %v", name, user["groups"], disk)
	}
	for _, key := range machine.User.SSHKeys {
		if !slices.Contains(keys, any(key)) {
			t.Errorf("%s: a key of the platform is missing", name)
		}
	}
	if name == "conflicting" {
		if source(host) != "data:,users" || host["mode"] != 384.0 || source(sudo) != "data:,users" || source(sshd) != "data:,users" ||
			disk["enabled"] != false || user["passwordHash"] != "*" || !slices.Contains(keys, any(usersKey)) {
			t.Errorf("the user's value does not win: %v", merged)
		}
		return
	}
	if source(host) != "data:,"+machine.HostName+"%0A" || host["mode"] != 420.0 || sudo["mode"] != 288.0 || disk["enabled"] != true {
		t.Errorf("%s: %v %v %v", name, host, sudo, disk)
	}
	if hash, _ := user["passwordHash"].(string); hash != machine.User.PasswordHash {
		t.Errorf("%s: hash %q", name, hash)
	}
	if (at(merged, "storage", "files", "path", "/etc/harbour") != nil) != (name == "disjoint") || (sshd != nil) != (machine.PasswordLogin != nil) {
		t.Errorf("%s: %v", name, merged)
	}
}

// TestMachine has what the machine makes of the platform's rules.
func TestMachine(t *testing.T) {
	t.Parallel()
	m := &provision.Machine{HostName: "harbour-01", User: provision.User{Name: "pilot", SSHKeys: []string{"a", "b", "a"}}}
	got, err := azure.Machine(m, nil)
	if err != nil || got.User.Sudo != render.SudoNoPassword || got.PasswordLogin != nil || !slices.Equal(got.User.SSHKeys, []string{"a", "b"}) {
		t.Errorf("%+v %v", got, err)
	}
	m.User.Password, m.PasswordAuthentication = azprov.NewSecret([]byte("Low-Tide-1130")), azprov.NewSwitch(false)
	first, err := azure.Machine(m, nil)
	if err != nil || first.User.Sudo != render.SudoPassword || first.PasswordLogin == nil || *first.PasswordLogin ||
		!strings.HasPrefix(first.User.PasswordHash, "$6$rounds=10000$") {
		t.Errorf("%+v %v", first, err)
	}
	m.VMID[0]++
	if other, err := azure.Machine(m, nil); err != nil || other.User.PasswordHash == first.User.PasswordHash {
		t.Errorf("another machine has the same hash: %v", err)
	}
	if got, err := azure.Machine(&provision.Machine{}, nil); err != nil || !reflect.DeepEqual(got, render.Machine{}) {
		t.Errorf("of nothing: %+v %v", got, err)
	}
	m.User.Password = azprov.NewSecret([]byte("a\x00b"))
	if _, err := azure.Machine(m, nil); err == nil {
		t.Error("a password with a NUL was hashed")
	}
}
