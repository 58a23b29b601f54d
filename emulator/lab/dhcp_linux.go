package lab

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"
)

// dhcpServer answers on the cables of a segment, each of which has one client.
type dhcpServer struct {
	conn *net.UDPConn
	done sync.WaitGroup

	mu     sync.Mutex
	leases map[int]lease // by the index of the interface
}

func newDHCPServer(ctx context.Context, ns *namespace) (*dhcpServer, error) {
	s := &dhcpServer{leases: map[int]lease{}}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		controlled := c.Control(func(fd uintptr) {
			if err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1); err == nil {
				// Which interface a request came in on says who asks.
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
			}
		})
		if controlled != nil {
			return controlled
		}
		return err
	}}
	err := ns.do(func() error {
		conn, err := config.ListenPacket(ctx, "udp4", netip.AddrPortFrom(netip.IPv4Unspecified(), dhcpServerPort).String())
		if err == nil {
			s.conn, _ = conn.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.done.Go(s.serve)
	return s, nil
}

// set gives the interface a lease; one without an address takes it away. A nil server has
// none.
func (s *dhcpServer) set(index int, l lease) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.address.IsValid() {
		delete(s.leases, index)
		return
	}
	s.leases[index] = l
}

// serve answers until the connection is closed. A message that cannot be read or
// answered is dropped, as in any network: the client asks again.
func (s *dhcpServer) serve() {
	b, oob := make([]byte, dhcpMaximum), make([]byte, syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
	for {
		size, oobSize, _, _, err := s.conn.ReadMsgUDPAddrPort(b, oob)
		if err != nil {
			return
		}
		index, ok := arrivedOn(oob[:oobSize])
		if !ok {
			continue
		}
		m, ok := parseDHCP(b[:size])
		if !ok {
			continue
		}
		s.mu.Lock()
		l, ok := s.leases[index]
		s.mu.Unlock()
		if !ok {
			continue
		}
		if reply, unicast := m.answer(l); reply != nil {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcpClientPort)
			if unicast {
				to = netip.AddrPortFrom(m.client, dhcpClientPort)
			}
			_, _, _ = s.conn.WriteMsgUDPAddrPort(reply, leavingBy(index, l.source()), to)
		}
	}
}

// arrivedOn returns the interface of a message.
func arrivedOn(oob []byte) (index int, ok bool) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= syscall.SizeofInet4Pktinfo {
			info := (*syscall.Inet4Pktinfo)(unsafe.Pointer(&m.Data[0])) //nolint:gosec // The length is checked; the kernel aligns it.
			return int(info.Ifindex), true
		}
	}
	return 0, false
}

// leavingBy sends a message out of an interface, from an address of the namespace.
func leavingBy(index int, source netip.Addr) []byte {
	b := make([]byte, syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
	header := (*syscall.Cmsghdr)(unsafe.Pointer(&b[0])) //nolint:gosec // Made for it.
	header.Level, header.Type = syscall.IPPROTO_IP, syscall.IP_PKTINFO
	header.SetLen(syscall.CmsgLen(syscall.SizeofInet4Pktinfo))
	info := (*syscall.Inet4Pktinfo)(unsafe.Pointer(&b[syscall.CmsgLen(0)])) //nolint:gosec // Made for it.
	info.Ifindex, info.Spec_dst = int32(index), source.As4()                //nolint:gosec // Indexes are 31 bits.
	return b
}

func (s *dhcpServer) close() {
	_ = s.conn.Close()
	s.done.Wait()
}
