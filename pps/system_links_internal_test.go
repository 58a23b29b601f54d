package pps

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/link"
)

// kernelEvents is a watcher that has them, and then fails.
type kernelEvents struct{ events []link.Event }

var errOver = errors.New("over")

func (k *kernelEvents) Links() []link.Link {
	return []link.Link{{Index: 2, Name: "eth0", Address: "\x00\x0d\x3a\x01\x02\x03", OperState: link.Up, Flags: 1<<16 | 1<<3 | 1, Driver: "hv_netvsc", Kind: "veth", Master: 7}}
}

func (k *kernelEvents) Next(context.Context) (link.Event, error) {
	if len(k.events) == 0 {
		return link.Event{}, errOver
	}
	event := k.events[0]
	k.events = k.events[1:]
	return event, nil
}

func (k *kernelEvents) Close() error { return errOver }

func TestSystemLinks(t *testing.T) {
	t.Parallel()
	at := func(state link.OperState, changes uint32) link.Link {
		return link.Link{Index: 2, Name: "eth0", OperState: state, CarrierChanges: changes}
	}
	changed := func(from, to link.Link) link.Event {
		return link.Event{Kind: link.Changed, Previous: from, Link: to}
	}
	for name, row := range map[string]struct {
		events []link.Event
		want   []string
	}{
		"down, and up":               {[]link.Event{changed(at(link.Up, 1), at(link.Down, 2)), changed(at(link.Down, 2), at(link.Up, 3))}, []string{"changed up>down", "changed down>up"}},
		"down and up in one":         {[]link.Event{changed(at(link.Up, 1), at(link.Up, 3))}, []string{"changed up>down", "changed down>up"}},
		"renamed":                    {[]link.Event{changed(at(link.Up, 1), at(link.Up, 1))}, []string{"changed up>up"}},
		"up, down and up, from down": {[]link.Event{changed(at(link.Down, 1), at(link.Up, 4))}, []string{"changed down>up"}},
		"without a counter":          {[]link.Event{changed(at(link.Up, 3), at(link.Up, 0))}, []string{"changed up>up"}},
		"the others": {
			[]link.Event{{Kind: link.Attached, Link: at(link.Dormant, 0)}, {Kind: link.Detached, Link: at(link.Up, 1)}, {Kind: link.Resynced, Lost: true}},
			[]string{"attached >dormant", "detached >up", "resynced >"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &systemWatcher{watcher: &kernelEvents{row.events}}
			var got []string
			event, err := w.Next(t.Context())
			for ; err == nil; event, err = w.Next(t.Context()) {
				got = append(got, string(event.Kind)+" "+string(event.Previous.OperState)+">"+string(event.Link.OperState))
			}
			if !errors.Is(err, errOver) || !errors.Is(w.Close(), errOver) || !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q; %v", got, row.want, err)
			}
		})
	}
	want := Link{
		Index: 2, Name: "eth0", Address: "00:0d:3a:01:02:03", OperState: OperUp, Carrier: true,
		Driver: "hv_netvsc", Kind: "veth", Loopback: true, Master: 7,
	}
	if got := (&systemWatcher{watcher: &kernelEvents{}}).Links(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}
