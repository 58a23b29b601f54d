package emulator

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report"
)

// Options are the optional settings of [NewFabric].
type Options struct {
	// Journal receives every journal entry as one line of JSON, in one Write each;
	// a Writer with a method Flush() error is flushed after it. It is called from
	// one goroutine at a time.
	Journal io.Writer
	// Bodies says where the bodies of requests and answers are kept; empty for nowhere.
	Bodies Bodies
	// Links moves the network of a VM in a pool. Without one these events are somebody
	// else's business, and the owner's data comes by time alone.
	Links LinkDriver
	// KVPPool is the file in which the guest tells the host by Hyper-V's key-value pairs
	// (KVP), /var/lib/hyperv/.kvp_pool_1 below the guest's root. It is read, and locked for
	// that, when a health report ends the provisioning; see also [Fabric.CollectKVP] and
	// [Fabric.WatchKVP]. It need not be there yet. Empty: the VM has no such channel.
	KVPPool string
}

// Fabric is the platform around one VM. All methods are safe for concurrent use.
type Fabric struct {
	scenario *Scenario // Not changed.
	common   *common
	journal  *journal
	links    LinkDriver
	owner    identity // what the VM of a pool becomes
	host     *hostChannel

	mu     sync.Mutex
	vm     *vmState
	driven bool // Drive was called.
}

// vmState is what changes while a VM lives. Fabric.mu guards it.
type vmState struct {
	identity
	versions []string // oldest first
	ciphers  []string
	// extensions is what the platform wants of the guest agent.
	extensions   Extensions
	noVMSettings bool
	reports      []Report
	rate         rateLimit
	// telemetryRate is the wire server's.
	telemetryRate rateLimit
	faults        map[Service]*faultQueue
	replaced      []*faultQueue // by those of steps
	steps         []stepRun
	away          map[Service]bool // Stopped by a step.

	timeline []Milestone
	changed  chan struct{} // Closed when the timeline grows, and replaced.
	reported time.Time     // When the first Ready of a VM in a pool was accepted.
	pooled   bool          // The VM comes from a pool.
	reused   bool          // It is its owner's.
	notYet   int           // The status of reprovisiondata before the data is there.
	stale    func() object // The document of the pool, once the VM is reused.
	// staleReads is how many more answers show it.
	staleReads int
	before     int  // How many of the reports were for the pool.
	fetched    bool // The owner's data was read.
	failed     bool // A failure was reported.
	lost       bool // The answer to the last report did not arrive.

	hostReports []HostReport
	hostEvents  []HostEvent
	told        *HostReport // The last of them that says how provisioning went.
}

// ReportState is the state that the platform shows for a VM.
type ReportState string

// The states.
const (
	// StateNone: no report was accepted.
	StateNone ReportState = "None"
	// StateReady: the VM is provisioned.
	StateReady ReportState = "Ready"
	// StateFailed: the VM reported that provisioning failed.
	StateFailed ReportState = "Failed"
	// StateInProgress: the VM reported that it is being provisioned.
	StateInProgress ReportState = "InProgress"
)

// PossibleReportStateValues returns every state.
func PossibleReportStateValues() []ReportState {
	return []ReportState{StateNone, StateReady, StateFailed, StateInProgress}
}

// Report is a health report that was accepted.
type Report struct {
	// State is what it comes to.
	State ReportState `json:"state"`
	// SubStatus is Provisioning or ProvisioningFailed, empty for Ready.
	SubStatus string `json:"substatus,omitempty"`
	// Description is the text for the platform. The VM's secrets are replaced.
	Description string `json:"description,omitempty"`
	// Time is when it was accepted, in UTC.
	Time time.Time `json:"time"`
	// Format is "xml" or "json".
	Format string `json:"format"`
	// Pool: it was sent while the VM waited in a pool, before the owner's data was there.
	Pool bool `json:"pool,omitempty"`
}

// NewFabric returns the platform that the scenario describes. options may be nil.
// A scenario that contradicts itself is an error of azprov.KindMalformed that
// names the field.
func NewFabric(s Scenario, options *Options) (*Fabric, error) {
	if options == nil {
		options = &Options{}
	}
	s = s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := options.Bodies.validate("emulator.NewFabric"); err != nil {
		return nil, err
	}
	c, err := newCommon(&s)
	if err != nil {
		return nil, err
	}
	f := newFabric(&s, c, options)
	if _, err := f.mediumFiles(); err != nil {
		return nil, err
	}
	if _, err := s.ownerDocument(); err != nil && s.isPool() {
		return nil, err
	}
	return f, nil
}

