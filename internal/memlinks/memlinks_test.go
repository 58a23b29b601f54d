package memlinks_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/internal/memlinks"
	"github.com/azprov/azprov/pps"
)

func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := emulator.LookupScenario("pps-savable")
		if err != nil {
			t.Fatal(err)
		}
		memory := emulator.NewMemoryLinks(s)
		w, err := memlinks.Links(memory).Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l := w.Links(); len(l) != 1 || l[0].Name != "eth0" || !l[0].Up() || !pps.DefaultCandidate(l[0]) {
			t.Errorf("%+v", l)
		}
		first := w.Links()[0].Index
		_ = memory.Carrier(t.Context(), false)
		_ = memory.Carrier(t.Context(), true)
		_ = memory.Detach(t.Context())
		_ = memory.Attach(t.Context())
		var got []string
		for range 4 {
			event, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(event.Kind)+" "+string(event.Link.OperState))
		}
		if want := []string{"changed down", "changed up", "detached up", "attached up"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if l := w.Links(); len(l) != 1 || l[0].Index == first {
			t.Errorf("%+v, want another index than %d", l, first)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Next(ctx); err == nil {
			t.Error("an event, want the end of the context")
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, err := w.Next(t.Context()); err == nil {
			t.Error("an event of a closed watcher")
		}
	})
}
