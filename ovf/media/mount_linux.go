package media

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/azprov/azprov/internal/wait"
)

// mountFlags: nothing on the disc is run, is a device or gives privileges. The kernel
// needs not log which of its readers could not read it.
const mountFlags = syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_SILENT

// readMounted mounts the device where only one thread sees it, which ends after it: a disc
// that stayed mounted could not be ejected, and everybody could read the password on it.
func readMounted(ctx context.Context, device string, kinds []string, read func(fs.FS) error) error {
	result := make(chan error, 1)
	go onOwnThread(func() { result <- mountAndRead(device, kinds, read) })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return wait.Ended("media.Open", "the mount of "+device+" does not come back", ctx.Err())
	}
}

// onOwnThread runs do on a thread that ends with it. The process's first thread does not
// end, and the process would be seen in its mount namespace: then another one is taken.
func onOwnThread(do func()) {
	runtime.LockOSThread() // and no unlock: the runtime ends the thread with the goroutine
	if syscall.Gettid() != syscall.Getpid() {
		do()
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); onOwnThread(do) }()
	<-done
	runtime.UnlockOSThread()
}

func mountAndRead(device string, kinds []string, read func(fs.FS) error) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// What is mounted here is seen nowhere else; what others unmount is gone here too, which
	// a mount that hangs would else keep in use.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	// Over the device's own directory: it is there, and nothing has to be made or removed.
	dir := filepath.Dir(device)
	var failures []error
	for _, kind := range kinds {
		if err := syscall.Mount(device, dir, kind, mountFlags, ""); err != nil {
			failures = append(failures, os.NewSyscallError("mount as "+kind, err))
			continue
		}
		return errors.Join(read(os.DirFS(dir)), os.NewSyscallError("unmount", syscall.Unmount(dir, syscall.MNT_DETACH)))
	}
	return errors.Join(failures...)
}
