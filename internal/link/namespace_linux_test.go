package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/internal/link"
	"github.com/azprov/azprov/internal/programtest"
)

// patience with a kernel that is busy with other tests.
const patience = 20 * time.Second

// newNamespace puts the test into a network namespace of its own, which ends with the
// test: its thread is not given back, and programs that it runs are in it as well.
func newNamespace(t *testing.T) {
	t.Helper()
	programtest.Need(t, "ip")
	if os.Geteuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Skipf("a network namespace takes CAP_SYS_ADMIN: %v", err)
	}
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	programtest.Run(t, t.TempDir(), "ip", args...)
}

// batch runs many commands of ip in one process.
func batch(t *testing.T, commands []string) {
	t.Helper()
	dir := t.TempDir()
	programtest.Write(t, dir, "commands", []byte(strings.Join(commands, "\n")+"\n"))
	programtest.Run(t, dir, "ip", "-batch", "commands")
}

// watchHere watches the namespace. The /sys of the machine shows another one.
func watchHere(t *testing.T, receiveBuffer int) *link.Watcher {
	t.Helper()
	w, err := link.Watch(t.Context(), &link.Options{Sysfs: fstest.MapFS{}, ReceiveBuffer: receiveBuffer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// until reads events until one is as wanted, and returns all.
func until(t *testing.T, w *link.Watcher, what string, wanted func(link.Event) bool) []link.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var events []link.Event
	for {
		event, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("%s did not come: %v; events %s", what, err, story(events))
		}
		events = append(events, event)
		if wanted(event) {
			return events
		}
	}
}

func story(events []link.Event) string {
	var lines []string
	for _, e := range events {
		lines = append(lines, brief(e))
	}
	return strings.Join(lines, "; ")
}

// is wants an interface in a state.
func is(kind link.EventKind, name string, states ...link.OperState) func(link.Event) bool {
	return func(e link.Event) bool {
		return e.Kind == kind && e.Link.Name == name && (states == nil || slices.Contains(states, e.Link.OperState))
	}
}

func find(w *link.Watcher, name string) link.Link {
	links := w.Links()
	i := slices.IndexFunc(links, func(l link.Link) bool { return l.Name == name })
	if i < 0 {
		return link.Link{}
	}
	return links[i]
}

// checkTable holds what the watcher knows against what the kernel tells a new one. It
// reads on until they agree: the kernel tells of carriers up to a second late.
func checkTable(t *testing.T, w *link.Watcher) {
	t.Helper()
	var got, want []link.Link
	for start := time.Now(); time.Since(start) < patience; {
		fresh := watchHere(t, 0)
		got, want = w.Links(), fresh.Links()
		_ = fresh.Close()
		if slices.Equal(got, want) {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := w.Next(ctx)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	t.Errorf("interfaces %+v, want %+v", got, want)
}

func TestKernelUpDownRenameDelete(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	w := watchHere(t, 0)
	if got := w.Links(); len(got) != 1 || !got[0].Loopback() || got[0].Name != "lo" || got[0].Address != "\x00\x00\x00\x00\x00\x00" {
		t.Fatalf("a new namespace has %+v", got)
	}
	ip(t, "link", "add", "eth0", "address", "00:0d:3a:00:00:07", "type", "veth", "peer", "name", "pier")
	until(t, w, "the interface", is(link.Attached, "eth0"))
	first := find(w, "eth0")
	if first.Kind != "veth" || first.Address.String() != "00:0d:3a:00:00:07" || first.AdminUp() || first.Carrier() || first.OperState != link.Down || first.Driver != "" {
		t.Errorf("made: %+v", first)
	}
	ip(t, "link", "set", "eth0", "up")
	ip(t, "link", "set", "pier", "up")
	until(t, w, "up", is(link.Changed, "eth0", link.Up))
	if l := find(w, "eth0"); !l.AdminUp() || !l.Carrier() || !l.Running() || l.Index != first.Index || l.CarrierChanges <= first.CarrierChanges {
		t.Errorf("up: %+v", l)
	}
	ip(t, "link", "set", "pier", "down")
	until(t, w, "down", is(link.Changed, "eth0", link.Down, link.LowerLayerDown))
	if l := find(w, "eth0"); !l.AdminUp() || l.Carrier() || l.Running() {
		t.Errorf("down: %+v", l)
	}
	ip(t, "link", "set", "pier", "up")
	until(t, w, "up again", is(link.Changed, "eth0", link.Up))
	ip(t, "link", "set", "eth0", "down")
	ip(t, "link", "set", "eth0", "name", "jetty")
	renamed := until(t, w, "the new name", is(link.Changed, "jetty"))
	if last := renamed[len(renamed)-1]; last.Previous.Name != "eth0" || last.Link.Index != first.Index {
		t.Errorf("renamed: %s", story(renamed))
	}
	checkTable(t, w)
	ip(t, "link", "del", "jetty")
	until(t, w, "the end", func(e link.Event) bool { return e.Kind == link.Detached && e.Link.Index == first.Index })
	ip(t, "link", "add", "eth0", "address", "00:0d:3a:00:00:08", "type", "veth", "peer", "name", "pier")
	until(t, w, "another", is(link.Attached, "eth0"))
	if l := find(w, "eth0"); l.Index == first.Index || l.Address.String() != "00:0d:3a:00:00:08" {
		t.Errorf("made again: %+v", l)
	}
	checkTable(t, w)
}

// As on Azure: the other end is not to be seen, and what is told of it is the carrier.
func TestKernelPeerInAnotherNamespace(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	other, end := make(chan int), make(chan struct{})
	defer close(end)
	go func() {
		runtime.LockOSThread()
		if syscall.Unshare(syscall.CLONE_NEWNET) != nil {
			other <- 0
			return
		}
		other <- syscall.Gettid()
		<-end
	}()
	tid := <-other
	if tid == 0 {
		t.Fatal("no second namespace")
	}
	ip(t, "link", "add", "eth0", "type", "veth", "peer", "name", "pier")
	w := watchHere(t, 0)
	ip(t, "link", "set", "pier", "netns", fmt.Sprint(tid))
	until(t, w, "the peer's leave", is(link.Detached, "pier"))
	ip(t, "link", "set", "eth0", "up")
	peer := func(state string) {
		t.Helper()
		programtest.Need(t, "nsenter")
		programtest.Run(t, t.TempDir(), "nsenter", "--net=/proc/"+fmt.Sprint(tid)+"/ns/net", "ip", "link", "set", "pier", state)
	}
	peer("up")
	until(t, w, "up", is(link.Changed, "eth0", link.Up))
	peer("down")
	until(t, w, "down", is(link.Changed, "eth0", link.Down, link.LowerLayerDown))
	peer("up")
	until(t, w, "up", is(link.Changed, "eth0", link.Up))
	checkTable(t, w)
}

// A port that leaves its bridge is told with RTM_DELLINK, too.
func TestKernelBridge(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	ip(t, "link", "add", "eth0", "type", "veth", "peer", "name", "pier")
	w := watchHere(t, 0)
	ip(t, "link", "add", "harbour", "type", "bridge")
	ip(t, "link", "set", "pier", "master", "harbour")
	until(t, w, "the port", func(e link.Event) bool { return e.Link.Name == "pier" && e.Link.Master != 0 })
	if bridge, port := find(w, "harbour"), find(w, "pier"); bridge.Kind != "bridge" || port.Master != bridge.Index {
		t.Errorf("%+v, %+v", bridge, port)
	}
	ip(t, "link", "set", "pier", "nomaster")
	ip(t, "link", "set", "eth0", "name", "marker")
	for _, e := range until(t, w, "the marker", is(link.Changed, "marker")) {
		if e.Kind == link.Detached {
			t.Errorf("%s", brief(e))
		}
	}
	if l := find(w, "pier"); l.Master != 0 || l.Index == 0 {
		t.Errorf("%+v", l)
	}
	checkTable(t, w)
}

// More changes than the buffer holds, nobody reading: the list is read anew, and right.
func TestKernelOverrun(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	ip(t, "link", "add", "eth0", "type", "veth", "peer", "name", "pier")
	ip(t, "link", "add", "eth1", "type", "veth", "peer", "name", "quay")
	ip(t, "link", "set", "eth0", "up")
	w := watchHere(t, 1) // the least that the kernel gives
	flips := slices.Repeat([]string{"link set pier up", "link set pier down"}, 250)
	batch(t, append(flips, "link set pier up", "link set eth1 name pilot", "link del pilot", "link add eth1 type veth peer name mole"))
	events := until(t, w, "the new list", func(e link.Event) bool { return e.Kind == link.Resynced })
	if !events[len(events)-1].Lost {
		t.Errorf("nothing was lost: %s", story(events))
	}
	ip(t, "link", "add", "marker", "type", "bridge")
	events = append(events, until(t, w, "the marker", is(link.Attached, "marker"))...)
	if l := find(w, "eth0"); l.OperState != link.Up {
		events = append(events, until(t, w, "up", is(link.Changed, "eth0", link.Up))...)
	}
	view := replayAll(t, events)
	for _, gone := range []string{"quay", "pilot"} {
		if l := find(w, gone); l.Index != 0 {
			t.Errorf("%+v is still there", l)
		}
	}
	if l := find(w, "eth1"); view[l.Index] != l || find(w, "mole").Index == 0 {
		t.Errorf("%+v: %s", l, story(events))
	}
	checkTable(t, w)
}

// replayAll returns the interfaces that events leave.
func replayAll(t *testing.T, events []link.Event) map[int]link.Link {
	t.Helper()
	view := make(map[int]link.Link)
	for _, e := range events {
		if e.Kind != link.Attached && e.Kind != link.Resynced {
			view[e.Link.Index] = e.Previous // as before the watch, if it is the first
		}
		replay(t, view, e)
	}
	return view
}

// The same with somebody reading all the while: nothing that is told is out of order,
// however often the buffer was too small.
func TestKernelStorm(t *testing.T) {
	t.Parallel()
	for _, receiveBuffer := range []int{1, 16 << 10, 0} {
		t.Run(fmt.Sprint(receiveBuffer), func(t *testing.T) {
			t.Parallel()
			newNamespace(t)
			var setup, storm []string
			for i := range 20 {
				setup = append(setup, fmt.Sprintf("link add eth%d type veth peer name pier%d", i, i), fmt.Sprintf("link set eth%d up", i))
			}
			batch(t, setup)
			w := watchHere(t, receiveBuffer)
			view := make(map[int]link.Link)
			for _, l := range w.Links() {
				view[l.Index] = l
			}
			for i := range 500 {
				storm = append(storm, fmt.Sprintf("link set pier%d %s", i%20, []string{"up", "down"}[i/20%2]))
				if i%50 == 49 {
					storm = append(storm, "link del eth1", "link add eth1 type veth peer name pier1")
				}
			}
			storm = append(storm, "link add marker type bridge")
			read := make(chan struct{})
			go func() {
				defer close(read)
				for find(w, "marker").Index == 0 {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					event, err := w.Next(ctx)
					cancel()
					if err != nil {
						t.Error(err)
						return
					}
					replay(t, view, event)
				}
			}()
			batch(t, storm)
			<-read
			checkTable(t, w)
		})
	}
}

// The buffer holds a burst that nobody reads: of the system's own size it would hold
// some 90 changes. The larger one is beyond what is allowed to any program.
func TestKernelBurst(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                 string
		receiveBuffer, flips int
	}{
		{"by default", 0, 1000},
		{"beyond the limit", 16 << 20, 5000},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			newNamespace(t)
			ip(t, "link", "add", "eth0", "type", "veth", "peer", "name", "pier")
			w := watchHere(t, row.receiveBuffer)
			batch(t, append(slices.Repeat([]string{"link set pier up", "link set pier down"}, row.flips/2), "link add marker type bridge"))
			flips := 0
			for _, e := range until(t, w, "the marker", is(link.Attached, "marker")) {
				switch {
				case e.Kind == link.Resynced:
					t.Error("messages were lost")
				case e.Link.Name == "pier" && e.Link.AdminUp() != e.Previous.AdminUp():
					flips++
				}
			}
			if flips != row.flips {
				t.Errorf("%d of %d flips were told", flips, row.flips)
			}
		})
	}
}