// newFabric returns the platform of a scenario that has its defaults and was validated, with
// what it has in common with others.
func newFabric(s *Scenario, c *common, options *Options) *Fabric {
	first, owner := s.identities(c)
	return &Fabric{
		scenario: s,
		common:   c,
		journal:  &journal{out: options.Journal, bodies: options.Bodies, secrets: c.secrets},
		links:    options.Links,
		owner:    owner,
		host:     newHostChannel(options.KVPPool),
		vm: &vmState{
			identity:   first,
			versions:   s.IMDS.APIVersions,
			ciphers:    s.WireServer.Ciphers,
			extensions: s.WireServer.Extensions, noVMSettings: s.HostGA.NoVMSettings,
			rate:          rateLimit{limit: imdsRequests, window: imdsWindow, off: s.IMDS.RateLimit == azprov.SwitchOff},
			telemetryRate: rateLimit{limit: telemetryCalls, window: telemetryWindow},
			changed:       make(chan struct{}),
			pooled:        s.isPool(),
			notYet:        s.Pool.NotYet,
			staleReads:    s.Pool.StaleReads,
			faults: map[Service]*faultQueue{
				ServiceIMDS:       newFaultQueue("imds.faults", s.IMDS.Faults, s.Seed),
				ServiceWireServer: newFaultQueue("wireServer.faults", s.WireServer.Faults, s.Seed),
				ServiceHostGA:     newFaultQueue("hostGA.faults", s.HostGA.Faults, s.Seed),
			},
			steps: make([]stepRun, len(s.Steps)),
			away:  s.firstAway(),
		},
	}
}

// IMDS returns the Instance Metadata Service. To be used in a server of the
// caller's own; most callers want [Fabric.Listen] or [Fabric.ListenInMemory].
// Faults of kind reset need a ResponseWriter that can be hijacked, else the
// handler panics with http.ErrAbortHandler, which net/http servers recover.
func (f *Fabric) IMDS() http.Handler { return f.handler(ServiceIMDS) }

// WireServer returns the wire server. What [Fabric.IMDS] says holds for it too.
func (f *Fabric) WireServer() http.Handler { return f.handler(ServiceWireServer) }

// HostGA returns the HostGAPlugin. What [Fabric.IMDS] says holds for it too.
func (f *Fabric) HostGA() http.Handler { return f.handler(ServiceHostGA) }

// VM returns what the scenario promises of the VM, with defaults filled in. One from a
// pool is there what it boots as.
func (f *Fabric) VM() VM { return f.scenario.VM }

// Owner returns what provisioning must come to: the VM of the pool's owner, and outside
// of a pool [Fabric.VM].
func (f *Fabric) Owner() VM { return *f.owner.spec }

// Scenario returns the scenario, with defaults filled in.
func (f *Fabric) Scenario() Scenario { return *f.scenario }

// Journal returns every request so far, in the order of their answers, and what was seen in
// the guest's pool.
func (f *Fabric) Journal() []Entry { return f.journal.list() }

// Reports returns the health reports that were accepted, oldest first.
func (f *Fabric) Reports() []Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Report(nil), f.vm.reports...)
}

// State returns the state after the last accepted report. As on the real platform
// the last report wins; a Ready after a failure is marked in the journal. Once the data
// of a pool's owner is there, the reports from the pool do not count.
//
// A VM that has not reported an outcome, and whose report for the host says error, is
// Failed: as we understand it the platform learns of a failure by KVP alone where no
// health report came. A success is only shown with its Ready.
func (f *Fabric) State() ReportState {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	return f.vm.state()
}

func (v *vmState) state() ReportState {
	if told := v.heard(); told != nil && told.Report.Result == report.ResultError && v.outcome().State == "" {
		return StateFailed
	}
	if len(v.reports) == v.before {
		return StateNone
	}
	return v.reports[len(v.reports)-1].State
}

// Migrate moves the VM to another host, as a live migration does: the goal state
// gets a new container id and the next incarnation, and everything that names the
// old ones is answered with 410 from now on.
func (f *Fabric) Migrate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vm.wire = f.vm.wire.next()
}
