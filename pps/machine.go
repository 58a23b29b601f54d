package pps

import (
	"context"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/ovf"
)

// Options configures a [Machine]. Type, Metadata and, for a VM that has not reported yet,
// Reporter are required.
type Options struct {
	// Type is what [Determine] found; not None. A marker of this VM in Store makes it
	// Unknown, whatever is said here.
	Type Type
	// VMID ties the marker to this VM; without one, Store is not used.
	VMID azprov.VMID

	// Metadata is asked for the owner's data; see [IMDSMetadata].
	Metadata Metadata
	// Reporter reports Ready to the pool.
	Reporter Reporter
	// Links tell of the exchange of the network; nil leaves it to be found by asking
	// Metadata.
	Links Links
	// Network is changed as the exchange needs it. Nil leaves that to the operating
	// system.
	Network Network
	// Store keeps the marker; nil reports to the pool again after a reboot.
	Store Store
	// Ejector releases the medium before the report; nil leaves it in.
	Ejector Ejector
	// Candidate says which links may be the owner's interface, [DefaultCandidate] if nil.
	Candidate func(Link) bool

	// Logger is silent if nil. It never sees a secret.
	Logger *zap.Logger
	// OnState, if set, is called after every transition. It must not block.
	OnState func(Transition)
}

// Result is what a run came to.
type Result struct {
	// Type is the type that the run went by.
	Type Type
	// Document is the owner's ovf-env.xml as it came, zero without one; Environment is
	// what it says. It replaces all that the pool's medium said.
	Document    azprov.Secret
	Environment *ovf.Environment
	// Timeline has the transitions in order. Of a long one with many, those in the middle
	// are left out, and Dropped is their number.
	Timeline []Transition
	Dropped  int
	// Requests is the number of requests for the owner's data.
	Requests int
	// Warnings is what was odd, each once, without secrets.
	Warnings []string
}

// Machine waits in a pool for the VM's owner. It is for one run.
type Machine struct {
	o Options

	mu    sync.Mutex
	state State
	begun bool
}

// New checks the options. It does no I/O. Unusable options are an error of
// [azprov.KindInternal].
func New(options *Options) (*Machine, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if message := o.problem(); message != "" {
		return nil, &azprov.Error{Op: "pps.New", Kind: azprov.KindInternal, Message: message}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.Logger = o.Logger.Named("pps")
	if o.Candidate == nil {
		o.Candidate = DefaultCandidate
	}
	return &Machine{o: o, state: StateStart}, nil
}

// problem says what makes the options unusable.
func (o *Options) problem() string {
	switch {
	case o.Type == "" || o.Type == TypeNone:
		return "a VM of type None is in no pool: it has nothing to wait for"
	case !slices.Contains(PossibleTypeValues(), o.Type):
		return "unknown Type " + azprov.OneLine(string(o.Type))
	case o.Metadata == nil && o.Type != TypePreprovisionedOSDisk:
		return "Metadata is needed: the owner's data comes from IMDS"
	case o.Reporter == nil && o.Type != TypeUnknown:
		return "Reporter is needed: the pool wants a report"
	default:
		return ""
	}
}

// State returns where the machine is. It may be called from any goroutine.
func (m *Machine) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

func (m *Machine) setState(s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = s
}

// claim returns false if the machine has been run.
func (m *Machine) claim() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.begun
	m.begun = true
	return first
}

// Run reports to the pool and returns when the owner's data has come and the network is
// the owner's. It waits as long as ctx lets it, for days if need be: a deadline is the
// caller's to set. No goroutine of it outlives it, if Options' interfaces end with their
// context and the medium's drive is not stuck.
//
// IMDS is asked once a second, four times a second for two minutes once reuse is likely,
// less often if it says so, and from the report on in every state but WaitShutdown: a VM
// whose disk alone goes to its owner never gets data in this boot, and waits for its
// shutdown.
//
// The marker is saved after the report, and again when the data has come; it is removed
// by [Machine.Forget], and by Run when the data cannot be used.
//
// The Result is never nil and holds all that is known. Errors are *azprov.Error: that of
// the report, in its kind; Malformed, NotAzure or TooLarge for an owner's document that is
// no ovf-env.xml; the kind of a refusal of IMDS that lasts five minutes; NotReady if the
// data had come before a reboot and is not offered any more; Timeout and Canceled when ctx
// ends.
func (m *Machine) Run(ctx context.Context) (*Result, error) {
	if !m.claim() {
		return &Result{Type: m.o.Type}, &azprov.Error{
			Op: opRun, Kind: azprov.KindInternal, Message: "the machine has been run before", Hint: "make another one with pps.New",
		}
	}
	r := newRun(m)
	err := r.run(ctx)
	return r.result, err
}

// Forget removes the marker: a later boot provisions like any other. Call it when the
// owner's data is safe where a reboot finds it, and when the provisioning has ended with a
// failure that was reported: a marker left behind would make the next boot ask for data
// that nobody offers any more. It may be called more than once, and from any goroutine.
func (m *Machine) Forget(ctx context.Context) error {
	if m.o.Store == nil {
		return nil
	}
	if err := m.o.Store.Clear(ctx); err != nil {
		return &azprov.Error{
			Op: "pps.Machine.Forget", Kind: azprov.KindOf(err), Message: "the marker of the pool cannot be removed", Last: err,
			Hint: "the next boot would wait for an owner's data for a few minutes",
		}
	}
	return nil
}
