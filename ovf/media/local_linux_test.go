package media

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/azprov/azprov/internal/programtest"
)

// needRoot skips a test of devices for whom they are not.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it needs root: it sets up a loop device")
	}
}

// The kernel tells of block devices, and of others it is not asked.
func TestWatchBlockDevices(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := Local().Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := func(device string) {
		if err := os.WriteFile("/sys/"+device+"/uevent", []byte("change"), 0); err != nil {
			t.Fatal(err)
		}
	}
	request("class/net/lo")
	select {
	case <-events:
		t.Log("an event, perhaps of a device of somebody else's")
	case <-time.After(100 * time.Millisecond):
	}
	request("class/block/loop0")
	select {
	case <-events:
	case <-time.After(10 * time.Second):
		t.Error("no event of a block device")
	}
	cancel()
}

func TestIsBlockEvent(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"add@/devices/x/block/sr0\x00ACTION=add\x00SUBSYSTEM=block\x00MAJOR=11\x00": true,
		"add@/devices/x/net/lo\x00ACTION=add\x00SUBSYSTEM=net\x00":                  false,
		"add@/devices/x\x00SUBSYSTEM=blockish\x00":                                  false,
		"": false,
	} {
		if isBlockEvent([]byte(message)) != want {
			t.Errorf("%q", message)
		}
	}
}

// A watch that has ended leaves nothing open.
func TestWatchEnds(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc: ", err)
		}
		return len(entries)
	}
	before := open()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := Local().Watch(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for range 100 {
		if open() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d descriptors, %d before", open(), before)
}

// The kernel's own readers are not in every kernel, so any file system has to do.
func TestReadMounted(t *testing.T) {
	needRoot(t)
	programtest.Need(t, "mkfs.ext4", "losetup")
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "files"), fstest.MapFS{"ovf-env.xml": {Data: []byte("document")}}); err != nil {
		t.Fatal(err)
	}
	programtest.Run(t, dir, "mkfs.ext4", "-q", "-d", "files", "disc.img", "1M")
	device := strings.TrimSpace(string(programtest.Run(t, dir, "losetup", "--find", "--show", "--read-only", "disc.img")))
	defer programtest.Run(t, dir, "losetup", "--detach", device)
	before := mountTable(t)
	reads := 0
	err := readMounted(t.Context(), device, []string{"udf", "ext4"}, func(fsys fs.FS) error {
		reads++
		b, err := fs.ReadFile(fsys, "ovf-env.xml")
		if err == nil && !bytes.Equal(b, []byte("document")) {
			t.Errorf("read %q", b)
		}
		if strings.Contains(mountTable(t), device) {
			t.Error("the process sees the mount")
		}
		return err
	})
	if err != nil || reads != 1 {
		t.Errorf("%v, read %d times", err, reads)
	}
	cause := errors.New("cause")
	if err := readMounted(t.Context(), device, []string{"ext4"}, func(fs.FS) error { return cause }); !errors.Is(err, cause) {
		t.Error(err)
	}
	if err := Local().ReadMounted(t.Context(), device, func(fs.FS) error { return nil }); !errors.Is(err, syscall.ENODEV) && !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a disc that is none: %v", err)
	}
	if after := mountTable(t); after != before {
		t.Errorf("mounts:\n%s\nbefore:\n%s", after, before)
	}
}

func mountTable(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whatever thread it begins on, it must not be the process's first, which would stay.
func TestOnOwnThread(t *testing.T) {
	t.Parallel()
	for range 50 {
		done := make(chan bool)
		go onOwnThread(func() { done <- syscall.Gettid() != syscall.Getpid() })
		if !<-done {
			t.Fatal("on the first thread")
		}
		runtime.Gosched()
	}
}

// A pipe in place of a device must not hang.
func TestOpenDiscOfAPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDisc(path, nil); err == nil {
		t.Error("opened")
	}
}
