package ephemeral

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/mdlayher/packet"

	"github.com/azprov/azprov/internal/lease"
)

const (
	// etherTypeIPv4 is what a packet socket asks for (RFC 894).
	etherTypeIPv4 = 0x0800
	// messageTimeout and messageTries bound the wait for one answer: 1, 2 and 4 seconds.
	messageTimeout = time.Second
	messageTries   = 3
)

// requested is the parameter request list. Classless routes come before the router, as RFC
// 3442 asks. Servers send option 245 to those who name it, Azure's to all.
var requested = dhcpv4.OptParameterRequestList(
	dhcpv4.OptionSubnetMask,
	dhcpv4.OptionClasslessStaticRoute,
	dhcpv4.GenericOptionCode(lease.OptionMicrosoftRoutes),
	dhcpv4.OptionRouter,
	dhcpv4.OptionDomainNameServer,
	dhcpv4.OptionHostName,
	dhcpv4.OptionDomainName,
	dhcpv4.OptionInterfaceMTU,
	dhcpv4.OptionIPAddressLeaseTime,
	dhcpv4.OptionServerIdentifier,
	dhcpv4.OptionRenewTimeValue,
	dhcpv4.GenericOptionCode(lease.OptionWireServer),
)

// modifiers of every message. Answers are broadcast: nothing has the address yet. No name
// is sent: the machine has none before it is provisioned, and Azure's DNS would keep it.
var modifiers = []dhcpv4.Modifier{dhcpv4.WithOption(requested), dhcpv4.WithBroadcast(true)}

// nclient is a DHCP client over packet sockets, which need no address.
type nclient struct{}

func (nclient) acquire(ctx context.Context, link Link) (grant, error) {
	return exchange(ctx, link, func(ctx context.Context, c *nclient4.Client) (*nclient4.Lease, error) {
		return c.Request(ctx, modifiers...)
	})
}

// renew broadcasts its request, which is that of a client whose own server may be gone (RFC
// 2131, 4.3.2): the server need not be reachable by a route.
func (nclient) renew(ctx context.Context, link Link, old grant) (grant, error) {
	answer, ok := old.token.(*nclient4.Lease)
	if !ok {
		return grant{}, errors.New("the lease was not granted by this client")
	}
	return exchange(ctx, link, func(ctx context.Context, c *nclient4.Client) (*nclient4.Lease, error) {
		return c.Renew(ctx, answer, modifiers...)
	})
}

// exchange opens a socket on the link, by its index, and asks.
func exchange(ctx context.Context, link Link, ask func(context.Context, *nclient4.Client) (*nclient4.Lease, error)) (grant, error) {
	socket, err := packet.Listen(&net.Interface{Index: link.Index, HardwareAddr: link.MAC}, packet.Datagram, etherTypeIPv4, nil)
	if err != nil {
		return grant{}, translate(err)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	conn := &watchedConn{PacketConn: socket, fail: fail}
	client, err := nclient4.NewWithConn(
		nclient4.NewBroadcastUDPConn(conn, &net.UDPAddr{Port: nclient4.ClientPort}), link.MAC,
		nclient4.WithTimeout(messageTimeout), nclient4.WithRetry(messageTries),
	)
	if err != nil {
		return grant{}, errors.Join(err, socket.Close())
	}
	defer func() { _ = client.Close() }() // what matters has been received
	answer, err := ask(ctx, client)
	if err != nil {
		return grant{}, explain(ctx, err)
	}
	return granted(answer)
}

// explain says what has ended an exchange: the socket, if that failed, or the server.
func explain(ctx context.Context, err error) error {
	var refused *nclient4.ErrNak
	if errors.As(err, &refused) {
		return errors.Join(errNAK, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		return translate(cause)
	}
	return translate(err)
}

// granted reads an acknowledgement.
func granted(answer *nclient4.Lease) (grant, error) {
	l, err := leaseOf(answer.ACK, answer.CreationTime)
	if err != nil {
		return grant{}, err
	}
	return grant{Lease: l, token: answer}, nil
}

// leaseOf takes the options as the client has split them. To write the packet anew and
// parse that would be wrong for one whose fields sname and file hold options (52): the
// client cuts these off at their first zero byte.
func leaseOf(ack *dhcpv4.DHCPv4, now time.Time) (Lease, error) {
	address, _ := netip.AddrFromSlice(ack.YourIPAddr)
	return parseLease(address.Unmap(), lease.Options(ack.Options), now)
}

// watchedConn ends the exchange when the socket cannot be read any more: the client itself
// would wait for its time to run out.
type watchedConn struct {
	net.PacketConn

	fail context.CancelCauseFunc
}

// ReadFrom implements [net.PacketConn].
func (c *watchedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err != nil {
		if errors.Is(err, syscall.ENETDOWN) {
			err = errors.Join(errors.New("the network interface went down"), err)
		}
		c.fail(err)
	}
	return n, from, err
}
