package emulator

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
)

// FleetLimit is how many VMs a [Fleet] may have.
const FleetLimit = 1 << 16

// FleetOptions are the optional settings of [NewFleet] and [NewFleetOf].
type FleetOptions struct {
	// Journal receives the entries of all VMs, as [Options].Journal does those of one. Each
	// has the VM's name.
	Journal io.Writer
	// Bodies is that of [Options].
	Bodies Bodies
	// Sources are the addresses that the VMs' requests come from, one for each VM in its
	// order; requests from others are refused. Without them the first request from an
	// address makes it that of the next VM that has none.
	Sources []netip.Addr
	// Links returns what moves the network of a VM in a pool, nil for nothing. It is called
	// once for each VM, may not call the fleet, and costs a goroutine for each VM.
	Links func(number int, scenario Scenario) LinkDriver
	// KVPPool returns a VM's file as in [Options].KVPPool, empty for none. It is called once
	// for each VM, and may not call the fleet.
	KVPPool func(number int) string
}

// Fleet is the platform around many VMs, which are numbered from 0. A VM is made when it is
// first asked for: one that nobody has asked for costs some tens of bytes, one that was provisioned
// a few thousand. All methods are safe for concurrent use.
//
// The clock of a VM starts with its first request. Where the scenario says that nothing
// listens for a time, that time counts from the start of the server.
type Fleet struct {
	options FleetOptions
	kinds   []kind // One for all VMs, or one for each.
	out     *sharedWriter
	strays  *journal // Requests that are no VM's.

	mu       sync.RWMutex
	members  []member
	bySource map[netip.Addr]int
	next     int       // All VMs below it have an address.
	since    time.Time // When somebody began to listen.
}

// kind is a scenario with its defaults, and what its VMs share.
type kind struct {
	scenario *Scenario
	common   *common
}

// member is one of the VMs.
type member struct {
	fabric *Fabric // nil until somebody asks for it
	source netip.Addr
}

// FleetVM says how one VM of a fleet stands.
type FleetVM struct {
	// Number counts from 0.
	Number int `json:"number"`
	// Name is the resource name, as in the journal. One from a pool has the name that it
	// boots with.
	Name string `json:"name"`
	// Source is the address that its requests come from; not valid before the first one, and
	// where VMs have ports.
	Source netip.Addr `json:"source,omitzero"`
	// State is as in [Fabric.State].
	State ReportState `json:"state"`
	// Requests is how many it has made.
	Requests int `json:"requests"`
	// Remarks is how many of its journal's entries have verdicts.
	Remarks int `json:"remarks"`
}

// FleetSummary says how a fleet stands.
type FleetSummary struct {
	// States has how many VMs are in each state.
	States map[ReportState]int `json:"states"`
	// Seen is how many VMs have made a request.
	Seen int `json:"seen"`
	// Requests is how many requests there were, those of strangers included.
	Requests int `json:"requests"`
	// Remarks is how many entries of the journal have verdicts.
	Remarks int `json:"remarks"`
	// Refused is how many requests came from strangers: addresses that have no VM.
	Refused int `json:"refused"`
}

// NewFleet returns the platform around n VMs that are made from one scenario. options may be
// nil. Each VM has ids, names, MAC and private addresses, and a container of its own, always
// the same for a template and a number: the names end with "-" and the number, and addresses
// are counted on. Users, passwords, keys, data, certificates, and documents and patches that
// the scenario gives as such are the same for all. Each VM meets every fault of the scenario.
//
// Errors are those of [NewFabric]; n below 1 or above [FleetLimit], and sources that are not
// one for each VM, are of azprov.KindMalformed.
func NewFleet(template Scenario, n int, options *FleetOptions) (*Fleet, error) {
	if n < 1 || n > FleetLimit {
		return nil, malformed("emulator.NewFleet", fmt.Sprintf("a fleet of %d VMs: want 1 to %d", n, FleetLimit))
	}
	k, err := newKind(template)
	if err != nil {
		return nil, err
	}
	return newFleet([]kind{k}, n, options)
}

// NewFleetOf is [NewFleet] with VMs that are each as their scenario says. The names of VMs
// must differ.
func NewFleetOf(scenarios []Scenario, options *FleetOptions) (*Fleet, error) {
	if n := len(scenarios); n < 1 || n > FleetLimit {
		return nil, malformed("emulator.NewFleet", fmt.Sprintf("a fleet of %d VMs: want 1 to %d", n, FleetLimit))
	}
	names := map[string]int{}
	kinds := make([]kind, len(scenarios))
	for i, scenario := range scenarios {
		var err error
		if kinds[i], err = newKind(scenario); err != nil {
			return nil, err
		}
		name := kinds[i].scenario.VM.Name
		if other, taken := names[name]; taken {
			return nil, malformed("emulator.NewFleet", fmt.Sprintf("scenarios %d and %d both have a VM named %s", other, i, azprov.OneLine(name)))
		}
		names[name] = i
	}
	return newFleet(kinds, len(kinds), options)
}

func newKind(s Scenario) (kind, error) {
	f, err := NewFabric(s, nil)
	if err != nil {
		return kind{}, err
	}
	return kind{scenario: f.scenario, common: f.common}, nil
}

