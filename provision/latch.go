package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
	"github.com/azprov/azprov/internal/wait"
)

// ReportState is what the platform has been told last.
type ReportState string

// The states.
const (
	ReportNone       ReportState = "None"
	ReportInProgress ReportState = "InProgress"
	ReportReady      ReportState = "Ready"
	ReportFailed     ReportState = "Failed"
)

// PossibleReportStateValues returns all states.
func PossibleReportStateValues() []ReportState {
	return []ReportState{ReportNone, ReportInProgress, ReportReady, ReportFailed}
}

const (
	// bootIDFile identifies the boot on Linux.
	bootIDFile = "/proc/sys/kernel/random/boot_id"
	// maxLatch is far more than a latch file has.
	maxLatch = 4 << 10
	// lockPause is how often a lock that somebody else holds is tried.
	lockPause = 100 * time.Millisecond
)

// latched is what the platform was told last, or what it was begun to tell it.
type latched struct {
	State ReportState `json:"state"`
	// AcceptedAt is when the wire server accepted it, HostAt when the host channel took it;
	// zero if that is not known to have happened.
	AcceptedAt time.Time `json:"acceptedAt,omitzero"`
	HostAt     time.Time `json:"hostAt,omitzero"`
	// Text is that of an InProgress report.
	Text string `json:"text,omitempty"`
	// VMID is zero if the machine did not know its id at that moment; the entry then
	// counts for any id.
	VMID   azprov.VMID `json:"vmId"`
	BootID string      `json:"bootId"`
}

// latest is when it was told, zero if it is not known to have been.
func (l latched) latest() time.Time {
	if l.AcceptedAt.After(l.HostAt) {
		return l.AcceptedAt
	}
	return l.HostAt
}

// weight is how much an entry counts where there are several: that of a machine that did
// not know its id is one of its own, and so is the file of a directory beside the memory.
func (l latched) weight() int {
	switch {
	case l.State == ReportInProgress:
		return 1
	case l.latest().IsZero():
		return 2
	case l.AcceptedAt.IsZero():
		return 3
	}
	return 4
}

// latch remembers reports, per VM and boot: in files, so that it holds across
// the processes of one boot, or in memory.
type latch struct {
	dir    string // empty: memory alone
	bootID string

	turn   chan struct{} // one report at a time in this process
	mu     sync.Mutex
	memory []latched
}

func newLatch(dir, bootID string) *latch {
	return &latch{dir: dir, bootID: bootID, turn: make(chan struct{}, 1)}
}

// boot returns the boot id; empty where there is none, and then a state directory
// that outlives the boot is the caller's fault.
func (l *latch) boot() string {
	if l.bootID != "" {
		return l.bootID
	}
	b, err := os.ReadFile(bootIDFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// canonical is the one of an id's two byte orders that names its file.
func canonical(id azprov.VMID) azprov.VMID {
	if swapped := id.Swapped(); bytes.Compare(swapped[:], id[:]) < 0 {
		return swapped
	}
	return id
}

func (l *latch) path(id azprov.VMID) string {
	return filepath.Join(l.dir, "report-"+canonical(id).String()+".json")
}

// lock lets one report at a time look at the latch, post, and write it, in this and in
// other processes. The warning says why other processes are not kept out; err is the
// context's.
func (l *latch) lock(ctx context.Context) (unlock func(), warning string, err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	free := func() { <-l.turn }
	if l.dir == "" {
		return free, "", nil
	}
	f, openErr := l.openLock()
	if openErr != nil {
		return free, l.fail(l.dir, "cannot be locked", openErr).Error(), nil
	}
	unlock = func() { _ = f.Close(); free() } // closing gives up the lock
	for {
		locked, lockErr := tryLock(f)
		switch {
		case lockErr != nil:
			return unlock, l.fail(l.dir, "cannot be locked", lockErr).Error(), nil
		case locked:
			return unlock, "", nil
		}
		if err := wait.For(ctx, lockPause); err != nil {
			unlock()
			return nil, "", err
		}
	}
}

func (l *latch) openLock() (*os.File, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, err
	}
	return openLockFile(filepath.Join(l.dir, "report.lock"))
}

// load returns the report of this VM and boot; its State is None without one.
// An entry of another boot counts for nothing.
func (l *latch) load(id azprov.VMID) (latched, error) {
	found := latched{State: ReportNone}
	entries, err := l.files()
	l.mu.Lock()
	defer l.mu.Unlock()
	boot := l.boot()
	for _, known := range append(entries, l.memory...) {
		sameVM := known.VMID.IsZero() || id.IsZero() || known.VMID.Same(id)
		if known.BootID == boot && sameVM && (found.State == ReportNone || known.weight() > found.weight()) {
			found = known
		}
	}
	return found, err
}

// files reads all entries of the directory: a machine has one or two.
func (l *latch) files() ([]latched, error) {
	if l.dir == "" {
		return nil, nil
	}
	paths, _ := filepath.Glob(filepath.Join(l.dir, "report-*.json")) // the pattern is right
	var entries []latched
	var damaged error
	for _, path := range paths {
		known, err := readLatch(path)
		if err != nil {
			damaged = l.fail(path, "cannot be read, and counts for nothing", err)
			continue
		}
		entries = append(entries, known)
	}
	return entries, damaged
}

func readLatch(path string) (known latched, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return known, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxLatch {
		return known, errors.New("not a small regular file")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return known, err
	}
	return known, json.Unmarshal(b, &known)
}

// store keeps a report. The memory has it even if the file cannot be written.
func (l *latch) store(entry latched) error {
	entry.BootID = l.boot()
	l.mu.Lock()
	l.memory = slices.DeleteFunc(l.memory, func(e latched) bool { return e.VMID == entry.VMID && e.BootID == entry.BootID })
	l.memory = append(l.memory, entry)
	l.mu.Unlock()
	if l.dir == "" {
		return nil
	}
	path := l.path(entry.VMID)
	b, err := json.Marshal(entry)
	if err == nil {
		err = os.MkdirAll(l.dir, 0o700)
	}
	if err == nil {
		err = atomicfile.Write(path, append(b, '\n'))
	}
	if err != nil {
		return l.fail(path, "cannot be written", err)
	}
	return nil
}

func (l *latch) fail(path, message string, err error) error {
	return &azprov.Error{
		Op: "provision.Report", Target: path, Kind: azprov.KindInternal, Message: "the state " + message, Last: err,
		Hint: "without it, another process of this boot could report something else: name a state directory that this user can write",
	}
}
