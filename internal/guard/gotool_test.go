package guard

// The go command, as the guards call it.

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/azprov/azprov"
	moduleRoot = "../.."
)

// runGo runs the go command in the module's root and returns its standard output.
func runGo(t *testing.T, args ...string) []byte {
	t.Helper()
	watchSources(t)
	out, err := goTool(t.Context(), moduleRoot, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// watchSources reads every directory of the module. "go test" keeps a passed
// result until a file that the test has looked at changes, and it cannot see what
// the go command read on the test's behalf.
func watchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(moduleRoot, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// matches reports whether path is what pattern names. A pattern is an import path,
// or one with "/..." behind it, which names everything below too.
func matches(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return path == base || below && strings.HasPrefix(path, base+"/")
}

// relative turns an import path of this module into its directory, "." for the
// root; ok is false for any other path.
func relative(importPath string) (dir string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}
