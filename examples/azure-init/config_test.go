package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov"
)

// effective is the configuration as it is without any file.
const effective = `# files: none, all is as built in

[ssh]
authorized_keys_path = ".ssh/authorized_keys"
query_sshd_config = true
configure_sshd_password_authentication = true

[hostname_provisioners]
backends = ["hostnamectl"]

[user_provisioners]
backends = ["useradd"]
groups = []

[password_provisioners]
backends = ["passwd"]

[imds]
connection_timeout_secs = 30.0
request_timeout_secs = 60.0
retry_interval_secs = 2.0
total_retry_timeout_secs = 300.0

[provisioning_media]
enable = true

[azure_proxy_agent]
enable = true

[wireserver]
connection_timeout_secs = 60.0
read_timeout_secs = 60.0
total_retry_timeout_secs = 1200.0
health_endpoint = "http://168.63.129.16/provisioning/health"

[telemetry]
kvp_diagnostics = true
kvp_filter = ""

[azure_init_data_dir]
path = "/var/lib/azure-init/"

[azure_init_log_path]
path = "/var/log/azure-init.log"

[custom_data]
action = "save"
`

func TestPrintEffectiveConfig(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if got := cli(t, "--print-effective-config", "--root", root).want(t, exitDone); got.stdout != effective {
		t.Errorf("(-want +got):\n%s", cmp.Diff(effective, got.stdout))
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("it has made %v, %v", entries, err)
	}
	// What it prints can be read, and says the same.
	file := filepath.Join(t.TempDir(), "all.toml")
	makeFiles(t, filepath.Dir(file), map[string]string{"all.toml": effective})
	c, err := loadConfig(os.DirFS(root), file)
	if err != nil {
		t.Fatal(err)
	}
	c.origins = map[string]string{}
	if got := c.String(); got != effective {
		t.Errorf("(-want +got):\n%s", cmp.Diff(effective, got))
	}
}

// TestLayers: later files win, key by key, and lists as a whole.
func TestLayers(t *testing.T) {
	t.Parallel()
	root, named := t.TempDir(), t.TempDir()
	makeFiles(t, root, map[string]string{
		"etc/azure-init.toml":        "[ssh]\nquery_sshd_config = false\nauthorized_keys_path = 'a'\n[user_provisioners]\nbackends = ['files', 'useradd']\ngroups = ['x', 'y']\n[imds]\nretry_interval_secs = 1\n",
		"etc/azure-init.d/20-b.toml": "[ssh]\nauthorized_keys_path = 'c'\n",
		"etc/azure-init.d/10-a.toml": "[ssh]\nauthorized_keys_path = 'b'\n[user_provisioners]\nbackends = ['files']\n",
		"etc/azure-init.d/README":    "no TOML\n",
	})
	makeFiles(t, named, map[string]string{"2.toml": "telemetry.kvp_filter = 'INFO'\n", "1.toml": "telemetry.kvp_filter = 'WARN'\n[wireserver]\nread_timeout_secs = 0.5\n"})
	got := cli(t, "--print-effective-config", "--root", root, "--config", named).want(t, exitDone)
	contains(t, got.stdout,
		"authorized_keys_path = \"c\" # /etc/azure-init.d/20-b.toml\n", "query_sshd_config = false # /etc/azure-init.toml\n",
		"configure_sshd_password_authentication = true\n", "backends = [\"files\"] # /etc/azure-init.d/10-a.toml\n", "groups = [\"x\", \"y\"] #",
		"retry_interval_secs = 1.0 # /etc/azure-init.toml", "kvp_filter = \"INFO\" # "+filepath.Join(named, "2.toml"), "read_timeout_secs = 0.5 # ")
	// AZURE_INIT_CONFIG is --config.
	m := newMachine(t)
	m.env["AZURE_INIT_CONFIG"] = filepath.Join(named, "1.toml")
	got = m.cli(t.Context(), "--print-effective-config", "--root", root).want(t, exitDone)
	contains(t, got.stdout, `kvp_filter = "WARN"`)
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, message, hint string }{
		{"an unknown key", "[ssh]\nauthorised_keys_path = 'x'\n", "unknown key ssh.authorised_keys_path", "did you mean ssh.authorized_keys_path?"},
		{"the case of a key", "[ssh]\nQuery_SSHD_config = true\n", "unknown key ssh.Query_SSHD_config", "did you mean ssh.query_sshd_config?"},
		{"an unknown table", "[wire_server]\nread_timeout_secs = 1\n", "unknown key wire_server", "did you mean wireserver?"},
		{"a key without its table", "kvp_diagnostics = false\n", "unknown key kvp_diagnostics", "did you mean kvp_diagnostics of [telemetry]?"},
		{"a key of another table", "[imds]\nhealth_endpoint = 'x'\n", "unknown key imds.health_endpoint", "did you mean health_endpoint of [wireserver]?"},
		{"nothing like it", "[ssh]\nzzz = 1\n", "unknown key ssh.zzz", "--print-effective-config shows all keys"},
		{"a wrong type", "\n[ssh]\nquery_sshd_config = 'yes'\n", "x.toml", ""},
		{"no TOML", "[ssh\n", "x.toml:2", ""},
		{"twice", "[ssh]\n[ssh]\n", "x.toml:2", ""},
		{"a back end", "hostname_provisioners.backends = ['hostnamed']\n", `hostname_provisioners.backends "hostnamed" is none of hostnamectl, sethostname, files`, ""},
		{"no back end", "user_provisioners.backends = []\n", "user_provisioners.backends names none of useradd, files", ""},
		{"an action", "custom_data.action = 'run'\n", `"run" is none of save, execute, warn`, ""},
		{"no time", "imds.total_retry_timeout_secs = 0\n", "imds.total_retry_timeout_secs must be", ""},
		{"not a time", "imds.request_timeout_secs = nan\n", "imds.request_timeout_secs must be", ""},
		{"an endless time", "wireserver.read_timeout_secs = inf\n", "wireserver.read_timeout_secs must be", ""},
		{"a relative path", "azure_init_data_dir.path = 'data'\n", "azure_init_data_dir.path must be an absolute path", ""},
		{"the root", "azure_init_log_path.path = '/'\n", "azure_init_log_path.path must be", ""},
		{"an endpoint", "wireserver.health_endpoint = 'http://192.0.2.1/health'\n", "wireserver.health_endpoint must be", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			root, file := t.TempDir(), filepath.Join(t.TempDir(), "x.toml")
			makeFiles(t, filepath.Dir(file), map[string]string{"x.toml": row.text})
			got := cli(t, "--print-effective-config", "--config", file, "--root", root).want(t, exitConfig, row.message, file, row.hint)
			if got.stdout != "" {
				t.Errorf("it prints:\n%s", got.stdout)
			}
			_, err := loadConfig(os.DirFS(root), file)
			var typed *azprov.Error
			if !errors.As(err, &typed) || typed.Kind != azprov.KindMalformed || typed.Reason != reasonUnhandled {
				t.Errorf("the error is %#v", err)
			}
		})
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(effective)
	f.Add("[ssh]\nzzz = 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		makeFiles(t, dir, map[string]string{"x.toml": text})
		c, err := loadConfig(os.DirFS(t.TempDir()), filepath.Join(dir, "x.toml"))
		if (err == nil) != (c.check() == nil) && err == nil {
			t.Error("a configuration is taken that is none")
		}
	})
}
