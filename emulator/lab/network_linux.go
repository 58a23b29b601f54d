package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/azprov/azprov"
)

// network is the guest, the fabric, and the cables between them.
type network struct {
	plan   plan
	guest  *namespace
	fabric *segment
	dark   *segment // Behind secondary interfaces; nil without one.

	mu     sync.Mutex
	cables []cable
	made   int // Cables ever made.
	closed bool
}

// segment is a namespace at the other end of cables, with its DHCP server.
type segment struct {
	*namespace

	dhcp *dhcpServer
}

// cable is a veth pair.
type cable struct {
	nicPlan

	segment *segment
	peer    netlink.Link // The end in the segment.
}

// build makes all of it. What a failure leaves is for close.
func (n *network) build(ctx context.Context, p plan) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plan = p
	var err error
	if n.guest, err = newNamespace(); err != nil {
		return err
	}
	if n.fabric, err = newSegment(ctx, append(gateways(p, rolePrimary), imdsAddress, wireServerAddress), p.noDHCP); err != nil {
		return err
	}
	if dark := gateways(p, roleSecondary); len(dark) > 0 {
		if n.dark, err = newSegment(ctx, dark, p.noDHCP); err != nil {
			return err
		}
	}
	if p.name != "" {
		if err = n.guest.publish(p.name); err == nil {
			err = n.fabric.publish(p.name + "-fabric")
		}
		if err != nil {
			return err
		}
	}
	if err := n.attach(p.first); err != nil {
		return labError(azprov.KindNotFound, "the guest's interface cannot be made", "the kernel needs veth", err)
	}
	return nil
}

// gateways are those of the interfaces with the role, of the pool and of the owner.
func gateways(p plan, r role) []netip.Addr {
	var addresses []netip.Addr
	for _, nics := range [][]nicPlan{p.first, p.owner} {
		for _, nic := range nics {
			if nic.role == r {
				addresses = append(addresses, nic.gateway())
			}
		}
	}
	return addresses
}

// newSegment makes a namespace with these addresses and, if wanted, a DHCP server. They are on its
// loopback interface: it answers for them on every cable, and keeps them when cables go.
func newSegment(ctx context.Context, addresses []netip.Addr, noDHCP bool) (*segment, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	s := &segment{namespace: ns}
	loopback, err := ns.links.LinkByName("lo")
	for _, address := range addresses {
		if err == nil {
			err = ns.links.AddrReplace(loopback, &netlink.Addr{IPNet: hostNet(address)})
		}
	}
	if err == nil && !noDHCP {
		s.dhcp, err = newDHCPServer(ctx, ns)
	}
	if err != nil {
		_ = s.close()
		return nil, labError(azprov.KindNotFound, "the platform's side of the network cannot be made", "", err)
	}
	return s, nil
}

func (s *segment) close() error {
	if s.dhcp != nil {
		s.dhcp.close()
	}
	return s.namespace.close()
}

// peerIndex is the index of the first cable's end in a segment, far from any that the
// guest has: where both ends of a veth pair have the same one, Linux takes a change of the
// carrier for one that can wait, up to a second, and two of them may cancel each other out
// (net/core/link_watch.c, linkwatch_urgent_event).
const peerIndex = 1000

// attach plugs the interfaces in, in order.
func (n *network) attach(nics []nicPlan) error {
	for i, nic := range nics {
		segment := n.fabric
		if nic.role == roleSecondary {
			segment = n.dark
		}
		name := fmt.Sprintf("vm%d", i)
		pair := &netlink.Veth{
			LinkAttrs:        netlink.LinkAttrs{Name: name, Index: peerIndex + n.made},
			PeerName:         nic.name,
			PeerHardwareAddr: nic.mac,
			PeerNamespace:    netlink.NsFd(n.guest.fd),
		}
		n.made++
		if err := segment.links.LinkAdd(pair); err != nil {
			return fmt.Errorf("%s: %w", nic.name, err)
		}
		peer, err := segment.links.LinkByName(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c := cable{nicPlan: nic, segment: segment, peer: peer}
		n.cables = append(n.cables, c)
		if err := c.up(n.plan); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// up gives the guest's end its carrier. The route to the guest's address goes with the
// carrier, so it is made each time.
func (c cable) up(p plan) error {
	links := c.segment.links
	if err := links.LinkSetUp(c.peer); err != nil || !c.address.IsValid() {
		return err
	}
	c.segment.dhcp.set(c.peer.Attrs().Index, c.lease(p))
	return links.RouteReplace(&netlink.Route{
		LinkIndex: c.peer.Attrs().Index, Dst: hostNet(c.address.Addr()), Scope: netlink.SCOPE_LINK,
	})
}

// Carrier is part of emulator.LinkDriver.
func (n *network) Carrier(_ context.Context, up bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return net.ErrClosed
	}
	var err error
	for i := range n.cables {
		c := &n.cables[i]
		if !up {
			err = errors.Join(err, c.segment.links.LinkSetDown(c.peer))
			continue
		}
		c.address = n.plan.owner[i].address // The owner's network is behind it now.
		err = errors.Join(err, c.up(n.plan))
	}
	return err
}

// Detach is part of emulator.LinkDriver.
func (n *network) Detach(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.detach()
}

func (n *network) detach() error {
	var err error
	for _, c := range n.cables {
		c.segment.dhcp.set(c.peer.Attrs().Index, lease{})
		// The guest may have deleted its end itself.
		if gone := c.segment.links.LinkDel(c.peer); !errors.Is(gone, syscall.ENODEV) {
			err = errors.Join(err, gone)
		}
	}
	n.cables = nil
	return err
}

// Attach is part of emulator.LinkDriver.
func (n *network) Attach(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return net.ErrClosed
	}
	if len(n.cables) > 0 {
		return errors.New("the guest has its interfaces")
	}
	return n.attach(n.plan.owner)
}

// listen listens in the fabric's namespace.
func (n *network) listen(ctx context.Context, address string) (listener net.Listener, err error) {
	err = n.fabric.do(func() error {
		var config net.ListenConfig
		listener, err = config.Listen(ctx, "tcp4", address)
		return err
	})
	return listener, err
}

func (n *network) inGuest(f func() error) error { return n.guest.do(f) }

func (n *network) path() string { return n.guest.path() }

// close takes the cables away first: a namespace that somebody is in lives on.
func (n *network) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	err := n.detach()
	for _, s := range []*segment{n.dark, n.fabric} {
		if s != nil {
			err = errors.Join(err, s.close())
		}
	}
	if n.guest != nil {
		err = errors.Join(err, n.guest.close())
	}
	return err
}

func hostNet(address netip.Addr) *net.IPNet {
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(address.BitLen(), address.BitLen())}
}
