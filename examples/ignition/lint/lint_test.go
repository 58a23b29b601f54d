package lint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/azprov/azprov/examples/ignition/lint"
	"github.com/azprov/azprov/examples/ignition/render"
)

const good = `{"ignition": {"version": "3.0.0"},
	"storage": {"files": [{"path": "/etc/hostname", "mode": 420, "overwrite": true, "contents": {"source": "data:,harbour"}}]},
	"passwd": {"users": [{"name": "pilot", "groups": ["wheel"], "passwordHash": "$6$salt$secret", "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}]}}`

// TestRefused: each way in which Ignition would drop fragments without a word.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		files fstest.MapFS
		knows render.Spec
		user  string
		want  []string
	}{
		"nothing":       {fstest.MapFS{}, "", "", nil},
		"a good one":    {fstest.MapFS{"a.ign": {Data: []byte(good)}}, "3.0.0", "", nil},
		"an empty file": {fstest.MapFS{"a.ign": {}}, "", "", []string{"refused    a.ign: not a config (empty)"}},
		"a file of an editor, whatever its name": {
			fstest.MapFS{"a.ign": {Data: []byte(good)}, "a.ign~": {Data: []byte("{")}},
			"", "",
			[]string{"refused    a.ign~: byte 1: unexpected end of JSON input"},
		},
		"a directory":          {fstest.MapFS{"d/x": {}}, "", "", []string{"refused    d: Ignition reads every entry of the directory, and cannot read this one"}},
		"no version":           {fstest.MapFS{"a.ign": {Data: []byte(`{}`)}}, "", "", []string{"refused    a.ign: invalid config version (couldn't parse)"}},
		"a version to come":    {fstest.MapFS{"a.ign": {Data: []byte(`{"ignition": {"version": "3.99.0"}}`)}}, "", "", []string{"refused    a.ign: unsupported config version"}},
		"newer than the image": {fstest.MapFS{"a.ign": {Data: []byte(`{"ignition": {"version": "3.4.0"}}`)}}, "3.3.0", "", []string{"refused    a.ign: ignition.version: an Ignition that knows 3.3.0 at most drops it, and all other fragments with it"}},
		"a key that is misspelt": {
			fstest.MapFS{"a.ign": {Data: []byte(`{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "/a", "mod": 1}]}}`)}},
			"", "",
			[]string{"refused    a.ign: $.storage.files.0.mod: unused key mod, which Ignition would ignore"},
		},
		"a value that is wrong": {
			fstest.MapFS{"a.ign": {Data: []byte(`{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "etc"}]}}`)}},
			"", "",
			[]string{"refused    a.ign: $.storage.files.0.path: path not absolute"},
		},
		"sections of the user's alone": {
			fstest.MapFS{"a.ign": {Data: []byte(`{"ignition": {"version": "3.1.0", "config": {"merge": [{"source": "https://example.test/c"}]}, "proxy": {"httpProxy": "http://p.example.test"}, "timeouts": {"httpTotal": 1}, "security": {"tls": {"certificateAuthorities": [{"source": "data:,x"}]}}}}`)}},
			"", "",
			[]string{
				"refused    a.ign: ignition.config: Ignition does not fetch what a base config refers to",
				"refused    a.ign: ignition.proxy: Ignition does not use the proxy of a base config",
				"refused    a.ign: ignition.security: Ignition does not use the authorities of a base config",
				"refused    a.ign: ignition.timeouts: Ignition does not use the timeouts of a base config",
			},
		},
		"the user's config": {
			fstest.MapFS{"a.ign": {Data: []byte(good)}},
			"3.0.0", `{"ignition": {"version": "3.3.0"}}`,
			[]string{"refused    the user's config: unsupported config version"},
		},
		"both together": {
			fstest.MapFS{"a.ign": {Data: []byte(good)}},
			"",
			`{"ignition": {"version": "3.0.0"}, "storage": {"links": [{"path": "/etc", "target": "/usr/etc"}]}}`,
			[]string{"refused    the user's config: $.storage.files.0: merged with the fragments: file path includes link in config"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := &lint.Options{Knows: row.knows}
			if row.user != "" {
				options.User = []byte(row.user)
			}
			findings, err := lint.Dir(row.files, options)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
			}
		})
	}
}

// TestOverridden: what the user's config makes of the fragments, without a value in it.
func TestOverridden(t *testing.T) {
	t.Parallel()
	const head = `{"ignition": {"version": "3.3.0"}, `
	for name, row := range map[string]struct {
		user string
		want []string
	}{
		"other things": {head + `"storage": {"files": [{"path": "/etc/motd"}]}}`, nil},
		"the same":     {head + `"storage": {"files": [{"path": "/etc/hostname", "mode": 420}]}}`, nil},
		"another mode and content": {
			head + `"storage": {"files": [{"path": "/etc/hostname", "mode": 384, "contents": {"source": "data:,x"}}]}}`,
			[]string{
				"overridden a.ign: storage.files[/etc/hostname].contents.source: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].mode: by the user's config",
			},
		},
		"a zero that was said": {
			head + `"storage": {"files": [{"path": "/etc/hostname", "mode": 0, "overwrite": false}]}, "passwd": {"users": [{"name": "pilot", "passwordHash": ""}]}}`,
			[]string{
				"overridden a.ign: passwd.users[pilot].passwordHash: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].overwrite: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].mode: by the user's config",
			},
		},
		"a link in a file's place": {
			head + `"storage": {"links": [{"path": "/etc/hostname", "target": "x"}]}}`,
			[]string{
				"overridden a.ign: storage.files[/etc/hostname].path: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].overwrite: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].contents.source: by the user's config",
				"overridden a.ign: storage.files[/etc/hostname].mode: by the user's config",
			},
		},
		"more keys and groups": {
			head + `"passwd": {"users": [{"name": "pilot", "groups": ["docker"], "sshAuthorizedKeys": ["ssh-ed25519 BBBB"]}]}}`,
			[]string{
				"added      a.ign: passwd.users[pilot].groups[wheel]: to those of the user's config",
				"added      a.ign: passwd.users[pilot].sshAuthorizedKeys[ssh-ed25519 AAAA]: to those of the user's config",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, err := lint.Dir(fstest.MapFS{"a.ign": {Data: []byte(good)}}, &lint.Options{User: []byte(row.user)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			slices.Sort(got)
			slices.Sort(row.want)
			if !slices.Equal(got, row.want) || strings.Contains(strings.Join(got, ""), "secret") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
			}
		})
	}
}

// TestLaterFragment: fragments override each other by their names.
func TestLaterFragment(t *testing.T) {
	t.Parallel()
	later := strings.ReplaceAll(good, "harbour", "jetty")
	findings, err := lint.Dir(fstest.MapFS{"a.ign": {Data: []byte(good)}, "b.ign": {Data: []byte(later)}}, nil)
	if err != nil || len(findings) != 1 || findings[0].String() != "overridden a.ign: storage.files[/etc/hostname].contents.source: by b.ign" {
		for _, f := range findings {
			t.Log(f)
		}
		t.Errorf("%v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := lint.Files(nil, &lint.Options{Knows: "4.0.0"}); err == nil {
		t.Error("4.0.0 is known")
	}
	if _, err := lint.Dir(os.DirFS(filepath.Join(t.TempDir(), "none")), nil); err == nil {
		t.Error("a directory that is not there was read")
	}
}
