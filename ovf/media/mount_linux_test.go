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

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/programtest"
)

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
	if after := mountTable(t); strings.Contains(after, device) { // others mount things meanwhile
		t.Errorf("left behind:\n%s", after)
	}
}

// A mount does not get out of its thread where the machine shares its mounts, as systemd
// has it, and does not keep what others unmount.
func TestReadMountedIsAlone(t *testing.T) {
	needRoot(t)
	programtest.Need(t, "mkfs.ext4", "losetup")
	dir, shared := t.TempDir(), t.TempDir()
	mount := func(what, at string, flags uintptr) {
		if err := syscall.Mount(what, at, what, flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	held := filepath.Join(shared, "held")
	mount("tmpfs", shared, 0)
	defer func() { _ = syscall.Unmount(shared, syscall.MNT_DETACH) }()
	mount("", shared, syscall.MS_SHARED)
	if err := os.Mkdir(held, 0o700); err != nil {
		t.Fatal(err)
	}
	mount("tmpfs", held, 0)
	programtest.Run(t, dir, "mkfs.ext4", "-q", "disc.img", "1M")
	loop := strings.TrimSpace(string(programtest.Run(t, dir, "losetup", "--find", "--show", "--read-only", "disc.img")))
	defer programtest.Run(t, dir, "losetup", "--detach", loop)
	// The mount is made over the device's directory.
	device := filepath.Join(shared, "disc")
	programtest.Run(t, dir, "cp", "-a", loop, device)
	err := readMounted(t.Context(), device, []string{"ext4"}, func(fs.FS) error {
		if strings.Contains(mountTable(t), device) {
			t.Error("the machine sees the mount")
		}
		done := make(chan error)
		go func() { done <- syscall.Unmount(held, 0) }()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile("/proc/thread-self/mountinfo"); err != nil || bytes.Contains(b, []byte(held)) || !bytes.Contains(b, []byte(device)) ||
			!bytes.Contains(b, []byte(shared+" ro,nosuid,nodev,noexec")) {
			t.Errorf("%v, the thread's mounts:\n%s", err, b)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A reader that hangs does not hold up the caller, and its mount goes when it ends.
func TestReadMountedEndsWithItsContext(t *testing.T) {
	needRoot(t)
	programtest.Need(t, "mkfs.ext4", "losetup")
	dir := t.TempDir()
	programtest.Run(t, dir, "mkfs.ext4", "-q", "disc.img", "1M")
	device := strings.TrimSpace(string(programtest.Run(t, dir, "losetup", "--find", "--show", "--read-only", "disc.img")))
	defer programtest.Run(t, dir, "losetup", "--detach", device)
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan struct{})
	err := readMounted(ctx, device, []string{"ext4"}, func(fs.FS) error {
		cancel()
		<-hangs
		return nil
	})
	if azprov.KindOf(err) != azprov.KindCanceled || !strings.Contains(err.Error(), device) {
		t.Error(err)
	}
	close(hangs)
	for range 1000 {
		// O_EXCL is refused while a file system has the device.
		f, err := os.OpenFile(device, os.O_RDONLY|os.O_EXCL, 0)
		if err == nil {
			_ = f.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the mount was left behind")
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
