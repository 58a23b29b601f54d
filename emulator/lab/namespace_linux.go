package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/azprov/azprov"
)

const (
	// threadNamespace is the network namespace of the calling thread. /proc/self would be
	// that of the first one.
	threadNamespace = "/proc/thread-self/ns/net"
	// namesDir is where ip-netns(8) looks for names.
	namesDir = "/run/netns"
)

// namespace is a network namespace that lives as long as its file is open.
type namespace struct {
	file   *os.File
	fd     int // Of file.
	links  *netlink.Handle
	mounts []string

	mu     sync.RWMutex // Held to enter, and to close: else another file might have the number.
	closed bool
}

// newNamespace makes a namespace with its loopback interface up. The calling thread goes
// there and comes back.
func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := visit(func() error { return syscall.Unshare(syscall.CLONE_NEWNET) }, func() (err error) {
		if n.file, err = os.Open(threadNamespace); err != nil {
			return err
		}
		n.fd = int(n.file.Fd())
		if n.links, err = netlink.NewHandle(syscall.NETLINK_ROUTE); err != nil {
			return err
		}
		loopback, err := n.links.LinkByName("lo")
		if err != nil {
			return err
		}
		return n.links.LinkSetUp(loopback)
	})
	switch {
	case errors.Is(err, syscall.EPERM):
		err = labError(azprov.KindDenied, "a network namespace needs the rights of root", "run it as root, or below unshare --user --map-root-user", err)
	case err != nil:
		err = labError(azprov.KindNotFound, "no network namespace can be made", "the kernel needs network namespaces and veth", err)
	}
	if err != nil {
		_ = n.close()
		return nil, err
	}
	return n, nil
}

// do runs f in the namespace.
func (n *namespace) do(f func() error) error {
	return visit(func() error {
		n.mu.RLock()
		defer n.mu.RUnlock()
		if n.closed {
			return net.ErrClosed
		}
		return unix.Setns(n.fd, unix.CLONE_NEWNET)
	}, f)
}

// visit runs f where the thread is after enter, and brings the thread back, even if f
// panics or ends the goroutine.
func visit(enter, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(threadNamespace)
	if err == nil {
		if err = enter(); err != nil {
			_ = home.Close()
		}
	}
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		// A thread that cannot come back stays locked: it ends with its goroutine, and
		// nobody else runs on it.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		_ = home.Close()
	}()
	return f()
}

// path is how another process finds the namespace.
func (n *namespace) path() string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.mounts) > 0 {
		return n.mounts[0]
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.fd)
}

// publish mounts the namespace where ip-netns(8) finds it.
func (n *namespace) publish(name string) error {
	if err := os.MkdirAll(namesDir, 0o755); err != nil { //nolint:gosec // As ip-netns makes it.
		return nameError(name, err)
	}
	if err := shareNames(); err != nil {
		return nameError(name, err)
	}
	path := filepath.Join(namesDir, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444) //nolint:gosec // As ip-netns makes it.
	if err != nil {
		return nameError(name, err)
	}
	_ = file.Close()
	if err := syscall.Mount(n.path(), path, "", syscall.MS_BIND, ""); err != nil {
		_ = os.Remove(path)
		return nameError(name, err)
	}
	n.mounts = append(n.mounts, path)
	return nil
}

// shareNames makes the directory of names a mount of its own that is shared, as ip-netns
// does when it adds its first name: done later, that would cover ours.
func shareNames() error {
	err := syscall.Mount("", namesDir, "", syscall.MS_SHARED|syscall.MS_REC, "")
	if !errors.Is(err, syscall.EINVAL) {
		return err
	}
	if err := syscall.Mount(namesDir, namesDir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return err
	}
	return syscall.Mount("", namesDir, "", syscall.MS_SHARED|syscall.MS_REC, "")
}

func nameError(name string, err error) error {
	hint := ""
	if errors.Is(err, os.ErrExist) {
		hint = "ip netns delete " + name + " removes one that was left behind"
	}
	return labError(azprov.KindDenied, "the namespace cannot be given the name "+name, hint, err)
}

func (n *namespace) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	var err error
	for _, path := range n.mounts {
		err = errors.Join(err, syscall.Unmount(path, syscall.MNT_DETACH), os.Remove(path))
	}
	n.mounts = nil
	if n.links != nil {
		n.links.Close()
	}
	if n.file != nil {
		err = errors.Join(err, n.file.Close())
	}
	return err
}
