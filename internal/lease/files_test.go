package lease_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azprov/azprov/internal/lease"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// file is one that was written at a time after noon.
func file(text string, after time.Duration) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), Mode: 0o600, ModTime: noon.Add(after)}
}

// dhclientLease is a lease without an end, of an address.
func dhclientLease(address string) string {
	return "lease {\n  interface \"eth1\";\n  fixed-address " + address + ";\n  expire never;\n}\n"
}

// found says in one line what a lease is of.
func found(l lease.Lease) string {
	return fmt.Sprintf("%s %s %s %d", l.Source, l.Address, l.Interface, l.Index)
}

func read(t *testing.T, root fs.FS) (list []string, leases []lease.Lease, warnings []string) {
	t.Helper()
	leases, warnings, err := lease.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leases {
		list = append(list, found(l))
	}
	return list, leases, warnings
}

// Each place in which a client keeps leases, and what its names say.
func TestReadPlaces(t *testing.T) {
	t.Parallel()
	const networkd = "ADDRESS=10.0.0.4\n"
	const device = "[dhcp4]\nip_address=10.0.0.4\n"
	for _, row := range []struct {
		name string
		text string
		want string // "" if it is not read
	}{
		{"run/systemd/netif/leases/2", networkd, "10.0.0.4  2"},
		{"run/systemd/netif/leases/12", networkd, "10.0.0.4  12"},
		{"run/systemd/netif/leases/.#2a83f", networkd, ""},
		{"run/systemd/netif/leases/0", networkd, ""},
		{"run/systemd/netif/leases/-2", networkd, ""},
		{"run/systemd/netif/leases/99999999999", networkd, ""},
		{"run/NetworkManager/devices/3", device, "10.0.0.4  3"},
		{"run/NetworkManager/devices/3.AB12", device, ""},
		{"run/NetworkManager/devices/4", "[device]\nmanaged=full\n", ""},
		{"var/lib/NetworkManager/internal-2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20-eth0.lease", networkd, "10.0.0.4 eth0 0"},
		{"var/lib/NetworkManager/internal-jetty-eth0.lease", networkd, "10.0.0.4  0"},
		{"var/lib/NetworkManager/internal-2c1a7f04-58d3-4b0e-9c6a-1f7be3a94d20-.lease", networkd, "10.0.0.4  0"},
		{"var/lib/NetworkManager/dhclient-2c1a7f04-eth1.lease", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/lib/dhcpcd/eth0.lease", string(packet("")), "10.0.0.4 eth0 0"},
		{"var/lib/dhcpcd/eth0.lease6", string(packet("")), ""},
		{"run/dhclient.lease", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/lib/dhcp/dhclient.eth1.leases", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/lib/dhcp/dhclient.leases", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/lib/dhclient/dhclient-eth1.leases", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/lib/dhclient/dhclient-2c1a7f04-eth1.lease", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"var/db/dhclient.leases.hn0", dhclientLease("10.0.0.4"), "10.0.0.4 eth1 0"},
		{"tmp/dhclient.eth1.lease", dhclientLease("10.0.0.4"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, leases, warnings := read(t, fstest.MapFS{row.name: file(row.text, 0)})
			var want []string
			if row.want != "" {
				want = []string{row.name + " " + row.want}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			warned(t, warnings)
			if len(leases) > 0 && !leases[0].Updated.Equal(noon) {
				t.Errorf("updated %v", leases[0].Updated)
			}
		})
	}
}

func TestReadOrder(t *testing.T) {
	t.Parallel()
	got, _, warnings := read(t, fstest.MapFS{
		"run/systemd/netif/leases/2":        file("ADDRESS=10.0.0.1", 0),
		"run/systemd/netif/leases/3":        file("ADDRESS=10.0.0.2", time.Minute),
		"var/lib/dhcpcd/eth0.lease":         file(string(packet("")), 0),
		"var/lib/dhcp/dhclient.eth1.leases": file(dhclientLease("10.0.0.3")+dhclientLease("10.0.0.5"), time.Hour),
		"var/db/dhclient.leases.hn0":        file(dhclientLease("10.0.0.6"), -time.Hour),
	})
	want := []string{
		"var/lib/dhcp/dhclient.eth1.leases 10.0.0.5 eth1 0",
		"var/lib/dhcp/dhclient.eth1.leases 10.0.0.3 eth1 0",
		"run/systemd/netif/leases/3 10.0.0.2  3",
		"run/systemd/netif/leases/2 10.0.0.1  2",
		"var/lib/dhcpcd/eth0.lease 10.0.0.4 eth0 0",
		"var/db/dhclient.leases.hn0 10.0.0.6 eth1 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	warned(t, warnings)
}

// Only dhcpcd writes the file when the lease is given, and so says when it ends.
func TestReadExpiry(t *testing.T) {
	t.Parallel()
	hour := option(51, "\x00\x00\x0e\x10")
	for _, row := range []struct {
		name string
		file *fstest.MapFile
		want time.Time
	}{
		{"var/lib/dhcpcd/eth0.lease", file(string(packet(hour)), 0), noon.Add(time.Hour)},
		{"var/lib/dhcpcd/eth1.lease", file(string(packet(option(51, "\xff\xff\xff\xff"))), 0), time.Time{}},
		{"var/lib/dhcpcd/eth2.lease", file(string(packet("")), 0), time.Time{}},
		{"var/lib/dhcpcd/eth3.lease", &fstest.MapFile{Data: packet(hour)}, time.Time{}},
		{"run/systemd/netif/leases/2", file("LIFETIME=3600", 0), time.Time{}},
		{"run/dhclient.lease", file("lease { option dhcp-lease-time 3600; expire never; }", 0), time.Time{}},
	} {
		_, leases, _ := read(t, fstest.MapFS{row.name: row.file})
		if len(leases) != 1 || !leases[0].Expires.Equal(row.want) {
			t.Errorf("%s: %v, want %v", row.name, leases, row.want)
		}
	}
}

// faulty is a file system in which some files cannot be read.
type faulty struct {
	fs.FS
	opened func(name string) error
}

func (f faulty) Open(name string) (fs.File, error) {
	if err := f.opened(name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.FS.Open(name)
}

func (f faulty) Stat(name string) (fs.FileInfo, error) { return fs.Stat(f.FS, name) }

func TestReadPassesOver(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"run/systemd/netif/leases/1": file("jetty", 0),
		"run/systemd/netif/leases/2": file("ADDRESS=10.0.0.4", 0),
		"run/systemd/netif/leases/3": file("ADDRESS=10.0.0.5", 0),
		"run/systemd/netif/leases/4": {Mode: fs.ModeNamedPipe, Data: []byte("ADDRESS=10.0.0.6")},
		"run/systemd/netif/leases/5": {Mode: fs.ModeDir},
		"run/systemd/netif/leases/6": file("ADDRESS=10.0.0.6\n"+strings.Repeat("#", 1<<20), 0),
		"run/systemd/netif/leases/7": file("ADDRESS=10.0.0.7\n"+strings.Repeat("#", 1<<20-17), 0),
		"var/lib/dhcpcd/eth0.lease":  file("not a packet", 0),
	}
	got, _, warnings := read(t, faulty{files, func(name string) error {
		switch name {
		case "run/systemd/netif/leases/2":
			return fs.ErrPermission
		case "run/systemd/netif/leases/4":
			t.Error("a pipe was opened")
		}
		return nil
	}})
	want := []string{"run/systemd/netif/leases/3 10.0.0.5  3", "run/systemd/netif/leases/7 10.0.0.7  7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	warned(t, warnings,
		"run/systemd/netif/leases/1: no lease", "run/systemd/netif/leases/2: permission denied",
		"run/systemd/netif/leases/6: more than 1 MiB", "var/lib/dhcpcd/eth0.lease: no packet of DHCP")
}

func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ files, leases, warnings int }{{256, 256, 0}, {257, 256, 1}} {
		files := fstest.MapFS{}
		for i := range row.files {
			files[fmt.Sprintf("var/db/dhclient.leases.%d", i)] = file(dhclientLease("10.0.0.4"), 0)
		}
		got, _, warnings := read(t, files)
		if len(got) != row.leases || len(warnings) != row.warnings {
			t.Errorf("%d files: %d leases, %q", row.files, len(got), warnings)
		}
	}
}

// The newest of those that were read comes first, though there are too many.
func TestReadIsBoundedAndSorted(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for i := range 300 {
		files[fmt.Sprintf("var/db/dhclient.leases.%03d", i)] = file(dhclientLease("10.0.0.4"), time.Duration(i)*time.Second)
	}
	if got, _, _ := read(t, files); got[0] != "var/db/dhclient.leases.255 10.0.0.4 eth1 0" {
		t.Errorf("%s", got[0])
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	files := fstest.MapFS{"run/dhclient.lease": file(dhclientLease("10.0.0.4"), 0), "var/db/dhclient.leases.hn0": file("", 0)}
	opened := 0
	_, _, err := lease.Read(ctx, faulty{files, func(name string) error {
		if name == "run/dhclient.lease" {
			cancel()
		}
		if strings.HasPrefix(name, "var/db/dhclient") {
			opened++
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) || opened != 0 {
		t.Errorf("%v, %d more files opened", err, opened)
	}
}

// On a real file system, where directories may be symbolic links.
func TestReadDirFS(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "elsewhere")
	if err := os.MkdirAll(filepath.Join(root, "var", "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dhclient.leases"), []byte(dhclientLease("10.0.0.4")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "..", "elsewhere"), filepath.Join(root, "var", "lib", "dhcp")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	got, leases, warnings := read(t, os.DirFS(root))
	if diff := cmp.Diff([]string{"var/lib/dhcp/dhclient.leases 10.0.0.4 eth1 0"}, got); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	warned(t, warnings)
	if leases[0].Updated.IsZero() {
		t.Error("no time")
	}
	// Nothing is there, and that is no error.
	if got, _, warnings := read(t, os.DirFS(filepath.Join(root, "nowhere"))); len(got)+len(warnings) > 0 {
		t.Errorf("%q, %q", got, warnings)
	}
}
