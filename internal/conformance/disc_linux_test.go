package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/programtest"
	"github.com/azprov/azprov/ovf/media"
)

// insert puts the fabric's medium into a drive, and returns the drive's number; 0 if there
// is no medium.
func insert(t *testing.T, fabric *emulator.Fabric) uint64 {
	t.Helper()
	if _, ok := fabric.Medium(); !ok {
		return 0
	}
	dir := t.TempDir()
	image, err := os.Create(filepath.Join(dir, "disc.img"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fabric.WriteMediumImage(image, emulator.ImageFormatBridge); err != nil {
		t.Fatal(err)
	}
	if err := image.Close(); err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(string(programtest.Run(t, dir, "losetup", "--find", "--show", "--read-only", image.Name())))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil { //nolint:noctx // The test's own context has ended.
			t.Errorf("losetup --detach %s: %v: %s", device, err, out)
		}
	})
	var info unix.Stat_t
	if err := unix.Stat(device, &info); err != nil {
		t.Fatal(err)
	}
	return info.Rdev
}

// copyDisc puts the files of the disc into a file system in memory on dir.
func copyDisc(device, dir string) error {
	disc, err := media.OpenDisc(device, nil)
	if err != nil {
		return err
	}
	defer func() { _ = disc.Close() }()
	// Its source is what umount(8) and findmnt(8) are asked for.
	if err := syscall.Mount(device, dir, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := os.CopyFS(dir, disc.FS); err != nil {
		return err
	}
	return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}
