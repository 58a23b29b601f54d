package emulator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// FleetServer is a fleet that listens. [FleetServer.Close] must be called.
type FleetServer struct {
	fleet   *Fleet
	servers []*Server // One for all VMs, or one for each.
	hosts   memoryHosts
}

// Listen serves all VMs on the same TCP addresses: the address that a request comes from
// says whose it is ([FleetOptions].Sources). Where nothing listens for some VMs of
// [NewFleetOf] alone, their connections are reset. The server ends with [FleetServer.Close];
// the end of ctx ends the requests that are waiting. An address that cannot be had is an error
// of azprov.KindNetwork.
func (f *Fleet) Listen(ctx context.Context, addresses Addresses) (*FleetServer, error) {
	s, err := listenAt(ctx, f.begun(), listenTCP, addresses)
	if err != nil {
		return nil, err
	}
	return &FleetServer{fleet: f, servers: []*Server{s}}, nil
}

// ListenPorts is [Fleet.Listen] with ports for each VM: those of the addresses are the first
// VM's, and the others' count on from there. Port 0 is any free one, for each. Sources say
// nothing here. Ports of two services that would meet, or are over 65535, are an error of
// azprov.KindMalformed.
func (f *Fleet) ListenPorts(ctx context.Context, addresses Addresses) (*FleetServer, error) {
	ranges, err := newPortRanges(addresses, len(f.members))
	if err != nil {
		return nil, err
	}
	s := &FleetServer{fleet: f.begun()}
	for number := range f.members {
		server, err := listenAt(ctx, port{f, number}, listenTCP, ranges.of(number))
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		s.servers = append(s.servers, server)
	}
	return s, nil
}

// ListenInMemory is [Fabric.ListenInMemory] for a fleet: each VM has a client of its own,
// whose connections come from the VM's address.
func (f *Fleet) ListenInMemory(ctx context.Context) *FleetServer {
	s, hosts := listenInMemory(ctx, f.begun())
	return &FleetServer{fleet: f, servers: []*Server{s}, hosts: hosts}
}

// begun starts the clock of the times for which nothing listens.
func (f *Fleet) begun() *Fleet {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		f.since = time.Now()
	}
	return f
}

// outage is what all VMs have in common: the rest is silent's.
func (f *Fleet) outage(service Service) (absent bool, refused time.Duration) {
	absent, refused = f.kinds[0].scenario.outage(service)
	for _, k := range f.kinds[1:] {
		otherAbsent, otherRefused := k.scenario.outage(service)
		absent, refused = absent && otherAbsent, min(refused, otherRefused)
	}
	return absent, refused
}

// toDrive are the VMs whose links are moved. What comes by time alone needs nobody.
func (f *Fleet) toDrive() []*Fabric {
	var all []*Fabric
	for number := range f.members {
		all = append(all, port{f, number}.toDrive()...)
	}
	return all
}

// port is one VM of a fleet, with ports of its own.
type port struct {
	*Fleet

	number int
}

func (p port) handler(service Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.VM(p.number).handler(service).ServeHTTP(w, r)
	})
}

func (p port) outage(service Service) (absent bool, refused time.Duration) {
	return p.kind(p.number).scenario.outage(service)
}

func (p port) toDrive() []*Fabric {
	if p.options.Links == nil || !p.kind(p.number).scenario.isPool() {
		return nil
	}
	return []*Fabric{p.VM(p.number)}
}

// failure is nothing of one VM's: the server of the fleet has it.
func (port) failure() error { return nil }

// portRanges are where the services of the VMs listen.
type portRanges map[Service]portRange

type portRange struct {
	host  string
	first int // 0 for any
}

