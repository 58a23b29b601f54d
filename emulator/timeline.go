package emulator

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/azprov/azprov/ovf"
)

// Phase is where a VM stands on its way to its owner. A VM that is in no pool begins as
// PhaseOwned.
type Phase string

// The phases, in the order of a VM from the pool. Those of the network are left out if
// the fabric has no [LinkDriver].
const (
	// PhasePooled: the VM is nobody's and has not reported Ready.
	PhasePooled Phase = "Pooled"
	// PhaseReported: its first Ready was accepted.
	PhaseReported Phase = "Reported"
	// PhaseDisconnected: its network is away.
	PhaseDisconnected Phase = "Disconnected"
	// PhaseConnected: its network is back, now the owner's.
	PhaseConnected Phase = "Connected"
	// PhaseOwned: the owner's data is there, and IMDS tells of the owner's VM.
	PhaseOwned Phase = "Owned"
	// PhaseProvisioned: the owner's Ready was accepted.
	PhaseProvisioned Phase = "Provisioned"
	// PhaseFailed: a failure was reported. In the pool that is the end of the VM: it gets
	// no owner.
	PhaseFailed Phase = "Failed"
	// PhaseStopped: the VM was shut down for its disk.
	PhaseStopped Phase = "Stopped"
)

// PossiblePhaseValues returns every phase.
func PossiblePhaseValues() []Phase {
	return []Phase{
		PhasePooled, PhaseReported, PhaseDisconnected, PhaseConnected,
		PhaseOwned, PhaseProvisioned, PhaseFailed, PhaseStopped,
	}
}

// Milestone is the beginning of a phase.
type Milestone struct {
	// Phase is what began.
	Phase Phase `json:"phase"`
	// Time is when it did, in UTC. What is due at a time has that time, however late it
	// was looked at.
	Time time.Time `json:"time"`
}

// timelineLimit bounds the timeline: only Failed and Provisioned can follow one another
// without end.
const timelineLimit = 32

// Timeline returns what has happened, oldest first: the time from PhaseOwned to
// PhaseProvisioned is what an agent needed for its owner. It is empty before the fabric
// is first listened to, driven or asked.
func (f *Fabric) Timeline() []Milestone {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	return slices.Clone(f.vm.timeline)
}

// Phase returns where the VM stands. Before anything was asked it stands where it will
// begin.
func (f *Fabric) Phase() Phase {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(time.Now())
	if len(f.vm.timeline) == 0 {
		return f.scenario.firstPhase()
	}
	return f.vm.phase()
}

// Follow yields the timeline, and goes on as it grows until ctx ends; what happened before
// that is yielded. Without a [Server]
// or [Fabric.Drive] what is due by time alone appears with the next request.
func (f *Fabric) Follow(ctx context.Context) iter.Seq[Milestone] {
	return func(yield func(Milestone) bool) {
		for seen := 0; ; {
			ended := ctx.Err() != nil
			f.mu.Lock()
			fresh, changed := slices.Clone(f.vm.timeline[seen:]), f.vm.changed
			f.mu.Unlock()
			for _, milestone := range fresh {
				if !yield(milestone) {
					return
				}
			}
			seen += len(fresh)
			switch {
			case len(fresh) > 0:
				continue
			case ended:
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// firstPhase is where the VM of the scenario begins.
func (s Scenario) firstPhase() Phase {
	switch {
	case !s.isPool():
		return PhaseOwned
	case s.Pool.Switched:
		return PhaseConnected
	default:
		return PhasePooled
	}
}

func (f *Fabric) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin(time.Now())
}

// begin starts the clock of the VM, once. Fabric.mu is held.
func (f *Fabric) begin(now time.Time) {
	if len(f.vm.timeline) > 0 {
		return
	}
	if f.scenario.Pool.Switched {
		f.vm.reported = now
	}
	f.vm.enter(f.scenario.firstPhase(), now)
}

// advance enters the phases that are due, and plays the steps. Fabric.mu is held.
func (f *Fabric) advance(now time.Time) {
	if len(f.vm.timeline) == 0 {
		return
	}
	f.enterDue(now)
	f.playDue(now)
}

// enterDue enters the phases that are due. Fabric.mu is held.
func (f *Fabric) enterDue(now time.Time) {
	next, due, ok := f.due()
	if !ok || now.Before(due) {
		return
	}
	if next == PhaseOwned {
		f.vm.become(f.owner)
	}
	f.vm.enter(next, due)
}

// due returns the phase that time alone brings, and when; ok is false if none. Fabric.mu
// is held.
func (f *Fabric) due() (next Phase, at time.Time, ok bool) {
	pool, last := f.scenario.Pool, f.vm.timeline[len(f.vm.timeline)-1]
	data := f.vm.reported.Add(time.Duration(pool.DataAfter))
	switch {
	case last.Phase == PhaseReported && pool.Type == ovf.PreprovisionedVMTypeOSDisk:
		return PhaseStopped, f.vm.reported.Add(time.Duration(pool.SwitchAfter)), true
	case last.Phase == PhaseReported && f.links == nil:
		return PhaseOwned, data, true
	case last.Phase == PhaseConnected && data.Before(last.Time):
		return PhaseOwned, last.Time, true
	case last.Phase == PhaseConnected:
		return PhaseOwned, data, true
	}
	return "", time.Time{}, false
}

func (v *vmState) phase() Phase { return v.timeline[len(v.timeline)-1].Phase }

// enter begins a phase and wakes who follows.
func (v *vmState) enter(phase Phase, at time.Time) {
	if len(v.timeline) > 0 && v.phase() == phase || len(v.timeline) >= timelineLimit {
		return
	}
	v.timeline = append(v.timeline, Milestone{phase, at.UTC()})
	close(v.changed)
	v.changed = make(chan struct{})
}
