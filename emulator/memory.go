package emulator

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/internal/memnet"
)

// ListenInMemory serves the scenario at [azprov.IMDSEndpoint],
// [azprov.WireServerEndpoint] and [azprov.HostGAEndpoint], which only the server's own [Server.Client]
// reaches. It uses no network and no real time: inside a testing/synctest bubble
// all waiting is virtual. The end of ctx ends the requests that are waiting.
func (f *Fabric) ListenInMemory(ctx context.Context) *Server {
	s, hosts := listenInMemory(ctx, f)
	s.dial = hosts.dialer(f.links, "")
	return s
}

// memoryHosts are the listeners in memory by host and port.
type memoryHosts map[string]*memnet.Listener

func listenInMemory(ctx context.Context, p platform) (*Server, memoryHosts) {
	ctx, cancel := context.WithCancel(ctx)
	s := newServer(p, cancel)
	s.urls[ServiceIMDS] = azprov.IMDSEndpoint
	s.urls[ServiceWireServer] = azprov.WireServerEndpoint
	s.urls[ServiceHostGA] = azprov.HostGAEndpoint
	hosts := memoryHosts{}
	started := time.Now()
	for service, url := range s.urls {
		absent, refused := p.outage(service)
		if absent {
			continue
		}
		host := authority(strings.TrimPrefix(url, "http://"))
		hosts[host] = memnet.NewListener(host, started.Add(refused))
		s.serve(ctx, service, hosts[host])
	}
	s.drive(ctx)
	return s, hosts
}

// dialer connects while the links let it, from the address source, host and port, if there
// is one.
func (h memoryHosts) dialer(links LinkDriver, source string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if memory, ok := links.(*MemoryLinks); ok && !memory.Connected() {
			return nil, memnet.Unreachable(network, address)
		}
		if listener, ok := h[address]; ok && strings.HasPrefix(network, "tcp") {
			return listener.DialFrom(ctx, network, source)
		}
		return nil, memnet.Refused(network, address)
	}
}
