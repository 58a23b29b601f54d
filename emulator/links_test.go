package emulator_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/azprov/azprov/emulator"
)

func TestMemoryLinks(t *testing.T) {
	s, err := emulator.LookupScenario("pps-savable")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		links := emulator.NewMemoryLinks(s)
		ctx, cancel := context.WithCancel(t.Context())
		events, other := links.Subscribe(ctx), links.Subscribe(t.Context())
		do := map[string]func() error{
			"attach": func() error { return links.Attach(ctx) }, "detach": func() error { return links.Detach(ctx) },
			"down": func() error { return links.Carrier(ctx, false) }, "up": func() error { return links.Carrier(ctx, true) },
		}
		for _, row := range []struct {
			step, want string // empty: nothing to change, no event
			connected  bool
		}{
			{"attach", "", true},
			{"up", "", true},
			{"down", "down 2 00:0d:3a:1b:2c:02", false},
			{"down", "", false},
			{"attach", "", false},
			{"up", "up 2 00:0d:3a:1b:2c:02", true},
			{"detach", "detached 2 00:0d:3a:1b:2c:02", false},
			{"detach", "", false},
			{"up", "", false},
			{"down", "", false},
			{"attach", "attached 3 00:0d:3a:4e:5f:02", true},
			{"down", "down 3 00:0d:3a:4e:5f:02", false},
			{"detach", "detached 3 00:0d:3a:4e:5f:02", false},
			{"attach", "attached 4 00:0d:3a:4e:5f:02", true},
		} {
			if err := do[row.step](); err != nil || links.Connected() != row.connected {
				t.Errorf("%s: %v, connected %t", row.step, err, links.Connected())
			}
			got := ""
			if len(events) > 0 {
				e := <-events
				if twice := <-other; e != twice || e != links.Last() {
					t.Errorf("%s: %+v, %+v, last %+v", row.step, e, twice, links.Last())
				}
				got = fmt.Sprintf("%s %d %s", e.Kind, e.Index, e.MAC)
			}
			if got != row.want {
				t.Errorf("%s: %q, want %q", row.step, got, row.want)
			}
		}
		// A slow reader misses events and holds nobody up.
		for range 50 {
			_ = links.Carrier(ctx, false)
			_ = links.Carrier(ctx, true)
		}
		if len(events) != 64 {
			t.Errorf("%d events wait", len(events))
		}
		cancel()
		synctest.Wait()
		closed := false
		for !closed {
			_, open := <-events
			closed = !open
		}
		_ = links.Carrier(t.Context(), false)
	})
	s.Pool.Switched = true
	if got := emulator.NewMemoryLinks(s).Last().MAC; got != "00:0d:3a:4e:5f:02" {
		t.Errorf("after the switch: %s", got)
	}
	bare := emulator.NewMemoryLinks(emulator.Scenario{})
	if got := bare.Last(); got != (emulator.LinkEvent{Kind: emulator.LinkAttached, Index: 2, Name: "eth0"}) {
		t.Errorf("without a NIC: %+v", got)
	}
}
