package emulator

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/azprov/azprov/internal/pfx"
)

// Options are the optional settings of [NewFabric].
type Options struct {
	// Journal receives every journal entry as one line of JSON, in one Write each;
	// a Writer with a method Flush() error is flushed after it. It is called from
	// one goroutine at a time.
	Journal io.Writer
}

// Fabric is the platform around one VM. All methods are safe for concurrent use.
type Fabric struct {
	scenario Scenario
	journal  *journal

	mu sync.Mutex
	vm *vmState
}

// vmState is what changes while a VM lives. Fabric.mu guards it.
type vmState struct {
	spec     VM
	document map[string]any
	versions []string // oldest first
	wire     wireIDs
	bundle   pfx.Contents
	ciphers  []string
	reports  []Report
	rate     rateLimit
	faults   map[Service]*faultQueue
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
	bundle, err := contentsOf(s.VM)
	if err != nil {
		return nil, err
	}
	document, err := instanceDocument(s)
	if err != nil {
		return nil, err
	}
	f := &Fabric{
		scenario: s,
		journal:  &journal{out: options.Journal, secrets: s.secrets(document)},
		vm: &vmState{
			spec:     s.VM,
			document: document,
			versions: s.IMDS.APIVersions,
			wire:     newWireIDs(s),
			bundle:   bundle,
			ciphers:  s.WireServer.Ciphers,
			rate:     rateLimit{off: s.IMDS.RateLimit.String() == "off"},
			faults: map[Service]*faultQueue{
				ServiceIMDS:       newFaultQueue(s.IMDS.Faults),
				ServiceWireServer: newFaultQueue(s.WireServer.Faults),
			},
		},
	}
	if _, err := f.mediumFiles(); err != nil {
		return nil, err
	}
	return f, nil
}

// IMDS returns the Instance Metadata Service. To be used in a server of the
// caller's own; most callers want [Fabric.Listen] or [Fabric.ListenInMemory].
// Faults of kind reset need a ResponseWriter that can be hijacked, else the
// handler panics with http.ErrAbortHandler, which net/http servers recover.
func (f *Fabric) IMDS() http.Handler { return f.handler(ServiceIMDS) }

// WireServer returns the wire server. What [Fabric.IMDS] says holds for it too.
func (f *Fabric) WireServer() http.Handler { return f.handler(ServiceWireServer) }

// VM returns what the scenario promises of the VM, with defaults filled in.
func (f *Fabric) VM() VM { return f.scenario.VM }

// Scenario returns the scenario, with defaults filled in.
func (f *Fabric) Scenario() Scenario { return f.scenario }

// Journal returns every request so far, in the order of their answers.
func (f *Fabric) Journal() []Entry { return f.journal.list() }

// Reports returns the health reports that were accepted, oldest first.
func (f *Fabric) Reports() []Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Report(nil), f.vm.reports...)
}

// State returns the state after the last accepted report. As on the real platform
// the last report wins; a Ready after a failure is marked in the journal.
func (f *Fabric) State() ReportState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vm.state()
}

func (v *vmState) state() ReportState {
	if len(v.reports) == 0 {
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
