package render

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteBeside: a fragment is made beside the directory that Ignition reads, and only
// moving it there needs the directory.
func TestWriteBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var moved *os.LinkError
	if err := (Fragment{Name: "a.ign"}).write(filepath.Join(dir, "none")); !errors.As(err, &moved) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
