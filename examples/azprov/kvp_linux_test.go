package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/azprov/azprov/report/kvp"
)

// A pool that somebody keeps locked is waited for as long as --timeout says.
func TestKVPLocked(t *testing.T) {
	t.Parallel()
	pool := newPool(t, kvp.Record{Key: "HARBOUR", Value: "open"})
	f, err := os.Open(pool)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"list"}, {"get", "HARBOUR"}, {"write", "PIER", "3"}, {"delete", "HARBOUR"}, {"clear"}, {"clear", "--if-stale"},
	} {
		got := onPool(t, pool, append(args, "--timeout", "50ms")...).want(t, exitTimeout)
		contains(t, got.stderr, "somebody else has the lock", "hint: see who keeps the file locked")
	}
}

// Nothing is written through a link that somebody else may have put there.
func TestKVPLink(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(newPool(t), link); err != nil {
		t.Fatal(err)
	}
	contains(t, onPool(t, link, "write", "PIER", "3").want(t, exitFailed).stderr, "a symbolic link", "hint: name the file itself with --pool FILE")
}