func newFleet(kinds []kind, n int, options *FleetOptions) (*Fleet, error) {
	f := &Fleet{kinds: kinds, members: make([]member, n), bySource: map[netip.Addr]int{}}
	if options != nil {
		f.options = *options
	}
	if err := f.options.Bodies.validate("emulator.NewFleet"); err != nil {
		return nil, err
	}
	if f.options.Journal != nil {
		f.out = &sharedWriter{out: f.options.Journal}
	}
	f.strays = &journal{out: f.writer(), bodies: f.options.Bodies, secrets: kinds[0].common.secrets}
	if len(f.options.Sources) == 0 {
		return f, nil
	}
	if have := len(f.options.Sources); have != n {
		return nil, malformed("emulator.NewFleet", fmt.Sprintf("%d sources for %d VMs: want one for each", have, n))
	}
	for i, source := range f.options.Sources {
		if !source.IsValid() || !f.bind(source, i) {
			return nil, malformed("emulator.NewFleet", fmt.Sprintf("sources[%d] is no address, or there twice", i))
		}
	}
	return f, nil
}

// writer is where the journals go: nil, and not a nil pointer, without one.
func (f *Fleet) writer() io.Writer {
	if f.out == nil {
		return nil
	}
	return f.out
}

func (f *Fleet) kind(number int) kind { return f.kinds[min(number, len(f.kinds)-1)] }

// Len returns how many VMs there are.
func (f *Fleet) Len() int { return len(f.members) }

// VM returns the platform around one VM, nil if there is none of that number.
func (f *Fleet) VM(number int) *Fabric {
	if number < 0 || number >= len(f.members) {
		return nil
	}
	if fabric := f.made(number); fabric != nil {
		return fabric
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.make(number)
}

// made returns the VM if it was made.
func (f *Fleet) made(number int) *Fabric {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.members[number].fabric
}

// make makes the VM, once. Fleet.mu is held.
func (f *Fleet) make(number int) *Fabric {
	member := &f.members[number]
	if member.fabric != nil {
		return member.fabric
	}
	k := f.kind(number)
	scenario := k.scenario
	if len(f.kinds) == 1 {
		scenario = scenario.numbered(number)
	}
	options := &Options{Journal: f.writer(), Bodies: f.options.Bodies}
	if f.options.Links != nil {
		options.Links = f.options.Links(number, *scenario)
	}
	if f.options.KVPPool != nil {
		options.KVPPool = f.options.KVPPool(number)
	}
	member.fabric = newFabric(scenario, k.common, options)
	member.fabric.journal.vm = scenario.VM.Name
	return member.fabric
}

// name is that of a VM, which need not have been made.
func (f *Fleet) name(number int) string {
	name := f.kind(number).scenario.VM.Name
	if len(f.kinds) == 1 {
		return withNumber(name, fmt.Sprint(number))
	}
	return name
}

// VMs returns how every VM stands, in the order of their numbers.
func (f *Fleet) VMs() []FleetVM {
	f.mu.RLock()
	members := slices.Clone(f.members)
	f.mu.RUnlock()
	all := make([]FleetVM, len(members))
	for i, member := range members {
		all[i] = FleetVM{Number: i, Name: f.name(i), Source: member.source, State: StateNone}
		if member.fabric != nil {
			all[i].State = member.fabric.State()
			all[i].Requests, all[i].Remarks = member.fabric.journal.counts()
		}
	}
	return all
}

// Summary returns how the fleet stands.
func (f *Fleet) Summary() FleetSummary {
	s := FleetSummary{States: map[ReportState]int{}}
	for _, vm := range f.VMs() {
		s.States[vm.State]++
		s.Requests += vm.Requests
		s.Remarks += vm.Remarks
		if vm.Requests > 0 {
			s.Seen++
		}
	}
	strange, remarks := f.strays.counts()
	s.Requests += strange
	s.Remarks += remarks
	s.Refused = strange
	return s
}

// Journal returns the journals of all VMs and what strangers asked for, by time.
func (f *Fleet) Journal() []Entry {
	all := f.strays.list()
	for number := range f.members {
		if fabric := f.made(number); fabric != nil {
			all = append(all, fabric.Journal()...)
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return all
}

// CollectKVP is [Fabric.CollectKVP] for every VM that has such a file. What is wrong is in
// the journal.
func (f *Fleet) CollectKVP(ctx context.Context) { f.collect(ctx, false) }

// WatchKVP is [Fabric.WatchKVP] for every VM that has such a file, one after the other.
func (f *Fleet) WatchKVP(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = hostInterval
	}
	for f.options.KVPPool != nil {
		f.collect(ctx, true)
		if wait.For(ctx, every) != nil {
			return
		}
	}
}

func (f *Fleet) collect(ctx context.Context, watching bool) {
	if f.options.KVPPool == nil {
		return
	}
	for number := range f.members {
		if ctx.Err() != nil {
			return
		}
		_ = f.VM(number).collect(ctx, watching)
	}
}

// sharedWriter lets the journals of many VMs write one after the other.
type sharedWriter struct {
	mu  sync.Mutex
	out io.Writer
	err error // the first
}

func (w *sharedWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.out.Write(line)
	if flusher, ok := w.out.(interface{ Flush() error }); ok && err == nil {
		err = flusher.Flush()
	}
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// failure is the first trouble in writing any journal.
func (f *Fleet) failure() error {
	if f.out == nil {
		return nil
	}
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if f.out.err == nil {
		return nil
	}
	return unwritten(f.out.err)
}
