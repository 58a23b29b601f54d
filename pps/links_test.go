package pps_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azprov/azprov/pps"
)

// TestSwitchSequences holds what counts as a switch against what cloud-init takes for one
// (helpers/netlink.py); where the two differ the row says so.
func TestSwitchSequences(t *testing.T) {
	const (
		up, down, dormant, unknown = pps.OperUp, pps.OperDown, pps.OperDormant, pps.OperUnknown
		absent, lower, tests       = pps.OperNotPresent, pps.OperLowerLayerDown, pps.OperTesting
	)
	type step = func(*world)
	changed := func(l pps.Link, states ...pps.OperState) []step {
		var steps []step
		for _, s := range states {
			steps = append(steps, change(0, in(l, s)).do)
		}
		return steps
	}
	one := func(p play) []step { return []step{p.do} }
	seq := slices.Concat[[]step]
	second := nic(5, otherMAC)
	vf := driven(named(nic(6, poolMAC), "enP1s1"), "mlx5_core")
	lowered := func(l pps.Link) pps.Link { l.AdminDown = true; return l }
	carrier := in(eth0, unknown)
	carrier.Carrier = true
	for _, row := range []struct {
		name  string
		steps []step
		want  bool
	}{
		{"up", changed(eth0, up), false},
		{"down", changed(eth0, down), false},
		{"down, up", changed(eth0, down, up), true},
		{"down, down, up", changed(eth0, down, down, up), true},
		{"up, up, down, up", changed(eth0, up, up, down, up), true},
		{"down, dormant, unknown, up", changed(eth0, down, dormant, unknown, up), true},
		{"down, testing, up", changed(eth0, down, tests, up), true},
		{"not present, up", changed(eth0, absent, up), false},
		{"lower layer down, up", changed(eth0, lower, up), false},
		{"dormant, up", changed(eth0, dormant, up), false},
		{"down, unknown without a carrier", changed(eth0, down, unknown), false},
		{"down, unknown with a carrier: cloud-init waits", seq(changed(eth0, down), one(change(0, carrier))), true},
		{"gone, back", seq(one(detach(0, in(eth0, down))), one(attach(0, eth0))), true},
		{"gone while up, back", seq(one(detach(0, eth0)), one(attach(0, eth0))), true},
		{"gone, back with another index and name: cloud-init waits", seq(one(detach(0, in(eth0, down))), one(attach(0, named(nic(9, poolMAC), "eth1")))), true},
		{"gone, back while down, up", seq(one(detach(0, eth0)), one(attach(0, in(nic(9, poolMAC), down))), changed(nic(9, poolMAC), up)), true},
		{"gone, back while down", seq(one(detach(0, eth0)), one(attach(0, in(nic(9, poolMAC), down)))), false},
		{"gone, another one comes", seq(one(detach(0, eth0)), one(attach(0, second))), false},
		{"down, up under another name: cloud-init waits for ever", seq(changed(eth0, down), changed(named(eth0, "net0"), up)), true},
		{"down, another one up", seq(changed(eth0, down), one(attach(0, in(second, down))), changed(second, up)), false},
		{"another one down, up", seq(one(attach(0, second)), changed(second, down, up)), false},
		{"a twin down, up", seq(one(attach(0, vf)), changed(vf, down, up)), false},
		{"down, a twin comes up", seq(changed(eth0, down), one(attach(0, vf))), false},
		{"down, a twin goes and comes", seq(one(attach(0, vf)), changed(eth0, down), one(detach(0, vf)), one(attach(0, vf))), false},
		{"a link without a name", changed(named(eth0, ""), down, up), true},
		{"an empty link", one(change(0, pps.Link{})), false},
		{"events lost", one(resync(0)), true},
		{"set down by the guest, up", seq(changed(lowered(eth0), down), changed(eth0, up)), false},
		{"set down by the guest, up by way of no carrier", seq(changed(lowered(eth0), down), changed(eth0, down, down, up)), false},
		{"set down by the guest, up, then down and up", seq(changed(lowered(eth0), down), changed(eth0, down, up, down, up)), true},
		{"down, set down by the guest, up", seq(changed(eth0, down), changed(lowered(eth0), down), changed(eth0, up)), true},
	} {
		for _, lost := range []bool{false, true} { // where the index is not known
			if lost && slices.Contains([]string{"another one down, up", "down, another one up"}, row.name) {
				continue // any candidate may be the one
			}
			t.Run(fmt.Sprintf("%s, index unknown %v", row.name, lost), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.anyNetwork = true
					o := w.options(pps.TypeRunning)
					if lost {
						o.Network = nil
					}
					ctx, cancel := context.WithTimeout(t.Context(), 30*sec)
					defer cancel()
					var script []play
					for i, do := range row.steps {
						script = append(script, play{sec + time.Duration(i)*10*time.Millisecond, do})
					}
					result, _ := w.run(ctx, o, script)
					got := slices.ContainsFunc(result.Timeline, func(step pps.Transition) bool {
						return step.Event == pps.EventSwitched || step.Event == pps.EventMaybeSwitched
					})
					if got != row.want {
						t.Errorf("a switch: %v, want %v", got, row.want)
					}
				})
			})
		}
	}
}

func TestDefaultCandidate(t *testing.T) {
	t.Parallel()
	with := func(do func(*pps.Link)) pps.Link {
		l := eth0
		do(&l)
		return l
	}
	for _, row := range []struct {
		name string
		link pps.Link
		want bool
	}{
		{"synthetic", eth0, true},
		{"renamed", named(eth0, "net9"), true},
		{"without a name", named(eth0, ""), true},
		{"down", in(eth0, pps.OperDown), true},
		{"MANA", driven(eth0, "mana"), true},
		{"driver not known", driven(eth0, ""), true},
		{"a virtual function", driven(eth0, "mlx5_core"), false},
		{"another hypervisor's", driven(eth0, "virtio_net"), false},
		{"loopback", with(func(l *pps.Link) { l.Loopback = true }), false},
		{"lo", named(eth0, "lo"), false},
		{"veth", named(eth0, "veth12ab"), false},
		{"a veth that stands for an interface", with(func(l *pps.Link) { l.Kind, l.Driver = "veth", "" }), true},
		{"a bridge", with(func(l *pps.Link) { l.Kind = "bridge" }), false},
		{"a VLAN", with(func(l *pps.Link) { l.Kind = "vlan" }), false},
		{"a bond", with(func(l *pps.Link) { l.Kind = "bond" }), false},
		{"enslaved", with(func(l *pps.Link) { l.Master = 7 }), false},
		{"without an address", with(func(l *pps.Link) { l.Address = "" }), false},
		{"a zero address", with(func(l *pps.Link) { l.Address = "00:00:00:00:00:00" }), false},
	} {
		if got := pps.DefaultCandidate(row.link); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		state   pps.OperState
		carrier bool
		want    bool
	}{
		{pps.OperUp, true, true},
		{pps.OperUp, false, true},
		{pps.OperUnknown, true, true},
		{pps.OperUnknown, false, false},
		{pps.OperDown, true, false},
		{pps.OperDormant, true, false},
		{"", true, false},
	} {
		if got := (pps.Link{OperState: row.state, Carrier: row.carrier}).Up(); got != row.want {
			t.Errorf("%q, carrier %v: %v", row.state, row.carrier, got)
		}
	}
}
