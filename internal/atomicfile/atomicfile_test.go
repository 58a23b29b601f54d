package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, target := filepath.Join(dir, "file"), filepath.Join(dir, "target")
	for _, row := range []struct {
		name    string
		prepare func() error
	}{
		{"a new file", func() error { return nil }},
		{"one that is there", func() error { return os.WriteFile(path, []byte("much longer than the new one"), 0o644) }},
		{"a symbolic link", func() error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink(target, path)
		}},
	} {
		if err := row.prepare(); err != nil {
			t.Skipf("%s: %v", row.name, err)
		}
		if err := Write(path, []byte("new")); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
			t.Errorf("%s: %v, %v", row.name, info, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
			t.Errorf("%s: %q, %v", row.name, b, err)
		}
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the link was followed")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWriteLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("written into a directory that is not there")
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a file", "none"} {
		if err := Remove(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s: still there", name)
		}
	}
	full := t.TempDir()
	if err := Write(filepath.Join(full, "file"), nil); err != nil {
		t.Fatal(err)
	}
	if err := Remove(full); err == nil {
		t.Error("a directory with a file in it was removed")
	}
}

func TestWriteMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes here")
	}
	path := filepath.Join(t.TempDir(), "file")
	for _, mode := range []os.FileMode{0o644, 0o600, 0o440, 0o666} {
		if err := WriteMode(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
			t.Errorf("%v: %v, %v", mode, info.Mode(), err)
		}
	}
}
