package emulator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/wait"
	"github.com/azprov/azprov/ovf"
)

// LinkDriver moves the network interface of a VM in a pool, as the platform does when
// the VM gets its owner. It is called from one goroutine.
type LinkDriver interface {
	// Detach takes the interface away.
	Detach(ctx context.Context) error
	// Attach gives the VM the interface of its owner.
	Attach(ctx context.Context) error
	// Carrier takes the carrier of the interface away, or brings it back with the
	// owner's network behind it.
	Carrier(ctx context.Context, up bool) error
}

// Drive plays what happens to the VM without its asking: it moves the links and lets
// phases begin on time. It returns when nothing more can happen by itself, or when ctx
// ends, which is no error. A [Server] does it; it is for who serves the handlers on
// their own. If the fabric is driven already it returns at once.
//
// An error of the LinkDriver is returned at the end, as one of azprov.KindInternal: the
// owner's data comes all the same.
func (f *Fabric) Drive(ctx context.Context) error {
	f.mu.Lock()
	driven := f.driven
	f.driven = true
	f.mu.Unlock()
	f.start()
	if driven || !f.scenario.isPool() || !f.await(ctx, PhaseReported, PhaseConnected) {
		return nil
	}
	var err error
	if f.links != nil && f.scenario.Pool.isSwitched() {
		err = f.switchNetwork(ctx)
	}
	f.mu.Lock()
	_, at, ok := f.due()
	f.mu.Unlock()
	if ok && wait.For(ctx, time.Until(at)) == nil {
		f.mu.Lock()
		f.advance(time.Now())
		f.mu.Unlock()
	}
	return err
}

// await waits until the VM has been in one of the phases; it is false if ctx ends first.
func (f *Fabric) await(ctx context.Context, phases ...Phase) bool {
	for milestone := range f.Follow(ctx) {
		if slices.Contains(phases, milestone.Phase) {
			return true
		}
	}
	return false
}

// switchNetwork takes the network of a VM that has reported away, and brings it back.
func (f *Fabric) switchNetwork(ctx context.Context) error {
	pool := f.scenario.Pool
	away := func(ctx context.Context) error { return f.links.Carrier(ctx, false) }
	back := func(ctx context.Context) error { return f.links.Carrier(ctx, true) }
	if pool.Type == ovf.PreprovisionedVMTypeSavable {
		away, back = f.links.Detach, f.links.Attach
	}
	var err error
	for _, step := range []struct {
		from, to Phase
		after    Duration
		do       func(context.Context) error
	}{
		{PhaseReported, PhaseDisconnected, pool.SwitchAfter, away},
		{PhaseDisconnected, PhaseConnected, pool.Outage, back},
	} {
		if f.Phase() != step.from || wait.For(ctx, time.Duration(step.after)) != nil || f.Phase() != step.from {
			return driverError(err) // it failed in the pool, was switched before it began, or ctx ended
		}
		failed := step.do(ctx)
		if ctx.Err() != nil {
			return driverError(err) // What it then says is that it was to stop.
		}
		err = errors.Join(err, failed)
		f.mu.Lock()
		f.vm.enter(step.to, time.Now())
		f.mu.Unlock()
	}
	return driverError(err)
}

func driverError(err error) error {
	if err == nil {
		return nil
	}
	return &azprov.Error{
		Op: "emulator.Fabric.Drive", Kind: azprov.KindInternal,
		Message: "the network of the VM could not be switched", Last: err,
	}
}
