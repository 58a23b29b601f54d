package pps

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/azprov/azprov"
)

// Phase is what a [Marker] says.
type Phase string

// The phases.
const (
	// PhaseReported: the pool has the VM's report.
	PhaseReported Phase = "Reported"
	// PhaseReused: the owner's data has come, and provisioning with it has not ended.
	// IMDS may not offer it for much longer.
	PhaseReused Phase = "Reused"
)

// PossiblePhaseValues returns all phases.
func PossiblePhaseValues() []Phase { return []Phase{PhaseReported, PhaseReused} }

// Marker says to a later boot that this VM has reported to its pool.
type Marker struct {
	// VMID is the VM's id in the pool: an image or a disk may be another VM's now.
	VMID  azprov.VMID
	Phase Phase
	// At is when it was saved, by the VM's clock.
	At time.Time
}

// FindMarker loads this VM's marker from a store, which may be nil. One of another VM, or
// that is damaged, is removed and counts for nothing; that and any trouble with the store
// are warnings. Ids are the same in either byte order.
func FindMarker(ctx context.Context, store Store, id azprov.VMID) (marker Marker, found bool, warnings []string) {
	if store == nil {
		return Marker{}, false, nil
	}
	marker, found, err := store.Load(ctx)
	problem := ""
	switch {
	case errors.Is(err, azprov.ErrMalformed):
		problem = "the marker of the pool is damaged and was removed: " + azprov.OneLine(err.Error())
	case err != nil:
		return Marker{}, false, []string{"the marker of the pool cannot be read: " + azprov.OneLine(err.Error())}
	case !found:
		return Marker{}, false, nil
	case id.IsZero():
		return Marker{}, false, []string{"there is a marker of the pool, and no VM id to compare it with; it was not used"}
	case !marker.VMID.Same(id):
		problem = "the marker of the pool is of the VM " + marker.VMID.String() + " and was removed"
	case !slices.Contains(PossiblePhaseValues(), marker.Phase):
		problem = "the marker of the pool is in an unknown phase and was removed"
	default:
		return marker, true, nil
	}
	warnings = []string{problem}
	if err := store.Clear(ctx); err != nil {
		warnings = append(warnings, "the marker of the pool cannot be removed: "+azprov.OneLine(err.Error()))
	}
	return Marker{}, false, warnings
}
