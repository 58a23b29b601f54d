package provision

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/atomicfile"
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

// bootIDFile identifies the boot on Linux.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// maxLatch is far more than a latch file has.
const maxLatch = 4 << 10

// latched is a terminal report that the platform has accepted.
type latched struct {
	State      ReportState `json:"state"`
	AcceptedAt time.Time   `json:"acceptedAt"`
	VMID       azprov.VMID `json:"vmId"`
	BootID     string      `json:"bootId"`
}

// latch remembers terminal reports, per VM and boot: in a file, so that it holds
// across the processes of one boot, or in memory.
type latch struct {
	dir    string
	bootID string

	mu     sync.Mutex
	memory map[azprov.VMID]latched
}

func newLatch(dir, bootID string) *latch {
	return &latch{dir: dir, bootID: bootID, memory: map[azprov.VMID]latched{}}
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

func (l *latch) path(id azprov.VMID) string {
	return filepath.Join(l.dir, "report-"+id.String()+".json")
}

// load returns the terminal report of this VM and boot; its State is None without
// one. A file of another boot counts for nothing.
func (l *latch) load(id azprov.VMID) (latched, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.memory[id]; ok {
		return known, nil
	}
	none := latched{State: ReportNone}
	if l.dir == "" {
		return none, nil
	}
	info, err := os.Lstat(l.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxLatch) {
		err = errors.New("not a small regular file")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(l.path(id))
	}
	var known latched
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil {
		return none, l.fail(id, "cannot be read", err)
	}
	if known.BootID != l.boot() || !known.VMID.Same(id) && known.VMID != id {
		return none, nil
	}
	return known, nil
}

// store keeps a terminal report. The memory has it even if the file cannot be written.
func (l *latch) store(id azprov.VMID, state ReportState, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := latched{State: state, AcceptedAt: at, VMID: id, BootID: l.boot()}
	l.memory[id] = entry
	if l.dir == "" {
		return nil
	}
	b, err := json.Marshal(entry)
	if err == nil {
		err = os.MkdirAll(l.dir, 0o700)
	}
	if err == nil {
		err = atomicfile.Write(l.path(id), append(b, '\n'))
	}
	if err != nil {
		return l.fail(id, "cannot be written", err)
	}
	return nil
}

func (l *latch) fail(id azprov.VMID, message string, err error) error {
	return &azprov.Error{
		Op: "provision.Report", Target: l.path(id), Kind: azprov.KindInternal, Message: "the state file " + message, Last: err,
		Hint: "name a state directory that this user can write",
	}
}