func TestKernelResync(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	ip(t, "link", "add", "eth0", "type", "veth", "peer", "name", "pier")
	w := watchHere(t, 0)
	if err := w.Resync(); err != nil {
		t.Fatal(err)
	}
	if events := until(t, w, "the list", func(e link.Event) bool { return e.Kind == link.Resynced }); len(events) != 1 || events[0].Lost {
		t.Errorf("%s", story(events))
	}
}

// A list that the kernel needs several datagrams for.
func TestKernelManyInterfaces(t *testing.T) {
	t.Parallel()
	newNamespace(t)
	var commands []string
	for i := range 150 {
		commands = append(commands, fmt.Sprintf("link add eth%d type veth peer name pier%d", i, i))
	}
	batch(t, commands)
	w := watchHere(t, 0)
	if n := len(w.Links()); n != 301 {
		t.Errorf("%d interfaces", n)
	}
	if err := w.Resync(); err != nil {
		t.Fatal(err)
	}
	if events := until(t, w, "the list", func(e link.Event) bool { return e.Kind == link.Resynced }); len(events) != 1 {
		t.Errorf("%s", story(events))
	}
}

// Without privilege, in the namespace of the machine: drivers are those of its sysfs.
func TestKernelOfThisMachine(t *testing.T) {
	t.Parallel()
	w, err := link.Watch(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	links := w.Links()
	if len(links) == 0 {
		t.Error("no interface at all")
	}
	for _, l := range links {
		index, err := os.ReadFile(filepath.Join("/sys/class/net", l.Name, "ifindex"))
		if err != nil || string(bytes.TrimSpace(index)) != fmt.Sprint(l.Index) {
			continue // another namespace's, or gone
		}
		want, err := os.Readlink(filepath.Join("/sys/class/net", l.Name, "device/driver"))
		if err == nil && l.Driver != filepath.Base(want) || err != nil && l.Driver != "" {
			t.Errorf("%s has driver %q, want %q", l.Name, l.Driver, want)
		}
	}
}
