package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov"
)

func TestWireServerDiscover(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	leased := t.TempDir()
	writeFile(t, filepath.Join(leased, "run", "systemd", "netif", "leases", "2"), "OPTION_245=0a3e908c\nMTU=many\n")
	named := t.TempDir()
	writeFile(t, filepath.Join(named, "run", "dhclient.lease"), "lease { interface \"eth0\"; option unknown-245 4:3:2:1; expire never; }")
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), "x")
	for _, row := range []struct {
		name string
		args []string
		text []string
		json map[string]any
	}{
		{"nothing says anything", []string{"--root", empty}, []string{"URL     " + azprov.WireServerEndpoint, "source  Default\n"}, map[string]any{
			"url": azprov.WireServerEndpoint, "address": "168.63.129.16", "source": "Default", "file": "", "interface": "",
		}},
		{"a lease", []string{"--root", leased}, []string{"URL        http://10.62.144.140", "file       /run/systemd/netif/leases/2", "interface  -", `warning: run/systemd/netif/leases/2: MTU is "many"`}, map[string]any{
			"url": "http://10.62.144.140", "source": "Lease", "file": "/run/systemd/netif/leases/2", "interface": "",
		}},
		{"a lease of an interface", []string{"--root", named}, []string{"URL        http://4.3.2.1", "interface  eth0"}, map[string]any{"url": "http://4.3.2.1", "interface": "eth0"}},
		{"an option", []string{"--root", leased, "--option-245", "4:3:2:1"}, []string{"http://4.3.2.1", "source  Option\n"}, map[string]any{"source": "Option"}},
		{"an option that cannot be read", []string{"--root", empty, "--option-245", "harbour"}, []string{"source  Default\n", "warning: Option245 is passed over"}, map[string]any{"source": "Default"}},
		{"an endpoint", []string{"--root", leased, "--wireserver", "http://127.0.0.1:8002"}, []string{"http://127.0.0.1:8002", "source  Explicit\n"}, map[string]any{"url": "http://127.0.0.1:8002", "source": "Explicit"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			args := slices.Concat([]string{"wireserver", "discover"}, row.args)
			contains(t, cli(t, args...).want(t, exitDone).stdout, row.text...)
			object := oneObject(t, cli(t, append(args, "--output", "json")...).want(t, exitDone).stdout)
			for name, want := range row.json {
				if got := at(t, object, name); got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if _, isList := at(t, object, "warnings").([]any); !isList {
				t.Errorf("warnings are no list: %v", object)
			}
		})
	}
	for _, root := range []string{file, filepath.Join(empty, "nowhere"), ""} {
		got := cli(t, "wireserver", "discover", "--root", root).want(t, exitUsage)
		if !strings.Contains(got.stderr, "is no directory") {
			t.Errorf("%q: %s", root, got.stderr)
		}
	}
}
