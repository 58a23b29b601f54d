package main

import (
	"os"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
)

// TestKeysAreTheUsers: root writes them, and the user owns them; sshd wants it so.
func TestKeysAreTheUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	home := t.TempDir()
	if changed, err := installKeys(&user.User{HomeDir: home, Uid: "12345", Gid: "12346"}, []string{firstKey}); err != nil || !changed {
		t.Fatal(changed, err)
	}
	for _, path := range []string{".ssh", ".ssh/authorized_keys.d", installed} {
		info, err := os.Lstat(filepath.Join(home, path))
		if err != nil {
			t.Fatal(err)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 12345 || stat.Gid != 12346 {
			t.Errorf("%s: %+v", path, info.Sys())
		}
	}
	if _, err := installKeys(&user.User{HomeDir: home, Uid: "S-1-5", Gid: "12346"}, []string{spareKey}); err == nil {
		t.Error("no number, and yet an owner")
	}
	wantFile(t, filepath.Join(home, installed), firstKey+"\n", 0o600)
	leftBehind(t, home, installed)
}
