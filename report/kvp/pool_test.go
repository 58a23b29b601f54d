package kvp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

// poolFile is a pool with that content.
func poolFile(t *testing.T, content []byte) (pool *kvp.Pool, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), ".kvp_pool_1")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return kvp.Open(&kvp.Options{Path: path}), path
}

func encoded(t *testing.T, records ...kvp.Record) []byte {
	t.Helper()
	b, err := kvp.Encode(records...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPool(t *testing.T) {
	t.Parallel()
	a, b := kvp.Record{Key: "a", Value: "1"}, kvp.Record{Key: "b", Value: "2"}
	ab := slices.Concat(raw("a", "1"), raw("b", "2"))
	removed := func(n int) func(int, error) error {
		return func(got int, err error) error {
			if err == nil && got != n {
				err = fmt.Errorf("%d removed, want %d", got, n)
			}
			return err
		}
	}
	type do func(context.Context, *kvp.Pool) error
	for _, row := range []struct {
		name   string
		before []byte
		do     do
		want   []byte
	}{
		{"append to nothing", nil, func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx, a) }, raw("a", "1")},
		{"append nothing", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx) }, ab},
		{"append two", raw("c", "3"), func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx, a, b) }, append(raw("c", "3"), ab...)},
		{"append a key again", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx, a) }, append(slices.Clone(ab), raw("a", "1")...)},
		{"append behind a torn record", append(slices.Clone(ab), 'x'), func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx, b) }, append(slices.Clone(ab), raw("b", "2")...)},
		{"upsert a new key", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "c", "3") }, append(slices.Clone(ab), raw("c", "3")...)},
		{"upsert", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "a", "3") }, append(raw("b", "2"), raw("a", "3")...)},
		{"upsert a shorter value", raw("a", "long"), func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "a", "x") }, raw("a", "x")},
		{"a longer key is another", raw("ab", "1"), func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "a", "x") }, append(raw("ab", "1"), raw("a", "x")...)},
		{"a shorter key is another", raw("a", "1"), func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "ab", "x") }, append(raw("a", "1"), raw("ab", "x")...)},
		{"delete", ab, func(ctx context.Context, p *kvp.Pool) error { return removed(1)(p.Delete(ctx, "a")) }, raw("b", "2")},
		{"delete several", slices.Concat(ab, ab), func(ctx context.Context, p *kvp.Pool) error { return removed(2)(p.Delete(ctx, "a")) }, append(raw("b", "2"), raw("b", "2")...)},
		{"delete what is not there", ab, func(ctx context.Context, p *kvp.Pool) error { return removed(0)(p.Delete(ctx, "c")) }, ab},
		{"delete a full key", raw(strings.Repeat("k", 512), "v"), func(ctx context.Context, p *kvp.Pool) error {
			return removed(1)(p.Delete(ctx, strings.Repeat("k", 512)))
		}, []byte{}},
		{"delete what is no key", ab, func(ctx context.Context, p *kvp.Pool) error {
			return errors.Join(removed(0)(p.Delete(ctx, "")), removed(0)(p.Delete(ctx, "a\x00\x00")), removed(0)(p.Delete(ctx, strings.Repeat("k", 4000))))
		}, ab},
		{"clear", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Clear(ctx) }, []byte{}},
		{"clear what is too large", make([]byte, 9<<20), func(ctx context.Context, p *kvp.Pool) error { return p.Clear(ctx) }, []byte{}},
		{"flush", ab, func(ctx context.Context, p *kvp.Pool) error { return p.Flush(ctx) }, ab},
		{"list writes nothing", append(slices.Clone(ab), 'x'), func(ctx context.Context, p *kvp.Pool) error { _, err := p.List(ctx); return err }, append(slices.Clone(ab), 'x')},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pool, path := poolFile(t, row.before)
			before, _ := os.Stat(path)
			if err := row.do(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(row.want))
			}
			// hv_kvp_daemon has opened the file: it must stay the same one.
			if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("another file: %v", err)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	pool, _ := poolFile(t, slices.Concat(raw("a", "1"), raw("b", "2"), raw("a", "3"), []byte("a")))
	if got, err := pool.Get(t.Context(), "a"); got != "3" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := pool.Get(t.Context(), "c"); !errors.Is(err, azprov.ErrNotFound) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("%v", err)
	}
	got, err := pool.List(t.Context())
	if want := []kvp.Record{{"a", "1"}, {"b", "2"}, {"a", "3"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

// all is every operation, by name.
var all = map[string]func(context.Context, *kvp.Pool) error{
	"List":       func(ctx context.Context, p *kvp.Pool) error { _, err := p.List(ctx); return err },
	"Get":        func(ctx context.Context, p *kvp.Pool) error { _, err := p.Get(ctx, "a"); return err },
	"Append":     func(ctx context.Context, p *kvp.Pool) error { return p.Append(ctx, kvp.Record{Key: "a", Value: "1"}) },
	"Upsert":     func(ctx context.Context, p *kvp.Pool) error { return p.Upsert(ctx, "a", "1") },
	"Delete":     func(ctx context.Context, p *kvp.Pool) error { _, err := p.Delete(ctx, "a"); return err },
	"Clear":      func(ctx context.Context, p *kvp.Pool) error { return p.Clear(ctx) },
	"ClearStale": func(ctx context.Context, p *kvp.Pool) error { _, err := p.ClearStale(ctx, time.Now()); return err },
	"Flush":      func(ctx context.Context, p *kvp.Pool) error { return p.Flush(ctx) },
}

func TestWhatIsNoPool(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		prepare func(path string) error
		kind    azprov.Kind
	}{
		{"no file", func(string) error { return nil }, azprov.KindNotFound},
		{"no directory", func(path string) error { return os.Remove(filepath.Dir(path)) }, azprov.KindNotFound},
		{"a symbolic link", func(path string) error {
			if err := os.WriteFile(path+".target", raw("a", "1"), 0o600); err != nil {
				return err
			}
			return os.Symlink(path+".target", path)
		}, azprov.KindMalformed},
		{"a symbolic link to nothing", func(path string) error { return os.Symlink(path+".target", path) }, azprov.KindMalformed},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, azprov.KindMalformed},
	} {
		for method, do := range all {
			t.Run(row.name+" "+method, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "hyperv")
				path := filepath.Join(dir, ".kvp_pool_1")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := row.prepare(path); err != nil {
					t.Skip("it cannot be prepared here: " + err.Error())
				}
				err := do(t.Context(), kvp.Open(&kvp.Options{Path: path}))
				var e *azprov.Error
				if !errors.As(err, &e) || e.Kind != row.kind || e.Op != "kvp.Pool."+method || e.Target != path {
					t.Errorf("%v, want %s", err, row.kind)
				}
				if b, err := os.ReadFile(path + ".target"); err == nil && !slices.Equal(b, raw("a", "1")) {
					t.Error("the link was followed")
				}
				if row.kind == azprov.KindNotFound {
					if _, err := os.Lstat(path); err == nil {
						t.Error("made")
					}
				}
			})
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	for method, do := range all {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "lib", "hyperv")
			path := filepath.Join(dir, ".kvp_pool_1")
			err := do(t.Context(), kvp.Open(&kvp.Options{Path: path, Create: true}))
			if err != nil && (method != "Get" || azprov.KindOf(err) != azprov.KindNotFound) {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if method == "List" || method == "Get" {
				if _, dirErr := os.Stat(dir); err == nil || dirErr == nil {
					t.Error("made by who reads")
				}
				return
			}
			if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if info, err := os.Stat(dir); err != nil || runtime.GOOS == "linux" && info.Mode().Perm()&0o700 != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	one := raw("x", "1")
	many := func(n int) []byte { return slices.Repeat(one, n) }
	record := kvp.Record{Key: "b", Value: "2"}
	for _, row := range []struct {
		name   string
		before []byte
		method string
		kind   azprov.Kind
	}{
		{"append the last", many(kvp.MaxRecords - 1), "Append", ""},
		{"append one more", many(kvp.MaxRecords), "Append", azprov.KindTooLarge},
		{"the report has room", many(kvp.MaxRecords), "Upsert", ""},
		{"the report has room to the end", many(4<<20/kvp.RecordSize - 1), "Upsert", ""},
		{"and not behind it", many(4 << 20 / kvp.RecordSize), "Upsert", azprov.KindTooLarge},
		{"a large one is listed", many(4 << 20 / kvp.RecordSize), "List", ""},
		{"one larger is not", many(4<<20/kvp.RecordSize + 1), "List", azprov.KindTooLarge},
		{"one much larger is not", make([]byte, 16<<20), "List", azprov.KindTooLarge},
		{"nor changed", make([]byte, 16<<20), "Delete", azprov.KindTooLarge},
		{"nor is one larger", many(4<<20/kvp.RecordSize + 1), "Delete", azprov.KindTooLarge},
		{"it is cleared", make([]byte, 16<<20), "Clear", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pool, _ := poolFile(t, row.before)
			if err := all[row.method](t.Context(), pool); azprov.KindOf(err) != row.kind {
				t.Errorf("%v, want %q", err, row.kind)
			}
		})
	}
	endless, path := poolFile(t, nil)
	if err := os.Truncate(path, 1<<40); err == nil { // a hole
		for _, method := range []string{"List", "Append"} {
			if err := all[method](t.Context(), endless); azprov.KindOf(err) != azprov.KindTooLarge {
				t.Errorf("%s: %v", method, err)
			}
		}
	}
	pool, path := poolFile(t, many(kvp.MaxRecords-1))
	if err := pool.Append(t.Context(), record, record); azprov.KindOf(err) != azprov.KindTooLarge {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); len(b) != (kvp.MaxRecords-1)*kvp.RecordSize {
		t.Error("one was written")
	}
}

