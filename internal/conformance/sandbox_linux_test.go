package conformance

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sandboxSpec in the environment makes the test binary be the first process of a sandbox.
const sandboxSpec = "AZPROV_CONFORMANCE_SANDBOX"

// mountHelper is the name under which the test binary is what mount(8) runs for a disc.
const mountHelper = "mount.udf"

func TestMain(m *testing.M) {
	var err error
	switch spec := os.Getenv(sandboxSpec); {
	case filepath.Base(os.Args[0]) == mountHelper:
		err = mountDisc(os.Args[1:])
	case spec != "":
		err = beSandbox(spec)
	default:
		// Most of the time is waiting, and each test has a machine of its own.
		_ = flag.Set("test.parallel", "6")
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sandbox describes a machine to its first process.
type sandbox struct {
	// Base is the directory with the system, which is not changed.
	Base string
	// Dir is an empty directory to mount on.
	Dir string
	// DMI is a directory like /sys, with class/dmi/id and maybe firmware/efi.
	DMI string
	// Disc is the number of the block device that is /dev/sr0; 0 for none.
	Disc uint64
	// Files are what is there beside the system, by path.
	Files map[string]file
	// Programs are those of the host that are there, by path.
	Programs map[string]string
	// Remove are what is not there.
	Remove []string
	// Second mounts the system once more, on /sysroot.
	Second bool
}

type file struct {
	Text string
	Mode os.FileMode
}

// ready is what the first process prints when the machine stands.
const ready = "ready"

// beSandbox is the first process of a machine: it builds it, says so, and reaps what
// nobody else waits for, until standard input ends. With it ends everything in its PID
// namespace.
func beSandbox(spec string) error {
	var s sandbox
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return errors.New("not the first process of a namespace")
	}
	if err := s.build(); err != nil {
		return err
	}
	fmt.Println(ready)
	go func() {
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil {
				_ = syscall.Pause()
			}
		}
	}()
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// A mount of the machine. A target that is missing is made.
type mounting struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

func (s sandbox) build() error {
	// First of all, or what follows would show outside.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := filepath.Join(s.Dir, "root")
	if err := s.overlay(root, "first"); err != nil {
		return err
	}
	at := func(path string) string { return filepath.Join(root, path) }
	if s.Second {
		if err := s.overlay(at("sysroot"), "second"); err != nil {
			return err
		}
	}
	if err := mountAll(
		mounting{"proc", at("proc"), "proc", 0, ""},
		// What is below is of the whole system, not of a namespace.
		mounting{at("proc/sys"), at("proc/sys"), "", syscall.MS_BIND, ""},
		mounting{"", at("proc/sys"), "", syscall.MS_REMOUNT | syscall.MS_BIND | syscall.MS_RDONLY, ""},
		mounting{"sysfs", at("sys"), "sysfs", syscall.MS_RDONLY, ""},
		mounting{"dev", at("dev"), "tmpfs", 0, "mode=755"},
		mounting{"run", at("run"), "tmpfs", 0, "mode=755"},
		mounting{"tmp", at("tmp"), "tmpfs", 0, "mode=1777"},
		mounting{"devpts", at("dev/pts"), "devpts", 0, "newinstance,ptmxmode=0666"},
		mounting{"shm", at("dev/shm"), "tmpfs", 0, "mode=1777"},
	); err != nil {
		return err
	}
	if err := errors.Join(s.devices(at("dev")), s.firmware(at("sys")), s.edit(root), s.programs(root)); err != nil {
		return err
	}
	if err := pivot(root); err != nil {
		return err
	}
	return syscall.Sethostname([]byte("localhost"))
}

// overlay mounts a view of the system that can be written to.
func (s sandbox) overlay(target, name string) error {
	scratch := filepath.Join(s.Dir, name)
	if err := mountAll(mounting{"scratch", scratch, "tmpfs", 0, "mode=755"}); err != nil {
		return err
	}
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	return mountAll(mounting{"overlay", target, "overlay", 0, "lowerdir=" + s.Base + ",upperdir=" + upper + ",workdir=" + work})
}

func mountAll(mounts ...mounting) error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}

// devices makes what programs need of /dev, and the drive.
func (s sandbox) devices(dev string) error {
	var err error
	node := func(name string, mode uint32, number uint64) {
		path := filepath.Join(dev, name)
		err = errors.Join(err, syscall.Mknod(path, mode, int(number)), os.Chmod(path, os.FileMode(mode&0o777)))
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		node(name, syscall.S_IFCHR|0o666, unix.Mkdev(1, minor))
	}
	node("tty", syscall.S_IFCHR|0o666, unix.Mkdev(5, 0))
	if s.Disc != 0 {
		node("sr0", syscall.S_IFBLK|0o660, s.Disc)
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		// Nobody reads what an agent tells the console.
		"console": "null", "kmsg": "null",
	} {
		err = errors.Join(err, os.Symlink(target, filepath.Join(dev, name)))
	}
	return err
}

// firmware replaces the host's tables by the machine's.
func (s sandbox) firmware(sys string) error {
	classes, err := os.ReadDir("/sys/class")
	if err != nil {
		return err
	}
	// The host's own class directories are kept by binding them onto a new one.
	kept := filepath.Join(s.Dir, "class")
	if err := mountAll(mounting{filepath.Join(sys, "class"), kept, "", syscall.MS_BIND, ""},
		mounting{"class", filepath.Join(sys, "class"), "tmpfs", 0, "mode=755"}); err != nil {
		return err
	}
	for _, class := range classes {
		if class.Name() == "dmi" {
			continue
		}
		if err := mountAll(mounting{filepath.Join(kept, class.Name()), filepath.Join(sys, "class", class.Name()), "", syscall.MS_BIND, ""}); err != nil {
			return err
		}
	}
	if err := mountAll(mounting{"firmware", filepath.Join(sys, "firmware"), "tmpfs", 0, "mode=755"}); err != nil {
		return err
	}
	return os.CopyFS(sys, os.DirFS(s.DMI))
}

// edit writes and removes files of the system.
func (s sandbox) edit(root string) error {
	var err error
	for _, path := range s.Remove {
		err = errors.Join(err, os.RemoveAll(filepath.Join(root, path)))
	}
	for path, f := range s.Files {
		target := filepath.Join(root, path)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(target), 0o755), os.RemoveAll(target), os.WriteFile(target, []byte(f.Text), f.Mode))
	}
	return err
}

// programs puts programs of the host into the machine, as they are.
func (s sandbox) programs(root string) error {
	var err error
	for path, source := range s.Programs {
		target := filepath.Join(root, path)
		err = errors.Join(err, os.WriteFile(target, nil, 0o755), syscall.Mount(source, target, "", syscall.MS_BIND, ""))
	}
	return err
}

// pivot makes root the root of everything, and lets go of the host's.
func pivot(root string) error {
	old := filepath.Join(root, "old")
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := syscall.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return errors.Join(syscall.Unmount("/old", syscall.MNT_DETACH), os.Remove("/old"))
}

// mountDisc is mount.udf(8): mount.udf DEVICE DIR -o OPTIONS. It reads the disc with this
// SDK's own reader, where the kernel may have none, and puts the files into a file system
// in memory on the directory.
func mountDisc(args []string) error {
	var names []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-o" || args[i] == "-t":
			i++
		case !strings.HasPrefix(args[i], "-"):
			names = append(names, args[i])
		}
	}
	if len(names) != 2 {
		return fmt.Errorf("usage: %s DEVICE DIR [-o OPTIONS]", mountHelper)
	}
	return copyDisc(names[0], names[1])
}
