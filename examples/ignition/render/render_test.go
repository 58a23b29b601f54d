package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/azprov/azprov/examples/ignition/render"
)

var update = flag.Bool("update", false, "rewrite testdata")

func on() *bool { b := true; return &b }

// whole is a machine that says everything.
func whole() render.Machine {
	return render.Machine{
		HostName: "harbour-01", PasswordLogin: on(), ResourceDisk: render.Disk{Device: "/dev/disk/azure/resource-part1", MountPoint: "/mnt/resource"},
		User: render.User{
			Name: "pilot", SSHKeys: []string{"ssh-ed25519 AAAA <pilot@example.test>"}, Groups: []string{"wheel", "sudo"},
			PasswordHash: "$6$salt$hash", Sudo: render.SudoPassword,
		},
	}
}

func text(fragments []render.Fragment) string {
	var all strings.Builder
	for _, f := range fragments {
		all.WriteString("== " + f.Name + "\n" + string(f.Content))
	}
	return all.String()
}

// TestGolden holds the bytes, which must stay the same from boot to boot.
func TestGolden(t *testing.T) {
	t.Parallel()
	fragments, err := render.Render(whole(), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "whole.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(text(fragments)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || text(fragments) != string(want) {
		t.Errorf("%v\n%s", err, text(fragments))
	}
	var names []string
	for _, f := range fragments {
		names = append(names, f.Name)
		if f.Secret != (f.Name == "platform-user.ign") {
			t.Errorf("%s: secret is %t", f.Name, f.Secret)
		}
	}
	if !slices.Equal(names, render.Names()) || !slices.IsSorted(names) {
		t.Errorf("names %v", names)
	}
}

// TestSwitches: what each part leaves out, and nothing else.
func TestSwitches(t *testing.T) {
	t.Parallel()
	for part, gone := range map[render.Part][]string{
		render.PartHostName: {"platform-hostname.ign"}, render.PartUser: {"platform-user.ign", "$6$", "wheel"}, render.PartKeys: {"ssh-ed25519"},
		render.PartGroups: {"wheel"}, render.PartPassword: {"$6$"}, render.PartSudo: {"sudoers.d"}, render.PartSSHD: {"sshd_config.d"},
		render.PartResourceDisk: {"mnt-resource"},
	} {
		full, _ := render.Render(whole(), nil)
		fragments, err := render.Render(whole(), &render.Options{Without: []render.Part{part}})
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range gone {
			if strings.Contains(text(fragments), words) || !strings.Contains(text(full), words) {
				t.Errorf("without %s: %s", part, text(fragments))
			}
		}
		if lost := len(full) - len(fragments); lost > 1 || (lost == 0) != slices.Contains([]render.Part{render.PartKeys, render.PartGroups, render.PartPassword}, part) {
			t.Errorf("without %s there are %d fragments", part, len(fragments))
		}
		if part == render.PartPassword && slices.ContainsFunc(fragments, func(f render.Fragment) bool { return f.Secret }) {
			t.Error("a fragment without a hash is secret")
		}
	}
	if fragments, err := render.Render(whole(), &render.Options{Off: true}); err != nil || fragments != nil {
		t.Errorf("off: %v %v", fragments, err)
	}
	if fragments, err := render.Render(render.Machine{}, nil); err != nil || fragments != nil {
		t.Errorf("of nothing: %v %v", fragments, err)
	}
	if _, err := render.Render(whole(), &render.Options{Without: []render.Part{"shoes"}}); err == nil {
		t.Error("there is a part \"shoes\"")
	}
	if _, err := render.Render(whole(), &render.Options{Spec: "3.7.0-experimental"}); err == nil {
		t.Error("an experimental spec is rendered")
	}
}

// TestRefused: values that would be something else in a file.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*render.Machine){
		"hostName":                func(m *render.Machine) { m.HostName = "a\nb" },
		"user.name":               func(m *render.Machine) { m.User.Name = "pilot ALL=(ALL) NOPASSWD: ALL\nx" },
		"user.passwordHash":       func(m *render.Machine) { m.User.PasswordHash = "$6$secret:0" },
		"user.groups[1]":          func(m *render.Machine) { m.User.Groups[1] = "a,b" },
		"user.sshKeys[0]":         func(m *render.Machine) { m.User.SSHKeys[0] = "a\nb" },
		"user.sshKeys[1]":         func(m *render.Machine) { m.User.SSHKeys = append(m.User.SSHKeys, m.User.SSHKeys[0]) },
		"user.sudo":               func(m *render.Machine) { m.User.Sudo = "always" },
		"resourceDisk.device":     func(m *render.Machine) { m.ResourceDisk.Device = "sdb1" },
		"resourceDisk.mountPoint": func(m *render.Machine) { m.ResourceDisk.MountPoint = "/mnt/a b" },
		"resourceDisk: it takes":  func(m *render.Machine) { m.ResourceDisk.MountPoint = "" },
	} {
		m := whole()
		change(&m)
		if _, err := render.Render(m, nil); err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSpec(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]render.Spec{"3.0": "3.0.0", "3.6.0": "3.6.0", "3.7.0": "", "3": "", "2.2.0": "", "": ""} {
		if got, err := render.ParseSpec(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

func TestReadMachine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"hostName": "harbour-01", "user": {"name": "pilot", "sudo": "nopassword"}, "passwordLogin": false}`: "",
		`{"hostname2": "x"}`: "unknown field",
		`{} {}`:              "something follows",
		`{`:                  "unexpected EOF",
	} {
		m, err := render.ReadMachine(strings.NewReader(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		if want == "" && (m.HostName != "harbour-01" || m.User.Sudo != render.SudoNoPassword || m.PasswordLogin == nil || *m.PasswordLogin) {
			t.Errorf("%+v", m)
		}
	}
}

// TestWrite: modes, what is replaced, what is removed, and that nothing half is ever in the
// directory.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "base.platform.d", "azure")
	fragments, err := render.Render(whole(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := render.Write(dir, fragments); err != nil {
		t.Fatal(err)
	}
	for _, f := range fragments {
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || info.Mode() != f.Mode() || (info.Mode() == 0o600) != (f.Name == "platform-user.ign") {
			t.Errorf("%s: %v %v", f.Name, info, err)
		}
	}
	foreign := filepath.Join(dir, "10-vendor.ign")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	less, _ := render.Render(whole(), &render.Options{Without: []render.Part{render.PartSSHD, render.PartPassword}})
	if err := render.Write(dir, less); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1+len(less) {
		t.Errorf("%v %v", entries, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "platform-user.ign")); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if above, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(above) != 1 {
		t.Errorf("left above: %v %v", above, err)
	}
	if err := render.Write(dir, nil); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("after off: %v", entries)
	}
	// A directory in a fragment's place cannot be replaced, and nothing is left behind.
	if err := os.MkdirAll(filepath.Join(dir, "platform-user.ign", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := render.Write(dir, fragments); err == nil {
		t.Error("a directory was replaced")
	}
	if above, _ := os.ReadDir(filepath.Dir(dir)); len(above) != 1 {
		t.Errorf("left above: %v", above)
	}
}
