package ephemeral

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fake is a machine and a DHCP server. It keeps a journal of what was done to it.
type fake struct {
	mu      sync.Mutex
	nics    []Link
	journal []string
	// since, if set, is from when entries get their minute.
	since time.Time
	// there are the addresses and routes, ours and others'.
	there map[string]bool
	// fail gives the error of a step of the journal, once for each in the list.
	fail map[string][]error
	// sweepErr is the error of sweep.
	sweepErr error
	// openErr is the error of every operation.
	openErr error
	// offers answer requests for a link, in turn; the last one for ever. None is silence.
	offers map[int][]reply
	// comeUp is how long a link takes to find its carrier; negative is for ever.
	comeUp time.Duration
	upAt   map[int]time.Time
	// opened counts the operations that have not closed the machine.
	opened int
}

// reply is one answer of the server.
type reply struct {
	lease Lease
	err   error
	after time.Duration
	do    func() // meanwhile
}

func newFake(nics ...Link) *fake {
	return &fake{
		nics: nics, there: map[string]bool{}, fail: map[string][]error{}, offers: map[int][]reply{}, upAt: map[int]time.Time{},
	}
}

func (f *fake) network(o Options) *Network {
	return newNetwork(o, func() (system, dhcp, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.openErr != nil {
			return nil, nil, f.openErr
		}
		f.opened++
		return openFake{f}, f, nil
	})
}

// openFake is the machine, open.
type openFake struct{ *fake }

func (f openFake) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened--
}

// wantClosed fails the test if an operation has left the machine open.
func (f *fake) wantClosed(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opened != 0 {
		t.Errorf("%d are still open", f.opened)
	}
}

// step writes down what is done and returns its error.
func (f *fake) step(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := fmt.Sprintf(format, args...)
	minute := ""
	if !f.since.IsZero() {
		minute = fmt.Sprintf("%d ", time.Since(f.since)/time.Minute)
	}
	f.journal = append(f.journal, minute+entry)
	if errs := f.fail[entry]; len(errs) > 0 {
		f.fail[entry] = errs[1:]
		return errs[0]
	}
	return nil
}

// steps returns the journal and begins a new one.
func (f *fake) steps() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	steps := f.journal
	f.journal = nil
	return steps
}

// rename changes a link's name, as udev does.
func (f *fake) rename(index int, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nics = slices.Clone(f.nics)
	for i := range f.nics {
		if f.nics[i].Index == index {
			f.nics[i].Name = name
		}
	}
}

func (f *fake) unplug(index int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nics = slices.DeleteFunc(slices.Clone(f.nics), func(l Link) bool { return l.Index == index })
}

func (f *fake) plug(l Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nics = append(slices.Clone(f.nics), l)
}

func (f *fake) close() {}

// sweep is written down only where there is something to be swept.
func (f *fake) sweep(index int) error {
	if err := f.known(index); err != nil {
		return err
	}
	return f.sweepErr
}

func (f *fake) links() ([]Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errs := f.fail["links"]; len(errs) > 0 {
		f.fail["links"] = errs[1:]
		return nil, errs[0]
	}
	links := slices.Clone(f.nics)
	for i := range links {
		if at, ok := f.upAt[links[i].Index]; ok && f.comeUp >= 0 && time.Since(at) >= f.comeUp {
			links[i].Carrier, links[i].State = true, OperStateUp
		}
	}
	return links, nil
}

func (f *fake) link(index int) (Link, error) {
	links, _ := f.links()
	i := slices.IndexFunc(links, func(l Link) bool { return l.Index == index })
	if i < 0 {
		return Link{}, errGone
	}
	return links[i], nil
}

// known is the kernel's answer for a link that may have gone.
func (f *fake) known(index int) error {
	_, err := f.link(index)
	return err
}

func (f *fake) setUp(index int, up bool) error {
	if err := f.step("up %d %t", index, up); err != nil {
		return err
	}
	if err := f.known(index); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nics = slices.Clone(f.nics)
	for i := range f.nics {
		if f.nics[i].Index == index {
			f.nics[i].Up = up
		}
	}
	delete(f.upAt, index)
	if up {
		f.upAt[index] = time.Now()
	}
	return nil
}

