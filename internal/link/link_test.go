package link_test

import (
	"net"
	"slices"
	"testing"

	"github.com/azprov/azprov/internal/link"
)

func TestOperStates(t *testing.T) {
	t.Parallel()
	for n, want := range []string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up", "operstate 7"} {
		if got := link.OperState(n).String(); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	all := []link.OperState{link.Unknown, link.NotPresent, link.Down, link.LowerLayerDown, link.Testing, link.Dormant, link.Up}
	for n, s := range all {
		if int(s) != n {
			t.Errorf("%v is %d, want %d", s, s, n)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		address link.Address
		want    string
	}{
		{"", ""},
		{"\x00\x0d\x3a\xf8\x10\x07", "00:0d:3a:f8:10:07"},
		{"\x00", "00"},
	} {
		if got := row.address.String(); got != row.want || net.HardwareAddr(row.address).String() != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		flags uint32
		want  []bool // set up, loopback, carrier, running
	}{
		{0, []bool{false, false, false, false}},
		{0x1, []bool{true, false, false, false}},
		{0x8, []bool{false, true, false, false}},
		{0x10000, []bool{false, false, true, false}},
		{0x40, []bool{false, false, false, true}},
		{0x10049, []bool{true, true, true, true}},
	} {
		l := link.Link{Flags: row.flags}
		if got := []bool{l.AdminUp(), l.Loopback(), l.Carrier(), l.Running()}; !slices.Equal(got, row.want) {
			t.Errorf("%#x: %v, want %v", row.flags, got, row.want)
		}
	}
}

func TestEventKinds(t *testing.T) {
	t.Parallel()
	want := []link.EventKind{"attached", "detached", "changed", "resynced"}
	if got := link.PossibleEventKindValues(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
