package kvp

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/azprov/azprov"
)

// DefaultPath is the pool of what the guest tells the host.
const DefaultPath = "/var/lib/hyperv/.kvp_pool_1"

// Options configures a [Pool].
type Options struct {
	// Path is the file, [DefaultPath] if empty.
	Path string
	// Create makes the file (0600) and its directory (0755) if they are not there. Without
	// it their absence is NotFound: nobody reads a pool where hv_kvp_daemon is not
	// installed, and one that starts later makes it.
	Create bool
	// LockTimeout bounds the wait for others that use the pool, [DefaultLockTimeout] if
	// zero. The context's end bounds it too.
	LockTimeout time.Duration
}

// Pool is a file of records. It is safe for concurrent use, by other processes too: each
// operation opens the file, locks it, and is done with it when it returns. What a killed
// writer has left is repaired by the next that writes, and ignored by who reads.
//
// A key may occur more than once: then the last record counts.
//
// Errors of all operations: NotFound (no such file, see [Options]), Denied, Malformed (a
// symbolic link, or no regular file), TooLarge (a pool of more than 4 MiB), Timeout and
// Canceled (somebody else has the lock), Internal (the file system's).
type Pool struct {
	path        string
	create      bool
	lockTimeout time.Duration
}

// Open returns a Pool. It does no I/O: the file may come later. nil is the pool of
// hv_kvp_daemon on this machine.
func Open(options *Options) *Pool {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.Path == "" {
		o.Path = DefaultPath
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	return &Pool{path: o.Path, create: o.Create, lockTimeout: o.LockTimeout}
}

// Path returns the file's path.
func (p *Pool) Path() string { return p.path }

// List returns all records, in the file's order; see [Parse] for what is left out.
func (p *Pool) List(ctx context.Context) ([]Record, error) { return p.list(ctx, "List") }

func (p *Pool) list(ctx context.Context, method string) ([]Record, error) {
	var records []Record
	err := p.locked(ctx, method, reading, func(f *os.File, info os.FileInfo) error {
		file, err := read(f, info.Size())
		if err != nil {
			return err
		}
		content, _ := logical(file)
		if len(content) > maxPool {
			return errTooLarge
		}
		records = decode(content)
		return nil
	})
	if p.create && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}

// Get returns the value of the last record with that key, NotFound if there is none.
func (p *Pool) Get(ctx context.Context, key string) (string, error) {
	records, err := p.list(ctx, "Get")
	if err != nil {
		return "", err
	}
	for _, r := range slices.Backward(records) {
		if r.Key == key {
			return r.Value, nil
		}
	}
	return "", &azprov.Error{
		Op: "kvp.Pool.Get", Target: filepath.Clean(p.path), Kind: azprov.KindNotFound,
		Message: "no record has the key " + strconv.Quote(key),
	}
}

// change does something with the records of the locked file.
func (p *Pool) change(ctx context.Context, method string, do func(*store) error) error {
	return p.locked(ctx, method, writing, func(f *os.File, info os.FileInfo) error {
		s, err := openStore(f, info.Size())
		if err != nil {
			return err
		}
		return do(s)
	})
}

// Append adds records behind the others, all or none: an error means that none is there. A
// process that is killed meanwhile leaves some of them, each whole.
//
// Errors beside those of all operations: TooLarge (a key or value over the host's limit, or
// more than [MaxRecords] in the pool then), Malformed (see [Encode]).
func (p *Pool) Append(ctx context.Context, records ...Record) error {
	const method = "Append"
	b, err := encode("kvp.Pool."+method, records)
	if err != nil || len(b) == 0 {
		return err
	}
	return p.change(ctx, method, func(s *store) error {
		if len(s.records)+len(b) > MaxRecords*RecordSize {
			return &azprov.Error{
				Op: "kvp.Pool." + method, Target: filepath.Clean(p.path), Kind: azprov.KindTooLarge,
				Message: "the pool would have more than " + strconv.Itoa(MaxRecords) + " records",
			}
		}
		return s.add(b)
	})
}

// Upsert makes value the only one of its key. The record is the last one then; the others
// keep their order. Whoever is killed meanwhile leaves the old records or the new one.
//
// Errors beside those of all operations: TooLarge and Malformed, see [Encode].
func (p *Pool) Upsert(ctx context.Context, key, value string) error {
	const method = "Upsert"
	b, err := encode("kvp.Pool."+method, []Record{{key, value}})
	if err != nil {
		return err
	}
	return p.change(ctx, method, func(s *store) error {
		from, tail, removed := s.without(key)
		switch {
		case removed > 0:
			return s.replace(from, append(tail, b...))
		case len(s.records)+len(b) > maxPool:
			return errTooLarge
		default:
			return s.add(b)
		}
	})
}

// Delete removes all records with that key and returns how many there were.
func (p *Pool) Delete(ctx context.Context, key string) (int, error) {
	count := 0
	err := p.change(ctx, "Delete", func(s *store) error {
		if key == "" || len(key) > keySize || strings.IndexByte(key, 0) >= 0 { // of which there is none
			return nil
		}
		from, tail, removed := s.without(key)
		if removed == 0 {
			return nil
		}
		count = removed
		return s.replace(from, tail)
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}

// Clear removes all records, whatever the file holds.
func (p *Pool) Clear(ctx context.Context) error {
	return p.locked(ctx, "Clear", writing, func(f *os.File, _ os.FileInfo) error { return f.Truncate(0) })
}

// ClearStale removes all records if the file was last written before the boot, see
// [BootTime]: an image may have been taken with its maker's records (Azure/WALinuxAgent
// #3276), and the host would take them for this machine's. It tells whether it did. Call
// it before the first write.
func (p *Pool) ClearStale(ctx context.Context, boot time.Time) (bool, error) {
	cleared := false
	err := p.locked(ctx, "ClearStale", writing, func(f *os.File, info os.FileInfo) error {
		if info.Size() == 0 || !info.ModTime().Before(boot) {
			return nil
		}
		cleared = true
		return f.Truncate(0)
	})
	return cleared && err == nil, err
}

// Flush waits until what was written has reached the disk. The host does not need it: the
// daemon reads what the kernel has. It is for what must survive a crash.
func (p *Pool) Flush(ctx context.Context) error {
	return p.locked(ctx, "Flush", writing, func(f *os.File, _ os.FileInfo) error { return f.Sync() })
}
