package kvp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
)

func testPool(t *testing.T) *Pool {
	t.Helper()
	p := Open(&Options{Path: filepath.Join(t.TempDir(), "pool"), Create: true})
	if err := p.Append(t.Context(), Record{"a", "1"}); err != nil {
		t.Fatal(err)
	}
	return p
}

// holders take the lock of another program's file descriptor, in a form of their own.
var holders = map[string]func(f *os.File) error{
	"flock": func(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) },
	"OFD": func(f *os.File) error {
		return syscall.FcntlFlock(f.Fd(), setOFDLock, &syscall.Flock_t{Type: syscall.F_WRLCK})
	},
}

func hold(t *testing.T, path string, how func(*os.File) error) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := how(f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLockThatIsHeld(t *testing.T) {
	for name, how := range holders {
		synctest.Test(t, func(t *testing.T) {
			p := testPool(t)
			f := hold(t, p.path, how)
			for operation, do := range map[string]func(context.Context) error{
				"kvp.Pool.Append": func(ctx context.Context) error { return p.Append(ctx, Record{"b", "2"}) },
				"kvp.Pool.List":   func(ctx context.Context) error { _, err := p.List(ctx); return err },
			} {
				start := time.Now()
				err := do(t.Context())
				var e *azprov.Error
				if !errors.As(err, &e) || e.Kind != azprov.KindTimeout || e.Op != operation || e.Target != p.path || time.Since(start) != DefaultLockTimeout {
					t.Errorf("%s: %v after %v", name, err, time.Since(start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				start = time.Now()
				if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("%s: %v after %v", name, err, time.Since(start))
				}
				cancel()
				if err := do(ctx); azprov.KindOf(err) != azprov.KindTimeout {
					t.Errorf("%s: %v", name, err)
				}
			}
			time.AfterFunc(3*time.Second, func() { _ = f.Close() })
			start := time.Now()
			if err := p.Append(t.Context(), Record{"b", "2"}); err != nil || time.Since(start) > 3*time.Second+lastPause {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		})
	}
}

func TestContextIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if err := p.Append(ctx, Record{"b", "2"}); azprov.KindOf(err) != azprov.KindCanceled {
			t.Fatal(err)
		}
	}
	if got, err := p.List(t.Context()); len(got) != 1 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A goroutine waits for another without touching the file.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := table{waiting: map[string]*turn{}}
		release, err := table.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := table.take(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		other()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := table.take(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.AfterFunc(time.Second, release)
		release, err = table.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if release(); len(table.waiting) != 0 {
			t.Errorf("%d left", len(table.waiting))
		}
	})
}

// Readers do not keep each other out.
func TestReadersTogether(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	f := hold(t, p.path, func(f *os.File) error {
		_, err := tryLock(f, reading)
		return err
	})
	if got, err := p.List(t.Context()); len(got) != 1 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	p.lockTimeout = 50 * time.Millisecond
	if err := p.Clear(t.Context()); azprov.KindOf(err) != azprov.KindTimeout {
		t.Error(err)
	}
	_ = f.Close()
}

// The daemon's part is played by this program, started again: it takes the record lock of
// POSIX, as kvp_acquire_lock does, and says what came of it.
const daemonFile = "AZPROV_TEST_KVP_DAEMON"

func TestPlayDaemon(t *testing.T) {
	path := os.Getenv(daemonFile)
	if path == "" {
		return // it is TestDaemon's, in a process of its own
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		kind := int16(syscall.F_WRLCK)
		if in.Text() == "unlock" {
			kind = syscall.F_UNLCK
		}
		answer := "done\n"
		if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: kind}); err != nil {
			answer = "refused\n"
		}
		_, _ = io.WriteString(os.Stdout, answer)
	}
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlayDaemon$")
	command.Env = append(os.Environ(), daemonFile+"="+p.path)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	say := func(what, want string) {
		t.Helper()
		_, _ = io.WriteString(in, what+"\n")
		if got, err := answers.ReadString('\n'); strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, %v; want %s", what, got, err, want)
		}
	}
	say("lock", "done")
	p.lockTimeout = 50 * time.Millisecond
	if err := p.Append(t.Context(), Record{"b", "2"}); azprov.KindOf(err) != azprov.KindTimeout {
		t.Errorf("the daemon's lock: %v", err)
	}
	if _, err := p.List(t.Context()); azprov.KindOf(err) != azprov.KindTimeout {
		t.Errorf("the daemon's lock: %v", err)
	}
	say("unlock", "done")
	for _, mode := range []locking{reading, writing} {
		err := p.locked(t.Context(), "", mode, func(*os.File, os.FileInfo) error {
			// Whoever opens and closes the file in this process does not take it from us.
			if f, err := os.Open(p.path); err == nil {
				_ = f.Close()
			}
			say("lock", "refused")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	say("lock", "done")
	_ = in.Close()
	_, _ = io.Copy(io.Discard, answers)
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

// cloud-init and azure-init lock with flock alone.
func TestFlockOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	err := p.locked(t.Context(), "", writing, func(*os.File, os.FileInfo) error {
		f, err := os.Open(p.path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := holders["flock"](f); !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Errorf("%v", err)
		}
		// Nor do readers get either lock.
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Errorf("%v", err)
		}
		if err := syscall.FcntlFlock(f.Fd(), setOFDLock, &syscall.Flock_t{Type: syscall.F_RDLCK}); err == nil {
			t.Error("a record lock for reading was granted")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A pool that is removed while somebody waits for it is not written to any more.
func TestReplacedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPool(t)
		f := hold(t, p.path, holders["flock"])
		time.AfterFunc(time.Second, func() {
			_ = os.Remove(p.path)
			_ = os.WriteFile(p.path, nil, 0o600)
			_ = f.Close()
		})
		if err := p.Append(t.Context(), Record{"b", "2"}); err != nil {
			t.Fatal(err)
		}
		if got, err := p.List(t.Context()); err != nil || len(got) != 1 || got[0].Key != "b" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestPipeIsNoPool(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here: " + err.Error())
	}
	p := Open(&Options{Path: path})
	_, err := p.List(t.Context())
	for _, err := range []error{err, p.Clear(t.Context()), p.Flush(t.Context())} {
		if azprov.KindOf(err) != azprov.KindMalformed {
			t.Error(err)
		}
	}
}

func TestRightsAreMissed(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	if err := p.fail("Append", &fs.PathError{Op: "open", Path: p.path, Err: syscall.EACCES}); azprov.KindOf(err) != azprov.KindDenied {
		t.Error(err)
	}
	if err := os.Chmod(p.path, 0o400); err != nil {
		t.Fatal(err)
	}
	asNobody(t, p.path, func() {
		if err := p.Append(t.Context(), Record{"b", "2"}); azprov.KindOf(err) != azprov.KindDenied {
			t.Error(err)
		}
		if _, err := p.List(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// asNobody takes from root the right to write any file: on a thread that ends with it, by
// the user that file systems see. The file becomes that user's.
func asNobody(t *testing.T, path string, do func()) {
	t.Helper()
	const nobody = 65534
	if os.Geteuid() != 0 {
		do()
		return
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); strings.Contains(dir, t.Name()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		do()
	}()
	<-done
}

// Kernels without locks of an open file need one turn for a file, whatever its name.
func TestIdentity(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(p.path), link); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	if a, b := identity(p.path), identity(filepath.Join(link, ".", filepath.Base(p.path))); a != b {
		t.Errorf("%s, %s", a, b)
	}
}

// An event that is added while others are being written is written by the next flush.
func TestAddWhileFlushing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPool(t)
		q := NewQueue(p, nil)
		q.Add(Event{Type: EventStart, Name: "first"})
		f := hold(t, p.path, holders["flock"])
		for range 2 {
			go func() {
				if err := q.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(time.Second)
		q.Add(Event{Type: EventStart, Name: "second"})
		_ = f.Close()
		time.Sleep(time.Second)
		got, err := p.List(t.Context())
		if err != nil || len(got) != 3 || !strings.Contains(got[1].Key, "|first|") || !strings.Contains(got[2].Key, "|second|") || q.Len() != 0 {
			t.Errorf("%q, %v, %d wait", got, err, q.Len())
		}
	})
}

// What is at the path may be another file than the one that was opened, by the time that
// this one is locked.
func TestReplacedBeforeTheLock(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	for name, change := range map[string]func() error{
		"another": func() error { return errors.Join(os.Remove(p.path), os.WriteFile(p.path, nil, 0o600)) },
		"none":    func() error { return os.Remove(p.path) },
	} {
		f, err := openFile(p.path, writing, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, done, err := lockOpen(f, p.path, writing); done || err != nil {
			t.Errorf("%s: %v, %v", name, done, err)
		}
		_ = f.Close()
	}
}
