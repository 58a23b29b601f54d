package guard

// The go command, as the guards call it.

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/azprov/azprov"
	moduleRoot = "../.."
)

// runGo runs the go command in the module's root for linux/amd64 without cgo, so
// that the result is the same on every host, and returns its standard output.
func runGo(t *testing.T, args ...string) []byte {
	t.Helper()
	watchSources(t)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(),
		"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "CGO_ENABLED=0",
		"GOFLAGS=-buildvcs=false", "GOEXPERIMENT=", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
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
