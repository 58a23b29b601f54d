package emulator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/report"
	"github.com/azprov/azprov/report/kvp"
)

const (
	// hostTimeout bounds one look into the guest's pool: a guest that keeps the lock must
	// not hold up the answer to its health report.
	hostTimeout = time.Second
	// hostInterval is how often [Fabric.WatchKVP] looks if it is not told.
	hostInterval = time.Second
	// maxHostReports is how many reports are kept, the latest: cloud-init writes one per
	// attempt of DHCP, one a second for 20 minutes at worst.
	maxHostReports = 2048
	// maxHostEvents is how many events are kept, the first: as many as a pool may have
	// records. One message has [kvp.MaxMessage] bytes at most.
	maxHostEvents = kvp.MaxRecords
)

// hostChannel is the host's side of Hyper-V's key-value pairs.
type hostChannel struct {
	pool *kvp.Pool // nil: the VM has none.
	// turn lets one reader in at a time, so that what is read is judged in the order of
	// reading. It is a channel because a context ends the wait, and because virtual time
	// stands still while somebody waits for a mutex. Who has it owns what follows.
	turn    chan struct{}
	created time.Time
	values  []string         // The reports in the pool when it was last read, as they are.
	stale   map[string]bool  // Reports from before the boot, told already.
	events  map[string]known // By their key.
	trouble string           // What was wrong when it was last read.
}

// known is an event that was put together of a number of records.
type known struct{ at, records int }

// HostReport is a provisioning report that the guest left for the host, the value of a
// record PROVISIONING_REPORT. The VM's secrets are replaced in all of it.
type HostReport struct {
	// Report is the record decoded; the zero value if that is not possible. It is not in
	// the JSON, where Raw says the same.
	Report report.Report `json:"-"`
	// Raw is the record as it stands in the pool.
	Raw string `json:"raw"`
	// Time is when the host first saw it, in UTC.
	Time time.Time `json:"time"`
	// Warnings say what is odd about the record.
	Warnings []string `json:"warnings,omitempty"`
	// Stale: it was made before the VM booted, and says nothing about it.
	Stale bool `json:"stale,omitempty"`
	// Pool: it was first seen while the VM waited in a pre-provisioning pool.
	Pool bool `json:"pool,omitempty"`
}

// outcome is whether the record says how provisioning went.
func (r HostReport) outcome() bool {
	return !r.Stale && slices.Contains(report.PossibleResultValues(), r.Report.Result)
}

func newHostChannel(path string) *hostChannel {
	h := &hostChannel{turn: make(chan struct{}, 1), created: time.Now(), stale: map[string]bool{}, events: map[string]known{}}
	if path != "" {
		h.pool = kvp.Open(&kvp.Options{Path: path})
	}
	return h
}

// CollectKVP reads the guest's pool ([Options.KVPPool]) as the host does when a health
// report says that provisioning has ended; such a report makes the fabric do it by itself.
// What is new is in [Fabric.HostReports], [Fabric.HostEvents] and the journal afterwards.
// A file that is not there yet is an empty pool. It takes a second at most.
//
// Errors, which are in the journal too: those of [kvp.Pool.List]; Timeout and Canceled if
// ctx ends.
func (f *Fabric) CollectKVP(ctx context.Context) error { return f.collect(ctx, false) }

// WatchKVP looks into the guest's pool, at once and then at that interval (a second if it
// is not positive), until ctx ends, so that what the guest writes has its time. Errors are
// in the journal. A record from before the boot is passed over: a guest that has just
// booted has not cleared it yet. Without a pool it returns at once.
func (f *Fabric) WatchKVP(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = hostInterval
	}
	for f.host.pool != nil {
		_ = f.collect(ctx, true)
		if wait.For(ctx, every) != nil {
			return
		}
	}
}

// HostReports returns the reports that the guest left for the host, in the order in which
// they were seen: the last 2,048.
func (f *Fabric) HostReports() []HostReport {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.vm.hostReports)
}

// HostEvents returns the events in cloud-init's form that were seen in the guest's pool,
// the first 1,024. They stay when the pool is cleared.
func (f *Fabric) HostEvents() []HostEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.vm.hostEvents)
}

// collect reads the pool and judges what is new. watching: nothing has made the host look.
func (f *Fabric) collect(ctx context.Context, watching bool) error {
	h := f.host
	if h.pool == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-bounded.Done():
		// What kept the other reader for so long is in the journal.
		return wait.Ended("emulator.Fabric.CollectKVP", "the pool is being read", bounded.Err())
	}
	at := time.Now()
	records, err := h.pool.List(bounded)
	switch {
	case errors.Is(err, azprov.ErrNotFound): // hv_kvp_daemon or the agent makes it
		err = nil
	case err != nil && ctx.Err() != nil:
		return err // The caller's business, not the guest's.
	}
	f.tellTrouble(err, at, watching)
	if err == nil {
		f.hearReports(records, at, watching)
		f.hearEvents(records, at)
	}
	return err
}

// tellTrouble writes down that the pool cannot be read; a watch does so once for the same
// trouble.
func (f *Fabric) tellTrouble(err error, at time.Time, watching bool) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && !(watching && text == f.host.trouble) {
		f.tellHost(kvp.ReportKey, nil, at, verdictHostUnread+": "+text)
	}
	f.host.trouble = text
}

// tellHost writes down what was seen in the guest's pool.
func (f *Fabric) tellHost(key string, seen *HostReport, at time.Time, verdicts ...string) {
	entry := Entry{
		Time: at.UTC(), Service: ServiceKVP, Method: hostMethod,
		Path: shorten(key, pathLimit), HostReport: seen,
	}
	f.record(entry, response{}, verdicts)
}

// collectFor is the host's look into the pool when a health report says that provisioning
// has ended; what comes later it does not see (cloud-init lets its records reach the file
// before it posts the report). That a client gives up does not change what the host does.
func (f *Fabric) collectFor(ctx context.Context, resp *response) {
	if !resp.accept || resp.report.State == StateInProgress {
		return
	}
	_ = f.collect(context.WithoutCancel(ctx), false)
}