func (f *fake) add(index int, key, entry string) error {
	if err := f.step("%s", entry); err != nil {
		return err
	}
	if err := f.known(index); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.there[key] {
		return errExists
	}
	f.there[key] = true
	return nil
}

func (f *fake) remove(index int, key, entry string) error {
	if err := f.step("%s", entry); err != nil {
		return err
	}
	if err := f.known(index); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.there, key)
	return nil
}

func (f *fake) addAddress(index int, a netip.Prefix, valid time.Duration) error {
	return f.add(index, a.String(), fmt.Sprintf("add %v %v", a, valid))
}

func (f *fake) keepAddress(_ int, a netip.Prefix, valid time.Duration) error {
	f.mu.Lock()
	f.there[a.String()] = true
	f.mu.Unlock()
	return f.step("keep %v %v", a, valid)
}

func (f *fake) removeAddress(index int, a netip.Prefix) error {
	return f.remove(index, a.String(), "del "+a.String())
}

func (f *fake) addRoute(r kernelRoute) error {
	return f.add(r.index, r.String(), routeText("add", r))
}

func (f *fake) removeRoute(r kernelRoute) error {
	return f.remove(r.index, r.String(), routeText("del", r))
}

func routeText(verb string, r kernelRoute) string {
	text := fmt.Sprintf("%s %v src %v", verb, r, r.source)
	if r.onLink {
		text += " onlink"
	}
	if r.mtu > 0 {
		text += fmt.Sprintf(" mtu %d", r.mtu)
	}
	return text
}

func (f *fake) acquire(ctx context.Context, l Link) (grant, error) { return f.answer(ctx, l, "ask") }

func (f *fake) renew(ctx context.Context, l Link, old grant) (grant, error) {
	if old.token == nil {
		return grant{}, syscall.EINVAL
	}
	return f.answer(ctx, l, "renew")
}

func (f *fake) answer(ctx context.Context, l Link, what string) (grant, error) {
	_ = f.step("%s %s", what, l.Name)
	f.mu.Lock()
	r := reply{err: context.DeadlineExceeded, after: time.Hour}
	if offers := f.offers[l.Index]; len(offers) > 0 {
		r = offers[0]
		if len(offers) > 1 {
			f.offers[l.Index] = offers[1:]
		}
	}
	f.mu.Unlock()
	if r.do != nil {
		r.do()
	}
	timer := time.NewTimer(r.after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return grant{}, ctx.Err()
	}
	if r.err != nil {
		return grant{}, r.err
	}
	r.lease.Obtained = time.Now()
	return grant{Lease: r.lease, token: "ack"}, nil
}

// nic is a NIC with carrier that is up.
func nic(index int, name string) Link {
	return Link{
		Index: index, Name: name, MAC: net.HardwareAddr{0, 0x0d, 0x3a, 0, 0, byte(index)}, Driver: syntheticDriver,
		MTU: 1500, State: OperStateUp, Carrier: true, Up: true,
	}
}

// downed is a NIC as it is at the beginning of a boot.
func downed(l Link) Link {
	l.State, l.Carrier, l.Up = OperStateDown, false, false
	return l
}

// leaseFor makes a lease; routes are "NETWORK" or "NETWORK via GATEWAY".
func leaseFor(t *testing.T, address string, routes ...Route) Lease {
	t.Helper()
	l := Lease{Address: netip.MustParsePrefix(address), Routes: routes, Server: netip.MustParseAddr("168.63.129.16")}
	for _, r := range routes {
		if r.Destination.Bits() == 0 {
			l.Gateway = r.Gateway
		}
	}
	return l
}

func via(network, gateway string) Route {
	r := Route{Destination: netip.MustParsePrefix(network)}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	return r
}

// azureLease is what the primary NIC of a VM gets.
func azureLease(t *testing.T, address string) Lease {
	t.Helper()
	return leaseFor(t, address, via("0.0.0.0/0", "10.0.0.1"), via("168.63.129.16/32", "10.0.0.1"), via("169.254.169.254/32", "10.0.0.1"))
}
