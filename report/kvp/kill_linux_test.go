package kvp_test

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/kvp"
)

const (
	// writerPool and writerName make this program one of the writers.
	writerPool = "AZPROV_TEST_KVP_POOL"
	writerName = "AZPROV_TEST_KVP_WRITER"
	// killFor is how long writers are killed: a duration, for longer runs than usual.
	killFor = "AZPROV_KVP_KILL_FOR"

	writers = 16
	// keep is how many records of its own a writer leaves behind: with all that are
	// started in a round they stay below the pool's limit.
	keep = 6
)

// valueOf is different in each byte for each key, and as long as can be.
func valueOf(key string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	random := rand.New(rand.NewPCG(h.Sum64(), 1))
	b := make([]byte, 900+random.IntN(100))
	for i := range b {
		b[i] = byte('a' + random.IntN(26))
	}
	return string(b)
}

// TestPlayWriter appends, deletes and upserts until it is killed. It says what it has done,
// and before it deletes, that it will.
func TestPlayWriter(t *testing.T) {
	name := os.Getenv(writerName)
	if name == "" {
		return // it is TestKilledWriters', in processes of their own
	}
	pool := kvp.Open(&kvp.Options{Path: os.Getenv(writerPool), LockTimeout: time.Minute})
	for i := 0; ; i++ {
		key := fmt.Sprintf("%s-%d", name, i)
		if err := pool.Append(t.Context(), kvp.Record{Key: key, Value: valueOf(key)}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("added", key)
		if i >= keep {
			old := fmt.Sprintf("%s-%d", name, i-keep)
			fmt.Println("deleting", old)
			if n, err := pool.Delete(t.Context(), old); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			fmt.Println("deleted", old)
		}
		if err := pool.Upsert(t.Context(), kvp.ReportKey, key+"|"+valueOf(key)); err != nil {
			t.Fatal(err)
		}
	}
}

// said is the last word of the writers on each key.
type said struct {
	mu    sync.Mutex
	state map[string]string
	words int
	bad   []string
}

func (s *said) listen(out io.Reader) {
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err != nil { // a line that was not finished does not count
			return
		}
		word, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		s.mu.Lock()
		switch word {
		case "added", "deleting", "deleted":
			s.state[key] = word
			s.words++
		default:
			s.bad = append(s.bad, line)
		}
		s.mu.Unlock()
	}
}

// write runs one writer after another, and kills each after a while.
func (s *said) write(ctx context.Context, t *testing.T, path, name string) {
	t.Helper()
	for life := 0; ctx.Err() == nil; life++ {
		command := exec.CommandContext(context.WithoutCancel(ctx), os.Args[0], "-test.run=^TestPlayWriter$")
		command.Env = append(os.Environ(), writerPool+"="+path, writerName+"="+fmt.Sprintf("%s.%d", name, life))
		out, err := command.StdoutPipe()
		if err == nil {
			err = command.Start()
		}
		if err != nil {
			t.Error(err)
			return
		}
		time.AfterFunc(time.Duration(100+rand.IntN(300))*time.Millisecond, func() { _ = command.Process.Kill() })
		s.listen(out)
		_ = command.Wait()
	}
}

// check compares the pool with what the writers have said.
func (s *said) check(t *testing.T, records []kvp.Record) {
	t.Helper()
	count := map[string]int{}
	for _, r := range records {
		count[r.Key]++
		switch key, value, _ := strings.Cut(r.Value, "|"); {
		case r.Key == kvp.ReportKey && value != valueOf(key):
			t.Errorf("a mixed report: %q", r)
		case r.Key != kvp.ReportKey && r.Value != valueOf(r.Key):
			t.Errorf("a mixed record: %q", r)
		}
	}
	for key, n := range count {
		if n > 1 {
			t.Errorf("%s is there %d times", key, n)
		}
	}
	for key, word := range s.state {
		if word == "added" && count[key] != 1 || word == "deleted" && count[key] != 0 {
			t.Errorf("%s: %s, and is there %d times", key, word, count[key])
		}
	}
}

// Sixteen processes write to one pool and are killed at any moment. What they have said to
// be there is there, once and whole.
func TestKilledWriters(t *testing.T) {
	length := 10 * time.Second
	if testing.Short() {
		length = time.Second
	}
	if text := os.Getenv(killFor); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	pool, path := poolFile(t, nil)
	words, rounds := 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); rounds++ {
		s := &said{state: map[string]string{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() { s.write(ctx, t, path, fmt.Sprintf("jetty-%02d", i)) })
		}
		group.Wait()
		cancel()
		if len(s.bad) > 0 {
			t.Errorf("a writer: %q", s.bad)
		}
		records, err := pool.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.check(t, records)
		// The next writer repairs the file itself.
		if err := pool.Upsert(t.Context(), kvp.ReportKey, "x|"+valueOf("x")); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil || len(content)%kvp.RecordSize != 0 || strings.Contains(string(content), "azprov-journal") {
			t.Errorf("not repaired: %d bytes, %v", len(content), err)
		}
		again, err := kvp.Parse(content)
		if err != nil {
			t.Fatal(azprov.KindOf(err), err)
		}
		s.check(t, again)
		if err := pool.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		words += s.words
	}
	if words == 0 {
		t.Error("nobody has written")
	}
	t.Logf("%d rounds, %d operations", rounds, words)
}
