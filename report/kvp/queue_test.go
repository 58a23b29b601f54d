package kvp_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	pool, path := poolFile(t, nil)
	q := kvp.NewQueue(pool, &kvp.QueueOptions{Source: here, Capacity: 3})
	add := func(name string, size int, want bool) {
		t.Helper()
		if got := q.Add(kvp.Event{Type: kvp.EventStart, Name: name, Message: strings.Repeat("v", size)}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	names := func(want ...string) {
		t.Helper()
		records, err := pool.List(t.Context())
		if err != nil || len(records) != len(want) {
			t.Fatalf("%q, %v; want %q", records, err, want)
		}
		for i, r := range records {
			if !strings.HasPrefix(r.Key, hereBefore+"start|"+want[i]+"|") {
				t.Errorf("%q, want %q", r.Key, want[i])
			}
		}
	}
	if err := q.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	add("first", 1, true)
	add("second", 1500, true)
	add("third", 1, false) // the second takes two
	if q.Len() != 3 || q.Dropped() != 1 {
		t.Errorf("%d wait, %d dropped", q.Len(), q.Dropped())
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := q.Flush(t.Context()); !errors.Is(err, azprov.ErrNotFound) || q.Len() != 3 {
		t.Errorf("%v, %d wait", err, q.Len())
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := q.Flush(t.Context()); err != nil || q.Len() != 0 {
			t.Errorf("%v, %d wait", err, q.Len())
		}
		names("first", "second", "second")
	}
	add("third", 1, true)
	if err := q.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	names("first", "second", "second", "third")
}

func TestQueueFillsIn(t *testing.T) {
	t.Parallel()
	pool, _ := poolFile(t, nil)
	q := kvp.NewQueue(pool, nil)
	before := time.Now().Add(-time.Second)
	for range 2 {
		q.Add(kvp.Event{Type: kvp.EventStart, Name: "a"})
	}
	q.Add(kvp.Event{Type: kvp.EventStart, Name: "a", Time: when, ID: anID})
	if err := q.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, err := pool.List(t.Context())
	if err != nil || len(records) != 3 || records[0].Key == records[1].Key {
		t.Fatalf("%q, %v", records, err)
	}
	_, rest, _ := strings.Cut(records[0].Value, `"ts":"`)
	stamp, _, _ := strings.Cut(rest, `"`)
	if at, err := time.Parse(time.RFC3339Nano, stamp); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("%q, %v", stamp, err)
	}
	id := records[0].Key[strings.LastIndexByte(records[0].Key, '|')+1:]
	if _, err := azprov.ParseVMID(id); err != nil || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%q is no UUID of version 4", id)
	}
	if !strings.HasSuffix(records[2].Key, "01020304-0506-4708-890a-0b0c0d0e0f10") || !strings.Contains(records[2].Value, "06:39:17.676085") {
		t.Errorf("%q", records[2])
	}
}

// Events are added while others flush: none is lost, and none is there twice.
func TestQueueIsConcurrent(t *testing.T) {
	t.Parallel()
	pool, _ := poolFile(t, nil)
	q := kvp.NewQueue(pool, &kvp.QueueOptions{Capacity: 1000})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				q.Add(kvp.Event{Type: kvp.EventStart, Name: "a"})
			}
		})
		group.Go(func() {
			for range 10 {
				if err := q.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := q.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	records, err := pool.List(t.Context())
	keys := map[string]bool{}
	for _, r := range records {
		keys[r.Key] = true
	}
	if err != nil || len(records) != 200 || len(keys) != 200 || q.Dropped() != 0 {
		t.Errorf("%d records, %d keys, %d dropped, %v", len(records), len(keys), q.Dropped(), err)
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	pool, _ := poolFile(t, nil)
	q := kvp.NewQueue(pool, nil)
	q.Add(kvp.Event{Type: kvp.EventStart, Name: "a"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if err := q.Flush(ctx); azprov.KindOf(err) != azprov.KindCanceled || q.Len() != 1 {
			t.Fatalf("%v, %d wait", err, q.Len())
		}
	}
}
