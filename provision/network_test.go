package provision_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/provision"
)

// network fails, or counts.
type network struct {
	err      error
	up, down int
	hangs    time.Duration // Down listens to no context
}

func (n *network) Up(context.Context) error { n.up++; return n.err }

func (n *network) Down(context.Context) error { n.down++; time.Sleep(n.hangs); return nil }

func TestNetworkIsBroughtUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network = n
		result, err := provision.Run(t.Context(), r.options)
		if err != nil || n.up != 1 || n.down != 1 || !slices.Contains(steps(result), "network") {
			t.Errorf("%v, up %d, down %d, %q", err, n.up, n.down, steps(result))
		}
	})
}

func TestNetworkThatWillNotGoDownIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Network = &network{hangs: time.Hour}
		start := time.Now()
		if _, err := provision.Run(t.Context(), r.options); err != nil || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(time.Hour) // what was left behind ends
	})
}

func TestNetworkIsNotTouchedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		n := &network{}
		r.options.Network, r.options.Sysfs = n, fstest.MapFS{}
		if _, err := provision.Run(t.Context(), r.options); !errors.Is(err, azprov.ErrNotAzure) || n.up+n.down != 0 {
			t.Errorf("%v, up %d, down %d", err, n.up, n.down)
		}
	})
}

func (*stuckNetwork) Down(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestNetworkThatDoesNotComeDownIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lookup(t, "linux-vm"))
		r.options.Network = &stuckNetwork{}
		start := time.Now()
		result, err := provision.Run(t.Context(), r.options)
		if took := time.Since(start); err != nil || result.Report.State != provision.ReportReady || took != 30*time.Second {
			t.Errorf("%v after %v, %+v", err, took, result.Report)
		}
	})
}
