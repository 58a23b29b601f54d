package kvp

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/azprov/azprov/internal/wait"
)

const (
	// DefaultLockTimeout bounds the wait for the lock. Whoever has it writes a few
	// kilobytes; the daemon reads the file.
	DefaultLockTimeout = 5 * time.Second
	// firstPause and lastPause are how often a lock that somebody else has is tried: there
	// is no wait for a file's lock that a context could end.
	firstPause = time.Millisecond
	lastPause  = 10 * time.Millisecond
)

// locking is what a pool is locked for.
type locking int

const (
	reading locking = iota
	writing
)

// turns keeps the goroutines of this process apart, by file. The lock of POSIX, the only
// one on old kernels, does not: it belongs to the process, and goes when the process closes
// the file anywhere (fcntl(2)).
var turns = table{waiting: map[string]*turn{}}

type table struct {
	mu      sync.Mutex
	waiting map[string]*turn
}

type turn struct {
	free  chan struct{}
	users int
}

// take waits for the turn at a file.
func (t *table) take(ctx context.Context, name string) (release func(), err error) {
	t.mu.Lock()
	mine := t.waiting[name]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		t.waiting[name] = mine
	}
	mine.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.users--; mine.users == 0 {
			delete(t.waiting, name)
		}
	}
	select {
	case mine.free <- struct{}{}:
		return func() { <-mine.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// identity is one name for a file, whichever way its directory is reached.
func identity(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// locked does something with the file while it is locked. It looks at the context while it
// waits, and then no more: what was begun is finished.
func (p *Pool) locked(ctx context.Context, method string, mode locking, do func(*os.File, os.FileInfo) error) error {
	bounded, cancel := context.WithTimeout(ctx, p.lockTimeout)
	defer cancel()
	if err := p.prepare(mode); err != nil {
		return p.fail(method, err)
	}
	release, err := turns.take(bounded, identity(p.path))
	if err != nil {
		return p.ended(method, err)
	}
	defer release()
	f, info, err := p.acquire(bounded, mode)
	switch {
	case err != nil && bounded.Err() != nil:
		return p.ended(method, bounded.Err())
	case err != nil:
		return p.fail(method, err)
	}
	err = do(f, info)
	if closeErr := f.Close(); err == nil { // closing gives up the lock
		err = closeErr
	}
	return p.fail(method, err)
}

func (p *Pool) ended(method string, err error) error {
	e := wait.Ended("kvp.Pool."+method, "somebody else has the lock of the pool", err)
	e.Target = filepath.Clean(p.path)
	return e
}

// prepare makes the directory as the daemon does, 0755.
func (p *Pool) prepare(mode locking) error {
	if !p.create || mode == reading {
		return nil
	}
	return os.MkdirAll(filepath.Dir(p.path), 0o755) //nolint:gosec // as hv_kvp_daemon has it, for those who read pools
}

// acquire opens and locks the file.
func (p *Pool) acquire(ctx context.Context, mode locking) (*os.File, os.FileInfo, error) {
	pause := firstPause
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		f, err := openFile(p.path, mode, p.create)
		if err != nil {
			return nil, nil, err
		}
		info, done, err := lockOpen(f, p.path, mode)
		if done {
			return f, info, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, nil, err
		}
		if err := wait.For(ctx, pause); err != nil {
			return nil, nil, err
		}
		pause = min(2*pause, lastPause)
	}
}

// lockOpen tries to lock what was opened, and looks whether it still is the pool then.
func lockOpen(f *os.File, path string, mode locking) (info os.FileInfo, done bool, err error) {
	info, err = f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, errNotAFile
	}
	if done, err = tryLock(f, mode); err != nil || !done {
		return nil, false, err
	}
	if info, err = f.Stat(); err != nil { // its size may have been another before the lock
		return nil, false, err
	}
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) { // removed; there may be another one
		return nil, false, nil
	}
	return info, err == nil && os.SameFile(info, now), err
}