func TestBadRecordsAreNotWritten(t *testing.T) {
	t.Parallel()
	pool, path := poolFile(t, nil)
	for _, r := range []kvp.Record{{"", "v"}, {"a\x00", "v"}, {"a", strings.Repeat("v", 1023)}} {
		for name, err := range map[string]error{
			"kvp.Pool.Append": pool.Append(t.Context(), kvp.Record{Key: "a", Value: "1"}, r), "kvp.Pool.Upsert": pool.Upsert(t.Context(), r.Key, r.Value),
		} {
			var e *azprov.Error
			if !errors.As(err, &e) || e.Op != name || strings.Contains(err.Error(), "vv") {
				t.Errorf("%v", err)
			}
		}
	}
	if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestClearStale(t *testing.T) {
	t.Parallel()
	boot := time.Unix(1_700_000_000, 0)
	for _, row := range []struct {
		name    string
		content []byte
		written time.Time
		want    bool
	}{
		{"of an image", raw("a", "1"), boot.Add(-time.Hour), true},
		{"a second before", raw("a", "1"), boot.Add(-time.Second), true},
		{"of this boot", raw("a", "1"), boot.Add(time.Second), false},
		{"of the very second", raw("a", "1"), boot, false},
		{"old and torn", []byte("x"), boot.Add(-time.Hour), true},
		{"old and empty", nil, boot.Add(-time.Hour), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pool, path := poolFile(t, row.content)
			if err := os.Chtimes(path, row.written, row.written); err != nil {
				t.Fatal(err)
			}
			for _, want := range []bool{row.want, false} {
				if got, err := pool.ClearStale(t.Context(), boot); got != want || err != nil {
					t.Errorf("%v, %v; want %v", got, err, want)
				}
			}
			want := len(row.content)
			if row.want {
				want = 0
			}
			if info, err := os.Stat(path); err != nil || info.Size() != int64(want) {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestOpenHasDefaults(t *testing.T) {
	t.Parallel()
	if got := kvp.Open(nil).Path(); got != "/var/lib/hyperv/.kvp_pool_1" {
		t.Error(got)
	}
}

// Goroutines of one process, by two pools and two names of the directory.
func TestGoroutines(t *testing.T) {
	t.Parallel()
	_, path := poolFile(t, nil)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Skip("no symbolic links here: " + err.Error())
	}
	pools := []*kvp.Pool{
		kvp.Open(&kvp.Options{Path: path, LockTimeout: time.Minute}),
		kvp.Open(&kvp.Options{Path: filepath.Join(link, filepath.Base(path)), LockTimeout: time.Minute}),
	}
	var group sync.WaitGroup
	const writers, each = 16, 10
	for i := range writers {
		group.Go(func() {
			for j := range each {
				key := fmt.Sprintf("%d/%d", i, j)
				if err := pools[i%2].Append(t.Context(), kvp.Record{Key: key, Value: strings.Repeat(key, 9)}); err != nil {
					t.Error(err)
				}
				if err := pools[j%2].Upsert(t.Context(), "shared", key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	records, err := pools[0].List(t.Context())
	seen := map[string]int{}
	for _, r := range records {
		if seen[r.Key]++; r.Key != "shared" && r.Value != strings.Repeat(r.Key, 9) {
			t.Errorf("%q", r)
		}
	}
	if err != nil || len(records) != writers*each+1 || len(seen) != len(records) {
		t.Errorf("%d records, %d keys, %v", len(records), len(seen), err)
	}
}
