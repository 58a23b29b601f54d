package link_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/azprov/azprov/internal/link"
)

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func symlink(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

// sysfsOf has an interface with a driver.
func sysfsOf(name, index, driver string) fstest.MapFS {
	return fstest.MapFS{
		"class/net/" + name + "/ifindex":       file(index),
		"class/net/" + name + "/device/driver": symlink("../../../../bus/vmbus/drivers/" + driver),
	}
}

func TestDriver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		sysfs fs.FS
		link  link.Link
		want  string
	}{
		{"a device's", sysfsOf("eth0", "2\n", "hv_netvsc"), eth0, "hv_netvsc"},
		{"of a long file the beginning counts", sysfsOf("eth0", "2"+strings.Repeat(" ", 31)+"x", "hv_netvsc"), eth0, "hv_netvsc"},
		{"no sysfs", fstest.MapFS{}, eth0, ""},
		{"a virtual interface", fstest.MapFS{"class/net/eth0/ifindex": file("2\n")}, eth0, ""},
		{"another interface of that name", sysfsOf("eth0", "3\n", "hv_netvsc"), eth0, ""},
		{"a device without a driver", fstest.MapFS{
			"class/net/eth0/ifindex": file("2\n"), "class/net/eth0/device/vendor": file("0x1414\n"),
		}, eth0, ""},
		{"no link", fstest.MapFS{"class/net/eth0/ifindex": file("2\n"), "class/net/eth0/device/driver": file("hv_netvsc")}, eth0, ""},
		{"a directory for an index", fstest.MapFS{"class/net/eth0/ifindex/2": file("2\n")}, eth0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w, err := link.Watch(t.Context(), &link.Options{Transport: newKernel(list(row.link)), Sysfs: row.sysfs})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Links()[0].Driver; got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// A sysfs has symbolic links on the way, too.
func TestDriverBehindLinks(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	device := filepath.Join(root, "devices", "vmbus", "net", "eth0")
	for _, dir := range []string{device, filepath.Join(root, "class", "net"), filepath.Join(root, "bus", "vmbus", "drivers", "hv_netvsc")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(device, "ifindex"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"class/net/eth0": "../../devices/vmbus/net/eth0", "devices/vmbus/net/eth0/device": "../..",
		"devices/vmbus/driver": "../../bus/vmbus/drivers/hv_netvsc",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skip("no symbolic links here: " + err.Error())
		}
	}
	w, err := link.Watch(t.Context(), &link.Options{Transport: newKernel(list(eth0)), Sysfs: os.DirFS(root)})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Links()[0].Driver; got != "hv_netvsc" {
		t.Errorf("%q", got)
	}
}

// counting counts what is opened.
type counting struct {
	fstest.MapFS
	opened *int
}

func (c counting) Open(name string) (fs.File, error) {
	*c.opened++
	return c.MapFS.Open(name)
}

func TestDriverStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sysfs, opened := sysfsOf("eth0", "2\n", "hv_netvsc"), 0
		k := newKernel(list(eth0), list(named(eth0, "eth2")), list(with(eth0, func(l *link.Link) { l.Address = "another" })))
		w, err := link.Watch(t.Context(), &link.Options{Transport: k, Sysfs: counting{sysfs, &opened}})
		if err != nil {
			t.Fatal(err)
		}
		// Not read again for a change, a new name or an interface as it was.
		k.queue(states(link.Down, link.Up, link.Up)...)
		k.queue(told(newLink(named(eth0, "eth1"))), overrun)
		drain(t, w)
		if got := w.Links()[0]; got.Driver != "hv_netvsc" || got.Name != "eth2" || opened != 1 {
			t.Errorf("%+v, opened %d times", got, opened)
		}
		// One that shows up later than its interface is read with the next change.
		delete(sysfs, "class/net/eth0/device/driver")
		k.queue(overrun)
		drain(t, w)
		if got := w.Links()[0].Driver; got != "" {
			t.Errorf("the new interface has the old one's driver %q", got)
		}
		sysfs["class/net/eth0/device/driver"] = symlink("../drivers/mana")
		another := with(eth0, func(l *link.Link) { l.Address = "another" })
		k.queue(told(newLink(another)))
		if got := drain(t, w); got != nil {
			t.Errorf("%q", got)
		}
		k.queue(told(newLink(in(another, link.Down))))
		drain(t, w)
		if got := w.Links()[0].Driver; got != "mana" {
			t.Errorf("%q", got)
		}
	})
}

// The many interfaces of a hostile list are looked up once each.
func TestDriverIsReadWithABound(t *testing.T) {
	t.Parallel()
	opened := 0
	sysfs := fstest.MapFS{}
	links := many(1000)
	for i := range links {
		links[i].Name = "n" + strconv.Itoa(i)
		sysfs["class/net/"+links[i].Name+"/ifindex"] = file(strconv.Itoa(links[i].Index) + string(slices.Repeat([]byte{' '}, 1<<10)))
	}
	if _, err := link.Watch(t.Context(), &link.Options{Transport: newKernel(lists(links...)), Sysfs: counting{sysfs, &opened}}); err != nil || opened != 1000 {
		t.Errorf("%v, opened %d times", err, opened)
	}
}
