package pps_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/pps"
)

func TestFileStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "pool.json")
	store := pps.FileStore(path)
	ctx := t.Context()
	if _, found, err := store.Load(ctx); found || err != nil {
		t.Fatalf("before: %v, %v", found, err)
	}
	if err := store.Clear(ctx); err == nil {
		// The directory is not there either, and that is no error of a removal.
		t.Log("cleared nothing")
	}
	want := pps.Marker{VMID: vmID, Phase: pps.PhaseReported, At: time.Date(2026, 12, 1, 10, 0, 0, 5000, time.UTC)}
	for range 2 {
		if err := store.Save(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	if got, found, err := store.Load(ctx); got != want || !found || err != nil {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	b, err := os.ReadFile(path)
	if text := `{"vmId":"` + vmID.String() + `","phase":"Reported","at":"2026-12-01T10:00:00.000005Z"}` + "\n"; err != nil || string(b) != text {
		t.Errorf("%s, %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o700) {
		t.Errorf("%v, %v", info, err)
	}
	for range 2 {
		if err := store.Clear(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestFileStoreErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path string
		load azprov.Kind
	}{
		{filepath.Join(dir, "file", "below"), azprov.KindInternal},
		{filepath.Join(dir, "taken"), azprov.KindMalformed},
	} {
		store := pps.FileStore(row.path)
		if runtime.GOOS != "windows" {
			if _, _, err := store.Load(t.Context()); azprov.KindOf(err) != row.load {
				t.Errorf("%s: load: %v", row.path, err)
			}
		}
		if err := store.Save(t.Context(), pps.Marker{VMID: vmID}); azprov.KindOf(err) != azprov.KindInternal || !strings.Contains(err.Error(), row.path) {
			t.Errorf("%s: save: %v", row.path, err)
		}
		if err := store.Clear(t.Context()); azprov.KindOf(err) != azprov.KindInternal {
			t.Errorf("%s: clear: %v", row.path, err)
		}
	}
}

func TestDamagedMarkers(t *testing.T) {
	t.Parallel()
	id := vmID.String()
	for name, text := range map[string]string{
		"empty":            "",
		"zeros":            strings.Repeat("\x00", 100),
		"cut off":          `{"vmId":"` + id,
		"cloud-init's":     "1234: 1766600000.5\n",
		"no id":            `{"phase":"Reported"}`,
		"a zero id":        `{"vmId":"","phase":"Reported"}`,
		"a damaged id":     `{"vmId":"` + id[1:] + `","phase":"Reported"}`,
		"no phase":         `{"vmId":"` + id + `"}`,
		"an unknown phase": `{"vmId":"` + id + `","phase":"Sailing"}`,
		"too large":        `{"vmId":"` + id + `","phase":"Reported","x":"` + strings.Repeat("x", 5000) + `"}`,
		"null":             "null",
		"another VM's":     `{"vmId":"01000000-9f02-4cfe-b1f4-a4da7ebac2cf","phase":"Reported"}`,
	} {
		path := filepath.Join(t.TempDir(), "pool.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, found, warnings := pps.FindMarker(t.Context(), pps.FileStore(path), vmID)
		if found || len(warnings) != 1 || !strings.Contains(warnings[0], "was removed") {
			t.Errorf("%s: found %v, warnings %q", name, found, warnings)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s: still there", name)
		}
	}
}

// A link in the marker's place is not followed: not read, and replaced when written.
func TestMarkerIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := pps.FileStore(target).Save(t.Context(), pps.Marker{VMID: vmID, Phase: pps.PhaseReported}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	if _, found, err := pps.FileStore(link).Load(t.Context()); found || !errors.Is(err, azprov.ErrMalformed) {
		t.Errorf("%v, %v", found, err)
	}
}

func TestFindMarker(t *testing.T) {
	t.Parallel()
	swapped := vmID.Swapped()
	for _, row := range []struct {
		name     string
		store    *memoryStore
		id       azprov.VMID
		found    bool
		warnings int
		left     bool
	}{
		{"no store", nil, vmID, false, 0, false},
		{"none", &memoryStore{}, vmID, false, 0, false},
		{"this VM's", &memoryStore{there: true, marker: pps.Marker{VMID: vmID, Phase: pps.PhaseReported}}, vmID, true, 0, true},
		{"in the other byte order", &memoryStore{there: true, marker: pps.Marker{VMID: swapped, Phase: pps.PhaseReused}}, vmID, true, 0, true},
		{"another's", &memoryStore{there: true, marker: pps.Marker{VMID: azprov.VMID{1}, Phase: pps.PhaseReported}}, vmID, false, 1, false},
		{"another's, which stays", &memoryStore{there: true, clearErr: errors.New("no"), marker: pps.Marker{VMID: azprov.VMID{1}, Phase: pps.PhaseReported}}, vmID, false, 2, true},
		{"nobody's", &memoryStore{there: true, marker: pps.Marker{Phase: pps.PhaseReported}}, vmID, false, 1, false},
		{"nobody knows whose", &memoryStore{there: true, marker: pps.Marker{VMID: vmID, Phase: pps.PhaseReported}}, azprov.VMID{}, false, 1, true},
		{"unreadable", &memoryStore{there: true, loadErr: errors.New("no")}, vmID, false, 1, true},
	} {
		var store pps.Store
		if row.store != nil {
			store = row.store
		}
		marker, found, warnings := pps.FindMarker(t.Context(), store, row.id)
		if found != row.found || len(warnings) != row.warnings || (row.store != nil && row.store.there != row.left) {
			t.Errorf("%s: %+v, %v, %q", row.name, marker, found, warnings)
		}
		if found == marker.VMID.IsZero() {
			t.Errorf("%s: found %v, %+v", row.name, found, marker)
		}
	}
}

func FuzzMarkerFile(f *testing.F) {
	f.Add([]byte(`{"vmId":"91267c52-9f02-4cfe-b1f4-a4da7ebac2cf","phase":"Reported","at":"2026-12-01T10:00:00Z"}`))
	f.Add([]byte("1234: 1766600000.5\n"))
	f.Add([]byte(`{"vmId":null,"phase":3}`))
	f.Add([]byte(`{"phase":"Reported"}`))
	path := filepath.Join(f.TempDir(), "pool.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		marker, found, err := pps.FileStore(path).Load(t.Context())
		if found == (err != nil) || (err != nil && azprov.KindOf(err) != azprov.KindMalformed) {
			t.Fatalf("%+v, %v, %v", marker, found, err)
		}
		if found && (marker.VMID.IsZero() || marker.Phase == "") {
			t.Fatalf("%+v", marker)
		}
	})
}