func newPortRanges(addresses Addresses, n int) (portRanges, error) {
	const op = "emulator.Fleet.ListenPorts"
	ranges := portRanges{}
	for _, service := range servedServices() {
		host, text, err := net.SplitHostPort(addresses.of(service))
		first, portErr := strconv.ParseUint(text, 10, 16)
		switch {
		case err != nil || portErr != nil:
			return nil, malformed(op, string(service)+": want HOST:PORT")
		case first != 0 && int(first)+n-1 > 65535:
			return nil, malformed(op, fmt.Sprintf("%s: %d ports from %d on go beyond 65535", service, n, first))
		}
		for other, r := range ranges {
			if first != 0 && r.first != 0 && r.host == host && max(r.first-int(first), int(first)-r.first) < n {
				return nil, malformed(op, fmt.Sprintf("%d ports each for %s and %s meet: leave as many between the first ones", n, other, service))
			}
		}
		ranges[service] = portRange{host, int(first)}
	}
	return ranges, nil
}

// of are the addresses for one VM.
func (r portRanges) of(number int) Addresses {
	address := func(service Service) string {
		at := r[service]
		if at.first != 0 {
			at.first += number
		}
		return net.JoinHostPort(at.host, strconv.Itoa(at.first))
	}
	return Addresses{IMDS: address(ServiceIMDS), WireServer: address(ServiceWireServer), HostGA: address(ServiceHostGA)}
}

// server is that of a VM, nil if there is no VM of that number.
func (s *FleetServer) server(number int) *Server {
	if number < 0 || number >= s.fleet.Len() {
		return &Server{}
	}
	return s.servers[min(number, len(s.servers)-1)]
}

// IMDSURL is as [Server.IMDSURL], for one VM. It is empty if there is none of that number.
func (s *FleetServer) IMDSURL(number int) string { return s.server(number).IMDSURL() }

// WireServerURL is as [Server.WireServerURL], for one VM.
func (s *FleetServer) WireServerURL(number int) string { return s.server(number).WireServerURL() }

// HostGAURL is as [Server.HostGAURL], for one VM.
func (s *FleetServer) HostGAURL(number int) string { return s.server(number).HostGAURL() }

// Client returns a client as [Server.Client] does, for one VM: it comes from the VM's address.
// On TCP the address must be one of this machine's; a VM that has none yet gets it by the
// first request, from wherever that comes. In memory it gets one from 100.64.0.0/10.
func (s *FleetServer) Client(number int) *http.Client {
	server := s.server(number)
	switch {
	case number < 0 || number >= s.fleet.Len():
		var none memoryHosts
		return newClient(none.dialer(nil, ""))
	case s.hosts != nil:
		source := netip.AddrPortFrom(s.fleet.ensureSource(number), clientPort)
		return newClient(s.hosts.dialer(s.fleet.VM(number).links, source.String()))
	case len(s.servers) == 1 && s.fleet.source(number).IsValid():
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: s.fleet.source(number).AsSlice()}}
		return newClient(dialer.DialContext)
	}
	return server.Client()
}

const (
	// clientPort is that of connections in memory. No two need to differ.
	clientPort = 49152
	// carrierNetwork is 100.64.0.0, the beginning of 4 million addresses.
	carrierNetwork = 100<<24 | 64<<16
)

func (f *Fleet) source(number int) netip.Addr {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.members[number].source
}

// ensureSource returns the address of a VM, and gives it one if it has none: those of
// carriers' own networks (RFC 6598).
func (f *Fleet) ensureSource(number int) netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.members[number].source.IsValid() {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], carrierNetwork+1+uint32(number)) //nolint:gosec // At most FleetLimit.
		f.bind(netip.AddrFrom4(b), number)
	}
	return f.members[number].source
}

// Close stops the server, as [Server.Close] does.
func (s *FleetServer) Close() error {
	var err error
	for _, server := range s.servers {
		err = errors.Join(err, server.Close())
	}
	if len(s.servers) != 1 || s.servers[0].platform != platform(s.fleet) {
		err = errors.Join(err, s.fleet.failure())
	}
	return err
}
