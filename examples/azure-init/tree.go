package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"
)

// tree is the file system that is set up: "/", or the directory of --root. No name and no
// symbolic link leads out of it. Names begin without a slash.
type tree struct {
	*os.Root
	// owners: whose files are can be set, which needs root.
	owners bool
}

// owner is of a file; the zero value is root.
type owner struct{ uid, gid int }

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{Root: root, owners: os.Geteuid() == 0}, nil
}

// sub is a directory as a tree of its own, for what belongs to somebody who may have put
// links into it.
func (t *tree) sub(name string) (*tree, error) {
	root, err := t.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &tree{Root: root, owners: t.owners}, nil
}

// read returns a file; one that is not there is empty.
func (t *tree) read(name string) ([]byte, error) {
	b, err := t.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// rewrite is write for a file that keeps mode and owner. mode is for one that is new.
func (t *tree) rewrite(name string, b []byte, mode fs.FileMode) (changed bool, err error) {
	own := owner{}
	if info, err := t.Stat(name); err == nil {
		mode, own = info.Mode().Perm(), ownerOf(info)
	}
	return t.write(name, b, mode, own)
}

// write replaces a file and reports whether that changed anything: nobody ever sees half of
// it, and a link in its place is replaced, not followed.
func (t *tree) write(name string, b []byte, mode fs.FileMode, own owner) (changed bool, err error) {
	if info, err := t.Lstat(name); err == nil && info.Mode() == mode && (!t.owners || ownerOf(info) == own) {
		if old, err := t.ReadFile(name); err == nil && bytes.Equal(old, b) {
			return false, nil
		}
	}
	temporary := path.Join(path.Dir(name), ".azure-init-"+rand.Text())
	f, err := t.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode))
	if t.owners {
		err = errors.Join(err, f.Chown(own.uid, own.gid))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = t.Rename(temporary, name)
	}
	if err != nil {
		return false, errors.Join(err, t.Remove(temporary))
	}
	return true, t.sync(path.Dir(name))
}

// sync makes the names of a directory reach the disk. Not every file system can.
func (t *tree) sync(dir string) error {
	f, err := t.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// mkdir makes a directory and what is above it. One that is there stays as it is.
func (t *tree) mkdir(name string, mode fs.FileMode, own owner) error {
	if _, err := t.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := path.Dir(name); parent != "." {
		if err := t.mkdir(parent, max(mode, 0o755), own); err != nil {
			return err
		}
	}
	if err := t.Mkdir(name, mode); err != nil {
		return err
	}
	err := t.Chmod(name, mode) // whatever the umask
	if t.owners {
		err = errors.Join(err, t.Lchown(name, own.uid, own.gid))
	}
	return err
}

// copyDir copies a directory to one that is not there, for another owner.
func (t *tree) copyDir(from, to string, mode fs.FileMode, own owner) error {
	if err := t.mkdir(to, mode, own); err != nil {
		return err
	}
	entries, err := fs.ReadDir(t.FS(), from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if err == nil {
			err = t.copyEntry(path.Join(from, entry.Name()), path.Join(to, entry.Name()), own)
		}
	}
	return err
}

func (t *tree) copyEntry(from, to string, own owner) error {
	info, err := t.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return t.copyDir(from, to, info.Mode().Perm(), own)
	case info.Mode().IsRegular():
		b, err := t.ReadFile(from)
		if err == nil {
			_, err = t.write(to, b, info.Mode().Perm(), own)
		}
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := t.Readlink(from)
		if err == nil {
			err = t.Symlink(target, to)
		}
		if err == nil && t.owners {
			err = t.Lchown(to, own.uid, own.gid)
		}
		return err
	default:
		return nil
	}
}

const (
	// lockName is lckpwdf(3)'s, which every program takes that changes the accounts.
	lockName = "etc/.pwd.lock"
	// lockPause is between two attempts, lockTime what lckpwdf waits.
	lockPause = 100 * time.Millisecond
	lockTime  = 15 * time.Second
)

// lock keeps other programs from changing the accounts until unlock is called.
func (t *tree) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	if err := t.mkdir("etc", 0o755, owner{}); err != nil {
		return nil, err
	}
	f, err := t.OpenFile(lockName, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		free, err := tryLock(f)
		if free {
			return func() { _ = f.Close() }, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: lockName, Err: err}, f.Close())
		}
		select {
		case <-ctx.Done():
		case <-time.After(lockPause):
		}
	}
}
