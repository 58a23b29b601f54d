package goalstate_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew instead of comparing with it")

// golden compares got with testdata/name byte for byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

// vector reads a captured document.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("AZPROV_VECTORS")
	if dir == "" {
		t.Skip("AZPROV_VECTORS names no directory of captured documents")
	}
	b, err := os.ReadFile(filepath.Join(dir, "walinuxagent", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
