package lab_test

import (
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/azprov/azprov/emulator"
	"github.com/azprov/azprov/emulator/lab"
	"github.com/azprov/azprov/ovf"
)

// wantOwner reads the owner's data through the guest's new network, and ends the boot.
func wantOwner(t *testing.T, l *lab.Lab, nic string) {
	t.Helper()
	owner := l.Fabric().Owner()
	if got := configure(t, l, nic); got.Addr() != owner.Interfaces[0].Addresses[0].Addr() {
		t.Errorf("the lease is %s, want %s", got, owner.Interfaces[0].Addresses[0])
	}
	awaitPhase(t, l, emulator.PhaseOwned)
	status, text, err := get(t, l, http.MethodGet, reprovisionData, "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%v, status %d", err, status)
	}
	if environment, err := ovf.Parse([]byte(text)); err != nil || environment.HostName != owner.HostName {
		t.Errorf("%v: %+v", err, environment)
	}
	report(t, l)
	awaitPhase(t, l, emulator.PhaseProvisioned)
	for _, entry := range l.Fabric().Journal() {
		if len(entry.Verdicts) > 0 {
			t.Errorf("%s: %q", entry.Path, entry.Verdicts)
		}
	}
}

func TestRunningPoolFlipsTheCarrier(t *testing.T) {
	t.Parallel()
	l := newLab(t, &lab.Options{Scenario: quick(t, "pps-running")})
	configure(t, l, "eth0")
	before := link(t, l, "eth0").Attrs()
	updates := events(t, l)
	report(t, l)
	for _, state := range []netlink.LinkOperState{netlink.OperDown, netlink.OperUp} {
		got := awaitEvent(t, updates, state.String(), func(u netlink.LinkUpdate) bool {
			return u.Header.Type == syscall.RTM_NEWLINK && u.Attrs().OperState == state
		}).Attrs()
		if got.Index != before.Index || got.Name != "eth0" || got.HardwareAddr.String() != before.HardwareAddr.String() {
			t.Errorf("%s: %+v", state, got)
		}
	}
	awaitPhase(t, l, emulator.PhaseConnected)
	// The owner's network does not know the address of the pool.
	if got := option(exchange(t, l, "eth0", 3, l.Fabric().VM().Interfaces[0].Addresses[0].Addr()), 53); got != "06" {
		t.Errorf("a request for the address of the pool gets %q", got)
	}
	wantOwner(t, l, "eth0")
}

func TestSavablePoolExchangesTheInterface(t *testing.T) {
	t.Parallel()
	for _, options := range []lab.Options{{}, {Secondary: true}, {Twin: true}} {
		options.Scenario = quick(t, "pps-savable")
		name, count := "eth0", 1
		if options.Secondary {
			name, count = "eth1", 2
		}
		if options.Twin {
			count = 2
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, &options)
			configure(t, l, name)
			before := link(t, l, name).Attrs()
			updates := events(t, l)
			report(t, l)
			awaitEvent(t, updates, "detach", func(u netlink.LinkUpdate) bool {
				return u.Header.Type == syscall.RTM_DELLINK && u.Attrs().Index == before.Index
			})
			after := awaitEvent(t, updates, "attach", func(u netlink.LinkUpdate) bool {
				return u.Header.Type == syscall.RTM_NEWLINK && u.Attrs().Name == name && u.Attrs().Index != before.Index
			}).Attrs()
			if after.HardwareAddr.String() != "00:0d:3a:4e:5f:02" || after.OperState != netlink.OperDown {
				t.Errorf("attached: %s, %s", after.HardwareAddr, after.OperState)
			}
			awaitPhase(t, l, emulator.PhaseConnected)
			if got := len(guestLinks(t, l)); got != count+1 { // and lo
				t.Errorf("%d interfaces", got)
			}
			if options.Secondary && link(t, l, "eth0").Attrs().Index > after.Index {
				t.Error("the primary interface comes first")
			}
			wantOwner(t, l, name)
		})
	}
}

func guestLinks(t *testing.T, l *lab.Lab) []netlink.Link {
	t.Helper()
	var all []netlink.Link
	if err := l.Guest(func() (err error) { all, err = netlink.LinkList(); return err }); err != nil {
		t.Fatal(err)
	}
	return all
}

// A VM that was rebooted while it waited has its owner's network from the start.
func TestRecoveredPoolVM(t *testing.T) {
	t.Parallel()
	l := newLab(t, &lab.Options{Scenario: quick(t, "pps-recovery")})
	wantOwner(t, l, "eth0")
	phases := ""
	for _, m := range l.Fabric().Timeline() {
		phases += string(m.Phase) + " "
	}
	if phases != "Connected Owned Provisioned " {
		t.Error(phases)
	}
}

// The driver can be called by hand, in any order.
func TestLinksByHand(t *testing.T) {
	t.Parallel()
	l := newLab(t, &lab.Options{Scenario: quick(t, "pps-savable")})
	ctx, links := t.Context(), l.Links()
	if err := links.Attach(ctx); err == nil || !strings.Contains(err.Error(), "has its interfaces") {
		t.Errorf("attached twice: %v", err)
	}
	// The guest deletes its interface, and the platform then takes it away.
	nic := link(t, l, "eth0")
	if err := l.Guest(func() error { return netlink.LinkDel(nic) }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := links.Detach(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := links.Carrier(ctx, true); err != nil { // of nothing
		t.Error(err)
	}
	if got := len(guestLinks(t, l)); got != 1 {
		t.Errorf("%d interfaces", got)
	}
	if err := links.Attach(ctx); err != nil {
		t.Fatal(err)
	}
	up(t, l, "eth0")
	if err := links.Carrier(ctx, false); err != nil {
		t.Error(err)
	}
	if reply := exchange(t, l, "eth0", 1, netip.Addr{}); reply != nil {
		t.Errorf("without a carrier: %x", reply)
	}
	if err := links.Carrier(ctx, true); err != nil {
		t.Error(err)
	}
	configure(t, l, "eth0")
	if status, _, err := get(t, l, http.MethodGet, imdsURL+"/metadata/versions", ""); err != nil || status != http.StatusOK {
		t.Errorf("%v, status %d", err, status)
	}
}
