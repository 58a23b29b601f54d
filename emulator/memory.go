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
	ctx, cancel := context.WithCancel(ctx)
	s := newServer(f, cancel)
	s.urls[ServiceIMDS] = azprov.IMDSEndpoint
	s.urls[ServiceWireServer] = azprov.WireServerEndpoint
	s.urls[ServiceHostGA] = azprov.HostGAEndpoint
	hosts := map[string]*memnet.Listener{}
	started := time.Now()
	for service, url := range s.urls {
		absent, refused := f.outage(service)
		if absent {
			continue
		}
		host := authority(strings.TrimPrefix(url, "http://"))
		hosts[host] = memnet.NewListener(host, started.Add(refused))
		s.serve(ctx, service, hosts[host])
	}
	s.drive(ctx)
	s.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if links, ok := f.links.(*MemoryLinks); ok && !links.Connected() {
			return nil, memnet.Unreachable(network, address)
		}
		if listener, ok := hosts[address]; ok && strings.HasPrefix(network, "tcp") {
			return listener.Dial(ctx, network)
		}
		return nil, memnet.Refused(network, address)
	}
	return s
}
